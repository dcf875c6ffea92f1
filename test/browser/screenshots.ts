// npm run screenshots: the pictures in docs/, of the demo and of the inspector.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { BrowserContext, Page } from 'playwright-core'
import { startServer } from '../../demo/offline-notes/server/server.ts'
import { launchChromium } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { DemoTab, demoAssets } from './support/demo.ts'
import { openSite, serve } from './support/site.ts'

const docs = new URL('../../docs/', import.meta.url)
const PHONE = { width: 390, height: 844 }

async function shoot(page: Page, name: string, fullPage = false): Promise<void> {
  await page.waitForTimeout(600) // lets what fades in arrive
  await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, docs)), fullPage })
  console.log(`docs/${name}.png`)
}

/** A photo, as good as SVG can take one. */
async function photo(context: BrowserContext, svg: string): Promise<Buffer> {
  const page = await context.newPage()
  await page.setViewportSize({ width: 640, height: 480 })
  await page.setContent(
    `<style>*{margin:0}</style><svg width="640" height="480" viewBox="0 0 64 48" preserveAspectRatio="none">${svg}</svg>`,
  )
  const picture = await page.screenshot()
  await page.close()
  return picture
}

const LIGHTHOUSE = `<defs><linearGradient id="a" x2="0" y2="1"><stop stop-color="#28406b"/><stop offset="1" stop-color="#f0a36b"/></linearGradient></defs>
  <path fill="url(#a)" d="M0 0h64v48H0z"/><path fill="#fbd79a" d="m40 14-40-8v14z" opacity=".55"/>
  <path fill="#1e3048" d="M0 40q20-6 36-2t28-4v14H0z"/><path fill="#f6f1e7" d="m38 18-2 20h10l-2-20z"/>
  <path fill="#b4271f" d="m37.500 23-.5 5h8l-.5-5zM36.500 33l-.5 5h10l-.5-5z"/><path fill="#22344d" d="M37 16h8v2h-8zM38.500 11h5v5h-5zM38 11l3-3 3 3z"/><path fill="#ffe9a8" d="M39.500 12h3v3h-3z"/>`
const BOATS = `<path fill="#bfe0ea" d="M0 0h64v26H0z"/><path fill="#5f9aa3" d="M0 22q16-5 34-2t30-2v10H0z"/><path fill="#2f7f93" d="M0 26h64v22H0z"/>
  <path fill="#fff" d="M18 10v18H6z"/><path fill="#f1d9b0" d="M20 12v16h9z"/><path fill="#b8542e" d="M4 30h28l-5 6H9z"/>
  <path fill="#fff" d="M48 18v12h-8z"/><path fill="#1b4f9c" d="M38 31h18l-3 4H41z"/><path stroke="#7ab8c6" stroke-width=".6" d="M2 41h14M26 43h18M48 40h12"/>`
const SCHEDULE = `<path fill="#d9cbb4" d="M0 0h64v48H0z"/><path fill="#fffdf6" d="m12 4 42 3-3 38-41-3z"/><path fill="#1b4f9c" d="m15 9 20 1.500-.2 3-20-1.500z"/>
  <path stroke="#8795a1" stroke-width="1" d="m15 18 34 2.500M14.600 23l34 2.500M14.200 28l34 2.500M13.800 33l20 1.500"/><path fill="#c8322b" d="m39 33 8 .6-.3 5-8-.6z"/>`

mkdirSync(docs, { recursive: true })
const context = await launchChromium()

// The demo: an ordinary day on which the network went.
const server = await startServer(await demoAssets())
const tab = await DemoTab.open(context, server)
const { page } = tab
await page.setViewportSize({ width: 1280, height: 860 })
await tab.write(
  'Walked the whole mole before the fog came in. The light was on early.',
  await photo(context, LIGHTHOUSE),
)
await page.locator('.note[data-state=delivered]').waitFor()
await tab.write('Berth 4 is free from Thursday.')
await page.locator('.note[data-state=delivered]').nth(1).waitFor()
await tab.weather('Closed', 'Island')
await tab.to('Island')
await tab.write('Ask for the crane on Friday, 07:30.')
await page.locator('.note[data-state=failed]').waitFor()
await tab.weather('Calm', 'Island')
await tab.to('Home port')
await tab.flip()
await tab.write(
  'Two boats for the survey, and the new timetable from the office door.',
  await photo(context, BOATS),
  await photo(context, SCHEDULE),
)
await tab.write('Low water at 16:10. Mooring lines doubled, fenders out.')
await page.waitForTimeout(2500) // the ship leaves
await page.evaluate(() => (document.activeElement as HTMLElement).blur())
await shoot(page, 'notes-light')
await page.setViewportSize(PHONE)
await shoot(page, 'notes-phone-light')

// The line is up again; one note is on its way.
const held: (() => void)[] = []
await page.route('**/api/port/notes', async (route) => {
  if (route.request().method() === 'POST') await new Promise<void>((resolve) => held.push(resolve))
  await route.continue()
})
await page.setViewportSize({ width: 1280, height: 860 })
await page.emulateMedia({ colorScheme: 'dark' })
await tab.flip()
await page.waitForTimeout(3000)
while (held.length < 2) await page.waitForTimeout(50)
held.shift()!()
await page.locator('.note[data-state=delivered]').nth(2).waitFor()
await shoot(page, 'notes-dark')
await page.setViewportSize(PHONE)
await shoot(page, 'notes-phone-dark')
for (const release of held) release()
await page.unrouteAll({ behavior: 'wait' })
await page.close()
await server.close()

// The inspector.
const site = await openSite({ '/picture.js': await bundle('test/browser/pages/inspector-picture.ts') })
site.routes.set(
  '/',
  serve(
    'text/html',
    `<!doctype html><html lang="en"><title>Inspector</title><meta name="viewport" content="width=device-width">
    <meta name="color-scheme" content="light dark"><body style="margin:16px">
    <quayside-inspector group="stock"></quayside-inspector><script type="module" src="/picture.js"></script>`,
  ),
)
const inspector = await context.newPage()
await inspector.setViewportSize({ width: 1180, height: 760 })
await inspector.goto(site.origin)
await inspector.getByRole('region', { name: 'Group stock' }).waitFor()
await inspector.getByText('Dead letters by error').click()
await inspector.getByRole('row').filter({ hasText: 'kelvin' }).getByRole('button').first().click()
for (const colorScheme of ['light', 'dark'] as const) {
  await inspector.emulateMedia({ colorScheme })
  await inspector.setViewportSize({ width: 1180, height: 900 })
  await shoot(inspector, `inspector-${colorScheme}`, true)
  await inspector.setViewportSize(PHONE)
  await shoot(inspector, `inspector-phone-${colorScheme}`)
}
await inspector.setViewportSize({ width: 1180, height: 700 })
await inspector.emulateMedia({ colorScheme: 'light' })
await inspector.getByRole('row').filter({ hasText: 'kelvin' }).getByRole('button', { name: 'Edit' }).click()
await shoot(inspector, 'inspector-edit')
await site.close()
await context.close()
