/** What a record is told whose value its column refuses. */
import type { Fault } from '../../core/errors.ts'
import type { Code } from '../../core/codes.ts'
import type { ColumnType } from '../../core/schema.ts'
import { isDecimal, isNested } from '../../core/types.ts'
import type { RecordView } from '../record.ts'
import { inside } from './nested.ts'
import { shown } from './write.ts'
import type { ASSUMED_UTC, Written } from './write.ts'

export type BadRecord = Pick<Fault, 'column' | 'value' | 'message'> & { code: Code }

export function refused(slot: { name: string; type: ColumnType | null }, code: Exclude<Written, null | typeof ASSUMED_UTC>, s: RecordView, i: number): BadRecord {
  const { name, type } = slot as { name: string; type: ColumnType }
  const nested = isNested(type) ? inside.fault : null
  const at = nested === null ? `Column ${name}` : `Column ${name}, at ${name}${nested.path}`
  const value = nested?.value ?? shown(s.buf, s.kind[i] as number, s.valueFrom[i] as number, s.valueTo[i] as number, s.escaped[i] === 1)
  return { code, column: name, value, message: `${at}: ${why(code, nested?.type ?? type, value)}.` }
}

function why(code: Exclude<Written, null | typeof ASSUMED_UTC>, type: ColumnType, value: string): string {
  if (code === 'MEMBER_REPEATED') return `two members are named ${value} (names are matched without case)`
  if (code === 'LENGTH_EXCEEDED') return `${value} has more characters than ${type} takes`
  if (code === 'TYPE_MISMATCH') return `${value} is not ${type === 'int64' ? 'an' : 'a'} ${type}`
  return isDecimal(type) ? `${value} has more fraction digits than ${type} keeps` : `${value} has more than six fraction digits`
}
