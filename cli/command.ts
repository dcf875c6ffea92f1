import type { Out } from './out.ts'

/** An option as `parseArgs` of `node:util` takes it, and as `--help` tells of it. */
export interface Option {
  readonly type: 'boolean' | 'string'
  readonly multiple?: boolean
  /** What stands for its value in the help: `NAME`. */
  readonly value?: string
  readonly help: string
}

export type Options = Readonly<Record<string, Option>>

/** What the command line says, checked against the options of the command. */
export type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>

/** One word behind `quayside`. */
export interface Command {
  readonly name: string
  /** What stands behind the name: `TARGET [QUEUE]`. */
  readonly usage: string
  /** In a line, for the list of commands. */
  readonly summary: string
  /** What else is to be known, for its own help. */
  readonly details?: string
  readonly options: Options
  /** Command lines without `quayside`, each with what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** How many words it takes, from and to. */
  readonly words: readonly [least: number, most: number]
  /** Resolves with the exit code; see `exit.ts`. */
  run(words: readonly string[], values: Values, out: Out): Promise<number>
}

/** The value of an option that takes one, if it is there. */
export function text(values: Values, name: string): string | undefined {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

export function flag(values: Values, name: string): boolean {
  return values[name] === true
}

/** The values of an option that may be there several times. */
export function texts(values: Values, name: string): readonly string[] {
  return (values[name] as readonly string[] | undefined) ?? []
}

export const GROUP: Option = {
  type: 'string',
  value: 'NAME',
  help: 'the consumer group; not needed where there is one only',
}

export const JSON_OPTION: Option = { type: 'boolean', help: 'JSON, one value a line, for other programs' }
