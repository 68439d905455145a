// A shared or a service worker with the package of pages.
import { Varve } from '/pkg/browser.js'
import { answerWith } from './contexts-answer.js'

answerWith(Varve)
