import type { Person } from '../server/sessions.ts'
import { byId, setText } from './dom.ts'
import { nameOf } from './names.ts'
import { outbox } from './outbox.ts'
import { forgetToken, logIn, logOut, session } from './session.ts'

/** Who sits here, and whether the server knows them. `tell` says aloud what changed. */
export async function startPeople(tell: (text: string) => void, changed: () => void): Promise<void> {
  const choices = document.querySelectorAll<HTMLInputElement>('input[name=person]')
  const toggle = byId<HTMLButtonElement>('session')
  const forget = byId<HTMLButtonElement>('forget')
  let armed = false

  async function show(): Promise<void> {
    const { person, token } = await session.get()
    for (const choice of choices) choice.checked = choice.value === person
    toggle.ariaChecked = String(token !== undefined)
    arm(false)
    changed()
  }

  function arm(on: boolean): void {
    armed = on
    setText(forget, on ? 'Drop what waits: sure?' : 'Sign out, drop what waits')
  }

  /** The server says who is here from now on; what waits for that has one note go first. */
  async function enter(person: Person): Promise<void> {
    await logIn(person)
    await outbox.resume()
    tell(`${nameOf(person)} is logged in.`)
  }

  async function act(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch {
      tell('The server cannot be reached.')
    }
    await show()
  }

  for (const choice of choices) {
    choice.addEventListener('change', () => {
      void act(async () => {
        const person = choice.value as Person
        // What is under way ends first: nothing of one goes with the token of the other.
        await outbox.signOut('keep')
        await forgetToken(person)
        await enter(person)
      })
    })
  }
  toggle.addEventListener('click', () => {
    void act(async () => {
      const { person, token } = await session.get()
      await (token === undefined ? enter(person) : logOut())
    })
  })
  forget.addEventListener('blur', () => arm(false))
  forget.addEventListener('click', () => {
    if (!armed) return arm(true)
    void act(async () => {
      await outbox.signOut('drop')
      tell('Nothing waits here any more.')
      await logOut()
    })
  })
  // The server may have forgotten a session that it answered 401 to.
  outbox.watch(({ type }) => {
    if (type !== 'held') return
    void act(async () => {
      const [{ person, token, since }, held] = await Promise.all([session.get(), outbox.held()])
      if (token !== undefined && held.some((one) => one.since > since)) await forgetToken(person)
    })
  })
  session.onSet(() => void show())
  if ((await session.get()).since === 0) await act(() => enter('ada'))
  else await show()
}
