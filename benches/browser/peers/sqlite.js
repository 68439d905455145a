// SQLite in a pool of access handles, as fast as it can be set: alone, with a write-ahead log. With
// `synchronous = NORMAL` a commit is not flushed, with FULL it is.
import initialize from '@sqlite.org/sqlite-wasm'

/** One pool for all databases: its files are open. */
let pool

export async function open(name, durable) {
  pool ??= await (await initialize({ print() {}, printErr() {} })).installOpfsSAHPoolVfs({ initialCapacity: 8 })
  const db = new pool.OpfsSAHPoolDb(`/${name}`)
  for (const pragma of ['locking_mode = EXCLUSIVE', 'journal_mode = WAL', `synchronous = ${durable ? 'FULL' : 'NORMAL'}`, 'cache_size = -16000']) db.exec(`PRAGMA ${pragma}`)
  db.exec('CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID')
  const put = db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?)')
  const get = db.prepare('SELECT value FROM entries WHERE key = ?')
  const all = db.prepare('SELECT key, value FROM entries ORDER BY key')
  const store = (key, value) => { put.bind(1, key).bind(2, value).stepReset() }
  return {
    put: store,
    batch(operations) {
      db.exec('BEGIN')
      for (const { key, value } of operations) store(key, value)
      db.exec('COMMIT')
    },
    get(key) {
      get.bind(1, key)
      const value = get.step() ? get.getBlob(0) : undefined
      get.reset()
      return value
    },
    * pages() {
      while (all.step()) yield [[all.getBlob(0), all.getBlob(1)]]
      all.reset()
    },
    close() {
      for (const statement of [put, get, all]) statement.finalize()
      db.close()
    }
  }
}
