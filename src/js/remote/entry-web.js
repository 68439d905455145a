// Entry of a page's worker with the lean module.
import { directoryAt } from '../storage/browser/directory.js'
import { Host } from './host.js'
import { Session } from './session.js'

new Session({
  post: (message, transfer) => self.postMessage(message, { transfer }),
  listen: (receive) => { self.onmessage = ({ data }) => receive(data) }
}, new Host(directoryAt))
