/**
 * Makes of some work a function that starts it: never twice at a time, and once more if it was called meanwhile. `fail` is told what it
 * rejects with; without it, nobody is.
 */
export function coalesce(
  work: () => Promise<unknown>,
  fail: (error: unknown) => void = () => undefined,
): () => void {
  let running = false
  let again = false
  const run = async (): Promise<void> => {
    running = true
    while (again) {
      again = false
      await work().catch(fail)
    }
    running = false
  }
  return () => {
    again = true
    if (!running) void run()
  }
}
