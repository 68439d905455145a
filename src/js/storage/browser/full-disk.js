// The errors of browsers on a full disk, which do not say so.
import { isChromium, isFirefox } from './place.js'

/**
 * Their names, by what fails. Chromium calls a file or directory busy that it cannot create; Firefox cannot
 * create it for an unknown reason, and then opens no file: it says that one which it has just found is not
 * there, or that the reason is unknown, at times until it is started again.
 * @type {{ create: string[], open: string[] }}
 */
export const FULL = isFirefox()
  ? { create: ['UnknownError'], open: ['UnknownError', 'NotFoundError'] }
  : { create: isChromium() ? ['InvalidStateError'] : [], open: [] }

/**
 * Whether an error has one of these names.
 * @param {any} error any: whatever was thrown
 * @param {string[]} names
 */
export const isFullDisk = (error, names) => names.includes(error?.name)

/**
 * Returns the error of a full disk in place of one with these names.
 * @param {any} error any: whatever was thrown
 * @param {string[]} names
 */
export function asFull(error, names) {
  if (!isFullDisk(error, names)) return error
  return Object.assign(new Error(`${error.message}; browsers say so where the disk is full`, { cause: error }), { code: 'ENOSPC' })
}
