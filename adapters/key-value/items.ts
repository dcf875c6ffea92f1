import { NoRoom, failed, isNoRoom } from './faults.ts'
import { seal, unseal } from './seal.ts'
import type { KeyValueStorage } from './storage.ts'

/** The items of one adapter: those whose keys begin with its name. */
export class Items {
  readonly name: string
  readonly #storage: KeyValueStorage

  constructor(name: string, storage: KeyValueStorage) {
    this.name = name
    this.#storage = storage
  }

  /** The key of an item: of the name itself without any more. */
  key(...rest: readonly (string | number)[]): string {
    return [this.name, ...rest].join('.')
  }

  async get(key: string): Promise<string | undefined> {
    const text = await this.#storage.getItem(key)
    return text ?? undefined
  }

  /** @throws NoRoom where it was refused for want of room; `STORAGE_FAILED` where it may have happened. */
  async set(key: string, text: string): Promise<void> {
    try {
      await this.#storage.setItem(key, text)
    } catch (error) {
      if (isNoRoom(error)) throw new NoRoom('there is no room', { cause: error })
      throw failed(`writing the item ${JSON.stringify(key)}`, error)
    }
  }

  async remove(key: string): Promise<void> {
    await this.#storage.removeItem(key)
  }

  /** What an item by itself says, as JSON; `undefined` where it is not there or torn. */
  async read(key: string): Promise<unknown> {
    const text = await this.get(key)
    const unsealed = text === undefined ? undefined : unseal('', text)
    return unsealed === undefined ? undefined : JSON.parse(unsealed.part)
  }

  /** Writes an item by itself. */
  write(key: string, value: unknown): Promise<void> {
    return this.set(key, seal('', JSON.stringify(value)).text)
  }
}
