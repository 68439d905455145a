// The live database: a workload on a real engine, run in steps of a frame; what it wrote and read; and
// what was typed into its console.
import { parseCommand, sayEvent } from './commands.js'
import { plainText } from '../ui/bytes.js'
import { counted } from '../ui/numbers.js'

/** @typedef {import('./model.js').Model} Model */
/** @typedef {import('varve/inspect').LiveState & { events: import('varve/inspect').LiveEvent[], done: number, isDone: boolean, userBytes: number, liveBytes: number, liveEntries: number, reads: number, blocksRead: number }} State */

/** Time between two drawings while it runs, in ms. */
const FRAME_MS = 50
/** A step of a drawing shows what began since; kept so long, in ms. */
const FRESH_MS = 700
const EVENTS_MAX = 1000
const LINES_MAX = 200
const POINTS_MAX = 300
/** Entries that `scan` shows. */
const SCANNED = 10

/** Small, so that flushes and compactions are seen after seconds. */
export const OPTIONS = { writeBufferSize: 64 << 10, maxFileSize: 128 << 10, blockSize: 4096, filterBits: 10, compression: /** @type {'snappy' | 'none'} */ ('snappy') }

export class Live {
  /** @type {import('../workload.js').Settings} */
  settings = { kind: 'random', seed: 42, keys: 10_000, operations: 50_000, valueSize: 100 }
  options = { ...OPTIONS }
  /** Operations a second; Infinity: as fast as it goes. */
  rate = 5000
  /** @type {'starting' | 'paused' | 'running' | 'failed'} */
  status = 'starting'
  /** @type {State | undefined} */
  state
  /** What happened, the last first. @type {{ at: number, text: string, isJob: boolean }[]} */
  events = []
  /** What was typed, and answered, the last first. @type {{ text: string, isAnswer: boolean, isBad?: boolean }[]} */
  lines = []
  /** Write amplification over user bytes. @type {{ x: number, y: number }[]} */
  points = []
  /** Tables that a compaction reads now. @type {Set<string>} */
  inputs = new Set()
  /** When tables were written. @type {Map<string, number>} */
  fresh = new Map()
  #model
  #worker
  /** Calls follow one another. @type {Promise<unknown>} */
  #last = Promise.resolve()
  #openings = 0
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #fading

  /** @param {Model} model @param {import('../client.js').Client} worker */
  constructor(model, worker) {
    this.#model = model
    this.#worker = worker
  }

