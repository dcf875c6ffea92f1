import { LIMITS } from '../../../adapters/durable-object/guarantees.ts'

// The suite where segments and answers are as small as can be: what else takes megabytes happens with each message.

Object.assign(LIMITS, { segmentMessages: 2, segmentBytes: 8, bodyBytes: 2, answerBytes: 4 })

export { default, SuiteObject } from './suite.ts'
