/**
 * classic-level (its own build of C++ LevelDB) as the other side of the interoperability tests.
 * The commands, options, output and workload W are those of peer.cc, where they are specified:
 *
 *   node peer.mjs digest|write|prefix|compact|destroy|repair|hold|trylock DIR [options]
 *
 * classic-level has no paranoid checks, no checksum verification, no reuse of logs, no comparators,
 * and always writes a Bloom filter of 10 bits: those options are answered with an error.
 */
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { parseArgs } from 'node:util'

// ---- Workload W ----

const u64 = (x) => BigInt.asUintN(64, x)

function mix(z) {
  z = u64((z ^ z >> 30n) * 0xBF58476D1CE4E5B9n)
  z = u64((z ^ z >> 27n) * 0x94D049BB133111EBn)
  return z ^ z >> 31n
}

class SplitMix64 {
  #state
  constructor(state) { this.#state = state }

  next() {
    this.#state = u64(this.#state + 0x9E3779B97F4A7C15n)
    return mix(this.#state)
  }
}

/** A value is named by what makes it, so that a model of a large database stays small. */
function valueBytes({ seed, op, length }) {
  const random = new SplitMix64(mix(u64(seed + mix(BigInt(op)))))
  const padded = Buffer.alloc(Math.ceil(length / 64) * 64)
  for (let at = 0; at < length; at += 64) {
    for (let i = 0; i < 32; i += 8) padded.writeBigUInt64LE(random.next(), at + i)
    padded.copy(padded, at + 32, at, at + 32)
  }
  return padded.subarray(0, length)
}

class Workload {
  constructor(seed, count) {
    this.seed = BigInt(seed)
    this.count = Number(count)
  }

  static parse(text) {
    const [seed, count] = text.split(':')
    return new Workload(seed, count)
  }

  /** Yields each group and the number of operations done with it. */
  *groups() {
    const random = new SplitMix64(this.seed)
    for (let done = 0; done < this.count;) {
      const batch = random.next() % 235n === 0n
      let size = batch ? Math.min(2 + Number(random.next() % 49n), this.count - done) : 1
      const group = []
      while (size-- > 0) group.push(this.#operation(random, done++))
      yield { group, done }
    }
  }

  #operation(random, n) {
    const k = random.next() % BigInt(Math.max(1, Math.floor(this.count / 2)))
    const r = random.next()
    const quarter = Math.floor(this.count / 4)
    const huge = this.count >= 1000 && (n === quarter || n === Math.floor(this.count / 2) || n === quarter * 3)
    const large = (r >> 8n) % 1000n === 0n
    const length = huge ? 4 << 20 : large ? 301 + Number((r >> 32n) % 99700n) : Number((r >> 32n) % 301n)
    return { key: this.#key(k), isPut: huge || r % 10n !== 0n, value: { seed: this.seed, op: n, length } }
  }

  #key(k) {
    const h = mix(this.seed ^ mix(k + 1n))
    const word = Buffer.alloc(8)
    if (h % 3n === 0n) {
      word.writeBigUInt64LE(mix(h))
      return word.subarray(0, Math.min(8, Number((h >> 8n) % 64n)))
    }
    if (h % 3n === 1n) return Buffer.from(String(k))
    word.writeBigUInt64BE(h)
    return Buffer.concat([Buffer.from(`${'shared-prefix/'.repeat(5)}${k % 10n}/`), word])
  }
}

// ---- Command line ----

let workload, after, command, dir, acks, gets, options
function parse() {
  const { positionals: [command, dir], values: flags } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '0' },
      count: { type: 'string', default: '0' },
      after: { type: 'string', multiple: true, default: [] },
      acks: { type: 'boolean' },
      gets: { type: 'boolean' },
      'write-buffer': { type: 'string' },
      'max-file-size': { type: 'string' },
      'block-size': { type: 'string' },
      restart: { type: 'string' },
      compression: { type: 'string', default: 'snappy' }
    }
  })
  const options = {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing: ['write', 'hold', 'trylock'].includes(command),
    compression: flags.compression === 'snappy',
    writeBufferSize: flags['write-buffer'],
    maxFileSize: flags['max-file-size'],
    blockSize: flags['block-size'],
    blockRestartInterval: flags.restart
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) delete options[name]
    else if (/^\d+$/.test(value)) options[name] = Number(value)
  }
  workload = new Workload(flags.seed, flags.count)
  after = flags.after.map(Workload.parse)
  return { command, dir, acks: flags.acks, gets: flags.gets, options }
}

let ClassicLevel
const print = (value) => console.log(typeof value === 'string' ? value : JSON.stringify(value))

