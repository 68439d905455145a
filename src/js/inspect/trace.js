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
  const held = new Held()
  let done = 0
  try {
    tracer.begin(state, doubt, key, sequence)
    for (;;) {
      signal?.throwIfAborted()
      const file = tracer.file()
      if (file < 0) break
      const bytes = await wanted(sources[file], tracer)
      if (bytes === undefined) continue
      tracer.feed(bytes)
      progress?.(done += bytes.length)
      await held.yield()
    }
    return resultOf(tracer, sources)
  } catch (error) {
    throw fromEngine(error)
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
