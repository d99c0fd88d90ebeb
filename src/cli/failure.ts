/** How an error looks: code, sentence, place, next step. */
import { CODES } from '../core/codes.ts'
import type { Fault, SluiceError, Where } from '../core/errors.ts'
import { shorten } from '../core/errors.ts'
import { number } from './format.ts'
import type { Style } from './output.ts'

export type Paint = (style: Style, text: string) => string

/** `in/orders.json:1042:61204  row 1,042 · byte 61,204 · column qty · value 3O`; empty without a place. */
export function renderWhere(where: Where): string {
  const { path, row, offset, column, value } = where
  const place = [path, row, offset].filter((part) => part !== undefined && part !== null).join(':')
  const parts = [
    ...(row === undefined || row === null ? [] : [`row ${number(row)}`]),
    ...(offset === undefined || offset === null ? [] : [`byte ${number(offset)}`]),
    ...(column === undefined || column === null ? [] : [`column ${column}`]),
    ...(value === undefined || value === null ? [] : [`value ${shorten(value)}`]),
  ]
  return [path === undefined || path === null ? '' : place, parts.join(' · ')].filter((part) => part !== '').join('  ')
}

export function renderError(error: SluiceError, paint: Paint): string {
  const where = renderWhere(error.where)
  return [
    `${paint('red', `error[${error.code}]`)}: ${error.message}`,
    ...(where === '' ? [] : [`  --> ${where}`]),
    `  help: ${error.hint}`,
    ...(error.code === 'INTERNAL' && error.cause instanceof Error ? [paint('dim', error.cause.stack ?? '')] : []),
  ].join('\n')
}

/** Faults of files and records, by code: the first in full, the others counted. `counts` knows them all. */
export function renderFaults(faults: readonly Fault[], counts: Readonly<Record<string, number>>, paint: Paint): string[] {
  const groups = Map.groupBy(faults, (fault) => fault.code)
  return [...groups].map(([code, group]) => {
    const [first] = group
    if (first === undefined) return ''
    const more = Math.max(group.length, counts[code] ?? 0) - 1
    const where = renderWhere(first)
    return [
      `${paint(CODES[code].kind === 'data' ? 'yellow' : 'red', `error[${code}]`)}: ${first.message}`,
      ...(where === '' ? [] : [`  --> ${where}`]),
      ...(more > 0 ? [`  = ${number(more)} more with this reason`] : []),
      `  help: ${first.hint ?? CODES[code].hint}`,
    ].join('\n')
  })
}
