// varve/full in a page: the same, with full.wasm, which reads zlib and zstd blocks too, repairs and
// imports in place.
import { fullModule } from './engine/module-full-web.js'
import { provideModule } from './engine/module.js'

export * from './index.js'

provideModule(fullModule)
