/** How texts look in a terminal: which cells they take, and what they must not do to it. */

const GRAPHEMES = new Intl.Segmenter()

/** East Asian Wide and Fullwidth of Unicode, in ranges; emoji come besides. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u
const NARROW = /^[\u0020-\u007e]*$/

/** Everything that moves the cursor, colours, turns the direction of writing, or is not there. */
const UNSAFE = /[\p{Cc}\p{Cs}\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu

/** A text of somebody else, safe to be shown: what is no sign of its own is spelled out. */
export function clean(value: string): string {
  return value.replaceAll(UNSAFE, (sign) => {
    if (sign === '\n') return '\\n'
    if (sign === '\t') return '\\t'
    return `\\u{${sign.codePointAt(0)!.toString(16)}}`
  })
}

/** JSON, with what {@link clean} spells out as the escapes of JSON: it is read as the same value. */
export function escapeUnsafe(json: string): string {
  return json.replaceAll(UNSAFE, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** {@link clean}, with its lines as they are. */
export function cleanLines(value: string): string {
  return value.split(/\r?\n/).map(clean).join('\n')
}

/** How many cells a text takes. */
export function widthOf(value: string): number {
  if (NARROW.test(value)) return value.length
  let width = 0
  for (const { segment } of GRAPHEMES.segment(value)) width += cellsOf(segment)
  return width
}

function cellsOf(grapheme: string): number {
  if (WIDE.test(grapheme)) return 2
  return /^\p{M}+$/u.test(grapheme) ? 0 : 1
}

/** As much of a text as fits, with `…` where something is missing. */
export function cut(value: string, width: number): string {
  if (widthOf(value) <= width) return value
  let at = 0
  let used = 0
  for (const { segment } of GRAPHEMES.segment(value)) {
    used += cellsOf(segment)
    if (used > width - 1) break
    at += segment.length
  }
  return width < 1 ? '' : `${value.slice(0, at)}…`
}

export function pad(value: string, width: number, side: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(value)))
  return side === 'left' ? value + space : space + value
}
