import * as varve from 'varve'
import { inNode } from './in-node.js'

inNode(varve)
