import { type Option, type Values, texts } from './command.ts'
import { Stop, USAGE } from './exit.ts'
import type { ListedMessage } from '../src/storage.ts'
import { clean } from './width.ts'

/** What a message may be chosen by, and whether it is. */
const FIELDS: Readonly<Record<string, (message: ListedMessage, wanted: string) => boolean>> = {
  error: ({ lastError = '' }, wanted) => lastError.includes(wanted),
  reason: ({ reason }, wanted) => reason === wanted,
  key: ({ key }, wanted) => key === wanted,
  lane: ({ lane }, wanted) => lane === wanted,
}

export const WHERE: Option = {
  type: 'string',
  multiple: true,
  value: 'FIELD=TEXT',
  help: 'only those whose error has TEXT in it, or whose reason, key or lane is TEXT; all must hold',
}

export type Choice = (message: ListedMessage) => boolean

/** What `--where` chooses; `undefined` where it is not given. */
export function choiceOf(command: string, values: Values): Choice | undefined {
  const choices = texts(values, 'where').map((where): Choice => {
    const [field = '', ...rest] = where.split('=')
    const is = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined
    if (is === undefined || rest.length === 0)
      throw new Stop(
        USAGE,
        `${command}: --where takes error=, reason=, key= or lane= and a text, not ${clean(where)}`,
      )
    return (message) => is(message, rest.join('='))
  })
  return choices.length === 0 ? undefined : (message) => choices.every((choice) => choice(message))
}
