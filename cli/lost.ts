import type { Lost } from '../adapters/fs/wreck.ts'
import { clean } from './width.ts'
import { bytes } from './words.ts'

/** The places of a journal that could not be read, a line for each. */
export function lostPlaces(lost: readonly Lost[]): string {
  return lost
    .map(({ file, offset, bytes: size }) =>
      size === 0
        ? `missing: ${clean(file)}, from byte ${offset} on\n`
        : `unreadable: ${clean(file)}, ${bytes(size)} from byte ${offset} on\n`,
    )
    .join('')
}
