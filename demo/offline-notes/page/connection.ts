import { byId, flag, setText } from './dom.ts'
import { outbox } from './outbox.ts'
import { switchedOff } from './switch.ts'

/** The offline switch, the state of the line in words, and the ship in the picture. `changed` hears of each change. */
export async function startConnection(changed: (online: boolean) => void): Promise<void> {
  const toggle = byId<HTMLButtonElement>('switch')
  let off = await switchedOff.get()

  function show(): void {
    const online = !off && navigator.onLine
    document.documentElement.dataset['line'] = online ? 'online' : 'offline'
    toggle.ariaChecked = String(off)
    setText(byId('line'), online ? 'Online' : 'Offline')
    setText(byId('why'), online ? 'the line is clear' : off ? 'switched off here' : 'no network')
    byId('line-flag').replaceChildren(flag(online ? 'c' : 'n'))
    changed(online)
  }

  /** What waits for a retry has waited for this. */
  function obey(): void {
    if (off) return outbox.pause()
    void outbox.resume()
    void outbox.retryNow()
  }

  toggle.addEventListener('click', () => {
    off = !off
    show()
    // First the switch, which every attempt asks.
    void switchedOff.set(off).then(obey)
  })
  switchedOff.onSet((now) => {
    off = now
    obey()
    show()
  })
  for (const event of ['online', 'offline']) addEventListener(event, show)
  if (off) outbox.pause()
  show()
}
