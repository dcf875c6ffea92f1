// npm run docs: the pages of docs/, a reference of all that is exported, and a page that runs an outbox, as a site in site/dist that works
// without a network. With --serve it is served while you write.
import { spawnSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { PACKAGES, SUBPATHS } from './packages.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const site = join(root, 'site')
const pages = join(site, '.pages')
const repository = `${PACKAGES[0].pkg.homepage.replace(/#.*/, '')}/blob/main/`

function run(tool, ...args) {
  const { status } = spawnSync(process.execPath, [join(site, 'node_modules', tool), ...args], {
    cwd: site,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(1)
}

/** Links out of docs/ lead to the repository. */
function copyPages() {
  for (const file of globSync('docs/*.md', { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8')
      .replaceAll(/\]\(\.\.\/([^)]+)\)/g, `](${repository}$1)`)
      // What runs a snippet says nothing to readers.
      .replaceAll(/^```([jt]s) .*$/gm, '```$1')
    writeFileSync(join(pages, basename(file)), text)
  }
  for (const file of globSync('docs/*.{png,svg}', { cwd: root }))
    cpSync(join(root, file), join(pages, basename(file)))
  for (const file of ['index.md', 'try.md']) cpSync(join(site, file), join(pages, file))
}

/** The reference calls modules by where they lie; people import them by the names of the package. */
function nameModules() {
  const index = join(pages, 'api/index.md')
  let list = readFileSync(index, 'utf8')
  for (const { name, page } of SUBPATHS) {
    list = list.replace(`[${page}](`, `[${name}](`)
    const file = join(pages, 'api', page, 'index.md')
    writeFileSync(file, readFileSync(file, 'utf8').replace(`# ${page}\n`, `# ${name}\n`))
  }
  writeFileSync(index, list)
}

/** The outbox of the page to try, with all that it needs. */
async function bundleTry() {
  mkdirSync(join(pages, 'public'), { recursive: true })
  const build = await rolldown({
    input: join(site, 'try.ts'),
    platform: 'browser',
    resolve: { alias: Object.fromEntries(SUBPATHS.map(({ name, source }) => [`${name}$`, source])) },
  })
  await build.write({ file: join(pages, 'public/try.js'), format: 'es', minify: true, codeSplitting: false })
  await build.close()
}

rmSync(pages, { recursive: true, force: true })
mkdirSync(pages, { recursive: true })
const entries = SUBPATHS.flatMap(({ source }) => ['--entryPoints', relative(site, source)])
run('typedoc/bin/typedoc', ...entries)
nameModules()
copyPages()
await bundleTry()
run('vitepress/bin/vitepress.js', process.argv.includes('--serve') ? 'dev' : 'build')
