import { KeyValueAdapter, type KeyValueStorage } from '../../../adapters/key-value/index.ts'
import type { ConformanceFactory } from '../../../src/conformance/index.ts'
import { ItemStorage } from '../../support/item-storage.ts'

export interface KeyValueFactoryOptions {
  /** It answers at once, and not with promises. */
  readonly sync?: boolean
  /** In the `localStorage` of the page. */
  readonly local?: boolean
}

let made = 0

/** Each storage in items of its own. */
export function factory({ sync = false, local = false }: KeyValueFactoryOptions = {}): ConformanceFactory {
  return {
    guarantees: new KeyValueAdapter(new ItemStorage()).guarantees,
    create({ clock }) {
      const items: KeyValueStorage = local ? localStorage : new ItemStorage({ sync })
      const name = `case-${++made}`
      let adapter = new KeyValueAdapter(items, { name, clock })
      return Promise.resolve({
        adapter,
        async reopen() {
          await adapter.close()
          return (adapter = new KeyValueAdapter(items, { name, clock }))
        },
        async destroy() {
          await adapter.close()
          if (!local) return
          for (const key of Object.keys(localStorage))
            if (key.split('.')[0] === name) localStorage.removeItem(key)
        },
      })
    },
  }
}
