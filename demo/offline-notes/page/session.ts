import type { Person } from '../server/sessions.ts'
import { Kept } from './kept.ts'
import { fetchUnlessOff } from './switch.ts'

/** Who sits at this device, and the token with which the server knows them. */
export interface Session {
  readonly person: Person
  /** `undefined`: the server would answer 401. */
  readonly token: string | undefined
  /** When it began, in ms since 1970. 0: nobody has been here yet. */
  readonly since: number
}

export const session: Kept<Session> = new Kept<Session>('session', {
  person: 'ada',
  token: undefined,
  since: 0,
})

/** @throws where the server cannot be reached. */
export async function logIn(person: Person): Promise<void> {
  const response = await fetchUnlessOff('/api/session', { method: 'POST', body: person })
  const { token } = (await response.json()) as { token: string }
  await session.set({ person, token, since: Date.now() })
}

/** @throws where the server cannot be reached. */
export async function logOut(): Promise<void> {
  const { person, token } = await session.get()
  const headers = { authorization: `Bearer ${token}` }
  await fetchUnlessOff('/api/session', { method: 'DELETE', headers })
  await forgetToken(person)
}

/** The token is of no use any more, or not here. */
export async function forgetToken(person: Person): Promise<void> {
  await session.set({ person, token: undefined, since: Date.now() })
}
