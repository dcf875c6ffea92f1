import { QuaysideError } from '../../src/errors.ts'
import type { Guarantees } from '../../src/storage.ts'

/** How queues lie in Redis, and what its server is set up to survive. */
export interface RedisOptions {
  /**
   * What the names of all keys and channels start with, in `{prefix:queue}`. Without braces.
   *
   * @defaultValue `'quayside'`
   */
  readonly prefix?: string | undefined
  /**
   * What the server is configured to survive, which it cannot be asked: `'disk'` with `appendfsync always`, `'replicated'`
   * with that and replicas. It is what {@link Guarantees.durability} declares, and changes nothing else.
   *
   * @defaultValue `'process'`: messages survive the end of the processes that use them
   */
  readonly durability?: Guarantees['durability'] | undefined
}

const DURABILITIES: readonly Guarantees['durability'][] = ['none', 'process', 'disk', 'replicated']

/** What an adapter is told, with what it is told by default. Throws `INVALID_ARGUMENT`. */
export function checkOptions(
  adapter: string,
  options: RedisOptions,
): { readonly prefix: string; readonly durability: Guarantees['durability'] } {
  if (typeof options !== 'object' || options === null)
    throw invalid(adapter, `options must be an object, not ${JSON.stringify(options)}`)
  const { prefix = 'quayside', durability = 'process', ...others } = options
  const [unknown] = Object.keys(others)
  if (unknown !== undefined)
    throw invalid(adapter, `options are prefix and durability, not ${JSON.stringify(unknown)}`)
  if (typeof prefix !== 'string' || !/^[^{}]+$/.test(prefix))
    throw invalid(adapter, `prefix must be a text without braces, not ${JSON.stringify(prefix)}`)
  if (!DURABILITIES.includes(durability))
    throw invalid(
      adapter,
      `durability must be one of ${DURABILITIES.join(', ')}, not ${JSON.stringify(durability)}`,
    )
  return { prefix, durability }
}

export function invalid(adapter: string, text: string): QuaysideError {
  return new QuaysideError('INVALID_ARGUMENT', `new ${adapter}: ${text}`)
}
