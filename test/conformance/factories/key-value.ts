import { KeyValueAdapter } from '../../../adapters/key-value/index.ts'
import type { ConformanceFactory } from '../../../conformance/index.ts'
import { ItemStorage, type ItemStorageOptions } from '../../support/item-storage.ts'

/** Each storage in items of its own, in memory. */
export function factory({ sync = false }: Pick<ItemStorageOptions, 'sync'> = {}): ConformanceFactory {
  return {
    guarantees: new KeyValueAdapter(new ItemStorage()).guarantees,
    create({ clock }) {
      const items = new ItemStorage({ sync })
      let adapter = new KeyValueAdapter(items, { clock })
      return Promise.resolve({
        adapter,
        async reopen() {
          await adapter.close()
          return (adapter = new KeyValueAdapter(items, { clock }))
        },
        destroy: () => adapter.close(),
      })
    },
  }
}
