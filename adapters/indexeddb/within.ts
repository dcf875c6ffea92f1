/** Runtimes call a timer that is set for longer than this at once. */
export const MAX_TIMEOUT_MS: number = 2 ** 31 - 1

/** Rejects with `late()` if a promise takes longer than that. */
export async function within<T>(ms: number, promise: Promise<T>, late: () => Error): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), Math.min(ms, MAX_TIMEOUT_MS))
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
