// Traces a look-up of one key through the files of a database: the engine's own search.
import { fromEngine } from '../errors.js'
import { Held, parsed } from './feed.js'
import { lastVersion } from './last-version.js'
import { newInstance } from './module.js'
import { bytesAt } from './source.js'

/** @typedef {import('../types/inspect.js').Source} Source */
/** @typedef {import('../types/inspect.js').Trace} Trace */
/** @typedef {import('../types/inspect.js').TraceStep} TraceStep */

/**
 * @param {Source[]} sources
 * @param {Uint8Array} key
 * @param {{ sequence?: number, signal?: AbortSignal, progress?: (done: number) => void }} [options]
 * @returns {Promise<Trace>}
 */
export async function traceKey(sources, key, { sequence = -1, signal, progress } = {}) {
  const { state, doubt } = await lastVersion(sources, signal)
  const tracer = (await newInstance()).traceLookup()
  for (const { name, size } of sources) tracer.add(name, size)
  try {
    tracer.begin(state, doubt, key, sequence)
    return await search(tracer, sources, { signal, progress })
  } catch (error) {
    throw fromEngine(error)
  }
}

/**
 * @param {Source} source
 * @param {Uint8Array} key
 * @param {{ sequence?: number, comparator?: string, signal?: AbortSignal, progress?: (done: number) => void }} [options]
 * @returns {Promise<Trace>}
 */
export async function traceTable(source, key, { sequence = -1, comparator = '', signal, progress } = {}) {
  const tracer = (await newInstance()).traceLookup()
  const name = source.name.slice(source.name.lastIndexOf('/') + 1)
  tracer.add(name, source.size)
  try {
    tracer.beginTable(comparator, key, sequence)
    const trace = await search(tracer, [{ name, size: source.size, read: (offset, into) => source.read(offset, into) }], { signal, progress })
    // Under a name that no table has, the engine has it under this one.
    const named = (/** @type {string | undefined} */ reason) => reason?.replace(/^000001\.ldb\b/, () => name)
    for (const step of trace.steps) if (step.reason !== undefined) step.reason = named(step.reason)
    return { ...trace, ...trace.reason !== undefined && { reason: named(trace.reason) } }
  } catch (error) {
    throw fromEngine(error)
  }
}

/**
 * @param {Tracer} tracer that began
 * @param {Source[]} sources
 * @param {{ signal?: AbortSignal, progress?: (done: number) => void }} options
 */
async function search(tracer, sources, { signal, progress }) {
  const held = new Held()
  let done = 0
  for (;;) {
    signal?.throwIfAborted()
    const file = tracer.file()
    if (file < 0) return resultOf(tracer, sources)
    const bytes = await wanted(sources[file], tracer)
    if (bytes === undefined) continue
    tracer.feed(bytes)
    progress?.(done += bytes.length)
    await held.yield()
  }
}

/** @typedef {ReturnType<Awaited<ReturnType<typeof newInstance>>['traceLookup']>} Tracer */

/** The bytes that the tracer waits for; `undefined`, and it is told, if they cannot be read. @param {Source} source @param {Tracer} tracer */
async function wanted(source, tracer) {
  try {
    return await bytesAt(source, tracer.offset(), tracer.length())
  } catch (/** @type {any} any: whatever was thrown */ error) {
    tracer.fail(String(error?.message ?? error))
    return undefined
  }
}

/** @param {Tracer} tracer @param {Source[]} sources @returns {Trace} */
function resultOf(tracer, sources) {
  const [{ facts }, ...spans] = parsed(tracer.result())
  const { answer, sequence, ...bill } = facts
  const steps = spans.map((span, index) => stepOf(span, tracer.reason(index), sources))
  const value = tracer.value()
  const reason = tracer.reason()
  return { answer, sequence, ...value && { value }, ...reason && { reason }, steps, bill }
}

/**
 * @param {import('../types/inspect.js').Span} span
 * @param {string} reason
 * @param {Source[]} sources
 * @returns {TraceStep}
 */
function stepOf({ offset, length, facts }, reason, sources) {
  /** @type {any} any: as the engine writes them */
  const { file, placed, number, ...rest } = facts
  const name = file === undefined ? number !== undefined && `${String(number).padStart(6, '0')}.ldb` : sources[file].name
  return {
    kind: rest.level === undefined ? 'log' : number === undefined ? 'level' : 'table',
    ...name && { file: name },
    ...rest,
    ...placed && { offset, length },
    ...reason && { reason }
  }
}
