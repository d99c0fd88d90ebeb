/** The controls of the power cuts still know the lines that they take out: the proof itself takes minutes to say so. */
import { test } from 'node:test'
import { CONTROLS, edited } from './proof/cut-controls.ts'

for (const control of CONTROLS) test(`${control.file} can be made to forget its syncs`, () => void edited(control))
