/** Makes of some work a function that starts it: never twice at a time, and once more if it was called meanwhile. */
export function coalesce(work: () => Promise<unknown>): () => void {
  let running = false
  let again = false
  const run = async (): Promise<void> => {
    running = true
    try {
      while (again) {
        again = false
        await work()
      }
    } finally {
      running = false
    }
  }
  return () => {
    again = true
    if (!running) void run()
  }
}
