/** Sends forms over HTTP, some at a time, and answers with the ids that the endpoint gave them. */
export async function sendForms(url: string, count: number, atOnce: number): Promise<string[]> {
  const ids: string[] = []
  let next = 0
  const visitor = async (): Promise<void> => {
    while (next < count) {
      const n = next++
      const body = new FormData()
      body.set('name', `Visitor ${n}`)
      body.set('email', `visitor-${n}@example.com`)
      body.set('text', `Message number ${n}`)
      const response = await fetch(url, { method: 'POST', body })
      if (response.status !== 202)
        throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
      ids.push(((await response.json()) as { id: string }).id)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, visitor))
  return ids
}
