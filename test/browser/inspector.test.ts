import { readFile } from 'node:fs/promises'
import type { BrowserContext, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { InspectorPage } from './pages/inspector.ts'
import { LOOKS, violations } from './support/axe.ts'
import { launchChromium } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import { type Site, openSite, serve } from './support/site.ts'

declare const page: InspectorPage
declare const readsSoFar: () => number

const HTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Inspector</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<meta http-equiv="content-security-policy" content="default-src 'self'; img-src data:">
<main><h1>A page</h1></main><script type="module" src="/inspector.js"></script></html>`

let site: Site
let browser: BrowserContext
let tab: Page
let problems: string[]

beforeAll(async () => {
  const script = await bundle('test/browser/pages/inspector.ts')
  site = await openSite({ '/inspector.js': script, '/again.js': await bundle('inspector/index.ts') })
  site.routes.set('/', serve('text/html', HTML))
  browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await site?.close()
})

beforeEach(async () => {
  tab = await browser.newPage()
  tab.setDefaultTimeout(45_000)
  problems = []
  tab.on('pageerror', (error) => problems.push(String(error)))
  tab.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  await tab.goto(`${site.origin}/`)
})
afterEach(async () => {
  await tab.close()
  if (problems.length > 0) throw new Error(problems.join('\n'))
})

async function show(): Promise<void> {
  await tab.evaluate(async () => {
    await page.fill()
    page.inspector.queue = page.queue
  })
  await group('default').waitFor()
}

const group = (name: string): Locator => tab.getByRole('region', { name: `Group ${name}` })
const row = (text: string): Locator => group('default').getByRole('row').filter({ hasText: text })
const counts = async (name: string): Promise<string> =>
  (await group(name).getByRole('listitem').allInnerTexts())
    .map((text) => text.replaceAll(/\s+/g, ' '))
    .join(', ')
const reads = (): Promise<number> => tab.evaluate(() => readsSoFar())

/** Waits until it is so: the inspector draws in the next frame. */
const expectSoon = <T>(look: () => Promise<T>) => expect.poll(look)

/** From now on time passes when the test says so, and at no other time. */
async function standStill(): Promise<void> {
  await tab.clock.install()
  await tab.clock.pauseAt((await tab.evaluate(() => Date.now())) + 1000)
  // The clock is that of all tabs.
  onTestFinished(() => browser.clock.resume())
}

describe('<quayside-inspector>', () => {
  test('shows every group, its counts, its messages and its dead letters', async () => {
    await show()
    expect(await tab.getByRole('heading', { level: 2 }).innerText()).toBe('harbour')
    expect(await counts('default')).toBe('2 ready, 1 leased, 3 delayed, 1 blocked, 0 parked, 1 dead')
    expect(await counts('audit')).toBe('0 ready, 0 leased, 1 delayed, 0 blocked, 0 parked, 0 dead')
    expect(await group('default').innerText()).toContain('0 acked')
    const delayed = row('POST /orders')
    expect(await delayed.innerText()).toMatch(
      /delayed\s+due in \d+ (min|s)\s+\d+ s\s+1\s+HTTP 503 Service Unavailable/,
    )
    const dead = row('POST shop.example/refunds?page=2')
    expect(await dead.innerText()).toMatch(/dead\s+rejected/)
    expect(await dead.innerText()).toContain('HTTP 422: the order has no address')
    expect(await row('2.0 kB of binary data').innerText()).toMatch(/leased\s+\d+ s of lease left/)
    expect(await row('{"step":1}').innerText()).toMatch(/delayed\s+due in (1 min\s+)?\d+ s\s+1 of 5/)
    expect(await row('{"step":2}').innerText()).toContain('blocked')
    const retries = row('sent with a delay').getByRole('button', { name: 'Retry now' })
    expect(await retries.count()).toBe(0)
  })

  test('shows what is stored as text, whatever it is', async () => {
    await show()
    await row('<img src=x').getByRole('button').first().click()
    expect(await row('<img src=x').locator('pre').innerText()).toContain('onerror="globalThis.stolen = true"')
    expect(await tab.evaluate(() => 'stolen' in globalThis)).toBe(false)
    expect(await group('default').locator('img, script').count()).toBe(0)
  })

  test('is defined once, however often it is imported', async () => {
    await tab.addScriptTag({ type: 'module', url: `${site.origin}/again.js` })
    await show()
    expect(await tab.locator('quayside-inspector').count()).toBe(1)
  })

  test('takes a queue that was set before it was defined', async () => {
    await tab.setContent(HTML.replace('<script type="module" src="/inspector.js"></script>', ''))
    await tab.evaluate(() => {
      const early = document.createElement('quayside-inspector')
      early.queue = {
        name: 'early',
        stats: () => Promise.resolve({ groups: {}, messages: 0, bytes: 0, sent: 0, holds: [] }),
        list: () => Promise.resolve({ messages: [] }),
        lanes: () => Promise.resolve({ lanes: [] }),
        deadLetters: () => ({ list: () => Promise.resolve({ messages: [] }) }),
        watch: () => () => undefined,
      } as never
      document.querySelector('main')!.append(early)
    })
    await tab.addScriptTag({ type: 'module', url: `${site.origin}/again.js` })
    await expectSoon(() => tab.getByRole('heading', { level: 2 }).innerText()).toBe('early')
  })

  test('follows the queue', async () => {
    await show()
    await tab.evaluate(() => page.queue.createProducer().send({ text: 'one more' }))
    await row('one more').waitFor()
    expect(await counts('audit')).toMatch(/^1 ready/)
    await tab.evaluate(() => page.queue.purge())
    await expectSoon(() => counts('default')).toBe(
      '0 ready, 0 leased, 0 delayed, 0 blocked, 0 parked, 0 dead',
    )
    expect(await group('default').getByRole('table').count()).toBe(0)
  })

  test('shows messages that wait for the first group', async () => {
    await tab.evaluate(async () => {
      await page.queue.createProducer().sendBatch([{ payload: 'a' }, { payload: 'b' }])
      page.inspector.queue = page.queue
    })
    await row('b').waitFor()
    expect(await counts('default')).toMatch(/^2 ready/)
  })

  test('shows the group of its attribute alone', async () => {
    await show()
    await tab.evaluate(() => (page.inspector.group = 'audit'))
    await group('default').waitFor({ state: 'detached' })
    expect(await group('audit').count()).toBe(1)
    expect(await tab.evaluate(() => page.inspector.getAttribute('group'))).toBe('audit')
    await tab.evaluate(() => (page.inspector.group = undefined))
    await group('default').waitFor()
  })

  test('retries now, drops, redrives and deletes', async () => {
    await show()
    await tab.getByRole('button', { name: 'Retry now POST /orders' }).click()
    await expectSoon(() => row('POST /orders').innerText()).toContain('ready')
    expect(await tab.getByRole('status').innerText()).toBe('The message is due now.')

    await tab.getByRole('button', { name: 'Drop POST /orders' }).click()
    expect(await row('POST /orders').count()).toBe(1)
    await tab.getByRole('button', { name: 'Drop: sure? POST /orders' }).click()
    await row('POST /orders').waitFor({ state: 'detached' })

    await tab.getByRole('button', { name: 'Redrive POST shop' }).click()
    await expectSoon(() => row('POST shop').innerText()).toContain('ready')
    expect(await counts('default')).toMatch(/0 dead$/)
    await tab.evaluate(async () => {
      const messages = await page.queue.createConsumer().receiveBatch(1)
      for (const message of messages) await message.reject({ reason: 'again' })
    })
    const remove = row('again').getByRole('button', { name: 'Delete' })
    await remove.click()
    await tab.keyboard.press('Escape') // disarms it
    expect(await remove.innerText()).toBe('Delete')
    await remove.click()
    await remove.click()
    await row('again').waitFor({ state: 'detached' })
  })

  test('shows what is parked, and resumes it', async () => {
    await tab.evaluate(async () => {
      await page.fill()
      await page.park()
      page.inspector.queue = page.queue
    })
    const parked = group('default').getByRole('table', { name: 'Parked' }).getByRole('row')
    await parked.filter({ hasText: 'no such address: nobody' }).waitFor()
    expect(await counts('default')).toContain('2 parked')
    const first = parked.filter({ hasText: 'no such address: nobody' })
    await first.getByRole('button').first().click()
    expect(await first.locator('pre').innerText()).toContain('"field": "to"')
    await tab.getByRole('button', { name: 'Resume {"to":"nobody"}' }).click()
    await expectSoon(() => counts('default')).toContain('1 parked')
    expect(await tab.getByRole('status').innerText()).toBe('The message is due now.')
    await tab.getByRole('button', { name: 'Resume all of group default' }).click()
    await expectSoon(() => counts('default')).toContain('0 parked')
    expect(await group('default').getByRole('table', { name: 'Parked' }).count()).toBe(0)
  })

  test('edits what is parked, as JSON, and keeps what it was sent with', async () => {
    await tab.evaluate(async () => {
      await page.queue.createProducer().send({ to: 'nobody' }, { id: 'mail-1', headers: { by: 'ada' } })
      await (await page.queue.createConsumer().receive())!.park({ reason: 'no such address' })
      page.inspector.queue = page.queue
    })
    await tab.getByRole('button', { name: 'Edit {"to":"nobody"}' }).click()
    const dialog = tab.getByRole('dialog', { name: 'Edit mail-1' })
    const json = dialog.getByRole('textbox', { name: 'Payload, as JSON' })
    expect(JSON.parse(await json.inputValue())).toEqual({ to: 'nobody' })
    await json.fill('{"to":')
    await dialog.getByRole('button', { name: 'Save and resume' }).click()
    await expectSoon(() => dialog.getByRole('alert').innerText()).toMatch(/JSON/)
    expect(await violations(tab)).toEqual([])
    await json.fill('{"to":"ada"}')
    await dialog.getByRole('button', { name: 'Save and resume' }).click()
    await dialog.waitFor({ state: 'hidden' })
    await expectSoon(() => counts('default')).toMatch(/^1 ready.*0 parked/)
    const found = await tab.evaluate(async () => {
      const message = (await page.queue.createConsumer().receive())!
      const { id, payload, headers } = message
      return { id, payload, headers }
    })
    expect(found).toEqual({ id: 'mail-1', payload: { to: 'ada' }, headers: { by: 'ada' } })
  })

  test('says in the dialog that a message is no longer parked', async () => {
    await tab.evaluate(async () => {
      await page.park()
      page.inspector.queue = page.queue
    })
    await tab.getByRole('button', { name: 'Edit {"to":"ada"}' }).click()
    await tab.evaluate(async () => {
      const { messages } = await page.queue.list({ state: 'parked' })
      await page.queue.cancel(messages.map(({ id }) => id))
    })
    await tab.getByRole('button', { name: 'Save and resume' }).click()
    const dialog = tab.getByRole('dialog')
    await expectSoon(() => dialog.getByRole('alert').innerText()).toBe('The message is no longer parked.')
    await tab.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
  })

  test('groups dead letters by what they died of, and redrives those of one cause', async () => {
    await tab.evaluate(async () => {
      await page.queue.createProducer().sendBatch(Array.from({ length: 5 }, (_, i) => ({ payload: i })))
      for (const [i, message] of (await page.queue.createConsumer().receiveBatch(5)).entries())
        await message.reject({ reason: i < 3 ? `order ${i} is gone` : 'the bank is closed' })
      page.inspector.queue = page.queue
    })
    await group('default').getByText('Dead letters by error').click()
    const causes = group('default').getByRole('table', { name: 'Dead letters by error' })
    await expectSoon(async () =>
      (await causes.locator('tbody tr').allInnerTexts()).map((text) => text.replaceAll(/\s+/g, ' ')),
    ).toEqual([
      expect.stringMatching(/^order # is gone 3 \d+ s ago Redrive\s?Delete$/),
      expect.stringMatching(/^the bank is closed 2 \d+ s ago/),
    ])
    await causes.getByRole('button', { name: 'Redrive those with order # is gone' }).click()
    await expectSoon(() => counts('default')).toMatch(/^3 ready.*2 dead$/)
    const remove = causes.getByRole('button', { name: /^Delete/ })
    await remove.click()
    await remove.click()
    await expectSoon(() => counts('default')).toMatch(/0 dead$/)
  })

  test('shows schedules in words, and not what they note for themselves', async () => {
    await tab.evaluate(async () => {
      page.inspector.queue = await page.schedules()
    })
    await row('tidy: 0 3 * * *').waitFor()
    expect(await row('beat: every 1 h').count()).toBe(1)
    expect(await group('default').getByRole('table', { name: 'Messages' }).locator('tbody tr').count()).toBe(
      2,
    )
  })

  test('offers nothing that changes a queue that can only be looked at', async () => {
    await tab.evaluate(async () => {
      await page.fill()
      await page.park()
      page.inspector.queue = Object.assign(page.queue, { readOnly: true })
    })
    await row('a plain message').waitFor()
    const shown = group('default').getByRole('button', { name: /Drop|Redrive|Resume|Edit|Hold|Retry|Delete/ })
    expect(await shown.count()).toBe(0)
    expect(await tab.getByText('read only').count()).toBe(1)
    expect(await group('default').getByRole('button', { name: 'Export as JSON' }).count()).toBe(1)
  })

  test('shows what is held, holds and releases: the queue, a group, a lane', async () => {
    await show()
    expect(await group('default').getByRole('table', { name: 'Lanes' }).count()).toBe(0)
    await tab.evaluate(async () => {
      await page.queue.createProducer().send(1, { lane: 'tenant-1' })
      await page.queue.createProducer().send(2, { lane: 'tenant-2' })
      await page.queue.hold({ lane: 'tenant-2', reason: 'complaints', forMs: 600_000, probe: true })
    })
    const lane = (name: string): Locator =>
      group('default').getByRole('table', { name: 'Lanes' }).getByRole('row').filter({ hasText: name })
    await expectSoon(() => lane('tenant-2').innerText()).toMatch(
      /tenant-2\s+1\s+0\s+in all groups, is held for (9|10) min, then one goes first: complaints\s+Release/,
    )
    for (const name of ['the queue', 'group default', 'lane tenant-1 of group default']) {
      await tab.getByRole('button', { name: `Hold ${name}`, exact: true }).click()
      await tab.getByRole('button', { name: `Release ${name}`, exact: true }).waitFor()
    }
    const holds = await tab.evaluate(async () => (await page.queue.stats()).holds)
    expect(holds).toHaveLength(4)
    for (const text of ['The queue is held', 'Group default is held']) await tab.getByText(text).waitFor()
    for (const name of [
      'lane tenant-2 of group default',
      'the queue',
      'group default',
      'lane tenant-1 of group default',
    ]) {
      const release = tab.getByRole('button', { name: `Release ${name}`, exact: true })
      await release.focus()
      await tab.keyboard.press('Enter')
      await tab.getByRole('button', { name: `Hold ${name}`, exact: true }).waitFor()
      expect(await tab.evaluate(() => page.inspector.shadowRoot!.activeElement?.ariaLabel)).toBe(
        `Hold ${name}`,
      )
    }
    expect(await tab.evaluate(async () => (await page.queue.stats()).holds)).toEqual([])
  })

  test('shows results that are kept, once they are asked for', async () => {
    await show()
    await tab.evaluate(() => page.finish())
    await group('default').getByText('Results that are kept').click()
    const done = group('default').getByRole('table', { name: 'Done' }).getByRole('row')
    await expectSoon(() => done.filter({ hasText: 'kept-1' }).allInnerTexts()).toEqual([
      expect.stringMatching(/kept-1\s+done\s+\d+ s\s+1\s+\{"sent":true\}/),
    ])
    await done.filter({ hasText: 'kept-1' }).getByRole('button').first().click()
    expect(await done.locator('pre').innerText()).toContain('"sent": true')
  })

  test('asks a storage without lanes once', async () => {
    await tab.evaluate(async () => {
      let asked = 0
      const refusal = Object.assign(new Error('no lanes'), { code: 'UNSUPPORTED' })
      page.queue.lanes = () => {
        asked++
        return Promise.reject(refusal)
      }
      Object.assign(globalThis, { asked: () => asked })
      await page.fill()
      page.inspector.queue = page.queue
    })
    await tab.evaluate(() => page.queue.createProducer().send('one more'))
    await row('one more').waitFor()
    expect(await tab.evaluate(() => (globalThis as unknown as { asked(): number }).asked())).toBe(2)
    expect(await tab.getByRole('alert').filter({ hasText: /./ }).count()).toBe(0)
  })

  test('does it for all messages of a group', async () => {
    await show()
    await tab.getByRole('button', { name: 'Retry all now of group default' }).click()
    await expectSoon(() => counts('default')).toMatch(/1 delayed, 1 blocked/) // what was sent with a delay stays
    await tab.getByRole('button', { name: 'Redrive all of group default' }).click()
    await expectSoon(() => counts('default')).toMatch(/0 dead$/)
    expect(await tab.getByRole('button', { name: 'Redrive all' }).count()).toBe(0)
  })

  test('exports a group as JSON', async () => {
    await show()
    const [download] = await Promise.all([
      tab.waitForEvent('download'),
      tab.getByRole('button', { name: 'Export as JSON of group default' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('harbour-default.json')
    const json = JSON.parse(await readFile(await download.path(), 'utf8')) as {
      messages: { id: string; payload: unknown }[]
    }
    expect(json).toMatchObject({ queue: 'harbour', group: 'default' })
    expect(json.messages.map(({ id }) => id).sort()).toEqual(
      ['blocked', 'dead', 'delayed', 'head', 'hostile', 'later', 'leased', 'ready'].sort(),
    )
    const binary = json.messages.find(({ id }) => id === 'leased')!.payload as { base64: string }
    expect(Buffer.from(binary.base64, 'base64')).toEqual(Buffer.alloc(2048))
  })

  test('grows by a page at a time', async () => {
    await tab.evaluate(async () => {
      const messages = Array.from({ length: 120 }, (_, i) => ({ payload: `message ${i}` }))
      await page.queue.createProducer().sendBatch(messages)
      page.inspector.queue = page.queue
    })
    const rows = group('default').locator('tbody tr')
    await row('message 49').waitFor()
    expect(await rows.count()).toBe(50)
    await tab.getByRole('button', { name: 'Show 50 more' }).click()
    await row('message 99').waitFor()
    await tab.getByRole('button', { name: 'Show 50 more' }).click()
    await row('message 119').waitFor()
    expect(await tab.getByRole('button', { name: 'Show 50 more' }).count()).toBe(0)
  })

  test('keeps the focus, and what is unfolded, while the queue changes', async () => {
    await show()
    const title = row('a plain message').getByRole('button').first()
    await title.focus()
    await tab.keyboard.press('Enter')
    const focused = (): Promise<string> =>
      tab.evaluate(() => page.inspector.shadowRoot!.activeElement?.textContent ?? '')
    await tab.evaluate(() => page.queue.cancel(['hostile']))
    await row('<img').waitFor({ state: 'detached' })
    expect(await focused()).toBe('{"text":"a plain message"}')
    expect(await title.getAttribute('aria-expanded')).toBe('true')
    expect(await row('a plain message').locator('pre').innerText()).toContain('"text": "a plain message"')

    // What has the focus goes: then it goes to its neighbour, not to the start of the page.
    await tab.evaluate(() => page.queue.cancel(['ready']))
    await row('a plain message').waitFor({ state: 'detached' })
    expect(await focused()).not.toBe('')
  })

  test('says in the element what went wrong', async () => {
    await show()
    await tab.evaluate(() => {
      page.queue.cancel = () => Promise.reject(new Error('the disk is on fire'))
    })
    const drop = row('a plain message').getByRole('button', { name: 'Drop' })
    await drop.click()
    await drop.click()
    const alert = tab.getByRole('alert').filter({ hasText: /./ })
    await expectSoon(() => alert.innerText()).toBe('the disk is on fire')
    await tab.getByRole('button', { name: 'Redrive all' }).click()
    await alert.waitFor({ state: 'detached' })
    await tab.evaluate(() => page.queue.close())
    await tab.getByRole('button', { name: 'Retry all now of group default' }).click()
    await expectSoon(async () => (await alert.allInnerTexts()).join(' ')).toMatch(
      /closed.*The queue cannot be read/s,
    )
  })

  test('rests while nobody sees it', async () => {
    await standStill()
    await tab.evaluate(async () => {
      const details = document.createElement('details')
      const summary = document.createElement('summary')
      summary.textContent = 'Drawer'
      details.append(summary, page.inspector)
      document.querySelector('main')!.append(details)
      await page.fill()
      page.inspector.queue = page.queue
    })
    const before = await reads()
    await tab.clock.runFor(20_000)
    expect(await reads()).toBe(before)
    await tab.getByText('Drawer').click()
    await expectSoon(async () => {
      await tab.clock.runFor(100)
      return reads()
    }).toBe(before + 1)
    await tab.getByText('Drawer').click()
    await tab.evaluate(
      () => new Promise((resolve) => new IntersectionObserver(resolve).observe(page.inspector)),
    )
    await tab.clock.runFor(20_000)
    expect(await reads()).toBe(before + 1)
    await tab.evaluate(() => page.inspector.remove())
    await tab.evaluate(() => page.queue.purge())
    await tab.clock.runFor(20_000)
    expect(await reads()).toBe(before + 1)
  })

  test('lets the ages go on, and sees what comes due without a hint', async () => {
    await standStill()
    await tab.evaluate(async () => {
      await page.queue.createProducer().send('soon', { delayMs: 3000 })
      page.inspector.queue = page.queue
    })
    await expectSoon(async () => {
      await tab.clock.runFor(20)
      return await row('soon').allInnerTexts()
    }).toEqual([expect.stringContaining('due in 3 s')])
    await tab.clock.runFor(2000)
    await expectSoon(() => row('soon').innerText()).toMatch(/due in 1 s\s+2 s/)
    await tab.clock.runFor(2000)
    await expectSoon(() => row('soon').innerText()).toContain('ready')
    await tab.clock.runFor(5000)
    expect(await tab.getByRole('status').innerText()).toContain('Group default: 1 ready')
  })

  describe.each(LOOKS)('in %s at %i px', (colorScheme, width) => {
    test('is accessible, and fits', async () => {
      await tab.emulateMedia({ colorScheme })
      await tab.setViewportSize({ width, height: 900 })
      await tab.evaluate(() => page.park())
      await show()
      await tab.evaluate(async () => {
        await page.finish()
        await page.queue.createProducer().send('in a lane', { lane: 'tenant-1' })
        await page.queue.hold({ lane: 'tenant-1', reason: 'complaints' })
        await page.queue.hold({ group: 'default', reason: 'the bank is down', forMs: 600_000 })
        await page.queue.hold()
      })
      await group('default').getByText('Results that are kept').click()
      await group('default').getByText('kept-1').waitFor()
      await tab.getByText('the bank is down').waitFor()
      await row('a plain message').getByRole('button').first().click()
      await row('a plain message').getByRole('button', { name: 'Drop' }).click()
      expect(await violations(tab)).toEqual([])
      expect(await tab.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width)
    })
  })
})
