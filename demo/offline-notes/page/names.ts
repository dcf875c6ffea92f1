import type { Person } from '../server/sessions.ts'
import type { Harbour } from '../server/weather.ts'

const NAMES: Record<Person | Harbour, string> = {
  ada: 'Ada',
  bob: 'Bob',
  port: 'Home port',
  island: 'Island',
}

export function nameOf(one: Person | Harbour): string {
  return NAMES[one]
}

export function otherThan(person: Person): Person {
  return person === 'ada' ? 'bob' : 'ada'
}
