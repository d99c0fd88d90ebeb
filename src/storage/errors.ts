/** Turns what the operating system says into a code with a next step. */
import { SluiceError } from '../core/errors.ts'
import type { Code } from '../core/errors.ts'

const CODE_OF: Readonly<Record<string, Code>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
  ENOENT: 'PATH_NOT_FOUND',
  ENOTDIR: 'PATH_NOT_FOUND',
}

/** @param doing what was tried, as in "cannot write <path>" */
export function storageError(thrown: unknown, doing: string, path: string): SluiceError {
  if (thrown instanceof SluiceError) return thrown
  const errno = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  const reason = thrown instanceof Error ? thrown.message.split(',')[0] : String(thrown)
  return new SluiceError(CODE_OF[errno] ?? 'IO_FAILED', `Cannot ${doing} ${path}: ${reason}`, { where: { path }, cause: thrown })
}

/** The `code` of a system error, or undefined. */
export function errnoOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}
