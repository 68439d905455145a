// The parts of an explained key as text: what `explainKeys` tells, in one line or field by field.
import { html } from 'lit'
import { nameText } from './bytes.js'
import { range } from './numbers.js'

/** @typedef {import('varve/inspect').Span} Span */
/** @typedef {import('../model/keys-of.js').KeysOf} KeysOf */

/** Parts that are numbers of something with a name. */
const IDS = new Set(['database', 'object store', 'index'])
/** Binary keys are cut here. */
const BINARY_MAX = 64

const TITLES = { indexeddb: 'IndexedDB', 'local storage': 'Local Storage', 'session storage': 'Session Storage', bedrock: 'Minecraft Bedrock' }
/** @param {import('varve/inspect').KeyScheme} name */
export const schemeTitle = (name) => TITLES[name]

/** @param {string} digits */
const bytesOf = (digits) => Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16))
/** @param {unknown} digits of a double, the highest byte first */
const doubleOf = (digits) => new DataView(bytesOf(String(digits)).buffer).getFloat64(0)

/** The value of a part. @param {Span} part @returns {string} */
export function partText({ facts, spans }) {
  if (facts.array !== undefined) return `[${spans.map(partText).join(', ')}${spans.length < Number(facts.array) ? ', …' : ''}]`
  if (facts.number !== undefined) return String(doubleOf(facts.number))
  if (facts.date !== undefined) {
    const date = new Date(doubleOf(facts.date))
    return Number.isNaN(date.getTime()) ? `date ${doubleOf(facts.date)}` : date.toISOString()
  }
  if (facts.binary !== undefined) {
    const digits = String(facts.binary)
    return `0x${digits.slice(0, 2 * BINARY_MAX)}${digits.length > 2 * BINARY_MAX ? ` … ${digits.length / 2} B` : ''}`
  }
  if (facts.text !== undefined) return new TextDecoder().decode(bytesOf(String(facts.text)))
  return String(facts.value ?? facts.name ?? '')
}

/** Text keys in quotes, so that `1` and `"1"` differ. @param {Span} part */
const quoted = (part) => part.facts.text !== undefined && part.name !== 'origin' && !NUMBERS.has(part.name ?? '') ? `"${partText(part)}"` : partText(part)
/** Texts that are numbers. */
const NUMBERS = new Set(['x', 'y', 'z', 'dimension'])

/** What a number is called in the metadata of the database. @param {Span} key @param {Span} part @param {KeysOf} keys */
function nameOf({ spans }, { name }, keys) {
  const id = (/** @type {string} */ wanted) => Number(spans.find((each) => each.name === wanted)?.facts.value ?? 0)
  if (name === 'database') return keys.nameOf(id('database'))
  if (name === 'object store') return keys.nameOf(id('database'), id('object store'))
  return name === 'index' ? keys.nameOf(id('database'), id('object store'), id('index')) : undefined
}

/** Numbers of indexes that are no indexes: records, and what is about them. @param {Span} part */
const isNoIndex = ({ name, facts }) => name === 'index' && Number(facts.value) < 30

/** One line for a list. @param {Span} key @param {KeysOf} keys */
export function keyLine(key, keys) {
  const shown = key.spans.filter((part) => !isNoIndex(part))
  return html`<span class="bytes parts"><span class="dim">${key.kind}</span> ${shown.map((part, place) => {
    const named = IDS.has(part.name ?? '') ? nameOf(key, part, keys) : undefined
    const text = named ?? (IDS.has(part.name ?? '') ? `${part.name} ${partText(part)}` : quoted(part))
    return html`${place > 0 ? html`<span class="dim"> ▸ </span>` : ''}${nameText(text)}`
  })}</span>`
}

/** Field by field, for the panel. @param {Span} key @param {KeysOf} keys */
export function keyFields(key, keys) {
  return html`<dl class="facts"><div><dt>what</dt><dd>${key.kind}</dd></div>${key.spans.filter((part) => !isNoIndex(part)).map((part) => {
    const named = nameOf(key, part, keys)
    return html`<div><dt title=${`bytes ${range(part.offset, part.offset + part.length)} of the key`}>${part.name}</dt><dd>${nameText(quoted(part))}${named === undefined ? '' : html` <span class="dim">${nameText(named)}</span>`}</dd></div>`
  })}</dl>`
}
