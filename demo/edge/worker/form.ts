/** What visitors send. */
export interface Form {
  readonly name: string
  readonly email: string
  readonly text: string
}

const MAX_TEXT = 5000

/** What is wrong with a form, for the visitor to read. */
export class Refusal extends Error {}

/** @throws {@link Refusal} */
export async function readForm(request: Request): Promise<Form> {
  const fields = await fieldsOf(request)
  const field = (name: string, label: string, most: number): string => {
    const value = fields[name]
    if (typeof value !== 'string' || value.trim() === '') throw new Refusal(`Please fill in ${label}.`)
    if (value.length > most) throw new Refusal(`The ${name} may have ${most} characters.`)
    return value.trim()
  }
  const form = {
    name: field('name', 'your name', 200),
    email: field('email', 'your email address', 200),
    text: field('text', 'a message', MAX_TEXT),
  }
  if (!/^[^\s@]+@[^\s@]+$/.test(form.email)) throw new Refusal(`"${form.email}" is no email address.`)
  return form
}

async function fieldsOf(request: Request): Promise<Record<string, unknown>> {
  try {
    const isJson = request.headers.get('content-type')?.startsWith('application/json')
    const fields: unknown = isJson
      ? await request.json()
      : Object.fromEntries((await request.formData()).entries())
    if (typeof fields === 'object' && fields !== null) return fields as Record<string, unknown>
  } catch {
    // Neither a form nor JSON.
  }
  throw new Refusal('Send a form, or a JSON object.')
}
