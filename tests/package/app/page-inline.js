import * as varve from 'varve/inline'
import { inPage } from './in-page.js'

inPage(varve)
