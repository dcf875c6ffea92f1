/**
 * What keeps strings under strings: AsyncStorage, `localStorage`, MMKV, `expo-sqlite/kv-store`, Capacitor's Preferences, or
 * three functions around something else. Each may answer at once or with a promise.
 *
 * A call that was answered must have taken effect: what is read next is what was written.
 */
export interface KeyValueStorage {
  /** The string under this key; `null` or `undefined` where there is none. */
  getItem(key: string): string | null | undefined | PromiseLike<string | null | undefined>
  /** Throws or rejects where there is no room, or where it failed. */
  setItem(key: string, value: string): unknown
  /** Nothing happens where there is none. */
  removeItem(key: string): unknown
}
