import axe from 'axe-core'
import type { Page } from 'playwright-core'

/** What axe-core finds wrong with a page, shadow trees included: the rules, and the elements that break them. */
export async function violations(tab: Page): Promise<unknown[]> {
  await tab.evaluate(`${axe.source}; undefined`)
  const result = await tab.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run())
  return result.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])
}
