// Forwards the engine's events to listeners of the database.

/** The events of an engine, emitted on the database. */
export class Events {
  #db
  #names
  /** @type {import('../engine/engine.js').Engine | undefined} */
  #engine
  #told = false

  /** @param {import('./varve.js').Varve} db @param {string[]} names */
  constructor(db, names) {
    this.#db = db
    this.#names = names
    const changed = (/** @type {string} */ name) => { if (names.includes(name)) queueMicrotask(() => this.#update()) }
    db.on('newListener', changed)
    db.on('removeListener', changed)
  }

  /** @param {import('../engine/engine.js').Engine} engine one that was just opened */
  follow(engine) {
    this.#told &&= engine === this.#engine
    this.#engine = engine
    this.#update()
  }

  /**
   * Subscribes to the engine only while there are listeners, so that events cost nothing otherwise.
   */
  #update() {
    const wanted = this.#names.some((name) => this.#db.listenerCount(name) > 0)
    if (this.#engine === undefined || wanted === this.#told) return
    this.#told = wanted
    try {
      this.#engine.listen(wanted ? (name, info) => queueMicrotask(() => this.#emit(name, info)) : undefined)
    } catch {
      // A failed engine emits nothing.
    }
  }

  /**
   * Emits outside the engine: a listener may use the database, and its exceptions must not reach
   * other code.
   * @param {string} name
   * @param {object} info
   */
  #emit(name, info) {
    try {
      this.#db.emit(name, info)
    } catch (/** @type {any} any: whatever was thrown */ error) {
      const message = `A listener of '${name}' failed: ${error?.stack ?? error}`
      if (globalThis.process?.emitWarning !== undefined) globalThis.process.emitWarning(message, 'VarveWarning')
      else console.error(message)
    }
  }
}
