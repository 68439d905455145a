// How far the sweep is, with a button that stops it.
import { html, nothing } from 'lit'
import { counted, grouped, sized } from '../ui/numbers.js'

/** @param {import('../model/model.js').Model} model */
export function progress(model) {
  const { file } = model
  if (file?.regions === undefined || file.size === 0) return nothing
  const { data, unread, bad, found } = file.regions.totals()
  const { status, done, since } = file.sweep
  const read = data - unread
  if (status === 'done') {
    const sound = file.findings.length === 0
    return html`<p class="swept ${sound ? 'sound' : ''}">${file.records !== undefined ? html`${counted(file.records.length, file.detected?.kind === 'manifest' ? 'edit' : 'record')} read.` : data === 0
      ? 'All bytes read.'
      : html`${grouped(data - bad)} of ${counted(data, 'data block')} sound${found > 0 ? `, ${found === data ? 'all' : grouped(found)} found only by ${found === 1 ? 'its checksum' : 'their checksums'}` : ''}.`} ${sound
      ? 'No findings.'
      : html`<button class="link" @click=${() => model.show('damage')}>${counted(file.findings.length, 'finding')}</button>`}</p>`
  }
  if (status === 'running') {
    const seconds = (performance.now() - since) / 1000
    const rate = done / Math.max(0.001, seconds)
    const left = Math.max(0, (file.size - done) / rate)
    return html`
      <div class="progress">
        <div role="progressbar" aria-label="Blocks read" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.floor(done / file.size * 100)}><progress max=${file.size} value=${done} aria-hidden="true"></progress></div>
        <span>${file.records !== undefined ? `Read ${counted(file.records.length, file.detected?.kind === 'manifest' ? 'edit' : 'record')}` : `Checked ${grouped(read)} of ${counted(data, 'data block')}`}${seconds > 1 ? ` · ${sized(rate)}/s · ${left < 1 ? 'under a second' : `${Math.ceil(left)} s`} left` : ''}</span>
        <button @click=${() => file.sweep.cancel?.()}>Stop</button>
      </div>`
  }
  return html`
    <div class="progress">
      <span>${file.records !== undefined ? `Read ${counted(file.records.length, file.detected?.kind === 'manifest' ? 'edit' : 'record')}` : `Checked ${grouped(read)} of ${counted(data, 'data block')}`}.</span>
      <button @click=${() => model.sweep(file)}>${status === 'paused' ? 'Check again' : `Check all of it (${sized(file.size)})`}</button>
    </div>`
}
