// What is known of the keys of one database: their order, how they are written, and names for the
// numbers in them.

/** @typedef {import('varve/inspect').KeyScheme} KeyScheme */
/** @typedef {import('varve/inspect').KeyName} KeyName */

const BYTEWISE = 'leveldb.BytewiseComparator'

export class KeysOf {
  /** That its manifest names. @type {string | undefined} */
  comparator
  /** Settles when it is known whether there is one. @type {Promise<void> | undefined} */
  asked
  /** @type {{ name: KeyScheme, reason: string } | undefined} */
  scheme
  /** Whether keys are shown as bytes nevertheless. */
  plain = false
  /** @type {Map<string, { name: string, sequence: number }>} */
  #names = new Map()
  /** Counts changes of how keys are shown. */
  version = 0

  /** Whether the index is in the order of bytes. */
  get isBytewise() {
    return this.comparator === undefined || this.comparator === BYTEWISE
  }

  /** The comparator if it is none of the two that are known here. */
  get isUnknown() {
    return !this.isBytewise && this.comparator !== 'idb_cmp1'
  }

  /** @param {string | undefined} comparator */
  order(comparator) {
    this.comparator = comparator
    this.version++
    if (comparator === 'idb_cmp1') this.scheme = { name: 'indexeddb', reason: 'the comparator of the database is idb_cmp1' }
  }

  /** Takes the scheme that keys of a block or record told, unless one is known. @param {KeyScheme | undefined} name @param {number} count */
  guessed(name, count) {
    if (name === undefined || this.scheme !== undefined) return
    this.scheme = { name, reason: `all ${count} keys of a block are of this form` }
    this.version++
  }

  /** @param {boolean} plain */
  show(plain) {
    this.plain = plain
    this.version++
  }

  /** @param {KeyName[]} names */
  takeNames(names) {
    for (const { database, store, index, sequence, name } of names) {
      const at = `${database} ${store} ${index}`
      if ((this.#names.get(at)?.sequence ?? -1) <= sequence) this.#names.set(at, { name, sequence })
    }
    this.version++
  }

  /** The name of a database, an object store or an index. @param {number} database @param {number} [store] @param {number} [index] */
  nameOf(database, store = 0, index = 0) {
    return this.#names.get(`${database} ${store} ${index}`)?.name || undefined
  }

  /** The databases whose names are known. */
  get databases() {
    return [...this.#names].filter(([at, { name }]) => at.endsWith(' 0 0') && name !== '').map(([at, { name }]) => {
      const database = at.split(' ')[0]
      const stores = [...this.#names].filter(([other, { name }]) => other.startsWith(`${database} `) && other.endsWith(' 0') && !other.endsWith(' 0 0') && name !== '')
      return { name, stores: stores.map(([, { name }]) => name) }
    })
  }
}

/** Files of one folder are of one database. @param {{ name: string, keys: KeysOf }[]} files */
export function shareKeys(files) {
  /** @type {Map<string, KeysOf>} */
  const folders = new Map()
  for (const file of files) {
    const folder = file.name.slice(0, file.name.lastIndexOf('/') + 1)
    file.keys = folders.get(folder) ?? file.keys
    folders.set(folder, file.keys)
  }
}
