// A read-only storage over Blobs and Files, which are read in slices.
//
// A File is a snapshot of the file when it was chosen. If the file was changed or removed since,
// reads fail: the browser (and Node's fs.openAsBlob) compares its size and modification time.
import { InvalidArgumentError } from '../errors.js'
import { ReadOnlyFile, ReadOnlyStorage, changed, checkedName, failure } from './read-only.js'

/** Files by name. See types/blob.d.ts. */
export class BlobStorage extends ReadOnlyStorage {
  /** @type {Map<string, Blob>} */
  #blobs

  /** @param {unknown} files */
  constructor(files) {
    super()
    this.#blobs = namedBlobsOf(files)
  }

  /** How a worker creates the same storage: cloning a Blob does not copy its bytes. */
  get inWorker() {
    return { module: import.meta.url, export: 'BlobStorage', args: [this.#blobs] }
  }

  list() {
    return [...this.#blobs.keys()]
  }

  /** @param {string} name @param {'read' | 'append'} access */
  open(name, access) {
    const blob = this.#blobs.get(this.toRead(name, access))
    if (blob === undefined) throw failure('ENOENT', `file ${name} does not exist`)
    return new BlobFile(name, blob)
  }
}

class BlobFile extends ReadOnlyFile {
  #name
  #blob

  /** @param {string} name @param {Blob} blob */
  constructor(name, blob) {
    super()
    this.#name = name
    this.#blob = blob
  }

  size() {
    return this.#blob.size
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    const end = Math.min(this.#blob.size, offset + into.length)
    return end > offset ? this.#slice(offset, end) : 0
  }

  /** @param {number} start @param {number} end */
  async #slice(start, end) {
    let bytes
    try {
      bytes = new Uint8Array(await this.#blob.slice(start, end).arrayBuffer())
    } catch (error) {
      throw failureOf(this.#name, error)
    }
    // Firefox returns fewer bytes where other browsers fail.
    if (bytes.length !== end - start) throw changed(this.#name, `a read returned ${bytes.length} of ${end - start} bytes`)
    return bytes
  }
}

/**
 * Returns the error for a failed read, in particular of a file that was changed or removed.
 * @param {string} name
 * @param {any} error any: whatever was thrown
 */
function failureOf(name, error) {
  const { name: kind, message } = error ?? {}
  if (kind === 'NotReadableError' || kind === 'NotFoundError') return changed(name, `${message} (${kind})`, error)
  return failure(kind === 'NotAllowedError' || kind === 'SecurityError' ? 'EACCES' : 'EIO', `${name}: ${message ?? error}`, error)
}

// ---- Arguments ----

/** @param {unknown} value */
const isBlob = (value) => value instanceof Blob

/** @param {string} why */
const invalid = (why) => new InvalidArgumentError(`The argument 'files' must be Files, or Blobs by name: ${why}`)

/** @returns {Map<string, Blob>} @param {any} files any: user input, checked here */
function namedBlobsOf(files) {
  if (typeof files !== 'object' || files === null || isBlob(files)) throw invalid(`it is ${isBlob(files) ? 'one Blob' : String(files)}`)
  const blobs = new Map()
  for (const [name, blob] of entriesOf(files)) {
    if (!isBlob(blob)) throw invalid(`${String(name)} is not a Blob`)
    if (blobs.has(name)) throw invalid(`two files are named ${name}`)
    // Ignore files in folders, and names that no file of a database has.
    if (isName(name)) blobs.set(name, blob)
  }
  return blobs
}

/** @param {any} files any: user input, checked here */
function entriesOf(files) {
  if (files instanceof Map) return files
  return Symbol.iterator in files ? pathsOf([...files]) : Object.entries(files)
}

/** @param {string} name */
function isName(name) {
  try {
    return checkedName(name) === name && !name.startsWith('lost/')
  } catch {
    return false
  }
}

/**
 * Returns the names within the chosen directory, or within its folder that contains CURRENT.
 * @param {unknown[]} files
 */
function pathsOf(files) {
  const paths = files.map((file) => {
    const { name, webkitRelativePath } = /** @type {Partial<File>} */ (file)
    if (!isBlob(file) || typeof name !== 'string') throw invalid('a file has no name')
    return /** @type {[string, Blob]} */ ([webkitRelativePath || name, file])
  })
  const currents = paths.map(([path]) => path).filter((path) => /(^|\/)CURRENT$/.test(path))
  if (currents.length > 1) throw invalid(`several folders contain a database: ${currents.join(', ')}`)
  const folder = currents[0]?.slice(0, -'CURRENT'.length) ?? ''
  return paths.filter(([path]) => path.startsWith(folder)).map(([path, file]) => [path.slice(folder.length), file])
}
