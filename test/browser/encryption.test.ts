import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { EXPECTED } from '../encryption/exercise.ts'
import { launchChromium, remove, temporaryFolder } from './support/browsers.ts'
import { bundle } from './support/bundle.ts'
import {
  type OpenContext,
  chromiumPage,
  dedicatedWorker,
  firefoxPage,
  serviceWorker,
} from './support/contexts.ts'
import { openSite, page } from './support/site.ts'

let script: string
beforeAll(async () => void (script = await bundle('test/browser/pages/encryption.ts')))

const CONTEXTS: readonly (readonly [string, OpenContext])[] = [
  ['a page in Chromium', chromiumPage],
  ['a worker', dedicatedWorker],
  ['a service worker', serviceWorker],
  ['a page in Firefox', firefoxPage],
]

test.each(CONTEXTS)('works in %s', async (_, open) => {
  const context = await open(script, 'encryption')
  onTestFinished(() => context.close())
  expect(await context.call('encryption', 'exercise')).toEqual(EXPECTED)
})

describe.each([
  ['LevelDB', false],
  ['SQLite', true],
])('IndexedDB on %s', (_, sqlite) => {
  test('has no secret among its raw bytes, and has it without encryption', async () => {
    const profile = await temporaryFolder('encryption')
    onTestFinished(() => remove(profile))
    const site = await openSite({ '/script.js': script })
    onTestFinished(() => site.close())
    site.routes.set('/', page('/script.js'))
    const browser = await launchChromium({ profile, sqlite })
    const tab = await browser.newPage()
    await tab.goto(site.origin)
    await tab.waitForFunction(() => 'encryption' in globalThis)
    // Not in the text of what is evaluated either: it may end up in the profile. So they are made of two parts.
    await tab.evaluate(async (half) => {
      const { encryption } = globalThis as unknown as {
        encryption: { storeBoth(secret: string, plain: string): Promise<void> }
      }
      await encryption.storeBoth(`secret-${half}`, `plain-${half}`)
    }, 'diary-of-ada')
    await browser.close()
    const entries = readdirSync(profile, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile())
    const raw = Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))))
    const places = (text: string): number => raw.toString('latin1').split(text).length - 1
    expect(places('plain key')).toBeGreaterThan(0)
    expect(places('plain meta')).toBeGreaterThan(0)
    expect(places('plain-diary-of-ada')).toBeGreaterThan(4)
    expect(places('secret-diary-of-ada')).toBe(0)
  })
})
