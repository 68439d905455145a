import { Varve } from '/pkg/browser.js'
import { level } from './level.js'

export const open = (name) => level(new Varve(name, { keyEncoding: 'view', valueEncoding: 'view' }))
