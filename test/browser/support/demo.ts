import type { BrowserContext, Locator, Page } from 'playwright-core'
import { type Asset, buildAssets } from '../../../demo/offline-notes/server/bundle.ts'
import type { DemoServer } from '../../../demo/offline-notes/server/server.ts'

let assets: Promise<Map<string, Asset>> | undefined

/** The demo's files, built once. */
export function demoAssets(): Promise<Map<string, Asset>> {
  return (assets ??= buildAssets())
}

/** A tab with the demo, as somebody uses it. */
export class DemoTab {
  readonly page: Page
  /** What the page complained about. */
  readonly errors: string[] = []

  private constructor(page: Page) {
    this.page = page
    page.setDefaultTimeout(45_000)
    page.on('pageerror', (error) => this.errors.push(String(error)))
  }

  /** Opens it; from then on the service worker has it. */
  static async open(context: BrowserContext, { origin }: DemoServer): Promise<DemoTab> {
    const tab = new DemoTab(await context.newPage())
    await tab.page.goto(origin)
    await tab.ready()
    return tab
  }

  async ready(): Promise<void> {
    await this.page.waitForFunction(() => navigator.serviceWorker.controller !== null)
    await this.page.waitForFunction(() => document.documentElement.dataset['line'] !== undefined)
    await this.page.locator('input[name=person]:checked').waitFor()
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.ready()
  }

  async write(text: string, ...photos: readonly Buffer[]): Promise<void> {
    const { page } = this
    await page.getByRole('textbox', { name: 'Note' }).fill(text)
    await page
      .getByLabel('Add photos')
      .setInputFiles(
        photos.map((buffer, i) => ({ name: `photo-${i + 1}.png`, mimeType: 'image/png', buffer })),
      )
    await page.getByRole('button', { name: 'Store note' }).click()
    await this.note(text).waitFor()
  }

  /** Flips the switch of the page. */
  async flip(): Promise<void> {
    await this.page.getByRole('switch', { name: 'Work offline' }).click()
  }

  async weather(name: string, harbour: 'Home port' | 'Island' = 'Home port'): Promise<void> {
    const answered = this.page.waitForResponse(/\/weather$/)
    await this.page.getByRole('radio', { name: `${harbour}: ${name}` }).check()
    await answered
  }

  /** Where the next notes go. */
  async to(harbour: 'Home port' | 'Island'): Promise<void> {
    await this.page.getByRole('radio', { name: harbour, exact: true }).check()
  }

  /** Who is here from now on. */
  async become(person: 'Ada' | 'Bob'): Promise<void> {
    await this.page.getByRole('radio', { name: person, exact: true }).check()
  }

  /** The switch that says whether the server knows who is here. */
  get loggedIn(): Locator {
    return this.page.getByRole('switch', { name: 'Logged in' })
  }

  /** Logs in or out, and waits until it is so. */
  async session(on: boolean): Promise<void> {
    await this.loggedIn.click()
    await this.isLoggedIn(on)
  }

  async isLoggedIn(on: boolean): Promise<void> {
    await this.page.getByRole('switch', { name: 'Logged in', checked: on }).waitFor()
  }

  note(text: string): Locator {
    return this.page.locator('.note').filter({ has: this.page.getByText(text, { exact: true }) })
  }

  /** The texts and states of all notes, the newest first. */
  async log(): Promise<string[]> {
    return await this.page
      .locator('.note')
      .evaluateAll((notes) =>
        notes.map(
          (note) => `${note.querySelector('.text')!.textContent}: ${note.getAttribute('data-state')}`,
        ),
      )
  }

  /** How many photos are shown, and are not broken. */
  async photos(): Promise<number> {
    return await this.page
      .locator('.note img')
      .evaluateAll(
        (images) => (images as HTMLImageElement[]).filter(({ naturalWidth }) => naturalWidth > 0).length,
      )
  }
}
