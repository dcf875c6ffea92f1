import { outbox } from './outbox.ts'
import { byId, h, setText } from './dom.ts'
import { session } from './session.ts'

const DRAFT = 'offline-notes-draft'

/** The form that notes are written in. `tell` says aloud what has become of one. */
export function startComposer(tell: (text: string) => void): void {
  const form = byId<HTMLFormElement>('composer')
  const text = byId<HTMLTextAreaElement>('text')
  const problem = byId('problem')
  const previews = byId('previews')
  let photos: File[] = []

  text.value = localStorage.getItem(DRAFT) ?? ''
  text.addEventListener('input', () => localStorage.setItem(DRAFT, text.value))
  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit()
  })
  for (const id of ['files', 'camera']) {
    const input = byId<HTMLInputElement>(id)
    input.addEventListener('change', () => {
      show([...photos, ...(input.files ?? [])])
      input.value = '' // so that the same photo may be chosen again
    })
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void store()
  })

  function show(files: File[]): void {
    photos = files
    for (const image of previews.querySelectorAll('img')) URL.revokeObjectURL(image.src)
    previews.replaceChildren(
      ...photos.map((file, i) => {
        const remove = h('button', { type: 'button', ariaLabel: `Remove ${file.name}` }, '×')
        remove.addEventListener('click', () => {
          show(photos.toSpliced(i, 1))
          ;(previews.querySelectorAll('button')[i] ?? text).focus()
        })
        return h('li', {}, h('img', { src: URL.createObjectURL(file), alt: file.name }), remove)
      }),
    )
    previews.hidden = photos.length === 0
  }

  async function store(): Promise<void> {
    if (text.value.trim() === '' && photos.length === 0) {
      setText(problem, 'Write something, or add a photo.')
      return text.focus()
    }
    const id = crypto.randomUUID()
    const body = new FormData()
    body.set('id', id)
    body.set('text', text.value)
    body.set('writtenAt', String(Date.now()))
    for (const photo of photos) body.append('photo', photo)
    try {
      // Resolves when it is on the disk. Sending is the outbox's business from here on.
      const { person: by } = await session.get()
      const to = new FormData(form).get('to') as string
      await outbox.store(`/api/${to}/notes`, { method: 'POST', body, id, meta: { by } })
    } catch (error) {
      return setText(problem, `The note is not stored: ${(error as Error).message}`)
    }
    text.value = ''
    localStorage.removeItem(DRAFT)
    show([])
    setText(problem, '')
    tell('Note stored.')
    text.focus()
  }
}
