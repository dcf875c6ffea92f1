/** What the preset for Workbox uses of it, besides what everybody can. */
export { registerSync } from './sync.ts'
