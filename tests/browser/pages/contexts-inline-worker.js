// A service worker with the engine in its script.
import { Varve } from '/pkg/inline.js'
import { answerWith } from './contexts-answer.js'

answerWith(Varve)
