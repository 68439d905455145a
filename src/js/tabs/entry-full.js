// Entry of a page's worker with the full module: an engine, or a task for a page with the lean
// module.
import { fullModule } from '../engine/module-full-web.js'
import { provideModule } from '../engine/module.js'
import { serveTasks } from '../remote/full-tasks.js'
import { directoryAt, provideDatabases } from '../storage/browser/directory.js'
import { IdbDatabase } from '../storage/browser/idb-database.js'
import { servePage } from './worker.js'

provideModule(fullModule)
provideDatabases((path, location) => new IdbDatabase(path, location))

const doTask = serveTasks((task, transfer) => self.postMessage({ task }, { transfer }), directoryAt)

servePage(directoryAt, ({ task }) => {
  if (task !== undefined) doTask(task)
  return task !== undefined
})
