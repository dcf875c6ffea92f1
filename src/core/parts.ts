import { checkIds } from '../check.ts'
import type { Context } from './context.ts'
import { MAX_IDS, type QueueStorage } from '../storage.ts'

/** Messages that one step of a verb on many takes. */
export const STEP: number = MAX_IDS

/** Ids, as many at a time as one step takes. */
export function partsOf(ids: readonly string[]): (readonly string[])[] {
  return Array.from({ length: Math.ceil(ids.length / STEP) }, (_, i) => ids.slice(i * STEP, (i + 1) * STEP))
}

/** Has a verb done on ids, part by part. */
export async function inParts<T>(
  context: Context<T>,
  tried: string,
  ids: readonly string[],
  verb: (view: QueueStorage, part: readonly string[]) => Promise<boolean[]>,
): Promise<boolean[]> {
  checkIds(tried, 'ids', ids)
  return await context.use(tried, async (view) => {
    const answers: boolean[] = []
    for (const part of partsOf(ids)) answers.push(...(await verb(view, part)))
    return answers
  })
}
