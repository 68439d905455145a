// datastore-level, the block storage of Helia and IPFS, with the test suite of interface-datastore.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it as test } from 'node:test'
import { LevelDatastore } from 'datastore-level'
import { interfaceDatastoreTests } from 'interface-datastore-tests'
import { Varve } from 'varve'
import './level.mjs'

/** As in mocha, whose tests can set a timeout. */
const it = (title, body) => test(title, () => body.call({ timeout() {} }))

Object.assign(globalThis, { after, afterEach, before, beforeEach, describe, it })
const root = mkdtempSync(join(tmpdir(), 'varve-datastore-'))
after(() => rmSync(root, { recursive: true, force: true }))
let count = 0

/** datastore-level creates a Level from a path, or uses a given database. */
const makers = {
  path: () => new LevelDatastore(join(root, String(count++))),
  directory: () => new LevelDatastore(new Varve(join(root, String(count++)), { keyEncoding: 'utf8', valueEncoding: 'view' })),
  memory: () => new LevelDatastore(new Varve(null, { storage: 'memory', keyEncoding: 'utf8', valueEncoding: 'view' }))
}
for (const [name, make] of Object.entries(makers)) {
  describe(name, () => interfaceDatastoreTests({
    async setup() { const store = make(); await store.open(); return store },
    teardown: (store) => store.close()
  }))
}
