/**
 * Keeps passwords out of what is told. Whoever has a `@` or `/` in one and does not encode it has still typed a password,
 * also into a URL that is none, or of a kind that we do not know.
 */

const HIDDEN = '***'

/** What stands before the last `@` of a word that may name a server. */
const USER_INFO = /^((?:--[\w-]+=)?["']?(?:[a-z][a-z\d+.-]*:)?\/\/|(?=[^\s/{["']*:))(.*)@/is
/** The same inside of a text, to the last `@` before a space. */
const IN_TEXT = /([a-z][a-z\d+.-]*:\/\/)[^\s]*@/gi
const PARAMETER = /([?&;][^=&\s]*(?:pass|pwd|auth|token|secret|key)[^=&\s]*=)[^&#\s]*/gi

/** What must not be told, and what is told instead; longer ones first. */
let secrets: readonly (readonly [secret: string, told: string])[] = []

/** Learns from the words of the command line what must not be told. */
export function learnSecrets(words: readonly string[]): void {
  const all = new Map<string, string>()
  for (const word of words) {
    const userInfo = USER_INFO.exec(word)?.[2]
    if (!userInfo) continue
    const password = userInfo.includes(':') ? userInfo.slice(userInfo.indexOf(':') + 1) : userInfo
    for (const form of formsOf(userInfo)) all.set(`${form}@`, '').set(form, HIDDEN)
    // Where there is no scheme, the first colon may not be the one.
    for (let rest = password; rest !== ''; rest = rest.includes(':') ? rest.slice(rest.indexOf(':') + 1) : '')
      for (const form of formsOf(rest)) all.set(form, HIDDEN)
    // What is not encoded is taken apart: as host, port or path it comes back in errors.
    for (const part of password.split(/[@/?#:\\]/)) if (part.length > 2) all.set(part, HIDDEN)
  }
  all.delete('')
  secrets = [...all].sort(([a], [b]) => b.length - a.length)
}

/** How a secret may be spelt in errors. */
function formsOf(secret: string): string[] {
  const forms = [secret]
  for (const spell of [encodeURI, encodeURIComponent, decodeURIComponent]) {
    try {
      forms.push(spell(secret))
    } catch {
      // It has a % of its own.
    }
  }
  return [...forms, ...forms.map((form) => JSON.stringify(form).slice(1, -1))]
}

/** A text without what must not be told. */
export function redact(text: string): string {
  let told = text
  for (const [secret, instead] of secrets) told = told.replaceAll(secret, instead)
  return told.replaceAll(IN_TEXT, '$1').replaceAll(PARAMETER, `$1${HIDDEN}`)
}

/** The URL of a server, its user and password encoded where they were not, and what stands behind its `#`. */
export function splitUrl(url: string): readonly [server: string, fragment?: string] {
  const [head, ...rest] = url.split('#')
  const server = encodeUserInfo(head!)
  if (rest.length === 0) return [server]
  if (URL.canParse(server)) return [server, rest.join('#')]
  // The password has a # of its own.
  const at = url.lastIndexOf('@')
  const [host = '', ...fragment] = url.slice(at).split('#')
  const whole = encodeUserInfo(url.slice(0, Math.max(at, 0)) + host)
  return fragment.length === 0 ? [whole] : [whole, fragment.join('#')]
}

function encodeUserInfo(url: string): string {
  const end = url.lastIndexOf('@')
  if (end === -1) return url
  const start = url.indexOf('://') + '://'.length
  const [user = '', ...password] = url.slice(start, end).split(':')
  const userInfo = password.length === 0 ? encode(user) : `${encode(user)}:${encode(password.join(':'))}`
  return `${url.slice(0, start)}${userInfo}${url.slice(end)}`
}

/** What is encoded stays as it is. */
function encode(text: string): string {
  return text.replaceAll(/%(?![\da-f]{2})|[^%\w.~!$&'()*+,;=-]/giu, encodeURIComponent)
}
