import type { Command, Options } from './command.ts'
import { EXIT_CODES } from './exit.ts'

const TARGETS = `TARGET is the directory that a NodeFsAdapter was given, the SQLite file of a SQLiteAdapter, or the URL of a
Redis server, redis://host:6379, or of a PostgreSQL database, postgres://host/database, with #prefix or #schema behind
it if the adapter was given one. env:NAME is what that variable says, so that nobody sees a password. Looking at a
directory (stats, list, lanes, peek, result, dead, export, inspect, verify) works while a process owns it, and does not
disturb that process. What changes a directory needs it alone.`

export function overview(commands: readonly Command[], version: string): string {
  return `quayside ${version}: looks into queues, and puts them right

Usage: quayside COMMAND TARGET [QUEUE] [OPTIONS]

${rows(commands.map(({ name, summary }) => [name, summary]))}
${TARGETS}

Examples:
${rows([
  ['quayside stats ./data --watch', 'what the queues of a directory are doing, live'],
  ['quayside list ./data orders', 'what waits in one of them'],
  ['quayside inspect ./data', 'the same and more, in a browser'],
  ['quayside dead ./data orders', 'what could not be done, and why'],
  ['quayside redrive ./data orders', 'try it again'],
  ['quayside hold ./data orders --for 10m', 'nobody gets anything of it for a while'],
])}
Each command has more to tell: quayside COMMAND --help

Exit codes:
${rows(EXIT_CODES.map(([code, meaning]) => [`${code}`, meaning]))}`
}

export function helpOf({ name, usage, summary, details, options, examples }: Command): string {
  return `quayside ${name} ${usage}: ${summary}
${details === undefined ? '' : `\n${details}\n`}
${usage.startsWith('TARGET') ? `${TARGETS}\n\n` : ''}Options:
${rows([...optionRows(options), ['--help', 'this']])}
Examples:
${rows(examples.map(([line, what]) => [`quayside ${line}`, what]))}
Exit codes:
${rows(EXIT_CODES.map(([code, meaning]) => [`${code}`, meaning]))}`
}

function optionRows(options: Options): (readonly [string, string])[] {
  return Object.entries(options).map(([name, { value, help }]) => [
    value === undefined ? `--${name}` : `--${name} ${value}`,
    help,
  ])
}

/** Wider ones have what they mean below them. */
const LEFT = 30

function rows(all: readonly (readonly [left: string, right: string])[]): string {
  const width = Math.max(...all.map(([left]) => left.length).filter((length) => length <= LEFT), 0)
  return all
    .map(([left, right]) =>
      left.length > width
        ? `  ${left}\n  ${' '.repeat(width)}  ${right}\n`
        : `  ${left.padEnd(width)}  ${right}\n`,
    )
    .join('')
}
