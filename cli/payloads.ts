import { Stop, USAGE } from './exit.ts'

/** A payload of the command line: what its JSON says, or the text itself. */
export function payloadOf(line: string, isText: boolean): unknown {
  if (isText) return line
  try {
    return JSON.parse(line)
  } catch {
    return line
  }
}

export function readHeaders(all: readonly string[]): Record<string, string> | undefined {
  if (all.length === 0) return undefined
  return Object.fromEntries(
    all.map((header) => {
      const at = header.indexOf('=')
      if (at < 1) throw new Stop(USAGE, `--header takes NAME=VALUE, not ${JSON.stringify(header)}`)
      return [header.slice(0, at), header.slice(at + 1)]
    }),
  )
}
