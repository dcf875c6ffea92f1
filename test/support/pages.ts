import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './sources.ts'

/** What stands in a page of the documentation between `<!-- name -->` and `<!-- /name -->`, each on a line of its own. */
export function partOf(page: string, name: string): string {
  return split(page, name)[1]
}

/** Writes it anew. */
export function writePart(page: string, name: string, text: string): void {
  const [before, , after] = split(page, name)
  writeFileSync(join(ROOT, page), before + text + after)
}

function split(page: string, name: string): [before: string, part: string, after: string] {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->\n`]
  const text = readFileSync(join(ROOT, page), 'utf8')
  const from = text.indexOf(begin) + begin.length
  const to = text.indexOf(end)
  if (from < begin.length || to < from)
    throw new Error(
      `${page} has no ${begin.trim()} … ${end.trim()} on lines of their own: put them where the table belongs`,
    )
  return [text.slice(0, from), text.slice(from, to), text.slice(to)]
}
