import { h, setText } from './dom.ts'

/** Does something to the queue, tells how it went, and looks again. `work` answers with what to tell. */
export type Act = (work: () => Promise<string>) => void

export interface Verb {
  readonly label: string
  /** What it is about, for those who do not see where the button stands. */
  readonly about?: string | undefined
  /** Asks once more before it does what cannot be undone. */
  readonly final?: boolean | undefined
  /** It changes nothing. */
  readonly harmless?: boolean | undefined
  readonly run: () => Promise<string>
}

/** A button for a verb. A final one has to be pressed twice; leaving it or Escape disarms it. */
export function verbButton(act: Act, verb: Verb): HTMLButtonElement {
  const { label, about, final = false, harmless = false, run } = verb
  const kinds = ['verb', final && 'final', harmless && 'harmless'].filter(Boolean)
  const button = h('button', { type: 'button', className: kinds.join(' ') }, label)
  let armed = false
  const arm = (on: boolean): void => {
    armed = on
    const text = on ? `${label}: sure?` : label
    setText(button, text)
    button.classList.toggle('armed', on)
    button.ariaLabel = about === undefined ? text : `${text} ${about}`
  }
  arm(false)
  button.addEventListener('click', () => {
    if (final && !armed) return arm(true)
    arm(false)
    act(run)
  })
  if (final) {
    button.addEventListener('blur', () => arm(false))
    button.addEventListener('keydown', ({ key }) => key === 'Escape' && arm(false))
  }
  return button
}
