import { exercise } from './exercise.ts'

/** In workerd. */
export default {
  fetch: async (): Promise<Response> => Response.json(await exercise()),
}
