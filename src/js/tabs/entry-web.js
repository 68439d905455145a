// Entry of a page's worker with the lean module.
import { directoryAt } from '../storage/browser/directory.js'
import { serveWorker } from './worker.js'

serveWorker({
  post: (message, transfer) => self.postMessage(message, { transfer }),
  listen: (receive) => { self.onmessage = ({ data }) => receive(data) }
}, directoryAt)
