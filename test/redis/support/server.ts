export { type RedisServer, startRedis } from '../../../demo/redis/server.ts'
