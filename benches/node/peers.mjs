// The databases that Varve is compared with, each with the defaults of its package, through the
// same methods. A synchronous result is returned as a value, not as a promise.
import { createRequire } from 'node:module'
import { join } from 'node:path'

const level = (Class, location, options) => {
  const db = new Class(location, { keyEncoding: 'view', valueEncoding: 'view', ...options })
  return db.open().then(() => ({
    put: (key, value, sync) => db.put(key, value, { sync }),
    ...(db.putSync && { putSync: (key, value, sync) => db.putSync(key, value, { sync }) }),
    batch: (operations) => db.batch(operations),
    get: (key) => db.get(key),
    getSync: (key) => db.getSync(key),
    from: (gte, limit) => db.iterator({ gte, limit }).all(),
    async * pages() {
      const iterator = db.iterator()
      for (let page = await iterator.nextv(1000); page.length > 0; page = await iterator.nextv(1000)) yield page
      await iterator.close()
    },
    close: () => db.close()
  }))
}

/**
 * By name. `durable`: flush every write to the disk; `modules`: the directory of packages that are
 * installed only for the benchmark.
 */
export const PEERS = {
  varve: {
    persistent: true,
    async open(path) {
      const { Varve } = await import('../../src/js/index.js')
      return level(Varve, path)
    }
  },
  'classic-level': {
    persistent: true,
    async open(path) {
      const { ClassicLevel } = await import('classic-level')
      return level(ClassicLevel, path)
    }
  },
  'memory-level': {
    persistent: false,
    async open(_path, modules) {
      const { MemoryLevel } = createRequire(join(modules, 'peers.cjs'))('memory-level')
      return level(MemoryLevel, undefined, { storeEncoding: 'view' })
    }
  },
  lmdb: {
    persistent: true,
    async open(path, modules, durable) {
      const { open } = createRequire(join(modules, 'peers.cjs'))('lmdb')
      // As durable as the others: writes survive the end of the process; with sync, a power
      // failure.
      const db = open({ path, encoding: 'binary', keyEncoding: 'binary', noSync: !durable })
      return {
        put: (key, value) => durable ? db.put(key, value).then(() => db.flushed) : db.put(key, value),
        batch: (operations) => db.transaction(() => { for (const { key, value } of operations) db.put(key, value) }),
        get: (key) => db.get(key),
        getSync: (key) => db.get(key),
        from: (start, limit) => Array.from(db.getRange({ start, limit }), ({ key, value }) => [key, value]),
        * pages() {
          let page = []
          for (const { key, value } of db.getRange({})) {
            page.push([key, value])
            if (page.length === 1000) {
              yield page
              page = []
            }
          }
          if (page.length > 0) yield page
        },
        close: () => db.close()
      }
    }
  },
  'better-sqlite3': {
    persistent: true,
    async open(path, modules, durable) {
      const Database = createRequire(join(modules, 'peers.cjs'))('better-sqlite3')
      const db = new Database(path)
      db.pragma('journal_mode = WAL')
      // As for lmdb: NORMAL does not flush each commit.
      db.pragma(`synchronous = ${durable ? 'FULL' : 'NORMAL'}`)
      db.exec('CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID')
      const put = db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?)')
      const get = db.prepare('SELECT value FROM entries WHERE key = ?').pluck()
      const from = db.prepare('SELECT key, value FROM entries WHERE key >= ? ORDER BY key LIMIT ?').raw()
      const all = db.prepare('SELECT key, value FROM entries ORDER BY key').raw()
      const store = {
        put: (key, value) => { put.run(key, value) },
        batch: db.transaction((operations) => { for (const { key, value } of operations) put.run(key, value) }),
        get: (key) => get.get(key),
        getSync: (key) => get.get(key),
        from: (start, limit) => from.all(start, limit),
        * pages() { for (const row of all.iterate()) yield [row] },
        close: () => { db.close() }
      }
      return { ...store, putSync: store.put }
    }
  }
}
