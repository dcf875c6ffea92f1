import { h, setText } from './dom.ts'
import { errorText } from './text.ts'

/** A dialog in which the payload of a message is changed, as JSON. */
export class Editor {
  readonly element: HTMLDialogElement
  readonly #title: HTMLHeadingElement = h('h3', { id: 'editor-title' })
  readonly #json: HTMLTextAreaElement = h('textarea', {
    rows: 12,
    spellcheck: false,
    ariaLabel: 'Payload, as JSON',
  })
  readonly #problem: HTMLParagraphElement = h('p', { role: 'alert', className: 'failure' })
  #save: ((payload: unknown) => Promise<void>) | undefined

  constructor() {
    const cancel = h('button', { type: 'button' }, 'Cancel')
    cancel.addEventListener('click', () => this.element.close())
    const form = h(
      'form',
      {},
      this.#title,
      this.#json,
      this.#problem,
      h(
        'div',
        { className: 'actions' },
        h('button', { type: 'submit', className: 'verb' }, 'Save and resume'),
        cancel,
      ),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#submit()
    })
    this.element = h('dialog', {}, form)
    this.element.setAttribute('aria-labelledby', this.#title.id)
  }

  /** `save` rejects with what is to be told; then the dialog stays. */
  open(title: string, payload: unknown, save: (payload: unknown) => Promise<void>): void {
    this.#save = save
    setText(this.#title, title)
    setText(this.#problem, '')
    this.#json.value = JSON.stringify(payload, undefined, 2)
    this.element.showModal()
    this.#json.focus()
  }

  async #submit(): Promise<void> {
    setText(this.#problem, '')
    try {
      await this.#save!(JSON.parse(this.#json.value))
      this.element.close()
    } catch (error) {
      setText(this.#problem, errorText(error))
    }
  }
}

/** Whether JSON says all of a payload. */
export function isEditable(payload: unknown): boolean {
  try {
    return isPlain(payload)
  } catch {
    // Too deep, or a circle.
    return false
  }
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (Array.isArray(value)) return value.every(isPlain)
  return (
    typeof value === 'object' &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.values(value).every(isPlain)
  )
}
