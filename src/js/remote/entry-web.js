// What runs in a dedicated worker of a page's that has the lean module.
import { Host } from './host.js'
import { Session } from './session.js'

new Session({
  post: (message, transfer) => self.postMessage(message, { transfer }),
  listen: (receive) => { self.onmessage = ({ data }) => receive(data) }
}, new Host())
