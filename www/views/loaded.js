// The views and parts of views whose scripts are there. Those of more.js are added once it is loaded.

/** @typedef {import('../model/model.js').Model} Model */

/**
 * @type {Partial<Record<import('../model/views.js').View, (model: Model) => unknown>> & {
 *   database?: typeof import('./database.js').database, detail?: typeof import('./detail.js').detail, salvagePanel?: typeof import('./salvage.js').salvagePanel,
 *   evidence?: typeof import('./evidence.js').evidence, help?: typeof import('./help.js').help, zip?: typeof import('./zip.js').zip }}
 */
export const LOADED = {}
