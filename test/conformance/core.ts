/** Sections whose cases send thousands of messages. */
const THOUSANDS: ReadonlySet<string> = new Set(['bulk', 'backlog'])

/** The first cases of each section, but for those of thousands of messages: for where all cases run on the same code elsewhere. */
export function coreOf<C extends { readonly name: string }>(cases: readonly C[], ofEach: number = 3): C[] {
  const seen = new Map<string, number>()
  return cases.filter(({ name }) => {
    const section = name.slice(0, name.indexOf(':'))
    const place = seen.get(section) ?? 0
    seen.set(section, place + 1)
    return !THOUSANDS.has(section) && place < ofEach
  })
}
