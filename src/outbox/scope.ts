import type { ListedMessage } from '../core/lean/index.ts'

/** Under which name a message says which app of the origin has stored it. */
export const SCOPE = 'quayside-scope'

/** The app that this is, as a path: the scope of a service worker, the folder of a page. Elsewhere there is nothing to tell apart. */
export function ownScope(): string | undefined {
  const { registration, document } = globalThis as {
    readonly registration?: { readonly scope: string }
    readonly document?: { readonly baseURI: string }
  }
  const base = registration?.scope ?? document?.baseURI ?? ''
  return base.startsWith('http') ? new URL('.', base).pathname : undefined
}

/** The app that has stored a message, where it is not this one, nor around it, nor in it. */
export function otherScope({ headers }: Pick<ListedMessage<unknown>, 'headers'>): string | undefined {
  const own = ownScope()
  const from = headers[SCOPE]
  const isOther = own !== undefined && from !== undefined && !from.startsWith(own) && !own.startsWith(from)
  return isOther ? from : undefined
}
