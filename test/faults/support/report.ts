import { appendFileSync } from 'node:fs'

/** What one fault did to one adapter, in numbers. */
export interface Row {
  readonly adapter: string
  readonly fault: string
  readonly histories?: number
  readonly faults?: number
  readonly kills?: number
  readonly messages: number
  readonly violations: number
}

/** Prints a row, and keeps it for the report of `npm run test:faults`. */
export function report(row: Row): void {
  console.log(
    Object.entries(row)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  )
  const file = process.env['FAULTS_REPORT']
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`)
}
