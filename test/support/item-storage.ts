import type { KeyValueStorage } from '../../adapters/key-value/index.ts'

export interface ItemStorageOptions {
  /** It answers at once, as `localStorage` and MMKV do, and not with promises. */
  readonly sync?: boolean
  /** What was in it before. */
  readonly items?: ReadonlyMap<string, string>
  /** Called before a write or removal takes effect; may throw, or answer with what happens in its place. */
  readonly onChange?: (key: string, value: string | undefined, items: Map<string, string>) => void
}

/** A storage of strings, in memory: of the shape of AsyncStorage, or of `localStorage`. */
export class ItemStorage implements KeyValueStorage {
  readonly items: Map<string, string>
  readonly #sync: boolean
  onChange: ItemStorageOptions['onChange']

  constructor({ sync = false, items, onChange }: ItemStorageOptions = {}) {
    this.items = new Map(items)
    this.#sync = sync
    this.onChange = onChange
  }

  getItem(key: string): string | null | Promise<string | null> {
    return this.#answer(() => this.items.get(key) ?? null)
  }

  setItem(key: string, value: string): void | Promise<void> {
    return this.#answer(() => {
      this.onChange?.(key, value, this.items)
      this.items.set(key, value)
    })
  }

  removeItem(key: string): void | Promise<void> {
    return this.#answer(() => {
      this.onChange?.(key, undefined, this.items)
      this.items.delete(key)
    })
  }

  /** How long all items and their keys are. */
  get units(): number {
    let units = 0
    for (const [key, value] of this.items) units += key.length + value.length
    return units
  }

  #answer<T>(act: () => T): T | Promise<T> {
    // As across a bridge: it takes a turn, and calls take effect in their order.
    return this.#sync ? act() : Promise.resolve().then(act)
  }
}
