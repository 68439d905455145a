try {
  const varve = require('varve')
  import('./in-node.js').then(({ inNode }) => inNode(varve))
} catch ({ code, message }) {
  console.log(JSON.stringify({ code, message }))
}
