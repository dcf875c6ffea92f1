import { MAX_DURATION_MS } from '../src/storage.ts'
import { Stop, USAGE } from './exit.ts'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration as it is typed, `90s` or `5m`, in ms. */
export function readDuration(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  if (match === null)
    throw new Stop(
      USAGE,
      `--${option} takes a duration such as 500ms, 90s, 5m, 2h or 1d, not ${JSON.stringify(text)}`,
    )
  const ms = Math.round(Number(match[1]) * UNITS[match[2]!]!)
  if (ms <= MAX_DURATION_MS) return ms
  throw new Stop(USAGE, `--${option} takes a duration up to 36525d (100 years), not ${JSON.stringify(text)}`)
}

export function readNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new Stop(USAGE, `--${option} takes a whole number, 1 or more, not ${JSON.stringify(text)}`)
}
