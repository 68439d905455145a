// Entry of a page's worker with the lean module.
import { directoryAt } from '../storage/browser/directory.js'
import { servePage } from './worker.js'

servePage(directoryAt)
