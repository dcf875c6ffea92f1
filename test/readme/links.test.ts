import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from '../support/sources.ts'

const { homepage } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { homepage: string }
const REPOSITORY = homepage.replace(/#.*/, '')
/** Where files of the repository are on the web: the README is read on npm, too, where links have to be whole. */
const PLACES = [
  `${REPOSITORY}/blob/main/`,
  `${REPOSITORY.replace('github.com', 'raw.githubusercontent.com')}/main/`,
]

const PAGES = globSync(['*.md', 'docs/*.md'], { cwd: ROOT }).sort()

const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** Of headings, as GitHub makes them. */
function anchorsOf(page: string): Set<string> {
  const text = textOf(page).replaceAll(/^```.*?^```$/gms, '')
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

/** What is wrong with a link of a page, if it leads into the repository. */
function faultOf(page: string, link: string): string | undefined {
  const place = PLACES.find((start) => link.startsWith(start))
  if (place === undefined && /^[a-z]+:/.test(link)) return undefined
  if (place === undefined && page === 'README.md') return 'is not whole, so that it leads nowhere on npm'
  const [path, anchor] = (place === undefined ? link : link.slice(place.length)).split('#')
  const file =
    path === '' ? page : place === undefined ? relative(ROOT, join(ROOT, dirname(page), path!)) : path!
  if (!existsSync(join(ROOT, file))) return `there is no ${file}`
  if (anchor !== undefined && !anchorsOf(file).has(anchor)) return `${file} has no heading for #${anchor}`
  return undefined
}

describe('the pages', () => {
  test.each(PAGES)('%s links to what is there', (page) => {
    const text = textOf(page).replaceAll(/^```.*?^```$/gms, '')
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
    const faults = links.flatMap((link) => {
      const fault = faultOf(page, link)
      return fault === undefined ? [] : [`${link}: ${fault}`]
    })
    expect(faults).toEqual([])
  })

  test('are all linked from the README', () => {
    const readme = textOf('README.md')
    expect(PAGES.filter((page) => page.startsWith('docs/') && !readme.includes(`/${page}`))).toEqual([])
  })

  test('begin with a README that can be read at once', () => {
    expect(textOf('README.md').split('\n').length).toBeLessThanOrEqual(200)
  })
})
