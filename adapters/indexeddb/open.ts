import { answer } from './engine/rows.ts'

/** Opens a database. One that is not there yet, or of an older version, is upgraded. */
export function open(
  name: string,
  version: number,
  upgrade: (database: IDBDatabase, event: IDBVersionChangeEvent) => void,
): Promise<IDBDatabase> {
  const request = indexedDB.open(name, version)
  request.addEventListener('upgradeneeded', (event) => upgrade(request.result, event))
  return answer(request)
}
