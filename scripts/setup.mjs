// Installs what is missing, then runs the command it was given with node_modules/.bin first on PATH, so that the `node`
// it finds is the one of the dev dependencies (24), whatever runs this file (20.19 or newer).
//
//   node scripts/setup.mjs [--also FOLDER] [COMMAND ARGUMENT…]
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const windows = process.platform === 'win32'
const bin = join(root, 'node_modules', '.bin')

const command = process.argv.slice(2)
const folders = [root]
while (command[0] === '--also') folders.push(join(root, command.splice(0, 2)[1]))

function fail(lines) {
  for (const line of lines) console.error(`setup: ${line}`)
  process.exit(1)
}

/** What package-lock.json asks for and node_modules does not have; undefined when nothing is missing. */
function missing(folder) {
  const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages
  const installed = join(folder, 'node_modules', '.package-lock.json')
  if (!existsSync(installed)) return `${join(folder, 'node_modules')} is not there`
  const found = JSON.parse(readFileSync(installed, 'utf8')).packages
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.optional || entry.devOptional || entry.peer) continue
    if (found[path]?.version !== entry.version) {
      return `${path} is ${found[path]?.version ?? 'not there'}, package-lock.json says ${entry.version}`
    }
  }
  return undefined
}

function environment() {
  const env = { ...process.env }
  const name = Object.keys(env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH'
  env[name] = [bin, ...(env[name] ?? '').split(delimiter).filter((part) => part !== bin)].join(delimiter)
  return env
}

function install(folder) {
  const reason = missing(folder)
  if (!reason) return
  console.error(`setup: ${reason}: running npm ci`)
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    env: environment(),
    shell: windows,
    stdio: ['ignore', 2, 2], // stdout belongs to the command
  })
  if (error) fail([`npm could not be started (${error.message}): install npm, then try again`])
  if (status !== 0) {
    fail([
      `npm ci failed with exit code ${status} in ${folder}; the reason is above`,
      'it needs the npm registry (or a cache of it) and write access to that folder',
    ])
  }
  const still = missing(folder)
  if (still) fail([`npm ci succeeded and yet ${still}`])
}

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19))
  fail([`Node ${process.versions.node} is too old: 20.19 or newer`])
for (const folder of folders) install(folder)

const version = spawnSync('node', ['--version'], { env: environment(), encoding: 'utf8', shell: windows })
if (!version.stdout?.startsWith('v24.')) {
  const got = version.stdout?.trim() || version.error?.message || version.stderr?.trim()
  fail([
    `node_modules/.bin/node should be Node 24 but answers ${got}`,
    'the npm package "node" fetches it in its install script: is ignore-scripts set? Try: npm rebuild node',
  ])
}

if (command.length > 0) {
  const child = spawn(command[0], command.slice(1), {
    cwd: root,
    env: environment(),
    stdio: 'inherit',
    shell: windows,
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    // Ctrl-C reaches the child by itself; the others only through us. Either way the child decides when it is over.
    process.on(signal, () => signal === 'SIGINT' || child.kill(signal))
  }
  child.on('error', (error) => fail([`${command[0]} could not be started: ${error.message}`]))
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    } else process.exitCode = code
  })
}
