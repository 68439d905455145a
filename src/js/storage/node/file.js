// One open file of a directory.
import fs from 'node:fs'
import { attempt, explain, failure } from './errors.js'
import { flush, writeAll } from './os.js'

/**
 * @typedef {import('../../types/index.js').StorageFile} StorageFile
 * @typedef {import('./descriptors.js').TableDescriptor} TableDescriptor
 */

/** A descriptor that stays open. */
export class Descriptor {
  /** @param {number} fd */
  constructor(fd) {
    this.fd = fd
  }

  hold() { return this.fd }

  release() {}

  close() { fs.closeSync(this.fd) }
}

/** @implements {StorageFile} */
export class NodeFile {
  #descriptor
  #path
  #writable
  #storage
  #closed = false
  #flushes = 0
  /**
   * The first failed flush. It is permanent: the kernel may have dropped the data, and a second
   * flush would succeed.
   * @type {any} any: whatever was thrown
   */
  #failed

  /**
   * @param {Descriptor | TableDescriptor} descriptor
   * @param {string} path
   * @param {boolean} writable
   * @param {{ pending: (promise: Promise<void>) => Promise<void>, closed: () => void }} storage
   */
  constructor(descriptor, path, writable, storage) {
    this.#descriptor = descriptor
    this.#path = path
    this.#writable = writable
    this.#storage = storage
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    this.#check('read')
    // Such numbers are not exact, and no file is that large.
    if (offset > Number.MAX_SAFE_INTEGER) return 0
    return attempt('read', this.#path, () => {
      const { fd } = this.#descriptor
      let done = 0
      while (done < into.length) {
        const count = fs.readSync(fd, into, done, into.length - done, offset + done)
        if (count === 0) break
        done += count
      }
      return done
    })
  }

  /** @param {Uint8Array} data */
  append(data) {
    this.#checkWritable('append')
    if (this.#failed) throw this.#failed
    attempt('append', this.#path, () => writeAll(this.#descriptor.fd, data))
    return data.length
  }

  /** @param {boolean} [inPlace] the event loop waits for the disk */
  sync(inPlace) {
    this.#check('sync')
    if (this.#failed) throw this.#failed
    if (inPlace) return this.#syncNow()
    const fd = attempt('sync', this.#path, () => this.#descriptor.hold())
    this.#flushes++
    return this.#storage.pending(flush('fdatasync', fd).then(
      () => this.#flushed(),
      (error) => this.#flushed(explain(error, 'sync', this.#path))
    ))
  }

  #syncNow() {
    try {
      fs.fdatasyncSync(this.#descriptor.fd)
    } catch (error) {
      this.#failed = explain(error, 'sync', this.#path)
      throw this.#failed
    }
  }

  /** @param {any} [error] any: whatever was thrown */
  #flushed(error) {
    this.#flushes--
    this.#descriptor.release()
    this.#closeWhenQuiet()
    // Of two concurrent flushes, only one gets the error.
    this.#failed ??= error
    if (this.#failed) throw this.#failed
  }

  /** @param {number} size */
  truncate(size) {
    this.#checkWritable('truncate')
    attempt('truncate', this.#path, () => fs.ftruncateSync(this.#descriptor.fd, size))
  }

  size() {
    this.#check('size')
    return attempt('size', this.#path, () => fs.fstatSync(this.#descriptor.fd)).size
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.#storage.closed()
    this.#closeWhenQuiet()
  }

  /** Does not close during a flush: another file could get the same descriptor. */
  #closeWhenQuiet() {
    if (!this.#closed || this.#flushes > 0) return
    try {
      this.#descriptor.close()
    } catch {
      // The descriptor is closed in any case, and unsynced data was not acknowledged.
    }
  }

  /** @param {string} operation */
  #check(operation) {
    if (this.#closed) throw failure('EBADF', operation, this.#path, 'the file is closed')
  }

  /** @param {string} operation */
  #checkWritable(operation) {
    this.#check(operation)
    if (!this.#writable) throw failure('EACCES', operation, this.#path, 'the file was opened for reading')
  }
}
