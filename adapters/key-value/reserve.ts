import { NoRoom } from './faults.ts'
import type { Items } from './items.ts'

/** Enough for the acks that make room. */
const UNITS = 32 * 1024

/**
 * Space that is kept back for claims and acks. Where there is no room it is removed, and what failed is tried again. The next
 * append has to put it back first: until there is room for it, nothing is appended.
 */
export class Reserve {
  readonly #items: Items
  readonly #key: string
  isThere = true

  constructor(items: Items) {
    this.#items = items
    this.#key = items.key('reserve')
  }

  /** Puts it in its place, if it is not there. Answers whether it is. */
  async restore(): Promise<boolean> {
    this.isThere = (await this.#items.get(this.#key)) !== undefined
    if (this.isThere) return true
    try {
      // Not a text that a storage could make smaller.
      let text = ''
      while (text.length < UNITS) text += Math.random().toString(36).slice(2)
      await this.#items.set(this.#key, text)
      this.isThere = true
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error
      await this.#items.remove(this.#key)
    }
    return this.isThere
  }

  async release(): Promise<void> {
    await this.#items.remove(this.#key)
    this.isThere = false
  }
}
