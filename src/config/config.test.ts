/** What a configuration may hold, and what is said of one that is wrong. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { scratch } from '../../test/command.ts'
import { SluiceError } from '../core/errors.ts'
import { checkConfig, readConfig } from './config.ts'

/** The error of a file with this text. */
async function refused(t: TestContext, text: string, name = 'sluice.config.mts'): Promise<SluiceError> {
  const folder = scratch(t)
  writeFileSync(join(folder, name), text)
  const thrown = await readConfig(undefined, folder).then(() => null, (error: unknown) => error)
  assert.ok(thrown instanceof SluiceError, `not refused: ${text}`)
  assert.ok(thrown.exit === 4 && thrown.where.path?.startsWith(folder), thrown.message)
  return thrown
}

test('one pipeline, or several with defaults; paths are those of the file', async (t) => {
  const folder = scratch(t)
  const path = join(folder, 'sluice.config.mts')
  const one = await checkConfig(path, { name: 'orders', load: 'in/*.json', into: 'orders', key: ['id', 'ts'], columns: { id: 'string', ts: 'timestamp' }, maxBad: 3 })
  assert.deepEqual([...one.pipelines.values()], [{ name: 'orders', verb: 'load', members: { into: 'orders', key: 'id,ts', columns: 'id:string,ts:timestamp', maxBad: '3', paths: [join(folder, 'in/*.json')] } }])
  const several = await checkConfig(path, { pipelines: { a: { load: ['x', '/y'], into: 'a' }, 'b.2': { load: 'z', into: 'b', to: 'sqlite:w.db' } }, defaults: { dataDir: 'data', memory: '2GB' } })
  assert.deepEqual([...several.pipelines.keys()], ['a', 'b.2'])
  assert.deepEqual(several.pipelines.get('a')?.members['paths'], [join(folder, 'x'), '/y'])
  assert.equal(several.pipelines.get('b.2')?.members['to'], `sqlite:${join(folder, 'w.db')}`)
  assert.deepEqual(several.defaults, { dataDir: join(folder, 'data'), memory: '2GB' })
  assert.equal(await readConfig(undefined, folder), null)
})

const wrong: [string, string, RegExp][] = [
  ['an unknown member, with the nearest', `{ name: 'o', load: 'in',\n  into: 'o', kye: 'id' }`, /mts:2: kye is no setting; is key meant\?$/],
  ['an unknown member of one of several', `{ pipelines: { orders: {\n load: 'in', into: 'o',\n memroy: '1GB' } } }`, /mts:3: pipelines\.orders\.memroy is no setting; is memory meant\?/],
  ['a member of defaults that belongs to one table', `{ pipelines: {}, defaults: { key: 'id' } }`, /defaults\.key is no setting/],
  ['a wrong kind', `{ name: 'o', load: 'in', into: 'o', jobs: 'many' }`, /: jobs expected a whole number, found text/],
  ['a wrong kind in a list', `{ name: 'o', load: 'in', into: 'o', key: [1] }`, /: key expected text/],
  ['a wrong choice', `{ name: 'o', load: 'in', into: 'o', onBad: 'cry' }`, /onBad expected one of quarantine, fail, skip, found "cry"\.$/],
  ['a wrong size', `{ name: 'o', load: 'in', into: 'o', memory: 'lots' }`, /memory expected a size such as 512MB or 1GB, found "lots"\.$/],
  ['a missing table', `{ name: 'o', load: 'in' }`, /into is missing/],
  ['a missing name', `{ load: 'in', into: 'o' }`, /name is missing: a pipeline that stands alone/],
  ['no verb', `{ name: 'o', laod: 'in', into: 'o' }`, /needs one of load.*is laod meant as load\?/],
  ['another name', `{ pipelines: { a: { name: 'b', load: 'in', into: 'o' } } }`, /pipelines\.a\.name differs from a/],
  ['a member beside pipelines', `{ pipelines: {}, default: {} }`, /default is no member beside pipelines and defaults; is defaults meant\?/],
  ['no object', `'orders'`, /the default export is no object/],
  ['a pair that makes no table', `{ name: 'o', load: 'in', into: 'o', key: 'id', mode: 'upsert', keep: 'first' }`, /--keep first does not go with --mode upsert/],
  ['a key that no table can have', `{ pipelines: { o: { load: 'in', into: 'o', key: 'x', columns: { x: 'double' } } } }`, /pipelines\.o: --key x: a double cannot be a key/],
]
for (const [title, text, says] of wrong) {
  test(`refused with its place: ${title}`, async (t) => {
    const error = await refused(t, `export default ${text}\n`)
    assert.match(error.message, says)
    assert.match(error.code, /^(CONFIG|DEFINITION)_INVALID$/)
  })
}

const broken: [string, string, RegExp, RegExp, string?][] = [
  ['syntax', 'const x = \nexport default {\n', /sluice\.config\.mts:\d.* cannot be read: Expression expected/, /Correct the syntax/],
  ['TypeScript that is not only types', 'const a = 1\nenum A { b }\nexport default { a }\n', /mts:2 cannot be read: TypeScript enum/, /no enum/],
  ['a fault while it runs', 'export const a = 1\nexport default { a: process.env.NOWHERE.x }\n', /mts:2 cannot be read: Cannot read properties/, /failed while it ran/],
  ['a package that is not there', `import { x } from 'no-such-package'\nexport default x\n`, /Cannot find package 'no-such-package'/, /Install the package/],
  ['something thrown that is no error', 'throw 3\n', /cannot be read: 3/, /failed while it ran/],
  ['a promise that is rejected', `export default Promise.reject(new Error('no host'))\n`, /mts:1 cannot be read: no host/, /failed while it ran/],
  ['no default export', 'export const pipeline = {}\n', /has no default export/, /export default definePipeline/],
]
for (const [title, text, says, hint] of broken) {
  test(`a file that cannot be imported says where and why: ${title}`, async (t) => {
    const error = await refused(t, text)
    assert.match(error.message, says)
    assert.match(error.hint, hint)
  })
}

test('a package of CommonJS is told how to name the file', async (t) => {
  const folder = scratch(t)
  writeFileSync(join(folder, 'package.json'), '{"type":"commonjs"}')
  writeFileSync(join(folder, 'sluice.config.ts'), `export default { name: 'o', load: 'in', into: 'o' }\n`)
  await assert.rejects(readConfig(undefined, folder), (error) => error instanceof SluiceError && error.code === 'CONFIG_BROKEN' && /Rename the file to .*sluice\.config\.mts/.test(error.hint))
})

test('two configurations in one folder are one too many', async (t) => {
  const folder = scratch(t)
  for (const name of ['sluice.config.ts', 'sluice.config.mjs']) writeFileSync(join(folder, name), 'export default {}\n')
  await assert.rejects(readConfig(undefined, folder), /There are 2 configuration files/)
  await assert.rejects(readConfig('nowhere.ts', folder), (error) => error instanceof SluiceError && error.code === 'PATH_NOT_FOUND' && error.exit === 6)
  writeFileSync(join(folder, 'settings.json'), '{}')
  for (const name of ['settings.json', '.']) await assert.rejects(readConfig(name, folder), /is no configuration: that is a file named \.ts/)
})
