// As a site writes it that has no bundler.
importScripts('/quayside.sw.js')
const { IndexedDBAdapter, Outbox, Queue, registerBackgroundSync } = quayside
registerBackgroundSync(new Outbox(new Queue('outbox', { storage: new IndexedDBAdapter() })), {
  tag: 'classic',
})
