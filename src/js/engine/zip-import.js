// A database made of a zip (src/wasm/archive.rs), until it is open.

/** A database on its way out of a zip. Each method answers a value or a promise. */
export class ZipImport {
  #instance
  #storage
  #zip
  #engineOf

  /**
   * For `Engine.import` alone.
   * @param {import('./instance.js').Instance} instance
   * @param {import('./guarded-storage.js').GuardedStorage | undefined} storage
   * @param {any} zip
   * @param {(options: object, open: (options: any) => any) => Promise<import('./engine.js').Engine>} engineOf
   */
  constructor(instance, storage, zip, engineOf) {
    this.#instance = instance
    this.#storage = storage
    this.#zip = zip
    this.#engineOf = engineOf
  }

  /**
   * More of the archive, which ends behind it if it is the `last`. False: to be called again, with no bytes.
   * @param {Uint8Array} bytes
   * @param {boolean} last
   */
  feed(bytes, last) {
    const taken = this.#zip.feed(bytes, last)
    return taken instanceof Promise ? this.#instance.settled(taken) : taken
  }

  /** After the last: the engine. @param {object} options */
  async open(options) {
    try {
      return await this.#engineOf(options, (own) => this.#zip.open(own))
    } finally {
      if (this.#instance.trap !== undefined) await this.#storage?.release()
    }
  }

  /** Gives up; nothing is left behind. */
  async abort() {
    if (this.#instance.trap === undefined) await this.#instance.settled(this.#zip.abort())
    else await this.#storage?.release()
  }
}
