// What the pages of the tests run: the bundler's or the page's way to the package is VARVE's.
import * as varve from 'varve'
import { inPage } from './in-page.js'

inPage(varve)
