// Each process of the demo is started by main.ts; this is its end of the line between them.

export function tellParent<Message>(message: Message): void {
  process.send?.(message)
}

/** Listens to main.ts, does not outlive it, and leaves Ctrl-C, which a terminal sends to every process, to it. */
export function hearParent<Message>(listener: (message: Message) => void): void {
  process.on('message', (message) => listener(message as Message))
  process.on('disconnect', () => process.exit())
  process.on('SIGINT', () => undefined)
}
