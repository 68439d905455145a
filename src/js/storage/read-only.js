// Common parts of read-only storages: the methods that they reject.

/** An error of a storage; the codes are in types/index.d.ts. */
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
 * A file has changed since it was first read: versions must not be mixed.
 * @type {(name: string, how: string, cause?: unknown) => StorageError}
 */
export const changed = (name, how, cause) => failure('LEVEL_SOURCE_CHANGED', `${name} has changed: ${how}`, cause)

const encoder = new TextEncoder()

/**
 * Checks a name. The engine does too, but here names become addresses.
 * @param {string} name
 */
export function checkedName(name) {
  const bare = name.replace(/^lost\//, '')
  const allowed = /^[^/\\:\p{Cc}]+$/u.test(bare) && !['.', '..', 'lost', 'LOCK'].includes(bare) && encoder.encode(bare).length <= 255
  if (!allowed) throw failure('EINVAL', `${JSON.stringify(name)} is not a valid file name`)
  return name
}

/** @type {() => never} */
const refuse = () => { throw failure('LEVEL_NOT_SUPPORTED', 'this storage is read-only: open the database with { readOnly: true }') }

/** All methods except open(), and list() if files can be listed. */
export class ReadOnlyStorage {
  /** Nothing is written, so no acknowledged write can be lost. @type {'durable'} */
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
   * Checks the arguments of open() and returns the name.
   * @param {string} name
   * @param {'read' | 'append'} access
   */
  toRead(name, access) {
    checkedName(name)
    if (access !== 'read') refuse()
    return name
  }
}

/** All methods except read() and size(). */
export class ReadOnlyFile {
  /** @param {Uint8Array} _data @returns {never} */
  append(_data) { return refuse() }

  /** @param {number} _size @returns {never} */
  truncate(_size) { return refuse() }

  sync() { refuse() }
  close() {}
}
