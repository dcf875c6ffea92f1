import type { BrowserContext } from 'playwright-core'
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type DemoServer, startServer } from '../../demo/offline-notes/server/server.ts'
import { LOOKS, violations } from './support/axe.ts'
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
    expect(await tab.page.getByRole('switch', { name: 'Work offline' }).getAttribute('aria-checked')).toBe(
      'true',
    )
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

  test('a conflict is resolved by an edited note, which keeps its photos', async () => {
    const context = await browsers.chromium()
    const tab = await DemoTab.open(context, server)
    await tab.weather('Crossed', 'Island')
    await tab.to('Island')
    const picture = await photo(context, 'teal')
    await tab.write('said before', picture)
    await expectSoon(() => tab.log()).toEqual(['said before: failed'])
    expect(await tab.note('said before').innerText()).toContain('Somebody wrote this first.')
    await tab.note('said before').getByRole('button', { name: 'Edit' }).click()
    await tab.page.getByRole('textbox', { name: 'Edit: said before' }).fill('said anew')
    await tab.page.getByRole('button', { name: 'Send this instead' }).click()
    await expectSoon(() => tab.log()).toEqual(['said anew: delivered'])
    const [note] = server.notes.list()
    expect(note).toMatchObject({ text: 'said anew', by: 'ada', to: 'island' })
    const { bytes } = server.notes.photos.get(note!.photos[0]!.url.replace('/api/photos/', ''))!
    expect(Buffer.from(bytes).equals(picture)).toBe(true)
    expect(texts()).toEqual(['said anew'])
    expect(tab.errors).toEqual([])
  })

  test('one harbour does not wait for the other', async () => {
    const tab = await DemoTab.open(await browsers.chromium(), server)
    await tab.weather('Closed', 'Island')
    await tab.to('Island')
    await tab.write('for the island')
    await tab.to('Home port')
    await tab.write('for the port')
    await expectSoon(() => tab.log()).toEqual(['for the port: delivered', 'for the island: failed'])
  })

  test('logged out, notes are held at once in all tabs, and go when somebody logs in', async () => {
    const context = await browsers.chromium()
    const tab = await DemoTab.open(context, server)
    await tab.isLoggedIn(true)
    const second = await DemoTab.open(context, server)
    await tab.session(false)
    await second.isLoggedIn(false)
    for (const text of ['one', 'two', 'three']) await tab.write(text)
    await expectSoon(() => second.note('three').innerText()).toContain('waits for a log-in')
    expect(texts()).toEqual([])
    await second.session(true)
    await expectSoon(() => tab.log()).toEqual(['three: delivered', 'two: delivered', 'one: delivered'])
    expect(server.notes.list().every(({ by }) => by === 'ada')).toBe(true)
    expect([...tab.errors, ...second.errors]).toEqual([])
  })

  test('notices that the server has forgotten the session', async () => {
    const tab = await DemoTab.open(await browsers.chromium(), server)
    await tab.isLoggedIn(true)
    server.sessions.clear()
    await tab.write('after a restart')
    await tab.isLoggedIn(false)
    await tab.session(true)
    await expectSoon(() => tab.log()).toEqual(['after a restart: delivered'])
  })

  test('what Ada stored offline waits for Ada, and Bob is not in its way nor it in his', async () => {
    const context = await browsers.chromium()
    const tab = await DemoTab.open(context, server)
    await tab.isLoggedIn(true)
    await tab.flip()
    await tab.write('diary of Ada')
    await tab.write('more of it')
    await tab.become('Bob')
    await tab.page.getByText('2 wait for Ada').waitFor()
    await expectSoon(() => tab.log()).toEqual([])
    await tab.flip()
    await tab.write('diary of Bob')
    await expectSoon(() => tab.note('diary of Bob').innerText()).toContain('waits for a log-in')
    await tab.session(true)
    await expectSoon(() => tab.log()).toEqual(['diary of Bob: delivered'])
    expect(texts()).toEqual(['diary of Bob'])
    await tab.become('Ada')
    await expectSoon(() => texts().toSorted()).toEqual(['diary of Ada', 'diary of Bob', 'more of it'])
    const signed = server.notes.list().map(({ by, text }) => `${by}: ${text}`)
    expect(signed.toSorted()).toEqual(['ada: diary of Ada', 'ada: more of it', 'bob: diary of Bob'])
    expect(tab.errors).toEqual([])
  })

  test('who signs out and drops leaves what is of others', async () => {
    const tab = await DemoTab.open(await browsers.chromium(), server)
    await tab.isLoggedIn(true)
    await tab.flip()
    await tab.write('of Ada')
    await tab.become('Bob')
    await tab.page.getByText('1 waits for Ada').waitFor()
    await tab.write('of Bob')
    const forget = tab.page.getByRole('button', { name: 'Sign out, drop what waits' })
    await forget.click()
    await tab.page.getByRole('button', { name: 'Drop what waits: sure?' }).click()
    await expectSoon(() => tab.log()).toEqual([])
    await tab.flip()
    await tab.become('Ada')
    await expectSoon(() => tab.log()).toEqual(['of Ada: delivered'])
    expect(texts()).toEqual(['of Ada'])
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
    await tab.note('failed').getByRole('button', { name: 'Edit' }).click()
    await tab.flip()
    await tab.write('stored')
    await tab.page.getByRole('heading', { name: 'Below the waterline' }).click()
    await tab.page.locator('quayside-inspector').getByText('POST /api/port/notes').first().waitFor()
    for (const [colorScheme, width] of LOOKS) {
      await tab.page.emulateMedia({ colorScheme })
      await tab.page.setViewportSize({ width, height: 800 })
      expect(await violations(tab.page), `${colorScheme} at ${width} px`).toEqual([])
      expect(await tab.page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
    }
  })
})
