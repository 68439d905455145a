// The script of test pages; VARVE is replaced by the import of the package.
import * as varve from 'varve'
import { inPage } from './in-page.js'

inPage(varve)
