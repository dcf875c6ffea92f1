/** Sections whose cases send thousands of messages. */
const THOUSANDS: ReadonlySet<string> = new Set(['bulk', 'backlog'])

/** Cases of other sections that ask a storage thousands of times. */
const PATIENT: ReadonlySet<string> = new Set([
  'append: first deliveries are in the order of append, over batches, instances and claims',
  'clocks: whatever the clock does, every message is done once everybody works and time goes on',
  'lane limits: a rate is kept within 2 % over a minute, however late the consumer wakes',
  'lane limits: a rate of many is kept within 2 % over 20 s but for its first burst',
  'lanes: a thousand lanes of a few messages each are all delivered',
  'ordering keys: a single deep key is worked off in order',
  'ordering keys: ten keys in a deep backlog are worked off in order, with retries at random',
])

interface Named {
  readonly name: string
}

const sectionOf = ({ name }: Named): string => name.slice(0, name.indexOf(':'))

/** All cases but those of thousands of messages, or of thousands of calls. */
export function smallOf<C extends Named>(cases: readonly C[]): C[] {
  const gone = [...PATIENT].find((title) => !cases.some(({ name }) => name === title))
  if (gone !== undefined) throw new Error(`there is no case ${gone}`)
  return cases.filter((one) => !THOUSANDS.has(sectionOf(one)) && !PATIENT.has(one.name))
}

/** The first cases of each section, but for those of thousands of messages: for where all cases run on the same code elsewhere. */
export function coreOf<C extends Named>(cases: readonly C[], ofEach: number = 3): C[] {
  const seen = new Map<string, number>()
  return cases.filter((one) => {
    const section = sectionOf(one)
    const place = seen.get(section) ?? 0
    seen.set(section, place + 1)
    return !THOUSANDS.has(section) && place < ofEach
  })
}
