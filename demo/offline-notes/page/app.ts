import '../../../inspector/index.ts'
import { requestSync } from '../../../src/service-worker/index.ts'
import { requestPersistence } from '../../../adapters/indexeddb/index.ts'
import { startComposer } from './composer.ts'
import { startConnection } from './connection.ts'
import { byId, h, setText } from './dom.ts'
import { Log } from './log.ts'
import { type Delivered, type Note, delivered, merge, setWeather, waitingNotes } from './notes.ts'
import { TAG, outbox, queue } from './outbox.ts'

/** Crates that the quay has room for in the picture. */
const MAX_CRATES = 12

let notes: readonly Note[] = []
let server: Delivered | undefined
const accepted = new Set<string>()

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
})

function tell(text: string): void {
  setText(byId('news'), text)
}

/** Looks at the queue, then at the server: in this order a note may be in both, and never in neither. */
async function refresh(): Promise<void> {
  const waiting = await waitingNotes()
  server = (await delivered()) ?? server
  notes = merge(waiting, server, notes, accepted)
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
  const waiting = notes.filter(({ state }) => state === 'stored' || state === 'sending').length
  const failed = notes.filter(({ state }) => state === 'failed').length
  setText(
    byId('waiting'),
    waiting === 0 ? 'Nothing waits' : `${waiting} ${waiting === 1 ? 'note waits' : 'notes wait'}`,
  )
  setText(byId('failed'), failed === 0 ? '' : `${failed} failed`)
  document.title = waiting > 0 ? `(${waiting}) Offline notes` : 'Offline notes'
  const crates = byId('crates')
  while (crates.childElementCount > Math.min(waiting, MAX_CRATES)) crates.lastElementChild!.remove()
  while (crates.childElementCount < Math.min(waiting, MAX_CRATES)) crates.append(h('i'))
  if (server === undefined) return
  setText(byId('received'), String(server.notes.length))
  setText(byId('repeats'), String(server.repeats))
  for (const input of weathers()) input.checked = input.value === server.weather
}

function weathers(): NodeListOf<HTMLInputElement> {
  return document.querySelectorAll<HTMLInputElement>('input[name=weather]')
}

async function start(): Promise<void> {
  byId<HTMLElementTagNameMap['quayside-inspector']>('inspector').queue = queue
  startComposer((text) => {
    tell(text)
    void requestPersistence()
  })
  for (const input of weathers()) {
    input.addEventListener('change', () => {
      setWeather(input.value)
        .catch(() => tell('The server cannot be reached.'))
        .finally(look)
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
  outbox.start()
  requestSync(outbox, { tag: TAG })
  setInterval(() => log.tick(), 1000)
  addEventListener('pageshow', look)
}

void start()
// Without it everything works but the start without a network, and what is sent when no page is open.
navigator.serviceWorker?.register('/sw.js').catch(() => undefined)
