import type { ConformanceFactory } from './backend.ts'
import type { Need } from './case.ts'
import { SECTIONS } from './cases/index.ts'
import { Scene } from './scene.ts'

/** One case, ready to be registered with any test runner. */
export interface ConformanceCase {
  readonly name: string
  /** Why the case does not apply to this storage, by its own declaration. */
  readonly skip: string | undefined
  /** Rejects if the storage breaks the rule. */
  readonly run: () => Promise<void>
}

/**
 * All cases for a storage.
 *
 * @example
 * ```ts
 * import { test } from 'node:test'
 * import { conformanceCases } from 'quayside-conformance'
 *
 * const guarantees = new MyAdapter().guarantees
 * const create = async ({ clock }) => {
 *   const adapter = new MyAdapter({ clock })
 *   return { adapter, destroy: () => adapter.close() }
 * }
 * for (const { name, skip, run } of conformanceCases({ guarantees, create })) test(name, { skip }, run)
 * ```
 */
export function conformanceCases(factory: ConformanceFactory): ConformanceCase[] {
  return SECTIONS.flatMap((section) =>
    section.cases.map((one) => ({
      name: `${section.name}: ${one.name}`,
      skip: reasonToSkip(factory, [...(section.needs ?? []), ...(one.needs ?? [])], one.eventual === true),
      run: async () => {
        const scene = await Scene.create(factory)
        try {
          await one.run(scene)
        } finally {
          await scene.destroy()
        }
      },
    })),
  )
}

function reasonToSkip(
  factory: ConformanceFactory,
  needs: readonly Need[],
  eventual: boolean,
): string | undefined {
  const { guarantees } = factory
  if (guarantees.consistentWithinMs > 0 && !eventual) {
    return `reads may be stale for ${guarantees.consistentWithinMs} ms (consistentWithinMs)`
  }
  for (const need of needs) {
    const reason = need(guarantees, factory.realClock === true)
    if (reason !== undefined) return reason
  }
  return undefined
}
