import type { LanesPage, LanesQuery } from '../src/lanes.ts'
import type { ListedMessage, ListQuery, Page, QueueStorage } from '../src/storage.ts'

const PAGE = 500

/** Messages of a group, page by page. */
export function pages(
  queue: QueueStorage,
  query: Omit<ListQuery, 'limit' | 'cursor'>,
  most: number = Infinity,
): AsyncGenerator<readonly ListedMessage[]> {
  const read = (limit: number, cursor?: string): Promise<Page> => queue.list({ ...query, limit, cursor })
  return each(read, ({ messages }) => messages, most)
}

/** Lanes of a group, page by page. */
export function pagesOfLanes(
  queue: QueueStorage,
  query: Omit<LanesQuery, 'limit' | 'cursor'>,
  most: number = Infinity,
): AsyncGenerator<LanesPage['lanes'], boolean> {
  const read = (limit: number, cursor?: string): Promise<LanesPage> =>
    queue.lanes({ ...query, limit, cursor })
  return each(read, ({ lanes }) => lanes, most)
}

/** Ends with whether there are more. */
async function* each<P extends { readonly cursor?: string | undefined }, T>(
  read: (limit: number, cursor?: string) => Promise<P>,
  of: (page: P) => readonly T[],
  most: number,
): AsyncGenerator<readonly T[], boolean> {
  let cursor: string | undefined
  let left = most
  do {
    const page = await read(Math.min(PAGE, left), cursor)
    const some = of(page)
    if (some.length > 0) yield some
    left -= some.length
    cursor = page.cursor
  } while (cursor !== undefined && left > 0)
  return cursor !== undefined
}
