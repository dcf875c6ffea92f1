import type { ListedMessage, ListQuery, QueueStorage } from '../src/storage.ts'

const PAGE = 500

/** Messages of a group, page by page. */
export async function* pages(
  queue: QueueStorage,
  query: Omit<ListQuery, 'limit' | 'cursor'>,
  most: number = Infinity,
): AsyncGenerator<readonly ListedMessage[]> {
  let cursor: string | undefined
  let left = most
  do {
    const page = await queue.list({ ...query, limit: Math.min(PAGE, left), cursor })
    if (page.messages.length > 0) yield page.messages
    left -= page.messages.length
    cursor = page.cursor
  } while (cursor !== undefined && left > 0)
}
