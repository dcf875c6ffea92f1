import 'quayside/inspector'
import { RemoteQueue } from './remote-queue.ts'

for (const inspector of document.querySelectorAll('quayside-inspector')) {
  inspector.queue = new RemoteQueue(inspector.id, inspector.id !== 'kv')
}
