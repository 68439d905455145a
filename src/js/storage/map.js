// A storage of your own: the files are in a Map. It shows all that the engine asks for; docs/border.md has the contract, and
// the tests of `varve/test/storage` tell whether you have kept it.

/**
 * Files in memory, gone with the process.
 *
 * ```js
 * const place = new MapStorage.Place()     // several handles may share it; one at a time holds the lock
 * const storage = new MapStorage(place)
 * ```
 */
export class MapStorage {
  /** What a directory is elsewhere. */
  static Place = class {
    /** @type {Map<string, Content> | undefined} */ files
    /** @type {MapStorage | undefined} */ owner
    epoch = 0
  }

  durability = /** @type {const} */ ('volatile')
  appendsAreExact = true
  #place

  constructor(place = new MapStorage.Place()) {
    this.#place = place
  }

  /** @param {boolean} create */
  lock(create) {
    if (this.#place.owner) throw failure('LEVEL_LOCKED', 'the files are in use')
    if (create) this.#place.files ??= new Map()
    this.#files()
    this.#place.owner = this
    return ++this.#place.epoch
  }

  unlock() {
    if (this.#place.owner === this) this.#place.owner = undefined
  }

  list() {
    return [...this.#files().keys()].filter((name) => !name.startsWith('lost/'))
  }

  /** @param {string} name @param {string} _kind @param {number} _sizeHint */
  create(name, _kind, _sizeHint) {
    const content = new Content()
    this.#files().set(checked(name), content)
    return new MapFile(name, content, true)
  }

  /** @param {string} name @param {'read' | 'append'} access */
  open(name, access) {
    return new MapFile(name, this.#find(checked(name)), access === 'append')
  }

  /** @param {import('../index.js').NameEdit[]} edits */
  editNames(edits) {
    for (const { type, ...names } of edits) for (const name of Object.values(names)) if (typeof name === 'string') checked(name)
    for (const edit of edits) this.#edit(edit)
  }

  /** @param {import('../index.js').NameEdit} edit */
  #edit(edit) {
    if (edit.type === 'rename') {
      const content = this.#find(edit.from)
      this.#files().delete(edit.from)
      this.#files().set(edit.to, content)
    } else if (edit.type === 'remove') {
      this.#files().delete(edit.name)
    } else {
      this.#files().set(edit.name, new Content(edit.content))
      this.#files().delete(edit.via)
    }
  }

  removePlace() {
    if (this.#place.owner !== this) this.lock(false)
    this.unlock()
    if (this.#files().size === 0) this.#place.files = undefined
  }

  #files() {
    return this.#place.files ?? fail('ENOENT', 'the place does not exist')
  }

  /** @param {string} name */
  #find(name) {
    return this.#files().get(name) ?? fail('ENOENT', `there is no file ${name}`)
  }
}

/** The bytes of a file, which outlive its name while the file is open. */
class Content {
  /** @param {Uint8Array} [bytes] */
  constructor(bytes = new Uint8Array(0)) {
    this.bytes = Uint8Array.from(bytes)
    this.size = bytes.length
  }

  /** @param {number} size */
  resize(size) {
    if (size > this.bytes.length) {
      const larger = new Uint8Array(Math.max(size, this.bytes.length * 2))
      larger.set(this.bytes)
      this.bytes = larger
    }
    // What lies behind the end may be reached again, and is read as zeros then.
    this.bytes.fill(0, Math.min(size, this.size), this.size)
    this.size = size
  }
}

class MapFile {
  #name
  #content
  #writable

  /** @param {string} name @param {any} content @param {boolean} writable */
  constructor(name, content, writable) {
    this.#name = name
    this.#content = content
    this.#writable = writable
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    const end = Math.min(this.#content.size, offset + into.length)
    if (offset >= end) return 0
    into.set(this.#content.bytes.subarray(offset, end))
    return end - offset
  }

  /** @param {Uint8Array} data */
  append(data) {
    const offset = this.#content.size
    this.truncate(offset + data.length)
    this.#content.bytes.set(data, offset)
    return data.length
  }

  sync() {}

  /** @param {number} size */
  truncate(size) {
    if (!this.#writable) fail('EACCES', `${this.#name} was opened to be read`)
    this.#content.resize(size)
  }

  size() {
    return this.#content.size
  }

  close() {}
}

/** The engine checks names too; a storage whose names become paths or addresses must not rely on that. @param {string} name */
function checked(name) {
  const bare = name.replace(/^lost\//, '')
  const allowed = /^[^/\\:\p{Cc}]+$/u.test(bare) && !['.', '..', 'lost', 'LOCK'].includes(bare) && new TextEncoder().encode(bare).length <= 255
  return allowed ? name : fail('EINVAL', `${JSON.stringify(name)} cannot be the name of a file`)
}

/** @param {string} code @param {string} message */
const failure = (code, message) => Object.assign(new Error(message), { code })

/** @returns {never} @param {string} code @param {string} message */
function fail(code, message) {
  throw failure(code, message)
}
