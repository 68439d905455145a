// What the engine tells of itself, to those who listen.

/** What happens in an engine, for those who listen to the database. */
export class Events {
  #db
  #names
  /** @type {import('../engine/engine.js').Engine | undefined} */
  #engine
  #told = false

  /** @param {any} db @param {string[]} names */
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

  /** While nobody listens, the engine does nothing for it. */
  #update() {
    const wanted = this.#names.some((name) => this.#db.listenerCount(name) > 0)
    if (this.#engine === undefined || wanted === this.#told) return
    this.#told = wanted
    try {
      this.#engine.listen(wanted ? (name, info) => queueMicrotask(() => this.#emit(name, info)) : undefined)
    } catch {
      // An engine that has failed has nothing to tell.
    }
  }

  /** Not from inside the engine: a listener may use the database, and what it throws is nobody else's failure. @param {string} name @param {object} info */
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
