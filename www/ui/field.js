// Fields that tell what is wrong with what was typed.

/**
 * Shows beside the field what is wrong with it, until something in its form is changed; the browser speaks it,
 * too.
 *
 * @param {HTMLInputElement} field
 * @param {string} wrong empty: nothing
 * @returns {boolean} whether it is right
 */
export function accepted(field, wrong) {
  const { form } = field
  // Otherwise the browser would not send it again before the field itself is changed.
  if (form !== null) form.noValidate = true
  const mark = (/** @type {string} */ wrong) => {
    field.setAttribute('aria-invalid', String(wrong !== ''))
    field.setCustomValidity(wrong)
  }
  mark(wrong)
  if (wrong === '') return true
  ;(form ?? field).addEventListener('input', () => mark(''), { once: true })
  field.reportValidity()
  return false
}

/** What is wrong with a key that should be in hexadecimal. */
export const NO_HEX = 'This is not hexadecimal: give pairs of digits, such as 6b 65 79.'
