/** For what servers, processes and their clients do on clocks of their own. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Looks until something holds. */
export async function until(holds: () => Promise<boolean>, problem: string): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    if (await holds()) return
    await pause(50)
  }
  throw new Error(problem)
}
