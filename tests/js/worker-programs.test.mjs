// Random programs on an engine in a worker and on one without, step by step, with the same results.
//
//   VARVE_SEED=n node --test tests/js/worker-programs.test.mjs      the same programs again
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Varve } from '../../src/js/index.js'
import { InMap, Later } from './lib/storages.mjs'

const TURNS = process.env.VARVE_LONG ? 20_000 : 400
const SMALL = { writeBufferSize: 16 << 10 }

class Random {
  #state

  constructor(seed) {
    this.#state = seed | 1
  }

  below(bound) {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % bound
  }

  oneIn(count) {
    return this.below(count) === 0
  }

  of(choices) {
    return choices[this.below(choices.length)]
  }

  times(max, make) {
    return Array.from({ length: this.below(max) }, make)
  }
}

/** Two databases, with the same iterators and snapshots of each. */
class Pair {
  #dbs
  #random
  #snapshots = []
  #iterators = []

  constructor(dbs, random) {
    this.#dbs = dbs
    this.#random = random
  }

  open() {
    return Promise.all(this.#dbs.map((db) => db.open()))
  }

  close() {
    return Promise.all(this.#dbs.map((db) => db.close()))
  }

  /** @param {boolean} together whether what is asked of one turn may be under way at once */
  async turn(together) {
    const random = this.#random
    if (random.oneIn(5)) this.#snapshots.push(this.#dbs.map((db) => db.snapshot()))
    if (random.oneIn(5)) this.#iterators.push(this.#make((db, options) => db.keys(options)))
    // A long clear() yields to other calls, whose effect on its range depends on the timing.
    const acts = random.oneIn(8) ? [this.#clear()] : random.times(9, () => this.#act())
    const [there, here] = await Promise.all(this.#dbs.map((db, i) => together ? Promise.all(acts.map((act) => act(db, i))) : oneByOne(acts, db, i)))
    assert.deepEqual(there, here)
    for (const iterators of this.#iterators) await this.#move(iterators)
    if (this.#snapshots.length + this.#iterators.length > 8) await this.#closeAll()
  }

  #make(make) {
    const options = this.#options()
    return this.#dbs.map((db, i) => make(db, options(i)))
  }

  /** Returns a random operation for both databases. */
  #act() {
    const random = this.#random
    const key = this.#key()
    const keys = random.times(20, () => this.#key())
    const options = this.#options()
    const value = 'v'.repeat(random.below(200)) + random.below(1e6)
    const batch = keys.map((key) => random.oneIn(3) ? { type: 'del', key } : { type: 'put', key, value })
    const often = [
      (db) => db.put(key, value),
      (db) => db.del(key),
      (db) => db.batch(batch),
      (db, i) => db.get(key, options(i)),
      (db, i) => db.getMany(keys, options(i)),
      (db, i) => db.has(key, options(i)),
      (db, i) => db.iterator(options(i)).all()
    ]
    const seldom = [(db) => db.flush(), (db) => db.compactRange(key), (db) => db.sync()]
    return random.of(random.oneIn(30) ? seldom : often)
  }

  #clear() {
    const options = this.#options()
    return (db, i) => db.clear(options(i))
  }

  #key() {
    return `k${this.#random.below(300)}`
  }

  #options() {
    const random = this.#random
    const range = { reverse: random.oneIn(2), limit: random.oneIn(3) ? random.below(50) : -1 }
    if (random.oneIn(2)) range[random.of(['gt', 'gte'])] = this.#key()
    if (random.oneIn(2)) range[random.of(['lt', 'lte'])] = this.#key()
    const snapshots = random.oneIn(3) ? random.of([undefined, ...this.#snapshots]) : undefined
    return (i) => snapshots === undefined ? range : { ...range, snapshot: snapshots[i] }
  }

  async #move(iterators) {
    const random = this.#random
    const target = this.#key()
    const size = 1 + random.below(60)
    if (random.oneIn(3)) for (const iterator of iterators) iterator.seek(target)
    const [there, here] = await Promise.all(iterators.map((iterator) => size > 30 ? iterator.nextv(size) : iterator.next()))
    assert.deepEqual(there, here)
  }

  async #closeAll() {
    await Promise.all([...this.#iterators, ...this.#snapshots].flat().map((resource) => resource.close()))
    this.#iterators = []
    this.#snapshots = []
  }
}

async function oneByOne(acts, db, i) {
  const answers = []
  for (const act of acts) answers.push(await act(db, i))
  return answers
}

const seed = Number(process.env.VARVE_SEED ?? Date.now() % 2 ** 31)

test('in memory, concurrent calls', async (t) => {
  t.diagnostic(`VARVE_SEED=${seed}`)
  const dbs = [new Varve(null, { storage: 'memory', worker: true, ...SMALL }), new Varve(null, { storage: 'memory', ...SMALL })]
  const pair = new Pair(dbs, new Random(seed))
  await pair.open()
  for (let i = 0; i < TURNS; i++) await pair.turn(true)
  await pair.close()
})

// Concurrent calls may finish in another order there.
test('with an asynchronous storage, consecutive calls', async (t) => {
  t.diagnostic(`VARVE_SEED=${seed}`)
  const dbs = [new Varve(null, { storage: new Later(), worker: true, ...SMALL }), new Varve(null, { storage: new InMap(), ...SMALL })]
  const pair = new Pair(dbs, new Random(seed))
  await pair.open()
  for (let i = 0; i < TURNS; i++) await pair.turn(false)
  await pair.close()
})