async function withDatabase(use) {
  const db = new ClassicLevel(dir, options)
  await db.open()
  try {
    return await use(db)
  } finally {
    await db.close()
  }
}

async function forEach(db, visit) {
  const iterator = db.iterator({ highWaterMarkBytes: 1 << 20, fillCache: false })
  try {
    for (;;) {
      const entries = await iterator.nextv(1000)
      if (entries.length === 0) return
      for (const [key, value] of entries) visit(key, value)
    }
  } finally {
    await iterator.close()
  }
}

class EntryDigest {
  #sha = createHash('sha256')
  #entries = 0

  add(key, value) {
    this.#entries++
    for (const bytes of [key, value]) {
      const length = Buffer.alloc(4)
      length.writeUInt32LE(bytes.byteLength)
      this.#sha.update(length).update(bytes)
    }
  }

  finish() {
    return { entries: this.#entries, sha256: this.#sha.digest('hex') }
  }
}

// ---- Commands ----

const nameOf = (key) => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')

async function digest(db) {
  const all = new EntryDigest()
  let entries = 0
  await forEach(db, (key, value) => {
    all.add(key, value)
    if (entries++ % 7 > 0 || !gets) return
    const got = db.getSync(key)
    if (got === undefined || Buffer.compare(got, value) !== 0) throw new Error('get and iterator differ')
  })
  return all.finish()
}

function apply(model, group) {
  for (const { key, isPut, value } of group) {
    if (isPut) model.set(nameOf(key), value)
    else model.delete(nameOf(key))
  }
}

async function write(db) {
  const model = new Map()
  for (const before of after) for (const { group } of before.groups()) apply(model, group)
  let acked = 0
  for (const { group, done } of workload.groups()) {
    await db.batch(group.map(({ key, isPut, value }) => isPut
      ? { type: 'put', key, value: valueBytes(value) }
      : { type: 'del', key }), { sync: done === workload.count })
    apply(model, group)
    if (acks && Math.floor(done / 100) > Math.floor(acked / 100)) print(`acked ${done}`)
    acked = done
  }
  const all = new EntryDigest()
  for (const name of [...model.keys()].sort()) all.add(Buffer.from(name, 'latin1'), valueBytes(model.get(name)))
  return all.finish()
}

/**
 * Counts the keys on which database and model differ while the workload is replayed: a prefix is
 * where none does.
 */
async function prefix(db) {
  const hash = (bytes) => createHash('sha256').update(bytes).digest('latin1')
  const stored = new Map()
  await forEach(db, (key, value) => stored.set(nameOf(key), { length: value.byteLength, hash: hash(value) }))
  const differing = new Set(stored.keys())
  const replay = (group) => {
    for (const { key, isPut, value } of group) {
      const name = nameOf(key)
      const found = stored.get(name)
      const same = isPut
        ? found !== undefined && found.length === value.length && found.hash === hash(valueBytes(value))
        : found === undefined
      if (same) differing.delete(name)
      else differing.add(name)
    }
  }
  for (const before of after) for (const { group } of before.groups()) replay(group)
  const matches = differing.size === 0 ? [0] : []
  for (const { group, done } of workload.groups()) {
    replay(group)
    if (differing.size === 0) matches.push(done)
  }
  if (matches.length === 0) throw new Error(`the database is not a prefix of the workload (${stored.size} entries)`)
  return { first: matches[0], last: matches.at(-1), entries: stored.size }
}

async function hold() {
  print('held')
  for await (const _ of process.stdin);
}

async function tryLock() {
  try {
    await withDatabase(() => print('opened'))
  } catch (error) {
    if (error.cause?.code !== 'LEVEL_LOCKED') throw error
    print(`locked: ${error.cause.message}`)
    process.exitCode = 3
  }
}

const commands = {
  digest: () => withDatabase(digest).then(print),
  write: () => withDatabase(write).then(print),
  prefix: () => withDatabase(prefix).then(print),
  compact: () => withDatabase((db) => db.compactRange(new Uint8Array(0), new Uint8Array(100).fill(255))).then(() => print({})),
  destroy: () => ClassicLevel.destroy(dir).then(() => print({})),
  repair: () => ClassicLevel.repair(dir).then(() => print({})),
  hold: () => withDatabase(hold),
  trylock: tryLock
}

try {
  ;({ command, dir, acks, gets, options } = parse())
  if (dir === undefined || !Object.hasOwn(commands, command)) throw new Error(`usage: peer.mjs ${Object.keys(commands).join('|')} DIR [options]`)
  ClassicLevel = createRequire(import.meta.url)('classic-level').ClassicLevel
  await commands[command]()
} catch (error) {
  print({ error: error.cause ? `${error.message}: ${error.cause.message}` : error.message })
  process.exitCode = 2
}
