// A page with the package, for tests that call it by page.evaluate().
import { Varve } from '/pkg/browser.js'

Object.assign(globalThis, { Varve, isReady: true })
