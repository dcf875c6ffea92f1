import { array, assert, constantFrom, property, string } from '../support/fast-check.ts'
import { describe, expect, test } from 'vitest'
import { learnSecrets, redact, splitUrl } from '../../cli/secrets.ts'

const SECRETS = [
  'hunter2',
  'hunt/er2',
  'hunt@er2',
  'h@un/t@er2/',
  'hun#ter2',
  'hun?ter2=x',
  'hun:ter2',
  'hun ter2',
  'hun%ter2',
  'hun%40ter2',
  'hun"ter2\\',
  'hün\u200bter2',
  '//@//',
]

describe.each(SECRETS)('the password %j', (secret) => {
  const words = [
    `redis://user:${secret}@host:6379`,
    `redis://:${secret}@host`,
    `rediss://${secret}@host/0#prefix`,
    `postgres://user:${secret}@host/db`,
    `HTTPS://user:${secret}@host/db`,
    `mongodb+srv://user:${secret}@a,b/db?x=y`,
    `//user:${secret}@host`,
    `redis:user:${secret}@host`,
    `user:${secret}@host:6379`,
    `--target=redis://user:${secret}@host`,
  ]

  test.each(words)('of %j is in no text', (word) => {
    learnSecrets(['stats', word])
    const texts = [
      word,
      `no Redis could be reached at ${word}: Invalid URL`,
      `ENOENT: no such file or directory, open '${word}/lock'`,
      JSON.stringify({ error: word }),
      encodeURI(word),
      encodeURIComponent(word),
      `AUTH user ${secret} failed`,
      `getaddrinfo ENOTFOUND ${secret.split(/[@/]/)[0]}`,
    ]
    for (const text of texts) {
      expect(redact(text)).not.toContain(secret)
      expect(redact(text)).not.toMatch(/h[uü]n.*ter2|hunt|er2/)
    }
  })

  test('reaches the server', () => {
    const [server, prefix] = splitUrl(`redis://user:${secret}@host:6379#mine`)
    const { username, password, host } = new URL(server)
    expect({ username, host, prefix }).toEqual({ username: 'user', host: 'host:6379', prefix: 'mine' })
    expect(decodeURIComponent(password)).toBe(secret === 'hun%40ter2' ? 'hun@ter2' : secret)
  })
})

test('whatever it is', () => {
  const character = constantFrom(...'ab12@/:#?%&= "\'\\'.split(''))
  assert(
    property(array(character, { minLength: 3, maxLength: 12 }), string(), (characters, before) => {
      const secret = `S${characters.join('')}T`
      const word = `redis://user:${secret}@host`
      learnSecrets([word])
      expect(redact(`${before} ${word}: no`)).not.toContain(secret)
      expect(redact(`auth ${secret}`)).not.toContain(secret)
    }),
  )
})

test('of a URL that was on no command line is not told either', () => {
  learnSecrets([])
  expect(redact('cannot open redis://user:p/w@x@host:1/0, sorry')).toBe('cannot open redis://host:1/0, sorry')
  expect(redact('redis://host?password=abc&db=1')).toBe('redis://host?password=***&db=1')
})

test('what has no password stays as it is', () => {
  learnSecrets(['send', './data', 'orders', '{"to":"ada@example.com"}', 'a@b', './x:y/z'])
  for (const text of [
    'redis://host:6379/0#prefix',
    './data',
    'ada@example.com',
    'a@b',
    './x:y/z',
    '{"a": "b"}',
  ])
    expect(redact(text)).toBe(text)
})

test.each([
  ['redis://host', 'redis://host', undefined],
  ['redis://host:1/0#mine', 'redis://host:1/0', 'mine'],
  ['redis://host#a@b#c', 'redis://host', 'a@b#c'],
  ['redis://u:p@host#a@b', 'redis://u:p@host', 'a@b'],
  ['redis://token@host', 'redis://token@host', undefined],
])('%s is %s and %s', (url, server, prefix) => {
  const [foundServer, foundPrefix] = splitUrl(url)
  expect([foundServer, foundPrefix]).toEqual([server, prefix])
})
