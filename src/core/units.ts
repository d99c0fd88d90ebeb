/** Sizes, durations and shares as people write them. */
import { SluiceError } from './errors.ts'

const SIZE: Readonly<Record<string, number>> = { '': 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 }
const DURATION: Readonly<Record<string, number>> = { '': 1000, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `1GB`, `512MB`, `800MiB`: bytes. @throws SluiceError USAGE */
export function parseSize(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim())
  const unit = SIZE[(match?.[2] ?? '?').toUpperCase()]
  if (match === null || unit === undefined) throw usage(flag, text, 'a size such as 512MB or 1GB')
  return Math.floor(Number(match[1]) * unit)
}

/** `10m`, `90s`, `0`: milliseconds; a bare number is seconds. @throws SluiceError USAGE */
export function parseDuration(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)$/.exec(text.trim())
  const unit = DURATION[match?.[2] ?? '?']
  if (match === null || unit === undefined) throw usage(flag, text, 'a duration such as 30s, 10m or 2h')
  return Math.floor(Number(match[1]) * unit)
}

/** `5` or `0.1%`. @throws SluiceError USAGE */
export function parseLimit(flag: string, text: string): { count: number } | { percent: number } {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim())
  const value = Number(match?.[1])
  if (match?.[2] === '%' && value <= 100) return { percent: value }
  if (match?.[2] === '' && Number.isSafeInteger(value)) return { count: value }
  throw usage(flag, text, 'a number of records, or a share such as 1%')
}

function usage(flag: string, text: string, expected: string): SluiceError {
  return new SluiceError('USAGE', `${flag} ${text}: expected ${expected}.`)
}
