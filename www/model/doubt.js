// What makes the entries of a block, or the operations of a record, less than certain.

/** @typedef {import('varve/inspect').Finding} Finding */

/**
 * `damaged`: the checksum is wrong, so any byte can be. `doubtful`: it is right, but something else is wrong.
 *
 * @param {string | undefined} state of the region or record, as far as it was read
 * @param {Pick<Finding, 'severity'>[]} [findings] of it when it was opened by itself
 * @returns {'damaged' | 'doubtful' | undefined}
 */
export function doubtOf(state, findings = []) {
  if (state === 'bad' || findings.some(({ severity }) => severity === 'bad')) return 'damaged'
  return state === 'doubtful' || findings.some(({ severity }) => severity === 'warn') ? 'doubtful' : undefined
}
