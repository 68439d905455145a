// Fields that tell what is wrong with what was typed.

/**
 * Shows beside the field what is wrong with it, until it is changed; the browser speaks it, too.
 * @param {HTMLInputElement} field
 * @param {string} wrong empty: nothing
 * @returns {boolean} whether it is right
 */
export function accepted(field, wrong) {
  field.setAttribute('aria-invalid', String(wrong !== ''))
  field.setCustomValidity(wrong)
  if (wrong === '') return true
  field.addEventListener('input', () => field.setCustomValidity(''), { once: true })
  field.reportValidity()
  return false
}

/** What is wrong with a key that should be in hexadecimal. */
export const NO_HEX = 'This is not hexadecimal: give pairs of digits, such as 6b 65 79.'
