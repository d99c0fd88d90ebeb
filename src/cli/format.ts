/** Numbers, sizes, times, columns and the balance line, as people read them. */
import { missing } from '../core/balance.ts'
import type { Balance } from '../core/balance.ts'

/** `12,480`, of whole numbers. Intl would cost every command 12 ms at its start. */
export function number(value: number | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 file`, `2 files` */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** `81.2 MB`, powers of 1,000. */
export function bytes(value: number): string {
  let unit = 0
  let size = value
  while (size >= 999.95 && unit < UNITS.length - 1) {
    size /= 1000
    unit++
  }
  return unit === 0 ? `${number(value)} B` : `${size.toFixed(1)} ${UNITS[unit] ?? ''}`
}

/** `412k` */
export function rate(perSecond: number): string {
  if (perSecond >= 9_999_500) return `${(perSecond / 1e6).toFixed(0)}M`
  if (perSecond >= 999_500) return `${(perSecond / 1e6).toFixed(1)}M`
  return perSecond >= 1000 ? `${(perSecond / 1000).toFixed(0)}k` : perSecond.toFixed(0)
}

/** `0:07.4`, `12:03.0`, `1:02:03.0`: minutes, seconds, tenths. */
export function duration(ms: number): string {
  const tenths = Math.round(ms / 100)
  return `${clock(Math.floor(tenths / 10))}.${tenths % 10}`
}

/** `0:02`, `1:02:03` of whole seconds. */
export function clock(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** `2026-01-31 14:05:09` in UTC, of milliseconds since 1970. */
export function time(ms: number | null): string {
  return ms === null ? '' : new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

/**
 * `12,480 read = 11,902 inserted + 310 updated + 251 duplicate + 17 quarantined   ✓ balances`
 * Stale and skipped appear when there are any; so do evicted rows, which are no term of the balance.
 */
export function balanceLine(balance: Balance & { evicted?: number }): string {
  const terms = [
    `${number(balance.inserted)} inserted`,
    `${number(balance.updated)} updated`,
    `${number(balance.duplicate)} duplicate`,
    ...(balance.stale === 0 ? [] : [`${number(balance.stale)} stale`]),
    ...(balance.skipped === 0 ? [] : [`${number(balance.skipped)} skipped`]),
    `${number(balance.quarantined)} quarantined`,
  ]
  const lost = missing(balance)
  const verdict = lost === 0 ? '✓ balances' : lost > 0 ? `✗ ${number(lost)} missing` : `✗ ${number(-lost)} too many`
  const evicted = (balance.evicted ?? 0) === 0 ? '' : `   ${number(balance.evicted ?? 0)} evicted`
  return `${number(balance.read)} read = ${terms.join(' + ')}   ${verdict}${evicted}`
}

export interface ColumnSpec {
  name: string
  right?: boolean
}

/** Characters as a terminal counts them, near enough: code points. */
function widthOf(text: string): number {
  return Array.from(text).length
}

/** Rows under a header line, columns aligned, two spaces between. Control characters become spaces. */
export function columns(specs: readonly ColumnSpec[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => cell.replace(/\p{Cc}/gu, ' ')))
  const widths = specs.map((spec, i) => Math.max(spec.name.length, ...clean.map((row) => widthOf(row[i] ?? ''))))
  const line = (cells: readonly string[]): string =>
    specs
      .map((spec, i) => {
        const cell = cells[i] ?? ''
        const gap = ' '.repeat(Math.max(0, (widths[i] ?? 0) - widthOf(cell)))
        return spec.right === true ? gap + cell : cell + gap
      })
      .join('  ')
      .trimEnd()
  return [line(specs.map((spec) => spec.name)), ...clean.map(line)].join('\n')
}
