/** What views, uploads and the service worker use of the outbox, besides what everybody can. */
export { markedUrl } from './mark.ts'
export { isOwnOrigin } from './origins.ts'
export { destinationOf } from './places.ts'
export { preflightReasons } from './preflight.ts'
export { isOffline, onEvents, onTrigger } from './triggers.ts'
