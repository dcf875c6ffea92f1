import { QuaysideError } from '../errors.ts'

/**
 * A validator that speaks Standard Schema, version 1, as those of Zod, Valibot and ArkType do.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>
    readonly types?: { readonly input: unknown; readonly output: T } | undefined
  }
}

/** What a Standard Schema says of a value. */
export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | {
      readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[]
    }

/** What the schema makes of a value. Throws, or rejects, with `SCHEMA_MISMATCH` where it does not fit. */
export function validate<T>(tried: string, schema: StandardSchema<T>, value: unknown): T | Promise<T> {
  const result = schema['~standard'].validate(value)
  return isThenable(result)
    ? Promise.resolve(result).then((late) => accept(tried, late))
    : accept(tried, result)
}

/** Also a promise of another realm or library. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

function accept<T>(tried: string, result: SchemaResult<T>): T {
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(({ message, path = [] }) => {
    const at = path.map((step) =>
      String(typeof step === 'object' && step !== null && 'key' in step ? step.key : step),
    )
    return at.length > 0 ? `${at.join('.')}: ${message}` : message
  })
  throw new QuaysideError(
    'SCHEMA_MISMATCH',
    `${tried}: the payload does not fit the schema: ${issues.join('; ')}`,
  )
}
