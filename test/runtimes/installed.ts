import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { rolldown } from 'rolldown'
import { PACKAGES } from '../../scripts/packages.mjs'
import { ROOT, SOURCES } from '../support/sources.ts'

/** What a runtime is to run. */
export interface Tested {
  /** The module of `test/conformance/factories` that makes the storages. */
  readonly factory: string
  /** What that module is given, as JSON. */
  readonly options: object
  /** What a Worker is configured with. */
  readonly worker?: object | undefined
}

/** A suite of its own: with how it is served. */
export interface Program extends Tested {
  /** The module of `test/runtimes/inside` that serves the suite. */
  readonly host: string
}

const TESTS = join(ROOT, 'test/')
const ENTRY = '\0program'
/** Stands in a script for the options, which are all that differs from cell to cell. */
const OPTIONS = 'OPTIONS_OF_THE_FACTORY'

/** The names that published sources are imported by. */
const PUBLISHED: ReadonlyMap<string, string> = new Map([...SOURCES].map(([name, source]) => [source, name]))

/** The packages as users have them: packed, and installed in a folder of its own, with the dependencies that they name. */
export class InstalledPackage {
  readonly folder: string
  #programs = 0
  readonly #scripts = new Map<string, Promise<string>>()

  private constructor(folder: string) {
    this.folder = folder
  }

  static install(): InstalledPackage {
    npm('run', '--silent', 'build')
    const folder = mkdtempSync(join(tmpdir(), 'quayside-runtimes-'))
    const modules = join(folder, 'node_modules')
    mkdirSync(modules)
    const names = new Set<string>()
    for (const { folder: source, pkg } of PACKAGES) {
      const packed = npm('pack', source, '--ignore-scripts', '--silent', '--pack-destination', folder).trim()
      execFileSync('tar', ['-xzf', packed], { cwd: folder })
      renameSync(join(folder, 'package'), join(modules, pkg.name))
      for (const name of Object.keys({ ...pkg.dependencies, ...pkg.peerDependencies })) names.add(name)
    }
    for (const { pkg } of PACKAGES) names.delete(pkg.name)
    for (const name of names) {
      mkdirSync(dirname(join(modules, name)), { recursive: true })
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'junction')
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    return new InstalledPackage(folder)
  }

  uninstall(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Writes a program that imports the package by its names. Answers with its path. */
  async write(program: Program): Promise<string> {
    const path = join(this.folder, `${++this.#programs}-${program.factory}.js`)
    writeFileSync(path, await this.#script(program, 'es', false))
    return path
  }

  /** One script that needs nothing besides, but what only its runtime has. */
  bundle(program: Program, format: 'es' | 'iife'): Promise<string> {
    return this.#script(program, format, true)
  }

  /** Each is bundled once, for all runtimes that are served alike. */
  async #script(
    { factory, options, host }: Program,
    format: 'es' | 'iife',
    isWhole: boolean,
  ): Promise<string> {
    const key = JSON.stringify([factory, host, format, isWhole])
    const script = this.#scripts.get(key) ?? this.#bundled(factory, host, format, isWhole)
    this.#scripts.set(key, script)
    return (await script).replace(OPTIONS, () => JSON.stringify(options))
  }

  async #bundled(factory: string, host: string, format: 'es' | 'iife', isWhole: boolean): Promise<string> {
    const from = JSON.stringify(join(ROOT, 'test/conformance/factories', `${factory}.ts`))
    const by = JSON.stringify(join(ROOT, 'test/runtimes/inside', `${host}.ts`))
    const entry = `
      import { factory } from ${from}
      import { host } from ${by}
      export * from ${from}
      export default host((bindings) => factory({ ...${OPTIONS}, ...bindings }))`
    const { folder } = this
    await using build = await rolldown({
      input: ENTRY,
      platform: 'browser',
      tsconfig: false,
      plugins: [
        {
          name: 'program',
          async resolveId(source, importer = ENTRY) {
            if (source === ENTRY) return ENTRY
            if (source.startsWith('cloudflare:')) return { id: source, external: true }
            // What the package and its dependencies import is found where they are.
            if (importer !== ENTRY && !importer.startsWith(TESTS)) return null
            const path = source.startsWith('.') ? join(dirname(importer), source) : source
            const name = PUBLISHED.get(path) ?? path
            if (name.startsWith(TESTS)) return name
            if (isAbsolute(name)) throw new Error(`${importer} imports ${source}, which is not published`)
            if (!isWhole) return { id: name, external: true }
            return await this.resolve(name, join(folder, 'program.js'))
          },
          load: (id) => (id === ENTRY ? entry : null),
        },
      ],
      onwarn(warning) {
        throw new Error(warning.message)
      },
    })
    const { output } = await build.generate({
      format,
      name: 'program',
      exports: 'named',
      codeSplitting: false,
    })
    return output[0].code
  }
}

function npm(...words: readonly string[]): string {
  return execFileSync('npm', words, { cwd: ROOT, encoding: 'utf8', shell: process.platform === 'win32' })
}
