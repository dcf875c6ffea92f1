/**
 * Asks the browser not to evict the data of this origin when the disk runs full. Answers whether it is safe now. Chromium
 * and Safari decide by themselves, Firefox asks the user, so ask after something that the user wants to keep was stored.
 * Workers cannot ask: there it answers `false`.
 *
 * ```ts
 * if (!(await requestPersistence())) console.log('the browser may evict what is stored when the disk is full')
 * ```
 *
 * It rejects with what the browser throws where a page has no origin of its own.
 */
export async function requestPersistence(): Promise<boolean> {
  const storage: Partial<StorageManager> | undefined = globalThis.navigator?.storage
  return (await storage?.persist?.()) ?? false
}
