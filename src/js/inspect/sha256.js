// The SHA-256 of a file, read in parts.
import { newInstance } from './module.js'
import { inNextTurn } from '../engine/event-loop.js'
import { VarveError } from '../errors.js'

/** @typedef {import('../types/inspect.js').Source} Source */

/** Bytes read at once. */
const READ = 4 << 20

/**
 * @param {Source} source
 * @param {{ signal?: AbortSignal, progress?: (done: number) => void }} [options]
 * @returns {Promise<string>}
 */
export async function sha256(source, { signal, progress } = {}) {
  const digest = (await newInstance()).beginSha256()
  const into = new Uint8Array(Math.min(READ, source.size))
  for (let done = 0; done < source.size;) {
    signal?.throwIfAborted()
    const count = await source.read(done, into.subarray(0, Math.min(into.length, source.size - done)))
    if (count === 0) throw new VarveError(`${source.name}: the bytes from ${done} on cannot be read`, { code: 'LEVEL_IO_ERROR' })
    digest.add(into.subarray(0, count))
    done += count
    progress?.(done)
    // Sources may answer at once: other tasks run between two parts.
    await new Promise((resolve) => inNextTurn(() => resolve(undefined)))
  }
  return digest.end()
}
