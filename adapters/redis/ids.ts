/** Ids that the server can work out: the start of the batch's UUID, and twice the number of the message, plus one if it was delayed. */
export const START_LENGTH = 28
const WRAP = 2 ** 31

export function makeId(start: string, number: number, odd: 0 | 1): string {
  return start + ((number % WRAP) * 2 + odd).toString(16).padStart(8, '0')
}
