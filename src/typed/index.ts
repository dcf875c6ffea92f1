/**
 * `quayside/typed`: many kinds of messages in one queue, each with versions.
 *
 * ```ts
 * import { defineMessages, version } from 'quayside/typed'
 *
 * const messages = defineMessages({
 *   welcome: version(nameSchema).then(personSchema, (name) => ({ name, language: 'en' })),
 *   goodbye: version<{ readonly name: string }>(),
 * })
 * await messages.producer(queue).send('welcome', { name: 'Ada', language: 'en' })
 * await queue.createConsumer().run(messages.handlers({ welcome: async ({ name }) => …, goodbye: async ({ name }) => … }))
 * ```
 *
 * @module
 */
export {
  type Definitions,
  type Handlers,
  type Messages,
  type PayloadOf,
  type ReturnOf,
  type TypedBatchMessage,
  type TypedHandler,
  type TypedProducer,
  defineMessages,
} from './messages.ts'
export { type Version, version } from './version.ts'
