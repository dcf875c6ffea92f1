/** The package on Node, to be built once more. */
export * from '../../../src/index.ts'
export { NodeFsAdapter } from '../../../adapters/fs/index.ts'
export { RedisAdapter } from '../../../adapters/redis/index.ts'
