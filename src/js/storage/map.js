// A complete storage as an example: the files are in a Map. The contract is in types/index.d.ts and
// tested by `varve/test/storage`. Here every method returns a value; each could return a promise.

/** @typedef {import('../types/index.js').NameEdit} NameEdit */
/** @typedef {{ bytes: Uint8Array, size: number }} Content */

/**
 * Files in memory, lost when the process ends. Several storages may share one Place; one at a time
 * holds its lock.
 */
export class MapStorage {
  /** The equivalent of a directory: `files` is undefined while it does not exist. */
  static Place = class {
    /** @type {Map<string, Content> | undefined} */
    files
    /** @type {MapStorage | undefined} */
    owner
    epoch = 0
  }

  durability = /** @type {const} */ ('volatile')
  appendsAreExact = /** @type {const} */ (true)
  #place

  constructor(place = new MapStorage.Place()) { this.#place = place }
  get #files() { return this.#place.files ?? fail('ENOENT', 'the database does not exist') }
  /** @param {string} name */
  #find(name) { return this.#files.get(checked(name)) ?? fail('ENOENT', `file ${name} does not exist`) }

  /** @param {boolean} create */
  lock(create) {
    if (this.#place.owner !== undefined) fail('LEVEL_LOCKED', 'the files are in use by another storage')
    if (create) this.#place.files ??= new Map()
    if (this.#files) this.#place.owner = this
    return ++this.#place.epoch
  }

  unlock() { if (this.#place.owner === this) this.#place.owner = undefined }
  list() { return [...this.#files.keys()].filter((name) => !name.startsWith('lost/')) }
  /** @param {string} name @param {'read' | 'append'} access */
  open(name, access) { return new MapFile(name, this.#find(name), access === 'append') }

  /** @param {string} name @param {string} _kind @param {number} _sizeHint */
  create(name, _kind, _sizeHint) {
    const content = { bytes: new Uint8Array(0), size: 0 }
    this.#files.set(checked(name), content)
    return new MapFile(name, content, true)
  }

  /** @param {NameEdit[]} edits */
  editNames(edits) {
    for (const edit of edits) namesOf(edit).forEach(checked)
    for (const edit of edits) {
      if (edit.type === 'rename') {
        const content = this.#find(edit.from)
        this.#files.delete(edit.from)
        this.#files.set(edit.to, content)
      } else if (edit.type === 'replace') {
        this.#files.set(edit.name, { bytes: edit.content.slice(), size: edit.content.length }).delete(edit.via)
      } else {
        this.#files.delete(edit.name)
      }
    }
  }

  removePlace() {
    if (this.#place.owner !== this) this.lock(false)
    this.unlock()
    if (this.#files.size === 0) this.#place.files = undefined
  }
}

/** An open file keeps its content: it stays readable after its name is removed or reused. */
class MapFile {
  /** @param {string} name @param {Content} content @param {boolean} writable */
  constructor(name, content, writable) {
    this.name = name
    this.content = content
    this.writable = writable
  }

  size() { return this.content.size }
  sync() {}
  close() {}

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    const bytes = this.content.bytes.subarray(Math.min(offset, this.content.size), Math.min(offset + into.length, this.content.size))
    into.set(bytes)
    return bytes.length
  }

  /** @param {Uint8Array} data */
  append(data) {
    this.truncate(this.content.size + data.length)
    this.content.bytes.set(data, this.content.size - data.length)
    return data.length
  }

  /** @param {number} size */
  truncate(size) {
    if (!this.writable) fail('EACCES', `${this.name} was opened for reading`)
    const { bytes } = this.content
    // Grow by half, so that small appends rarely copy.
    if (size > bytes.length) (this.content.bytes = new Uint8Array(size * 1.5)).set(bytes)
    else bytes.fill(0, size, Math.max(size, this.content.size))
    this.content.size = size
  }
}

/** @param {NameEdit} edit */
function namesOf(edit) {
  if (edit.type === 'rename') return [edit.from, edit.to]
  return edit.type === 'replace' ? [edit.name, edit.via] : [edit.name]
}

/**
 * Checks a name. The engine does too, but a storage that turns names into paths or addresses must
 * not rely on that.
 * @param {string} name
 */
function checked(name) {
  const bare = name.replace(/^lost\//, '')
  const allowed = /^[^/\\:\p{Cc}]+$/u.test(bare) && !['.', '..', 'lost', 'LOCK'].includes(bare) && new TextEncoder().encode(bare).length <= 255
  return allowed ? name : fail('EINVAL', `${JSON.stringify(name)} is not a valid file name`)
}

/** @returns {never} @param {string} code @param {string} message */
function fail(code, message) { throw Object.assign(new Error(message), { code }) }
