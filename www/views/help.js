// The keys, in a dialog.
import { html } from 'lit'
import { ABOUT, keysOf, VIEWS } from '../model/views.js'

/** @type {[string, string][]} */
const KEYS = [
  ['o', 'open files'], ['r', 'read again (a database of this site, or files served by varve inspect)'], ['.', 'the next region'], [',', 'the region before'], ['n', 'the next damaged region'], ['N', 'the damaged region before'],
  ['[', 'back to what was selected before'], [']', 'forward again'], ['Esc', 'select nothing'], ['arrows', 'move in a list, the bytes or the map'],
  ['Enter', 'go inside'], ['w s, a d', 'zoom and pan the map'], ['0', 'the whole file on the map'], ['Space, →', 'run or pause a live database, and step'], ['?', 'this help']
]

/** @param {() => void} close */
export function help(close) {
  return html`
    <dialog class="help" aria-label="Help and keys" @close=${close}>
      <h2>Keys</h2>
      <p class="dim">Two keys are pressed one after the other.</p>
      <div class="keys">
        <dl>${KEYS.map(([key, does]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
        <dl>${VIEWS.map((view) => html`<div><dt>${keysOf(view).map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${ABOUT[view].title}: ${ABOUT[view].shows}</dd></div>`)}</dl>
      </div>
      <p><button autofocus @click=${(/** @type {Event} */ event) => /** @type {HTMLElement} */ (event.target).closest('dialog')?.close()}>Close</button></p>
    </dialog>`
}
