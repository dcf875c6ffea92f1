import { byteLength } from '../check.ts'
import type { KeptAnswer } from './verdict.ts'

/** What a parked message can show, and what a result can hold, in bytes of JSON; with room for what a codec adds. */
export const MOST_OF_DATA = 4096
export const MOST_OF_RESULT = 100_000

/** Headers that say the most, where there is no room for all. */
const FIRST = ['content-type', 'etag', 'location', 'retry-after']

/** As much of an answer as there is room for. Cookies are nobody's business later. */
export function bounded({ status, headers, body }: KeptAnswer, most: number): KeptAnswer {
  let kept = Object.entries(headers).filter(([name]) => name !== 'set-cookie')
  const answer = (): KeptAnswer => ({ status, headers: Object.fromEntries(kept), body })
  const size = (): number => byteLength(JSON.stringify(answer()))
  if (byteLength(JSON.stringify(kept)) > most / 2)
    kept = kept.filter(([name, value]) => FIRST.includes(name) && value.length < most / 16)
  for (let over = size() - most; over > 0 && body !== ''; over = size() - most)
    // What is escaped takes several bytes for one.
    body = body.slice(0, Math.max(0, body.length - Math.ceil(over / 6)))
  return answer()
}
