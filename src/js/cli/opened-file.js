// A file of a directory, for the inspector: opened when it is first read.
import { closeSync, openSync, readSync } from 'node:fs'

/** @typedef {import('../types/inspect.js').Source} Source */

/** @implements {Source} */
export class OpenedFile {
  /** @type {number | undefined} */
  #fd

  /** @param {{ path: string, size: number }} file @param {string} name */
  constructor({ path, size }, name) {
    this.path = path
    this.name = name
    this.size = size
  }

  /** @param {number} offset @param {Uint8Array} into */
  read(offset, into) {
    this.#fd ??= openSync(this.path, 'r')
    let done = 0
    for (let count = 1; done < into.length && count > 0; done += count) count = readSync(this.#fd, into, done, into.length - done, offset + done)
    return done
  }

  close() {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}
