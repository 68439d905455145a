// Entry of a page's worker with the full module: an engine, or a task for a page with the lean
// module.
import { fullModule } from '../engine/module-full-web.js'
import { provideModule } from '../engine/module.js'
import { directoryAt } from '../storage/browser/directory.js'
import { serveTasks } from './full-tasks.js'
import { Host } from './host.js'
import { Session } from './session.js'

provideModule(fullModule)

const doTask = serveTasks((task, transfer) => self.postMessage({ task }, { transfer }), directoryAt)

new Session({
  post: (message, transfer) => self.postMessage(message, { transfer }),
  listen: (receive) => { self.onmessage = ({ data }) => data.task === undefined ? receive(data) : doTask(data.task) }
}, new Host(directoryAt))
