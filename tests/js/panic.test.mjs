// The full module keeps the messages of panics: the cause of the error names the source location.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Instance } from '../../src/js/engine/instance.js'

const SIZE = 0x1234

/**
 * The borrow flag of the unused scratch region, before its capacity, address and size in memory.
 */
function inUseOf(memory, address) {
  const words = new Uint32Array(memory.buffer)
  for (let at = 2; at < words.length - 1; at++) {
    if (words[at] === address && words[at + 1] === SIZE && words[at - 1] === SIZE && words[at - 2] === 0) return words.subarray(at - 2, at - 1)
  }
  return assert.fail('the engine keeps its scratch region in another way')
}

test('a panic names file, line and reason in the cause', async () => {
  const traps = []
  const instance = await Instance.make(2 ** 26, (trap) => traps.push(trap))
  const database = instance.exports.openDatabase(undefined, {})
  // Mark it as borrowed: Rust panics at the next borrow.
  inUseOf(instance.memory, database.scratch(SIZE)).fill(0xffffffff)
  assert.throws(() => database.scratch(2 * SIZE), (error) => error === traps[0])
  const { code, cause } = traps[0]
  assert.equal(code, 'poisoned')
  assert.match(cause.message, /^panicked at src\/wasm\/regions\.rs:\d+:\d+:\s.*already.*borrowed/s)
  assert.throws(() => database.info(), (error) => error === traps[0], 'no call reaches it any more')
})
