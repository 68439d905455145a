// Replaces the package `is-buffer`, which knows only the whole Buffer.
const { Buffer } = require('./buffer.js')

module.exports = (data) => Buffer.isBuffer(data)
