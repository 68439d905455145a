// The engine's module, from beside this file as bundlers and servers see it.

let module

/** @returns {Promise<WebAssembly.Module>} compiled once a page or worker */
export function loadModule() {
  // A failed load may be tried again.
  module ??= compile().catch((error) => { module = undefined; throw error })
  return module
}

async function compile() {
  const response = await fetch(new URL('../../pkg/engine.wasm', import.meta.url))
  if (!response.ok) throw new Error(`engine.wasm: ${response.status} ${response.statusText}`)
  const streams = response.headers.get('content-type')?.startsWith('application/wasm')
  return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer())
}
