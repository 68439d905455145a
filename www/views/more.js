// The views that a first look does without: one script, loaded when a file is open.
import { blocks } from './blocks.js'
import { damage } from './damage.js'
import { database } from './database.js'
import { detail } from './detail.js'
import { entries } from './entries.js'
import { filter } from './filter.js'
import { hex } from './hex.js'
import { index } from './index.js'
import { namespaces } from './namespaces.js'
import { records } from './records.js'
import { salvagePanel } from './salvage.js'
import { search } from './search.js'
import { structure } from './structure.js'
import { trace } from './trace.js'
import { versions } from './versions.js'

export const MORE = { blocks, damage, database, detail, entries, filter, hex, index, namespaces, records, salvagePanel, search, structure, trace, versions }
