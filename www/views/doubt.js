// Entries that cannot be trusted, in a word and a colour.
import { html, nothing } from 'lit'
import { counted } from '../ui/numbers.js'

/** Before the value of an entry. @param {ReturnType<typeof import('../model/doubt.js').doubtOf>} doubt @param {string} what it is in */
export const doubtWord = (doubt, what) => doubt === undefined ? nothing
  : html`<span class=${doubt === 'damaged' ? 'bad' : 'warn'} title=${doubt === 'damaged' ? 'the checksum is wrong: any byte can be' : 'readable, but something is wrong: see Damage'}>${doubt} ${what}</span> `

/** In the line below a list. @param {number} count @param {string} what @param {string} [one] @param {string} [many] */
export const doubtCount = (count, what, one = 'entry', many = 'entries') => count === 0 ? nothing
  : html` · <span class="bad">${counted(count, one, many)} from damaged or doubtful ${what}</span>`
