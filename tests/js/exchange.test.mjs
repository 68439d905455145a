// The same random program gives the same results on Varve and classic-level, and each opens the
// database that the other wrote.
//
//   VARVE_LONG=1   200 programs instead of 20; VARVE_SEED=n: one program
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { Varve } from '../../src/js/index.js'

const LONG = process.env.VARVE_LONG !== undefined
const root = mkdtempSync(join(tmpdir(), 'varve-exchange-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** SplitMix64, 32 bits of each output. */
class Random {
  #state

  constructor(seed) {
    this.#state = BigInt(seed)
  }

  next() {
    this.#state = (this.#state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn
    let z = this.#state
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn
    return Number((z ^ (z >> 31n)) >> 32n)
  }

  below(n) {
    return this.next() % n
  }

  key() {
    return `key${this.below(400)}`
  }

  value() {
    return 'v'.repeat(this.below(this.below(20) === 0 ? 20_000 : 200)) + this.next()
  }

  range() {
    const [a, b] = [this.key(), this.key()].sort()
    return { [this.below(2) ? 'gt' : 'gte']: a, [this.below(2) ? 'lt' : 'lte']: b, reverse: this.below(2) === 1, limit: this.below(4) ? -1 : this.below(30) }
  }
}

/** Returns a random operation as a function of a database. */
function operation(random) {
  const kind = random.below(100)
  if (kind < 40) { const [key, value] = [random.key(), random.value()]; return (db) => db.put(key, value) }
  if (kind < 50) { const key = random.key(); return (db) => db.del(key) }
  if (kind < 65) {
    const operations = Array.from({ length: 1 + random.below(40) }, () => random.below(4)
      ? { type: 'put', key: random.key(), value: random.value() }
      : { type: 'del', key: random.key() })
    return (db) => db.batch(operations)
  }
  if (kind < 78) { const key = random.key(); return (db) => db.get(key) }
  if (kind < 82) { const keys = Array.from({ length: 20 }, () => random.key()); return (db) => db.getMany(keys) }
  if (kind < 92) { const range = random.range(); return (db) => db.iterator(range).all() }
  if (kind < 95) {
    const [range, target] = [random.range(), random.key()]
    return async (db) => {
      // A seek out of range in an empty database aborts classic-level 3.0.0 (an assertion of
      // LevelDB).
      if ((await db.keys({ limit: 1 }).all()).length === 0) return []
      const it = db.iterator(range)
      const first = await it.next()
      it.seek(target)
      const rows = [first]
      // One by one: classic-level's nextv() returns fewer rows if they are large.
      for (let i = 0; i < 10; i++) rows.push(await it.next())
      await it.close()
      return rows
    }
  }
  if (kind < 97) { const range = random.range(); return (db) => db.clear(range) }
  return (db) => db.compactRange('key', 'kez')
}

const all = (db) => db.iterator().all()

test('random programs have the same results on Varve and classic-level', async (t) => {
  const one = process.env.VARVE_SEED
  const seeds = one === undefined ? Array.from({ length: LONG ? 200 : 12 }, (_, i) => i) : [Number(one)]
  for (const seed of seeds) {
    await t.test(`seed ${seed}`, async () => {
      const random = new Random(seed)
      const options = { writeBufferSize: random.below(2) ? 64 << 10 : 4 << 20, compression: random.below(2) === 0 }
      let places = [join(root, `a${seed}`), join(root, `b${seed}`)]
      for (let session = 0; session < 4; session++) {
        const [varve, classic] = [new Varve(places[0], options), new ClassicLevel(places[1], options)]
        if (session > 0) assert.deepEqual(await all(varve), await all(classic), 'what the other wrote')
        for (let i = 0; i < 150; i++) {
          const act = operation(random)
          assert.deepEqual(await act(varve), await act(classic), `seed ${seed}, session ${session}, operation ${i}`)
        }
        assert.deepEqual(await all(varve), await all(classic))
        await varve.close()
        await classic.close()
        places = places.toReversed()
      }
    })
  }
})
