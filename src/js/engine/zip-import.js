// The import of a zip (src/wasm/archive.rs), until the database is open.

/** An import. Each method returns a value or a promise. */
export class ZipImport {
  #instance
  #storage
  #zip
  #engineOf

  /**
   * Called only by `Engine.import`.
   * @param {import('./instance.js').Instance} instance
   * @param {import('./guarded-storage.js').GuardedStorage | undefined} storage
   * @param {any} zip any: the class Import of wasm-bindgen, which only the full module has
   * @param {(options: object, open: (options: any) => any) =>
   *         Promise<import('./engine.js').Engine>} engineOf
   */
  constructor(instance, storage, zip, engineOf) {
    this.#instance = instance
    this.#storage = storage
    this.#zip = zip
    this.#engineOf = engineOf
  }

  /**
   * Adds bytes of the archive, which ends there if `last`. Returns false if it must be called
   * again, without bytes.
   * @param {Uint8Array} bytes
   * @param {boolean} last
   */
  feed(bytes, last) {
    const taken = this.#zip.feed(bytes, last)
    return taken instanceof Promise ? this.#instance.settled(taken) : taken
  }

  /** Returns the engine after the last bytes. @param {object} options */
  async open(options) {
    try {
      return await this.#engineOf(options, (own) => this.#zip.open(own))
    } finally {
      if (this.#instance.trap !== undefined) await this.#storage?.release()
    }
  }

  /** Cancels the import and removes its files. */
  async abort() {
    if (this.#instance.trap === undefined) await this.#instance.settled(this.#zip.abort())
    else await this.#storage?.release()
  }
}
