/** What views and the service worker use of the outbox, besides what everybody can. */
export { destinationOf } from './places.ts'
export { isOffline, onTrigger } from './triggers.ts'
