import * as varve from 'varve/inline'
import { inNode } from './in-node.js'

inNode(varve)