  /** Begins again, with an empty database. */
  async reset() {
    const opening = ++this.#openings
    this.status = 'starting'
    this.events = []
    this.lines = []
    this.points = []
    this.inputs = new Set()
    this.fresh = new Map()
    this.#model.changed()
    await this.#act(async () => {
      const state = await this.#call('open', this.options, this.settings)
      if (opening !== this.#openings) return
      this.status = 'paused'
      this.#take(state)
    })
  }

  toggle() {
    return this.status === 'running' ? this.pause() : this.run()
  }

  pause() {
    if (this.status === 'running') this.status = 'paused'
    this.#model.changed()
  }

  /** Runs the workload, to its end or until it is paused. */
  async run() {
    if (this.status !== 'paused') return
    this.status = 'running'
    this.#model.changed()
    while (this.status === 'running') {
      const start = performance.now()
      const operations = this.rate === Infinity ? 1e9 : Math.max(1, Math.round(this.rate * FRAME_MS / 1000))
      await this.#act(async () => this.#take(await this.#call('run', operations)))
      if (this.state?.isDone && this.status === 'running') this.status = 'paused'
      // A tab that is hidden runs on: timers come there, frames do not.
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, FRAME_MS - (performance.now() - start))))
    }
    this.#model.say(this.state?.isDone ? 'the workload is done' : 'paused')
  }

  /** Goes to the next job, or to its end. */
  async step() {
    this.pause()
    if (this.status !== 'paused') return
    await this.#act(async () => this.#take(await this.#call('step')))
    const [event] = this.events
    if (event?.isJob) this.#model.say(event.text)
  }

  /** @param {string} text */
  async command(text) {
    const command = parseCommand(text)
    this.#print({ text, isAnswer: false })
    if ('error' in command) return this.#print({ text: command.error, isAnswer: true, isBad: true })
    await this.#act(async () => {
      if (command.call === 'get') {
        const { value, read, cached, noes, now } = await this.#call('get', command.key)
        this.#take(now)
        const cost = `${counted(read, 'block')} read, ${cached} from the cache, ${counted(noes, 'no', 'noes')} of filters`
        return this.#print({ text: `${value === undefined ? 'not found' : plainText(value, 400)} · ${cost}`, isAnswer: true })
      }
      if (command.call === 'entries') {
        const entries = await this.#call('entries', { gte: command.gte, lt: command.lt, limit: SCANNED })
        for (const { key, value } of entries) this.#print({ text: `${plainText(key)} = ${plainText(value, 100)}`, isAnswer: true })
        return this.#print({ text: entries.length === SCANNED ? `the first ${SCANNED}` : counted(entries.length, 'entry', 'entries'), isAnswer: true })
      }
      this.#take(await this.#call(command.call, ...command.call === 'write' ? [command.operations] : []))
      this.#print({ text: 'done', isAnswer: true })
    })
  }

  /** Opens its files as they are now, in the other views. */
  async openFiles() {
    this.pause()
    await this.#act(async () => {
      const files = await this.#call('files')
      await this.#model.open(files, { source: 'live database', tag: 'demo:live', takenAt: Date.now() })
    })
  }

  end() {
    this.#openings++
    this.status = 'failed'
    this.#worker.end()
  }

  /** @param {string} call @param {unknown[]} args */
  #call(call, ...args) {
    return this.#worker.call('live', [call, ...args])
  }

  /** One call after another. @param {() => Promise<unknown>} act */
  #act(act) {
    const opening = this.#openings
    return this.#last = this.#last.then(async () => {
      if (opening !== this.#openings) return
      try {
        await act()
      } catch (/** @type {any} any: whatever was thrown */ error) {
        if (opening !== this.#openings) return
        if (this.status === 'running') this.status = 'paused'
        if (this.state === undefined || error.code === 'CRASHED') this.status = 'failed'
        this.#print({ text: error.message, isAnswer: true, isBad: true })
      }
      this.#model.changed()
    })
  }

  /** @param {{ text: string, isAnswer: boolean, isBad?: boolean }} line */
  #print(line) {
    this.lines.unshift(line)
    this.lines.length = Math.min(this.lines.length, LINES_MAX)
    if (line.isAnswer) this.#model.say(line.text)
    this.#model.changed()
  }

  /** @param {State} state */
  #take(state) {
    this.state = state
    const now = performance.now()
    for (const event of state.events) {
      this.events.unshift({ at: state.done, ...sayEvent(event) })
      if (event.name === 'compaction') this.inputs = new Set(event.phase === 'begin' ? event.inputs : [])
      if (event.phase === 'end') for (const name of event.name === 'flush' ? [event.file] : event.outputs ?? []) if (name) this.fresh.set(name, now)
    }
    for (const [name, at] of this.fresh) if (now - at > FRESH_MS) this.fresh.delete(name)
    // Those that are left are drawn as others when nothing follows.
    clearTimeout(this.#fading)
    if (this.fresh.size > 0) this.#fading = setTimeout(() => { this.fresh.clear(); this.#model.changed() }, FRESH_MS)
    this.events.length = Math.min(this.events.length, EVENTS_MAX)
    const { user, written } = this.amplification
    if (user > 0 && this.points.at(-1)?.x !== user) this.points.push({ x: user, y: written })
    // Every other one goes: the line keeps its shape.
    if (this.points.length > POINTS_MAX) this.points = this.points.filter((_, index) => index % 2 === 1)
  }

  /** What was written and kept for what the user wrote: each as a ratio. */
  get amplification() {
    const { userBytes: user = 0, counters, fileBytes = 0, liveBytes = 0, reads = 0, blocksRead = 0 } = this.state ?? {}
    const tables = (counters?.bytesFlushed ?? 0) + (counters?.bytesCompacted ?? 0)
    return {
      user,
      written: user > 0 ? tables / user : 0,
      writtenWithLog: user > 0 ? (tables + (counters?.bytesLogged ?? 0)) / user : 0,
      read: reads > 0 ? blocksRead / reads : undefined,
      space: liveBytes > 0 ? fileBytes / liveBytes : undefined
    }
  }
}
