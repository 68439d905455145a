// The user key of an entry as a cell of a list.
import { keyOf } from 'varve/inspect'
import { html, nothing } from 'lit'
import { bytesText } from '../ui/bytes.js'
import { keyLine, schemeTitle } from '../ui/key-parts.js'

/** @typedef {import('../model/keys-of.js').KeysOf} KeysOf */

/** Bytes of a key that a cell can show. */
const SHOWN = 400

/**
 * @param {import('varve/inspect').BlockView & import('../explain.js').Explained} view
 * @param {number} entry
 * @param {KeysOf} keys
 * @param {{ dim?: number }} [options] `dim`: so many bytes at the start are shown dimmed
 */
export function keyText(view, entry, keys, { dim = 0 } = {}) {
  const explained = keys.plain ? undefined : view.keys?.[entry]
  if (explained !== undefined && explained !== null) return keyLine(explained, keys)
  const { shared, keyStart, valueStart, type } = view.entries
  const size = shared[entry] + valueStart[entry] - keyStart[entry] - (type[entry] === 255 ? 0 : 8)
  const key = keyOf(view, entry, SHOWN + 8)
  return bytesText(key.subarray(0, Math.min(SHOWN, size)), { size, dim })
}

/** A switch between what keys mean and their bytes, where they mean something. @param {import('../model/model.js').Model} model */
export function keyChoice(model) {
  const { scheme, plain } = model.file?.keys ?? {}
  if (scheme === undefined) return nothing
  return html`
    <div class="choice" role="group" aria-label="How keys are shown" title=${`Keys of ${schemeTitle(scheme.name)}: ${scheme.reason}`}>
      <button aria-pressed=${!plain} @click=${() => model.setPlain(false)}>Keys of ${schemeTitle(scheme.name)}</button>
      <button aria-pressed=${plain === true} @click=${() => model.setPlain(true)}>As bytes</button>
    </div>`
}
