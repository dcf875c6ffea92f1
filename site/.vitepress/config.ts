import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitepress'
import { SUBPATHS } from '../../scripts/packages.mjs'
import { options, searchOptions } from './search.ts'

// The pages of docs/ as they are; the reference, which typedoc has written to .pages/api; and try.md of this folder. scripts/docs.mjs brings them together.

const repository = 'https://github.com/quayside/quayside'

/** The table "Where to go next" of the README, as the sidebar: so there is one list of pages. */
function sidebar() {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const table = readme.slice(readme.indexOf('## Where to go next'))
  return [...table.matchAll(/^\| \*\*(.+?)\*\* \| (.+) \|$/gm)].map(([, text, row = '']) => ({
    text,
    collapsed: false,
    items: [...row.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, name = '', link = '']) => ({
      text: name.charAt(0).toUpperCase() + name.slice(1),
      link: link.replace(`${repository}/blob/main/docs/`, '/').replace('.md', ''),
    })),
  }))
}

/** Each subpath of the packages. */
function reference() {
  return SUBPATHS.map(({ name, page }) => ({ text: name, link: `/api/${page}/` }))
}

export default defineConfig({
  title: 'quayside',
  description:
    'A durable message queue with one producer/consumer API in browsers, workers, Node and at the edge',
  srcDir: '.pages',
  outDir: 'dist',
  cacheDir: '.cache',
  // A dead link fails the build.
  ignoreDeadLinks: false,
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  themeConfig: {
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Outbox', link: '/outbox' },
      { text: 'Queues', link: '/queue' },
      { text: 'Reference', link: '/api/' },
      { text: 'Try it', link: '/try' },
    ],
    sidebar: { '/api/': [{ text: 'Reference', items: reference() }], '/': sidebar() },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: repository }],
    search: {
      provider: 'local',
      options: {
        miniSearch: { options, searchOptions },
        // The reference has its sidebar: its pages, of one name each, would come before those that answer.
        _render: (source, env, md) => (env.relativePath.startsWith('api/') ? '' : md.render(source, env)),
      },
    },
  },
})
