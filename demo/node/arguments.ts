import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { lineId, readLines } from './lines.ts'

/** 24,886 lines of declarations, which are there as soon as the development dependencies are. */
const DEFAULT_NAME = 'node_modules/playwright-core/types/protocol.d.ts'
const DEFAULT_FILE = fileURLToPath(new URL(`../../${DEFAULT_NAME}`, import.meta.url))

const USAGE = `Usage: npm start [-- [OPTIONS] [FILE]]

Sends every line of FILE through a durable queue, kills it in the middle, and counts what arrives.
Without FILE: ${DEFAULT_NAME}

  --busy PERCENT       how many requests the downstream server answers with 503 (5)
  --down-ms MS         how long it is down, about (3000)
  --killed-ms MS       how long the ingest server stays dead after kill -9 (1500)
  --forget NUMBER      have the program forget this line, to see that it is noticed
  --help
`

export interface Options {
  /** The file as it was named. */
  readonly name: string
  readonly file: string
  readonly lines: readonly string[]
  readonly busy: number
  readonly downMs: number
  readonly killedMs: number
  /** The id of a line. */
  readonly forget: string | undefined
}

/** Something that whoever called can put right. */
export class UsageError extends Error {}

/** What the command line asks for; undefined if it was only a question. */
export function readArguments(args: readonly string[], cwd: string): Options | undefined {
  const { values, positionals } = parse(args)
  if (values.help) {
    process.stdout.write(USAGE)
    return undefined
  }
  if (positionals.length > 1) {
    throw new UsageError(`one file, please, not ${positionals.length}: ${positionals.join(' ')}`)
  }
  const file = positionals[0] === undefined ? DEFAULT_FILE : resolve(cwd, positionals[0])
  const lines = linesOf(file)
  const forget =
    values.forget === undefined ? undefined : wholeNumber('--forget', values.forget, 1, lines.length)
  return {
    name: positionals[0] ?? DEFAULT_NAME,
    file,
    lines,
    busy: wholeNumber('--busy', values.busy, 0, 90),
    downMs: wholeNumber('--down-ms', values['down-ms'], 0, 20_000),
    killedMs: wholeNumber('--killed-ms', values['killed-ms'], 0, 20_000),
    forget: forget === undefined ? undefined : lineId(forget - 1),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        busy: { type: 'string', default: '5' },
        'down-ms': { type: 'string', default: '3000' },
        'killed-ms': { type: 'string', default: '1500' },
        forget: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n\n${USAGE}`)
  }
}

function wholeNumber(option: string, text: string, from: number, to: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= from && value <= to) return value
  throw new UsageError(`${option} must be a whole number from ${from} to ${to}, not ${JSON.stringify(text)}`)
}

function linesOf(file: string): readonly string[] {
  let lines: readonly string[]
  try {
    lines = readLines(file)
  } catch (error) {
    throw new UsageError(`${file} ${reasonOf(error)}`)
  }
  if (lines.length === 0) throw new UsageError(`${file} is empty: there is nothing to send`)
  return lines
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'does not exist'
  if (code === 'EISDIR') return 'is a directory, not a file'
  if (code === 'EACCES') return 'may not be read by you'
  return `cannot be read: ${message}`
}
