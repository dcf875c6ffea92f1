import type { BrowserContext } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type DemoServer, startServer } from '../../demo/offline-notes/server/server.ts'
import { violations } from './support/axe.ts'
import { launchChromium, remove, temporaryFolder } from './support/browsers.ts'
import { DemoTab, demoAssets } from './support/demo.ts'
import { useBrowsers } from './support/fixture.ts'

/** A picture of its own for each test: what arrives must be these bytes. */
async function photo(context: BrowserContext, colour: string): Promise<Buffer> {
  const page = await context.newPage()
  await page.setViewportSize({ width: 320, height: 240 })
  await page.setContent(`<body style="background: linear-gradient(${colour}, white)">`)
  const picture = await page.screenshot()
  await page.close()
  return picture
}

let server: DemoServer

beforeAll(demoAssets)
beforeEach(async () => void (server = await startServer(await demoAssets())))
afterEach(() => server.close())

const browsers = useBrowsers()

/** A browser of one test, that can be closed and opened again. */
async function launch(profile: string): Promise<BrowserContext> {
  const context = await launchChromium({ profile })
  onTestFinished(() => context.close())
  return context
}

/** Waits until it is so. */
const expectSoon = <T>(look: () => T | Promise<T>) => expect.poll(look)

const texts = (): string[] => server.notes.list().map(({ text }) => text)

