import { QuaysideError } from '../../../src/errors.ts'
import { pause } from './pause.ts'

/** Runs a verb until the server has answered it, and notes the codes of what it rejected with before. */
export async function persist<T>(verb: () => Promise<T>, codes: Set<string>): Promise<T> {
  for (;;) {
    try {
      return await verb()
    } catch (error) {
      if (!(error instanceof QuaysideError)) throw error
      codes.add(error.code)
      await pause(20)
    }
  }
}
