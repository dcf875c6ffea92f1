// fast-check, with the lots of this run.
import { configureGlobal, readConfigureGlobal } from 'fast-check'
import { seedOf } from './lots.ts'

configureGlobal({ ...readConfigureGlobal(), seed: seedOf('fast-check') })

export * from 'fast-check'
export { default } from 'fast-check'
