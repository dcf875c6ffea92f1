import { randomUUID } from 'node:crypto'

/** Who can write notes. */
export type Person = 'ada' | 'bob'

export const PEOPLE: readonly Person[] = ['ada', 'bob']

/** Who is logged in, by the token that they show. There are no passwords: it is a demo of what comes after. */
export class Sessions {
  readonly #people: Map<string, Person> = new Map()

  begin(person: Person): string {
    const token = randomUUID()
    this.#people.set(token, person)
    return token
  }

  end(authorization: string | undefined): void {
    this.#people.delete(tokenOf(authorization))
  }

  /** As when the server is started anew. */
  clear(): void {
    this.#people.clear()
  }

  /** Whose token it is. */
  who(authorization: string | undefined): Person | undefined {
    return this.#people.get(tokenOf(authorization))
  }
}

function tokenOf(authorization = ''): string {
  return authorization.replace(/^Bearer /, '')
}
