import('varve').then(async (varve) => (await import('./in-node.js')).inNode(varve))
