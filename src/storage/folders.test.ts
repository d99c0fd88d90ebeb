/** Folders and their parents, and the ways in which they cannot be made: each ends with the system's error. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { makeFolders } from './folders.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-folders-'))
after(() => rmSync(root, { recursive: true }))

test('parents are made, the outermost new one is told, and what is there is left', () => {
  assert.equal(makeFolders(join(root, 'a/b/c')), join(root, 'a'))
  assert.equal(makeFolders(join(root, 'a/b/d')), join(root, 'a/b/d'))
  assert.equal(makeFolders(join(root, 'a/b/c')), null)
  assert.ok(statSync(join(root, 'a/b/c')).isDirectory())
  mkdirSync(join(root, 'real'))
  symlinkSync(join(root, 'real'), join(root, 'linked'))
  assert.equal(makeFolders(join(root, 'linked')), null)
  assert.equal(makeFolders(join(root, 'linked/e')), join(root, 'linked/e'))
})

test('where none can be made the error comes back, also from a system that never has room for one', () => {
  writeFileSync(join(root, 'file'), '')
  symlinkSync(join(root, 'nowhere'), join(root, 'dangling'))
  const refused = (path: string, code: string): void => assert.throws(() => makeFolders(path), { code }, path)
  refused(join(root, 'file'), 'EEXIST')
  refused(join(root, 'file/a/b'), 'ENOTDIR')
  refused(join(root, 'dangling'), 'EEXIST')
  refused(join(root, 'dangling/a'), 'EEXIST')
  if (process.platform === 'linux') refused('/proc/a/b', 'ENOENT')
})
