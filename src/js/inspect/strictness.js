// Which blocks of damaged tables a salvage uses, in the order of the engine.

export const STRICTNESS = Object.freeze(/** @type {const} */ (['sound', 'carved', 'doubtful']))
