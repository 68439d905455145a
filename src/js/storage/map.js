// A storage of your own, whole, as an example: the files are in a Map. docs/border.md has the contract, and the tests of
// `varve/test/storage` tell whether you have kept it. Here every method answers at once; each may as well answer a promise.

/** Files in memory, gone with the process. Several storages may share one Place; one at a time has its lock. */
export class MapStorage {
  /** What a directory is elsewhere: `files` is a Map, and undefined as long as it does not exist. */
  static Place = class { files; owner; epoch = 0 }
  durability = /** @type {const} */ ('volatile')
  appendsAreExact = true
  #place

  constructor(place = new MapStorage.Place()) { this.#place = place }
  get #files() { return this.#place.files ?? fail('ENOENT', 'the database does not exist') }
  #find(name) { return this.#files.get(checked(name)) ?? fail('ENOENT', `there is no file ${name}`) }

  lock(create) {
    if (this.#place.owner !== undefined) fail('LEVEL_LOCKED', 'the files are in use')
    if (create) this.#place.files ??= new Map()
    if (this.#files) this.#place.owner = this
    return ++this.#place.epoch
  }

  unlock() { if (this.#place.owner === this) this.#place.owner = undefined }
  list() { return [...this.#files.keys()].filter((name) => !name.startsWith('lost/')) }
  open(name, access) { return new MapFile(name, this.#find(name), access === 'append') }

  create(name, _kind, _sizeHint) {
    const content = { bytes: new Uint8Array(0), size: 0 }
    this.#files.set(checked(name), content)
    return new MapFile(name, content, true)
  }

  editNames(edits) {
    for (const edit of edits) for (const name of [edit.name, edit.from, edit.to, edit.via]) if (name !== undefined) checked(name)
    for (const { type, name, from, to, via, content } of edits) {
      const renamed = type === 'rename' ? this.#find(from) : undefined
      this.#files.delete(from ?? name)
      if (type === 'rename') this.#files.set(to, renamed)
      if (type === 'replace') this.#files.set(name, { bytes: content.slice(), size: content.length }).delete(via)
    }
  }

  removePlace() {
    if (this.#place.owner !== this) this.lock(false)
    this.unlock()
    if (this.#files.size === 0) this.#place.files = undefined
  }
}

/** An open file is its content: it stays readable when its name has gone, or gone to another. */
class MapFile {
  constructor(name, content, writable) { Object.assign(this, { name, content, writable }) }
  size() { return this.content.size }
  sync() {}
  close() {}

  read(offset, into) {
    const bytes = this.content.bytes.subarray(Math.min(offset, this.content.size), Math.min(offset + into.length, this.content.size))
    into.set(bytes)
    return bytes.length
  }

  append(data) {
    this.truncate(this.content.size + data.length)
    this.content.bytes.set(data, this.content.size - data.length)
    return data.length
  }

  truncate(size) {
    if (!this.writable) fail('EACCES', `${this.name} was opened to be read`)
    const { bytes } = this.content
    // Room grows by half, so that many small appends are not as many copies; behind the end it is zeros.
    if (size > bytes.length) (this.content.bytes = new Uint8Array(size * 1.5)).set(bytes)
    else bytes.fill(0, size, Math.max(size, this.content.size))
    this.content.size = size
  }
}

/** The engine checks names too; a storage whose names become paths or addresses must not rely on that. */
function checked(name) {
  const bare = name.replace(/^lost\//, '')
  const allowed = /^[^/\\:\p{Cc}]+$/u.test(bare) && !['.', '..', 'lost', 'LOCK'].includes(bare) && new TextEncoder().encode(bare).length <= 255
  return allowed ? name : fail('EINVAL', `${JSON.stringify(name)} cannot be the name of a file`)
}

/** @returns {never} */
function fail(code, message) { throw Object.assign(new Error(message), { code }) }
