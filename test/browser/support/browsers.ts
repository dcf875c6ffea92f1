import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'
import { type Browser, launch } from 'puppeteer-core'
import { findProgram } from '../../../scripts/programs.mjs'

export interface ChromiumOptions {
  /** Where the browser keeps its data. Default: a folder that is deleted with the browser. */
  readonly profile?: string
  /** IndexedDB on SQLite, which Chromium is moving to, instead of LevelDB. */
  readonly sqlite?: boolean
}

/** A Chromium that keeps its data on the disk, as users' browsers do. */
export async function launchChromium({ profile, sqlite }: ChromiumOptions = {}): Promise<BrowserContext> {
  return await chromium.launchPersistentContext(profile ?? '', {
    executablePath: findProgram('chromium'),
    // What moves for ever is drawn for ever, by the processor.
    reducedMotion: 'reduce',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...(sqlite ? ['--enable-features=IdbSqliteBackingStore'] : []),
    ],
  })
}

/** Firefox, driven by WebDriver BiDi. */
export async function launchFirefox(preferences: Record<string, unknown> = {}): Promise<Browser> {
  return await launch({
    browser: 'firefox',
    executablePath: findProgram('firefox'),
    headless: true,
    extraPrefsFirefox: preferences,
  })
}

export function temporaryFolder(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `quayside-${name}-`))
}

/** The browser's processes may still be writing when it says that it is closed. */
export function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}
