import { BrowserLevel } from 'browser-level'
import { level } from './level.js'

/** It has no durable writes. */
export const open = (name, durable) => durable ? undefined : level(new BrowserLevel(name, { keyEncoding: 'view', valueEncoding: 'view' }))
