import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
}

/** The modules that a file imports, exports from, or names in a type; those of the repository relative to its root. */
function imports(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '')
  const statements = text.matchAll(/^(?:import|export)\s(?:[^'";=()]*?\sfrom\s)?'([^']+)'/gm)
  const calls = text.matchAll(/\bimport\(\s*'([^']+)'/g)
  return [...statements, ...calls].map(([, name]) =>
    name!.startsWith('.') ? relative(root, join(root, dirname(file), name!)) : name!,
  )
}

const src = sources('src')
const suite = sources('conformance').filter((file) => !file.startsWith('conformance/dist/'))
const isUnder =
  (...folders: readonly string[]) =>
  (file: string): boolean =>
    folders.some((folder) => file.startsWith(`${folder}/`))

test('the files of src/ are found, and what they import', () => {
  expect(src).toContain('src/index.ts')
  expect(imports('src/core/index.ts')).toContain('src/core/queue.ts')
  expect(imports('src/message-id.ts')).toEqual(['uuid'])
})

describe.each(src)('%s', (file) => {
  const imported = imports(file)

  test('imports no adapter, no test, no module of a runtime', () => {
    for (const name of imported) {
      expect(name).not.toMatch(/^(node|bun|deno|cloudflare|jsr|npm|https?):/)
      expect(name).not.toMatch(/^(adapters|test|demo|scripts|dist|build)\//)
    }
  })

  const EXTRA: Readonly<Record<string, readonly string[]>> = {
    'src/schedule/when.ts': ['croner'],
    'src/react/': ['react'],
  }
  test('imports no package but uuid; schedules a parser of patterns, the hooks React', () => {
    const extra = Object.entries(EXTRA).find(([start]) => file.startsWith(start))?.[1] ?? []
    const allowed = ['uuid', ...extra]
    expect(imported.filter((name) => !name.startsWith('src/') && !allowed.includes(name))).toEqual([])
  })

  test('imports with the ending .ts, of files that exist', () => {
    for (const name of imported.filter(isUnder('src'))) expect(src).toContain(name)
  })
})

/** Files on a way of imports that leads back to where it began. */
function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const left = new Map(graph)
  // Who imports nothing of what is left is on no such way; nor is, then, who imports only those.
  for (let before = Infinity; left.size < before;) {
    before = left.size
    for (const [file, names] of left) if (!names.some((name) => left.has(name))) left.delete(file)
  }
  return [...left.keys()]
}

test('no file imports, in the end, itself, not even for a type', () => {
  const all = [...['src', 'adapters', 'presets', 'inspector', 'cli'].flatMap(sources), ...suite]
  expect(all).toContain('cli/target.ts')
  expect(circles(new Map(all.map((file) => [file, imports(file)])))).toEqual([])
  const graph = { a: ['b', 'uuid'], b: ['c'], c: ['b'], d: [], e: ['d'] }
  expect(circles(new Map(Object.entries(graph)))).toEqual(['a', 'b', 'c'])
})

/** The rooms of `src/`, and the doors of each: one for everybody, one for the house. */
const roomOf = (file: string): string | undefined => /^src\/([^/]+)\/[^]+$/.exec(file)?.[1]
const isDoor = (file: string): boolean =>
  /^src\/[^/]+\/(index|inside)\.ts$/.test(file) || file === 'src/core/lean/index.ts'

test('no room of src/ is reached around its doors', () => {
  const house = [...src, ...['adapters', 'presets', 'inspector', 'cli'].flatMap(sources)]
  for (const file of house) {
    const around = imports(file).filter(
      (name) => roomOf(name) !== undefined && roomOf(name) !== roomOf(file) && !isDoor(name),
    )
    expect(around, file).toEqual([])
  }
  expect(isDoor('src/core/desk.ts')).toBe(false)
})

test('the core knows no storage: only what makes memory the default knows that', () => {
  const engines = isUnder('src/segments', 'src/records')
  expect(src.filter(isUnder('src/core')).filter((file) => imports(file).some(engines))).toEqual([])
  expect(imports('src/default-queue.ts').filter(engines)).toEqual(['src/records/index.ts'])
})

test('the segment engine knows the contract, not the queue', () => {
  const allowed = new Set(['storage', 'lanes', 'errors', 'hints'].map((name) => `src/${name}.ts`))
  for (const file of src.filter(isUnder('src/segments'))) {
    const outside = imports(file).filter((name) => !isUnder('src/segments')(name) && !allowed.has(name))
    expect(outside, file).toEqual([])
  }
})

test('the record engine knows the contract, not the queue, and how ids are made; memory brings what asks it at once', () => {
  const allowed = new Set(
    ['storage', 'lanes', 'errors', 'hints', 'message-id', 'clock'].map((name) => `src/${name}.ts`),
  )
  for (const file of src.filter(isUnder('src/records'))) {
    const outside = imports(file).filter((name) => !isUnder('src/records')(name) && !allowed.has(name))
    expect(outside, file).toEqual(file === 'src/records/memory.ts' ? ['src/core/index.ts'] : [])
  }
})

test('the outbox uses the lean queue as everybody can, and besides only checks, errors, signals, ids, the clock, channels and how long names are', () => {
  const inside = ['clock', 'errors', 'message-id', 'aborts', 'check', 'json', 'channel', 'storage'].map(
    (name) => `src/${name}.ts`,
  )
  const allowed = new Set(['src/core/lean/index.ts', ...inside])
  const outside = (folder: string): [string, string[]][] =>
    src
      .filter(isUnder(folder))
      .map((file) => [file, imports(file).filter((name) => isUnder('src')(name) && !isUnder(folder)(name))])
  for (const [file, names] of outside('src/outbox')) {
    expect(
      names.filter((name) => !allowed.has(name)),
      file,
    ).toEqual([])
  }
  allowed.add('src/outbox/index.ts').add('src/outbox/inside.ts')
  for (const [file, names] of outside('src/service-worker')) {
    expect(
      names.filter((name) => !allowed.has(name)),
      file,
    ).toEqual([])
  }
})

test('nothing in src/ but themselves, views and uploads knows the outbox and the service worker, and nothing schedules or types', () => {
  const outbox = ['src/outbox', 'src/service-worker']
  for (const [room, besides] of [
    [outbox, ['src/view', 'src/react', 'src/upload']],
    [['src/schedule'], []],
    [['src/typed'], []],
  ] as const) {
    for (const file of src.filter((name) => !isUnder(...room, ...besides)(name)))
      expect(imports(file).filter(isUnder(...room)), file).toEqual([])
  }
})

test('views use queues and outboxes as everybody can, hooks use views, and nobody knows either', () => {
  const doors = ['index', 'inside'].map((name) => `src/outbox/${name}.ts`)
  const view = new Set(['src/core/index.ts', 'src/check.ts', 'src/clock.ts', ...doors])
  const hooks = new Set(['src/core/index.ts', 'src/outbox/index.ts', 'src/view/index.ts', 'react'])
  for (const [folder, allowed] of [
    ['src/view', view],
    ['src/react', hooks],
  ] as const) {
    for (const file of src.filter(isUnder(folder))) {
      const outside = imports(file).filter((name) => !isUnder(folder)(name) && !allowed.has(name))
      expect(outside, file).toEqual([])
    }
  }
  for (const file of src.filter((name) => !isUnder('src/view', 'src/react')(name)))
    expect(imports(file).filter(isUnder('src/view', 'src/react')), file).toEqual([])
})

test('the testing kit uses the queue as everybody can, and of what is inside checks, errors and the clock; nobody knows it', () => {
  const allowed = new Set(['core/index', 'check', 'clock', 'errors'].map((name) => `src/${name}.ts`))
  for (const file of src.filter(isUnder('src/testing')))
    expect(imports(file).filter((name) => !isUnder('src/testing')(name) && !allowed.has(name))).toEqual([])
  const others = [
    ...src,
    ...sources('adapters'),
    ...sources('inspector'),
    ...sources('presets'),
    ...sources('cli'),
  ]
  for (const file of others.filter((name) => !isUnder('src/testing')(name)))
    expect(imports(file).filter(isUnder('src/testing')), file).toEqual([])
})

test('encryption knows what a codec is, and nobody knows it', () => {
  const allowed = new Set(['src/core/inside.ts', 'src/check.ts', 'src/errors.ts'])
  for (const file of src.filter(isUnder('src/encryption')))
    expect(imports(file).filter((name) => !isUnder('src/encryption')(name) && !allowed.has(name))).toEqual([])
  const others = src.filter((file) => !isUnder('src/encryption')(file))
  for (const file of others) expect(imports(file).filter(isUnder('src/encryption')), file).toEqual([])
})

test('what OpenTelemetry gets knows types of the queue and how arguments are checked, and nobody knows it', () => {
  for (const file of src.filter(isUnder('src/opentelemetry'))) {
    const outside = imports(file).filter((name) => !isUnder('src/opentelemetry')(name))
    expect(
      outside.filter((name) => name !== 'src/index.ts' && name !== 'src/check.ts'),
      file,
    ).toEqual([])
    expect(readFileSync(join(root, file), 'utf8'), file).not.toMatch(/^import (?!type\b)[^']*src\/index/m)
  }
  const others = src.filter((file) => !isUnder('src/opentelemetry')(file))
  for (const file of others) expect(imports(file).filter(isUnder('src/opentelemetry')), file).toEqual([])
})

test('adapters know contracts, not the queue; the Durable Object that pushes uses one as everybody can, and two bring a part of it', () => {
  const allowed = new Set(
    ['storage', 'lanes', 'errors', 'hints', 'check', 'channel', 'records/index'].map(
      (name) => `src/${name}.ts`,
    ),
  )
  const users = [
    'adapters/durable-object/push.ts',
    'adapters/durable-object/object.ts',
    'adapters/durable-object/verdicts.ts',
    // What sends in transactions of their users.
    'adapters/sqlite/index.ts',
    'adapters/postgres/index.ts',
  ]
  for (const file of sources('adapters')) {
    const fromSrc = imports(file).filter(
      (name) => isUnder('src')(name) && !isUnder('src/segments')(name) && !allowed.has(name),
    )
    expect(fromSrc, file).toEqual(users.includes(file) ? ['src/core/index.ts'] : [])
  }
})

test('the suite uses what its package can: doors of quayside, ids, and a type of fast-check; nobody knows it', () => {
  const allowed = new Set(['src/core/index.ts', 'src/segments/index.ts', 'uuid'])
  for (const file of suite) {
    const outside = imports(file).filter((name) => !suite.includes(name) && !allowed.has(name))
    expect(outside, file).toEqual(file === 'conformance/steps.ts' ? ['fast-check'] : [])
  }
  const others = ['src', 'adapters', 'presets', 'inspector', 'cli'].flatMap(sources)
  for (const file of others) expect(imports(file).filter(isUnder('conformance')), file).toEqual([])
})

test('what calls a Durable Object brings neither the engine nor the runtime along', () => {
  const folder = 'adapters/durable-object'
  const files = sources(folder)
  expect(files.filter((file) => imports(file).includes('cloudflare:workers'))).toEqual([
    `${folder}/object.ts`,
  ])
  const reached = new Set([`${folder}/adapter.ts`])
  for (const file of reached) for (const name of imports(file)) if (files.includes(name)) reached.add(name)
  for (const name of ['object', 'push', 'store', 'rows', 'segments', 'hints'])
    expect(reached).not.toContain(`${folder}/${name}.ts`)
})

test('nobody knows the command line, and it knows the queue, adapters and contracts', () => {
  for (const file of [...src, ...sources('adapters'), ...sources('inspector'), ...sources('presets')])
    expect(imports(file).filter(isUnder('cli')), file).toEqual([])
  const allowed = new Set([
    'src/index.ts',
    'src/storage.ts',
    'src/lanes.ts',
    'src/segments/index.ts',
    'inspector/causes.ts',
    'inspector/server/index.ts',
  ])
  for (const file of sources('cli')) {
    const outside = imports(file).filter((name) => !isUnder('cli', 'adapters')(name) && !allowed.has(name))
    expect(
      outside.filter((name) => !name.startsWith('node:') && !['redis', 'pg'].includes(name)),
      file,
    ).toEqual([])
  }
})

test('the inspector brings nothing but itself: of the queue it knows types', () => {
  for (const file of sources('inspector')) {
    if (file === 'inspector/server/handler.ts') continue
    const outside = imports(file).filter((name) => !isUnder('inspector')(name))
    expect(
      outside.filter((name) => name !== 'src/index.ts'),
      file,
    ).toEqual([])
    const text = readFileSync(join(root, file), 'utf8')
    expect(text, file).not.toMatch(/^import (?!type\b)[^']*src\/index/m)
    expect(text, file).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write/)
  }
  // Whose errors are typed.
  const handler = imports('inspector/server/handler.ts').filter((name) => !isUnder('inspector')(name))
  expect(handler).toEqual(['src/core/index.ts'])
})

test('the lean queue brings nothing of the classes that are built on it', () => {
  const built = [
    'core/index',
    'index',
    'core/queue',
    'core/consumer',
    'core/producer',
    'core/activity',
    'core/within',
  ].map((name) => `src/${name}.ts`)
  const values = (file: string): string[] => {
    const text = readFileSync(join(root, file), 'utf8')
    const types = [...text.matchAll(/^(?:import|export) type [^']*'([^']+)'/gm)].map(([, name]) =>
      relative(root, join(root, dirname(file), name!)),
    )
    return imports(file).filter((name) => src.includes(name) && !types.includes(name))
  }
  const reached = new Set(['src/core/lean/index.ts'])
  for (const file of reached) for (const name of values(file)) reached.add(name)
  expect(reached).toContain('src/core/desk.ts')
  expect(built.filter((file) => reached.has(file))).toEqual([])
})
