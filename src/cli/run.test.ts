/** The command line as a whole: wrong words, later words, exit codes, one document. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { documentOf, scratch, sluice } from '../../test/command.ts'

test('--version is the one of the package, also as a document', async () => {
  const { version } = (await import('../../package.json', { with: { type: 'json' } })).default
  assert.equal((await sluice(['--version'])).stdout, `${version}\n`)
  assert.deepEqual(documentOf(await sluice(['--version', '--json'])), { schema: 'sluice.version/1', version })
})

test('help goes to stdout, a missing command to stderr with exit code 2', async () => {
  const help = await sluice(['load', '--help'])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /--into <table>/)
  assert.equal(documentOf(await sluice(['--help', '--json']))['schema'], 'sluice.help/1')
  for (const [args, says] of [[['help'], /Usage: sluice \[options\]/], [['help', 'load'], /--into <table>/], [['files', 'help', 'ls'], /--limit <n>/]] as const) {
    const said = await sluice(args)
    assert.deepEqual([said.code, said.stderr], [0, ''], args.join(' '))
    assert.match(said.stdout, says)
  }
  for (const args of [[], ['files'], ['help', 'nonsense']]) {
    const said = await sluice(args)
    assert.deepEqual([said.code, said.stdout], [2, ''])
    assert.match(said.stderr, /Usage: sluice/)
  }
  assert.equal(documentOf(await sluice(['files', '--json']))['code'], 'USAGE')
})

test('an unknown word is answered with the one that was meant', async () => {
  for (const [args, meant] of [[['laod', 'in'], /Did you mean load\?/], [['load', 'in', '--inot', 't'], /Did you mean --into\?/], [['files', 'lst'], /Did you mean ls\?/]] as const) {
    const said = await sluice(args)
    assert.equal(said.code, 2)
    assert.match(said.stderr, /^error\[USAGE\]: /)
    assert.match(said.stderr, meant)
  }
})

test('what is not built yet is refused as LATER, with its name', async () => {
  const later = [['watch', 'in'], ['undo', 'f'], ['why', 't', 'k'], ['files', 'retry'], ['rejects', 'fix', 'q'], ['load', 'in', '--into', 't', '--on-changed', 'append'], ['load', 'in', '--on-changed=append'], ['load', 's3://bucket/in', '--into', 't'], ['load', 'in', '--into', 't', '--to', 'kafka:topic'], ['load', '-', '--into', 't']]
  for (const args of later) {
    const said = await sluice([...args, '--json'])
    const document = documentOf(said)
    assert.deepEqual([said.code, document['code'], document['exit']], [2, 'LATER', 2], args.join(' '))
    assert.match(String(document['message']), /not built yet/)
  }
})

test('every wrong use is one document with the exit code of the process', async (t) => {
  const folder = scratch(t)
  const cases: [string[], string, number][] = [
    [['load'], 'USAGE', 2],
    [['load', 'in'], 'USAGE', 2],
    [['load', 'in', '--into', 't', '--jobs', 'many'], 'USAGE', 2],
    [['load', 'in', '--into', 't', '--progress', 'loud'], 'USAGE', 2],
    [['load', 'in', '--into', 't', '--on-bad', 'cry'], 'USAGE', 2],
    [['load', 'postgres://me@db.example/shop', '--into', 't'], 'USAGE', 2],
    [['runs', 'ls', '--limit', '0'], 'USAGE', 2],
    [['explain', 'NOPE'], 'NOT_FOUND', 6],
    [['files', 'ls'], 'NOT_FOUND', 6],
    [['tables', 'count', 't'], 'NOT_FOUND', 6],
    [['doctor'], 'NOT_FOUND', 6],
  ]
  for (const [args, code, exit] of cases) {
    const said = await sluice([...args, '--json', '--data-dir', join(folder, 'none')])
    const document = documentOf(said)
    assert.deepEqual([said.code, document['schema'], document['code'], document['exit']], [exit, 'sluice.error/1', code, exit], args.join(' '))
    assert.equal(typeof document['hint'], 'string')
    assert.equal(said.stderr, '', args.join(' '))
  }
})

test('explain knows every code, in any case of letters', async () => {
  const said = await sluice(['explain', 'key_missing', '--json'])
  assert.deepEqual((documentOf(said)['items'] as { code: string }[]).map((item) => item.code), ['KEY_MISSING'])
  assert.match((await sluice(['explain', 'KEY_MISSING'])).stdout, /^KEY_MISSING {2}\(data, exit code 3/)
})

test('colour: only where somebody looks, NO_COLOR and FORCE_COLOR decide', async () => {
  const escape = '\u001b['
  assert.ok(!(await sluice(['laod'])).stderr.includes(escape))
  assert.ok((await sluice(['laod'], { env: { FORCE_COLOR: '1' } })).stderr.includes(escape))
  assert.ok(!(await sluice(['laod', '--no-color'], { env: { FORCE_COLOR: '1' } })).stderr.includes(escape))
})

test('a closed stdout ends the command quietly', async () => {
  const said = await sluice(['explain'], { onStart: (child) => child.stdout?.destroy() })
  assert.deepEqual([said.code, said.stderr], [0, ''])
})
