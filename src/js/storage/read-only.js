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

export const failure = (code, message, cause) => new StorageError(code, message, cause)

/** A file is not what it was when it was first read: answers of before and after must not be mixed. */
export const changed = (name, how, cause) => failure('LEVEL_SOURCE_CHANGED', `${name} has changed: ${how}`, cause)

const encoder = new TextEncoder()

/** The engine checks names too, but here they become addresses. */
export function checkedName(name) {
  const bare = name.replace(/^lost\//, '')
  const allowed = /^[^/\\:\p{Cc}]+$/u.test(bare) && !['.', '..', 'lost', 'LOCK'].includes(bare) && encoder.encode(bare).length <= 255
  if (!allowed) throw failure('EINVAL', `${JSON.stringify(name)} cannot be the name of a file`)
  return name
}

const refuse = () => { throw failure('LEVEL_NOT_SUPPORTED', 'this storage is read-only: open the database with { readOnly: true }') }

/** All but open(), and list() where that can be. */
export class ReadOnlyStorage {
  /** Nothing is written, so nothing that was acknowledged is lost. @type {'durable'} */
  durability = 'durable'
  appendsAreExact = true

  lock(_create) { return refuse() }
  unlock() {}
  list() { throw failure('LEVEL_NOT_SUPPORTED', 'this storage cannot list its files') }
  create(_name, _kind, _sizeHint) { return refuse() }
  editNames(_edits) { refuse() }
  removePlace() { refuse() }

  /** For open(): the name, of a file that is to be read. */
  toRead(name, access) {
    checkedName(name)
    if (access !== 'read') refuse()
    return name
  }
}

/** All but read() and size(). */
export class ReadOnlyFile {
  append(_data) { return refuse() }
  truncate(_size) { refuse() }
  sync() { refuse() }
  close() {}
}
