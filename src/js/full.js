// varve/full in a page: uses full.wasm, which also reads zlib and zstd blocks, and repairs and
// imports without another worker.
import { Engine } from './engine/engine.js'
import { fullModule } from './engine/module-full-web.js'
import { provideModule } from './engine/module.js'
import { provideDatabases } from './storage/browser/directory.js'
import { IdbDatabase } from './storage/browser/idb-database.js'

export * from './index.js'

provideModule({ ...fullModule, Engine })
provideDatabases((path, location) => new IdbDatabase(path, location))
