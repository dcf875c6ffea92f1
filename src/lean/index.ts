export { Consumer, type ConsumerOptions, type ReceiveOptions, type Settled } from './consumer.ts'
export { Producer } from './producer.ts'
export { type CloseOptions, type GroupOptions, Queue, type QueueOptions } from './queue.ts'