describe('offline notes', () => {
  test('every note arrives once, after a reload, with a second tab, and when all tabs were closed', async () => {
    const profile = await temporaryFolder('demo')
    onTestFinished(() => remove(profile))
    let context = await launch(profile)
    const pictures = [
      await photo(context, 'teal'),
      await photo(context, 'crimson'),
      await photo(context, 'gold'),
    ]

    let tab = await DemoTab.open(context, server)
    await tab.write('online', pictures[0]!)
    await expectSoon(() => tab.log()).toEqual(['online: delivered'])

    await tab.flip()
    await tab.write('offline', pictures[1]!, pictures[2]!)
    await tab.write('offline too')
    await tab.reload()
    const waiting = ['offline too: stored', 'offline: stored', 'online: delivered']
    await expectSoon(() => tab.log()).toEqual(waiting)
    await expectSoon(() => tab.photos()).toBe(3)
    expect(await tab.page.getByText('2 notes wait').count()).toBe(1)

    const second = await DemoTab.open(context, server)
    await expectSoon(() => second.log()).toEqual(waiting)
    await second.write('from the second tab')
    await expectSoon(() => tab.log()).toEqual(['from the second tab: stored', ...waiting])
    expect(texts()).toEqual(['online'])
    expect([...tab.errors, ...second.errors]).toEqual([])
    await context.close()

    context = await launch(profile)
    tab = await DemoTab.open(context, server)
    await expectSoon(() => tab.log()).toEqual(['from the second tab: stored', ...waiting])
    expect(await tab.page.getByRole('switch').getAttribute('aria-checked')).toBe('true')
    expect(texts()).toEqual(['online'])
    await tab.flip()
    await expectSoon(() => tab.log()).toEqual([
      'from the second tab: delivered',
      'offline too: delivered',
      'offline: delivered',
      'online: delivered',
    ])
    expect(texts().toSorted()).toEqual(['from the second tab', 'offline', 'offline too', 'online'])
    expect(server.notes.repeats).toBe(0)
    const [first, other] = server.notes.list().find(({ text }) => text === 'offline')!.photos
    for (const [i, { url }] of [first!, other!].entries()) {
      const { bytes } = server.notes.photos.get(url.replace('/api/photos/', ''))!
      expect(Buffer.from(bytes).equals(pictures[i + 1]!)).toBe(true)
    }
    await tab.reload()
    await expectSoon(() => tab.photos()).toBe(3)
    expect(tab.errors).toEqual([])
  })

  test('goes along with the offline of the browser, and sends with no page open', async () => {
    const context = await browsers.chromium()
    const tab = await DemoTab.open(context, server)
    await context.setOffline(true)
    await tab.page.getByText('no network').waitFor()
    await tab.write('no network')
    await tab.reload()
    await expectSoon(() => tab.log()).toEqual(['no network: stored'])
    await context.newPage()
    await tab.page.close()
    expect(texts()).toEqual([])
    await context.setOffline(false)
    await expectSoon(texts).toEqual(['no network'])
  })

  test('every note arrives once through squalls, and the server tells repeats', async () => {
    const tab = await DemoTab.open(await browsers.chromium(), server)
    await tab.weather('Squalls')
    const written = ['one', 'two', 'three', 'four']
    for (const text of written) await tab.write(text)
    await expectSoon(() => tab.log()).toEqual(written.map((text) => `${text}: delivered`).reverse())
    expect(texts().toSorted()).toEqual(written.toSorted())
    expect(server.notes.repeats).toBeGreaterThan(0)
    await expectSoon(() => tab.page.locator('#repeats').innerText()).toBe(String(server.notes.repeats))
    expect(tab.errors).toEqual([])
  })

  test('a refused note stays, with the reason, to be tried again or discarded', async () => {
    const tab = await DemoTab.open(await browsers.chromium(), server)
    await tab.weather('Closed')
    await tab.write('wanted')
    await tab.write('unwanted')
    await expectSoon(() => tab.log()).toEqual(['unwanted: failed', 'wanted: failed'])
    expect(await tab.note('wanted').innerText()).toContain('The harbour is closed.')
    await tab.reload()
    await tab.weather('Calm')
    await tab.note('wanted').getByRole('button', { name: 'Try again' }).click()
    await expectSoon(() => tab.log()).toEqual(['unwanted: failed', 'wanted: delivered'])
    const discard = tab.note('unwanted').getByRole('button', { name: 'Discard' })
    await discard.click()
    expect(await discard.innerText()).toContain('sure?')
    await discard.click()
    await expectSoon(() => tab.log()).toEqual(['wanted: delivered'])
    expect(texts()).toEqual(['wanted'])
  })

  test('keeps what was not stored yet, and says what is missing', async () => {
    const tab = await DemoTab.open(await browsers.chromium(), server)
    await tab.page.getByRole('button', { name: 'Store note' }).click()
    expect(await tab.page.getByRole('alert').first().innerText()).toBe('Write something, or add a photo.')
    await tab.page.getByRole('textbox', { name: 'Note' }).fill('a draft')
    await tab.reload()
    expect(await tab.page.getByRole('textbox', { name: 'Note' }).inputValue()).toBe('a draft')
    await tab.page.keyboard.press('Tab')
    await tab.page.getByRole('textbox', { name: 'Note' }).press('Control+Enter')
    await expectSoon(() => tab.log()).toEqual(['a draft: delivered'])
  })

  test('is accessible with a note in every state, light and dark, wide and narrow', async () => {
    const context = await browsers.chromium()
    const tab = await DemoTab.open(context, server)
    await tab.write('delivered', await photo(context, 'teal'))
    await expectSoon(() => tab.log()).toEqual(['delivered: delivered'])
    await tab.weather('Closed')
    await tab.write('failed')
    await expectSoon(() => tab.log()).toEqual(['failed: failed', 'delivered: delivered'])
    await tab.flip()
    await tab.write('stored')
    await tab.page.getByRole('heading', { name: 'Below the waterline' }).click()
    await tab.page.locator('quayside-inspector').getByText('POST /api/notes').first().waitFor()
    await tab.page.emulateMedia({ reducedMotion: 'reduce' }) // what is still fading has no contrast to speak of
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 360]) {
        await tab.page.emulateMedia({ colorScheme })
        await tab.page.setViewportSize({ width, height: 800 })
        expect(await violations(tab.page), `${colorScheme} at ${width} px`).toEqual([])
        expect(await tab.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
      }
    }
  })
})
