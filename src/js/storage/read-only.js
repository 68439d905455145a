// What storages that only read have in common: the half of the interface that they refuse.

/** An error as a storage throws them; docs/border.md has the codes. */
export class StorageError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {unknown} [cause]
   */
  constructor(code, message, cause) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** @type {(code: string, message: string, cause?: unknown) => StorageError} */
export const failure = (code, message, cause) => new StorageError(code, message, cause)

/**
 * A file is not what it was when it was first read: answers of before and after must not be mixed.
 * @type {(name: string, how: string, cause?: unknown) => StorageError}
 */
export const changed = (name, how, cause) => failure('LEVEL_SOURCE_CHANGED', `${name} has changed: ${how}`, cause)

const encoder = new TextEncoder()

/**
 * The engine checks names too, but here they become addresses.
 * @param {string} name
 */
export function checkedName(name) {
  const bare = name.replace(/^lost\//, '')
  const allowed = /^[^/\\:\p{Cc}]+$/u.test(bare) && !['.', '..', 'lost', 'LOCK'].includes(bare) && encoder.encode(bare).length <= 255
  if (!allowed) throw failure('EINVAL', `${JSON.stringify(name)} cannot be the name of a file`)
  return name
}

/** @type {() => never} */
const refuse = () => { throw failure('LEVEL_NOT_SUPPORTED', 'this storage is read-only: open the database with { readOnly: true }') }

/** All but open(), and list() where that can be. */
export class ReadOnlyStorage {
  /** Nothing is written, so nothing that was acknowledged is lost. @type {'durable'} */
  durability = 'durable'
  appendsAreExact = /** @type {const} */ (true)

  /** @param {boolean} _create @returns {never} */
  lock(_create) { return refuse() }

  unlock() {}

  /** @returns {string[]} */
  list() { throw failure('LEVEL_NOT_SUPPORTED', 'this storage cannot list its files') }

  /** @param {string} _name @param {string} _kind @param {number} _sizeHint @returns {never} */
  create(_name, _kind, _sizeHint) { return refuse() }

  /** @param {import('../types/index.js').NameEdit[]} _edits @returns {never} */
  editNames(_edits) { return refuse() }

  /** @returns {never} */
  removePlace() { return refuse() }

  /**
   * For open(): the name, of a file that is to be read.
   * @param {string} name
   * @param {'read' | 'append'} access
   */
  toRead(name, access) {
    checkedName(name)
    if (access !== 'read') refuse()
    return name
  }
}

/** All but read() and size(). */
export class ReadOnlyFile {
  /** @param {Uint8Array} _data @returns {never} */
  append(_data) { return refuse() }

  /** @param {number} _size @returns {never} */
  truncate(_size) { return refuse() }

  sync() { refuse() }
  close() {}
}
