// The page that the handler serves: names of queues, and an inspector for one of them.
import '../../index.ts'
import { arrange, h, setText } from '../../dom.ts'
import { errorText } from '../../text.ts'
import { Remote } from './remote-queue.ts'

/** So often it is looked whether there are other queues, in ms. */
const LOOK_EVERY_MS = 10_000

const remote = new Remote()
const nav = document.querySelector('nav')!
const main = document.querySelector('main')!
const problem = document.querySelector<HTMLParagraphElement>('p[role=alert]')!
const inspector = document.createElement('quayside-inspector')
const links = new Map<string, HTMLAnchorElement>()
let shown: string | undefined

/** The queue that the address names; else the first one. */
function wanted(names: readonly string[]): string | undefined {
  const name = nameIn(location.hash)
  return names.find((one) => one === name) ?? names[0]
}

/** The fragment never reaches a server. */
function nameIn(hash: string): string {
  try {
    return decodeURIComponent(hash.slice(1))
  } catch {
    return ''
  }
}

async function look(): Promise<void> {
  try {
    const { names, readOnly } = await remote.queues()
    for (const name of names)
      if (!links.has(name)) links.set(name, h('a', { href: `#${encodeURIComponent(name)}` }, name))
    arrange(
      nav,
      names.map((name) => links.get(name)!),
    )
    const name = wanted(names)
    for (const [one, link] of links) link.ariaCurrent = one === name ? 'page' : null
    setText(problem, name === undefined ? 'There are no queues here yet.' : '')
    if (name === shown) return
    shown = name
    document.title = name === undefined ? 'Queues' : `${name} – queues`
    inspector.queue = name === undefined ? undefined : remote.queue(name, readOnly)
    arrange(main, name === undefined ? [problem] : [problem, inspector])
  } catch (error) {
    setText(problem, errorText(error))
  }
}

addEventListener('hashchange', () => void look())
setInterval(() => document.hidden || void look(), LOOK_EVERY_MS)
void look()
