import '../../../inspector/index.ts'
import { requestSync } from '../../../src/service-worker/index.ts'
import { requestPersistence } from '../../../adapters/indexeddb/index.ts'
import { startComposer } from './composer.ts'
import { startConnection } from './connection.ts'
import { byId, h, setText } from './dom.ts'
import { Log } from './log.ts'
import { type Delivered, type Note, delivered, merge, reword, setWeather, waiting } from './notes.ts'
import { startPeople } from './people.ts'
import { nameOf, otherThan } from './names.ts'
import { session } from './session.ts'
import type { Harbour } from '../server/weather.ts'
import { TAG, outbox, queue } from './outbox.ts'

/** Crates that the quay has room for in the picture. */
const MAX_CRATES = 12

let notes: readonly Note[] = []
let server: Delivered | undefined
const accepted = new Set<string>()
/** Choices of weather that the server has not heard of yet. */
let choosing = 0

const log = new Log({
  retry: async ({ id, state }) => {
    if (state === 'failed') await outbox.resolve(id, 'retry')
    else await outbox.retryNow(id)
  },
  discard: async ({ id, state }) => {
    if (state === 'failed') await outbox.resolve(id, 'drop')
    else await outbox.cancel(id)
    tell('Note discarded.')
  },
  reword: async (note, text) => {
    if (!(await reword(note, text))) tell('It was too late: the note is on its way.')
    look()
  },
})

function tell(text: string): void {
  setText(byId('news'), text)
}

/** Looks at the queue, then at the server: in this order a note may be in both, and never in neither. */
async function refresh(): Promise<void> {
  const { person } = await session.get()
  const { notes: stored, ofOthers } = await waiting(person)
  server = (await delivered()) ?? server
  notes = merge(stored, server, notes, accepted)
  const other = nameOf(otherThan(person))
  setText(
    byId('others'),
    ofOthers === 0 ? '' : `${ofOthers} ${ofOthers === 1 ? 'waits' : 'wait'} for ${other}`,
  )
  show()
}

/** One look at a time, and one more if something changed meanwhile. */
let looking: Promise<void> | undefined
let again = false
function look(): void {
  again = true
  looking ??= (async () => {
    try {
      while (again) {
        again = false
        await refresh()
      }
    } catch (error) {
      setText(byId('problem'), `The notes cannot be read: ${(error as Error).message}`)
    } finally {
      looking = undefined
    }
  })()
}

function show(): void {
  log.show(notes)
  const afloat = notes.filter(({ state }) => state === 'stored' || state === 'sending').length
  const failed = notes.filter(({ state }) => state === 'failed').length
  setText(
    byId('waiting'),
    afloat === 0 ? 'Nothing waits' : `${afloat} ${afloat === 1 ? 'note waits' : 'notes wait'}`,
  )
  setText(byId('failed'), failed === 0 ? '' : `${failed} failed`)
  document.title = afloat > 0 ? `(${afloat}) Offline notes` : 'Offline notes'
  const crates = byId('crates')
  while (crates.childElementCount > Math.min(afloat, MAX_CRATES)) crates.lastElementChild!.remove()
  while (crates.childElementCount < Math.min(afloat, MAX_CRATES)) crates.append(h('i'))
  if (server === undefined) return
  setText(byId('received'), String(server.notes.length))
  setText(byId('repeats'), String(server.repeats))
  if (choosing > 0) return
  for (const input of weathers()) input.checked = input.value === server.weather[input.name as Harbour]
}

/** A radio button for each weather in each harbour, which is its name. */
function weathers(): NodeListOf<HTMLInputElement> {
  return document.querySelectorAll<HTMLInputElement>('.weather input')
}

async function start(): Promise<void> {
  byId<HTMLElementTagNameMap['quayside-inspector']>('inspector').queue = queue
  startComposer((text) => {
    tell(text)
    void requestPersistence()
  })
  for (const input of weathers()) {
    input.addEventListener('change', () => {
      choosing++
      setWeather(input.name, input.value)
        .catch(() => tell('The server cannot be reached.'))
        .finally(() => {
          choosing--
          look()
        })
    })
  }
  outbox.watch(({ type, id }) => {
    if (type === 'accepted') {
      accepted.add(id!)
      tell('Note delivered.')
    } else if (type === 'dead' || type === 'parked') tell('The server refused a note.')
    look()
  })
  await startConnection(look)
  await startPeople(tell, look)
  outbox.start()
  requestSync(outbox, { tag: TAG })
  setInterval(() => log.tick(), 1000)
  addEventListener('pageshow', look)
}

void start()
// Without it everything works but the start without a network, and what is sent when no page is open.
navigator.serviceWorker?.register('/sw.js').catch(() => undefined)
