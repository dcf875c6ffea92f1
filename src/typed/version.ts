import type { StandardSchema } from '../core/index.ts'

/** One step on the way of a payload to its newest version. */
export interface Step {
  readonly schema: StandardSchema<unknown> | undefined
  /** Makes a payload of the version before one of this version. The first has none. */
  readonly upgrade: ((old: never) => unknown) | undefined
}

/** The versions of a kind of message, numbered from 1; `T` is what the newest carries. */
export interface Version<T> {
  readonly steps: readonly Step[]
  /**
   * A further version. It is no promise: do not await what has it.
   *
   * @param schema What it looks like; `undefined`: as `upgrade` makes it.
   * @param upgrade Makes a payload of the version before one of this version, on receive.
   */
  then<N>(schema: StandardSchema<N>, upgrade: (old: T) => NoInfer<N> | PromiseLike<NoInfer<N>>): Version<N>
  then<N>(schema: undefined, upgrade: (old: T) => N | PromiseLike<N>): Version<N>
  /** Only for its type. */
  readonly payload?: T
}

/**
 * The first version of a kind of message.
 *
 * @param schema A Standard Schema (Zod, Valibot, ArkType …), which payloads are checked by on send and on receive. Like that of a
 * queue it must take what it answers with. @defaultValue none: the type parameter says what it looks like
 * @example
 * ```ts
 * // Version 1 was a name; what it left in the queue is upgraded.
 * version<string>().then(undefined, (name) => ({ name, language: 'en' }))
 * ```
 */
export function version<T>(schema?: StandardSchema<T>): Version<T> {
  return after([{ schema, upgrade: undefined }])
}

function after<T>(steps: readonly Step[]): Version<T> {
  return {
    steps,
    // oxlint-disable-next-line unicorn/no-thenable
    then: (schema: Step['schema'], upgrade: NonNullable<Step['upgrade']>) =>
      after([...steps, { schema, upgrade }]),
  }
}
