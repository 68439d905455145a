// Replaces `aegir/chai`: chai with callable assertions and chai-as-promised.
import chai from 'chai'
import chaiAsPromised from 'chai-as-promised'
import chaiParentheses from 'chai-parentheses'

chai.use(chaiAsPromised)
chai.use(chaiParentheses)
export const { expect, assert } = chai
