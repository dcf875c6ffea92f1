import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { KeyValueAdapter } from '../../adapters/key-value/index.ts'
import { Queue } from '../../src/core/index.ts'
import { ItemStorage } from '../support/item-storage.ts'
import { ROOT } from '../support/sources.ts'

// The recipes of the page, with stand-ins of the shape of what they import.

const page = readFileSync(join(ROOT, 'docs/storage-key-value.md'), 'utf8')
const recipes = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1]!)

class Mmkv {
  readonly #items = new Map<string, string>()
  getString(key: string): string | undefined {
    return this.#items.get(key)
  }
  set(key: string, value: string): void {
    if (key === '' || typeof value !== 'string') throw new Error('MMKV takes no such thing')
    this.#items.set(key, value)
  }
  remove(key: string): boolean {
    return this.#items.delete(key)
  }
}

class CapacitorPreferences {
  readonly #items = new Map<string, string>()
  async get({ key }: { key: string }): Promise<{ value: string | null }> {
    return { value: this.#items.get(key) ?? null }
  }
  async set({ key, value }: { key: string; value: string }): Promise<void> {
    this.#items.set(key, value)
  }
  async remove({ key }: { key: string }): Promise<void> {
    this.#items.delete(key)
  }
}

test('there are five of them', () => {
  expect(recipes).toHaveLength(5)
})

test.for(recipes)('%s', async (recipe) => {
  const mmkv = new Mmkv()
  const given = {
    KeyValueAdapter,
    AsyncStorage: new ItemStorage(),
    Storage: new ItemStorage(),
    createMMKV: () => mmkv,
    Preferences: new CapacitorPreferences(),
    localStorage: new ItemStorage({ sync: true }),
  }
  const code = recipe.replaceAll(/^import .*$/gm, '')
  // oxlint-disable-next-line no-implied-eval, no-new-func, typescript/no-implied-eval -- It is the page's own.
  const make = new Function(...Object.keys(given), `${code}\nreturn storage`) as (
    ...values: unknown[]
  ) => KeyValueAdapter
  const open = (): Queue<string> => new Queue('orders', { storage: make(...Object.values(given)) })
  const before = open()
  await before.createProducer().sendBatch([{ payload: 'one' }, { payload: 'two' }])
  await before.close()
  const messages = await open().createConsumer().receiveBatch(10)
  expect(messages.map(({ payload }) => payload)).toEqual(['one', 'two'])
})
