// The package in Node: loads the engine and its storage at once, since every database needs them.
// A page loads them in a worker, when a database is opened.
import '#directory'
import './engine/engine.js'

export * from './index.js'
