import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { effort } from '../../support/effort.ts'

/** The looks and widths, in px, that pages are checked at: `npm test` has each once. */
export const LOOKS: readonly (readonly [colorScheme: 'light' | 'dark', width: number])[] = effort({
  quick: [
    ['light', 1280],
    ['dark', 360],
  ],
  full: [
    ['light', 1280],
    ['dark', 1280],
    ['light', 360],
    ['dark', 360],
  ],
})

/** What axe-core finds wrong with a page, shadow trees included: the rules, and the elements that break them. */
export async function violations(tab: Page): Promise<unknown[]> {
  await tab.evaluate(`${axe.source}; undefined`)
  const result = await tab.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run())
  return result.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])
}
