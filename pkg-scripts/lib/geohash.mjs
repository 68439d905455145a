// Geohash: encodes a location as text whose prefixes are areas around it, so that neighbours mostly
// have similar keys.
const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz'

/**
 * @param {number} latitude degrees, -90 to 90
 * @param {number} longitude degrees, -180 to 180
 * @param {number} length characters; 9 of them name an area of about 5 m by 5 m
 */
export function geohash(latitude, longitude, length = 9) {
  const axes = [{ value: longitude, low: -180, high: 180 }, { value: latitude, low: -90, high: 90 }]
  let text = ''
  let bits = 0
  // Each character is five halvings, alternately of longitude and latitude.
  for (let index = 0; index < length * 5; index++) {
    const axis = axes[index % 2]
    const middle = (axis.low + axis.high) / 2
    const upper = axis.value >= middle
    if (upper) axis.low = middle
    else axis.high = middle
    bits = bits * 2 + Number(upper)
    if (index % 5 === 4) {
      text += ALPHABET[bits]
      bits = 0
    }
  }
  return text
}
