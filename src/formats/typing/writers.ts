/** Which writer a column has, by its type. */
import type { ColumnType } from '../../core/schema.ts'
import { nodeOf } from '../../core/types.ts'
import { nestedWriter } from './nested.ts'
import { WRITERS, decimalWriter, limitedWriter } from './write.ts'
import type { Writer } from './write.ts'

const made: Record<string, Writer> = { ...WRITERS }

export function writerOf(type: ColumnType): Writer {
  return made[type] ?? make(type)
}

function make(type: ColumnType): Writer {
  const node = nodeOf(type)
  if (node.kind === 'decimal') return (made[type] = decimalWriter(node))
  if (node.kind === 'list' || node.kind === 'struct') return (made[type] = nestedWriter(node))
  if (node.length !== undefined) return (made[type] = limitedWriter(node.length))
  return WRITERS[node.kind]
}
