import { type ConformanceFactory, conformanceCases } from '../../../conformance/index.ts'

/** The conformance suite, as it is called from outside of the runtime that it runs in: with plain data alone. */
export interface Suite {
  cases(): Promise<readonly SuiteCase[]>
  /** Answers with what went wrong, or `null`. */
  run(index: number): Promise<string | null>
}

export interface SuiteCase {
  readonly name: string
  /** Why the case does not apply. */
  readonly skip: string | null
}

export function suiteOf(factory: ConformanceFactory): Suite {
  const cases = conformanceCases(factory)
  return {
    cases: () => Promise.resolve(cases.map(({ name, skip }) => ({ name, skip: skip ?? null }))),
    run: (index) =>
      cases[index]!.run().then(
        () => null,
        (error: unknown) => (error instanceof Error ? describe(error) : String(error)),
      ),
  }
}

/** In some runtimes the stack begins with the message, in others it does not have it. */
function describe({ message, stack = '' }: Error): string {
  return stack.includes(message) ? stack : `${message}\n${stack}`
}
