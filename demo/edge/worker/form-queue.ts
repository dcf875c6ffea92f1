import type { Message } from 'quayside/core'
import { type PushOptions, QueueObject } from 'quayside/durable-object'
import { RETRY, deliver } from './deliver.ts'
import type { Env } from './env.ts'
import type { Form } from './form.ts'

/** Keeps the forms, and delivers them from its alarm as they come. */
export class FormQueue extends QueueObject<Env, Form> {
  override readonly push: PushOptions<Form> = { group: 'crm', retry: RETRY, batchSize: 24 }

  /** One that fails is tried again later by itself; the others are done. */
  override async onMessages(messages: readonly Message<Form>[]): Promise<void> {
    await Promise.all(
      messages.map(async (message) => {
        try {
          await deliver(message, this.env.DOWNSTREAM)
        } catch (error) {
          await message.nack({ reason: String(error) })
        }
      }),
    )
  }
}
