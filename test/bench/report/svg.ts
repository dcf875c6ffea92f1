import type { Role } from './model.ts'

// The few elements that the plots are made of. A plot is a picture of its own on GitHub, so it brings its colours, for a
// light and a dark page, and paints its ground: a reader whose page and system disagree can still read it.

export const WIDTH = 780
export const MARGIN = 20

const STYLE = `
text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
.title { font-size: 16px; font-weight: 650; }
.panel { font-weight: 600; }
.soft { fill: var(--soft); }
.small { font-size: 11px; }
.own { font-weight: 650; fill: var(--own-ink); }
.ground { fill: var(--ground); stroke: var(--line); }
.grid { stroke: var(--line); }
.axis { stroke: var(--soft); }
.noise { fill: var(--noise); }
.whisker { stroke: var(--ink); opacity: .55; }
.quayside { fill: var(--own); }
.peer { fill: var(--peer); }
.other { fill: var(--peer); opacity: .55; }
.part { fill: var(--own); opacity: .4; }
.limit { fill: none; stroke: var(--soft); stroke-dasharray: 4 3; }
.behind { fill: var(--behind); }
.level { fill: var(--soft); }
:root {
  --ground: #ffffff; --ink: #1b2733; --soft: #5f6f7e; --line: #dfe5ea; --noise: #f0f3f6;
  --own: #0b7f99; --own-ink: #086277; --peer: #aab6c1; --behind: #d9601a;
  --c0: #0b7f99; --c1: #d9601a; --c2: #7048b6; --c3: #2f8f4e; --c4: #c2307a; --c5: #8a6d00;
  --c6: #2457c5; --c7: #6b4423;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #10181f; --ink: #e4ebf1; --soft: #96a5b3; --line: #27333d; --noise: #19232c;
    --own: #35c3de; --own-ink: #6fdcf0; --peer: #5c6b78; --behind: #ff9a5c;
    --c0: #35c3de; --c1: #ff9a5c; --c2: #b79bf5; --c3: #6fd08c; --c4: #f58abb; --c5: #e0c04a;
    --c6: #8fb0ff; --c7: #cfa784;
  }
}`

/** How many colours lines may have. */
export const COLOURS = 8

/** A whole picture; its parts are drawn on coordinates that start at its upper left corner. */
export function picture(title: string, subtitle: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escape(title)}</title>`,
    `<desc id="desc">${escape(subtitle)}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" x=".5" y=".5" width="${WIDTH - 1}" height="${height - 1}" rx="10"/>`,
    text(MARGIN, 30, title, { class: 'title' }),
    text(MARGIN, 49, subtitle, { class: 'soft' }),
    ...parts,
    '</svg>',
    '',
  ].join('\n')
}

/** Where the drawing starts below title and subtitle. */
export const TOP = 66

export function text(
  x: number,
  y: number,
  content: string,
  { class: name, anchor }: { class?: string; anchor?: 'middle' | 'end' } = {},
): string {
  const attributes = (name ? ` class="${name}"` : '') + (anchor ? ` text-anchor="${anchor}"` : '')
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${escape(content)}</text>`
}

export function rect(x: number, y: number, width: number, height: number, name: string, rx = 0): string {
  return `<rect class="${name}" x="${round(x)}" y="${round(y)}" width="${round(Math.max(width, 0))}" height="${round(height)}"${rx ? ` rx="${rx}"` : ''}/>`
}

export function line(x1: number, y1: number, x2: number, y2: number, name: string): string {
  return `<line class="${name}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`
}

export function circle(x: number, y: number, r: number, attributes: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="${r}" ${attributes}/>`
}

export function round(value: number): number {
  return Math.round(value * 10) / 10
}

/** About how wide a text is drawn; system fonts differ by a few percent. */
export function widthOf(content: string, role?: Role): number {
  return content.length * (role === 'quayside' ? 7.3 : 6.6)
}

/** The class of a label: quayside's own stand out. */
export function labelClass(role: Role): string {
  return role === 'quayside' ? 'own' : role === 'peer' ? '' : 'soft'
}

function escape(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** A logarithmic axis from pixel `from` to pixel `to`, over whole halves of decades around the values. */
export class LogScale {
  readonly low: number
  readonly high: number
  readonly #from: number
  readonly #to: number

  constructor(values: readonly number[], from: number, to: number) {
    const steps = (value: number, way: (value: number) => number): number => {
      const decade = 10 ** Math.floor(Math.log10(value) + 1e-9)
      const candidates = [1, 2, 5, 10].map((digit) => digit * decade)
      return way === Math.floor
        ? candidates.filter((candidate) => candidate <= value * 1.0001).at(-1)!
        : candidates.find((candidate) => candidate >= value * 0.9999)!
    }
    this.low = steps(Math.min(...values), Math.floor)
    this.high = steps(Math.max(...values), Math.ceil)
    if (this.high <= this.low) this.high = this.low * 10
    this.#from = from
    this.#to = to
  }

  at(value: number): number {
    const share = Math.log(value / this.low) / Math.log(this.high / this.low)
    return this.#from + share * (this.#to - this.#from)
  }

  /** Powers of ten in between; where there are hardly any, twos and fives too. */
  ticks(): number[] {
    const all: number[] = []
    for (let decade = Math.floor(Math.log10(this.low)); decade <= Math.log10(this.high); decade++) {
      for (const digit of [1, 2, 5]) all.push(digit * 10 ** decade)
    }
    const inside = all.filter((tick) => tick >= this.low * 0.999 && tick <= this.high * 1.001)
    return this.high / this.low > 500
      ? inside.filter((tick) => Math.abs(Math.log10(tick) % 1) < 1e-6)
      : inside
  }
}
