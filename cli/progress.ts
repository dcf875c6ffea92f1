import process from 'node:process'
import { isatty } from 'node:tty'
import { count } from './words.ts'

const BAR = 30
/** Drawn so often at most, in ms. */
const EVERY_MS = 100

/** A bar on standard error while something takes long, if somebody looks. */
export class Progress {
  readonly #what: string
  readonly #total: number | undefined
  readonly #isSeen = isatty(2)
  #done = 0
  #drawn = 0

  /** @param total How much there is to do; without it, only what is done is told. */
  constructor(what: string, total?: number) {
    this.#what = what
    this.#total = total
  }

  add(done: number): void {
    this.#done += done
    if (!this.#isSeen || Date.now() - this.#drawn < EVERY_MS) return
    this.#drawn = Date.now()
    process.stderr.write(`\r${this.#what} ${this.#text()}\u001b[K`)
  }

  /** Leaves nothing behind. */
  end(): void {
    if (this.#drawn > 0) process.stderr.write('\r\u001b[K')
  }

  #text(): string {
    if (this.#total === undefined) return count(this.#done)
    const share = this.#total === 0 ? 1 : Math.min(1, this.#done / this.#total)
    const full = Math.round(share * BAR)
    return `${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${Math.floor(share * 100)}%`
  }
}
