/** Exit codes, as `--help` tells them. */
export const DONE = 0
export const FAILED = 1
export const USAGE = 2
export const NOT_CONFIRMED = 3
export const DAMAGED = 4

export const EXIT_CODES: readonly (readonly [code: number, meaning: string])[] = [
  [DONE, 'done'],
  [FAILED, 'it could not be done; standard error says why'],
  [USAGE, 'the command line is wrong; nothing was tried'],
  [NOT_CONFIRMED, 'nobody has confirmed what would destroy something; nothing was changed'],
  [DAMAGED, 'the directory is damaged (verify), or not all of it could be read (salvage)'],
]

/** Ends the command with a code and a line on standard error. */
export class Stop extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}
