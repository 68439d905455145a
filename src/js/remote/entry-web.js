// What runs in a dedicated worker of a page's.
import { Server } from './host.js'

new Server({
  post: (message, transfer) => self.postMessage(message, { transfer }),
  listen: (receive) => { self.onmessage = ({ data }) => receive(data) }
})
