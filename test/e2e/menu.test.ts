/** The menu in a real terminal (script(1) makes one): choices show their command and run it, at 60 columns, and it is left cleanly. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { BIN, documentOf, plainEnv, scratch, sluice } from '../command.ts'

const found = spawnSync('script', ['--version'], { encoding: 'utf8' })
const skip = found.status === 0 && found.stdout.includes('util-linux') ? false : 'script(1) of util-linux is not here, so there is no terminal'

/** Waits for each text on the screen and answers it. @returns everything that was on the screen, and the exit code */
function talk(folder: string, dialogue: readonly (readonly [wait: string, answer: string])[], env: Record<string, string> = {}): Promise<{ screen: string; code: number | null }> {
  const command = `stty cols 60 rows 24; exec '${process.execPath}' -- '${BIN}'`
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: folder, env: { ...plainEnv(env), TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'inherit'] })
  const { promise, resolve, reject } = Promise.withResolvers<{ screen: string; code: number | null }>()
  let screen = ''
  let seen = 0
  let step = 0
  const go = (): void => {
    const next = dialogue[step]
    const at = next === undefined ? -1 : screen.indexOf(next[0], seen)
    if (next === undefined || at < 0) return
    seen = at + next[0].length
    step++
    child.stdin.write(next[1])
    go()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text
    go()
  })
  child.on('error', reject)
  child.on('close', (code) => (step === dialogue.length ? resolve({ screen, code }) : reject(new Error(`it ended before ${JSON.stringify(dialogue[step])}:\n${screen}`))))
  return promise
}

function folderOf(t: TestContext): string {
  const folder = scratch(t)
  mkdirSync(join(folder, 'in'))
  writeFileSync(join(folder, 'in/a.json'), '{"records":[{"id":1,"at":"2026-01-02T00:00:00Z"},{"id":2,"at":"2026-01-03T00:00:00Z"},{"at":"2026-01-03T00:00:00Z"}]}')
  return folder
}

/** What stands on the screen, without what moves the cursor and colours. */
// oxlint-disable-next-line no-control-regex
const plain = (screen: string): string => screen.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').replaceAll('\r', '')
const PROMPT = 'choose> '

test('a file, the same file again, quarantine and SQL: each shows its command', { skip }, async (t) => {
  const folder = folderOf(t)
  const { screen, code } = await talk(folder, [
    [PROMPT, '2\n'], ['file> ', 'in/a.json\n'], ['table [a]> ', 'items\n'], ['every record is kept)> ', 'id\n'],
    [PROMPT, '4\n'], ['[y/N]> ', 'y\n'],
    [PROMPT, '5\n'],
    [PROMPT, '6\n'], ['sql (empty: back)> ', 'select count(*) as n from items\n'], ['sql (empty: back)> ', '\n'],
    [PROMPT, '9\n'], [PROMPT, 'q\n'],
  ], { NO_COLOR: '1' })
  const text = plain(screen)
  assert.equal(code, 0, text)
  assert.match(text, /\$ sluice load in\/a\.json --into items --key id\n/)
  assert.match(text, /3 read = 2 inserted \+ 0 updated \+ 0 duplicate \+ 1 quarantined {3}✓ balances/)
  assert.match(text, /\$ sluice load in\/a\.json --into items\n[\s\S]*0 read = 0 inserted/)
  assert.match(text, /\$ sluice load in\/a\.json --into items --reload\n[\s\S]*3 read = 0 inserted \+ 0 updated \+ 2 duplicate \+ 1 quarantined/)
  assert.match(text, /\$ sluice rejects ls\n[\s\S]*KEY_MISSING/)
  assert.match(text, /\$ sluice sql 'select count\(\*\) as n from items'\n[\s\S]*\n +2\n/)
  assert.match(text, /There is no 9; choose 1 to 6, or q\./)
  // Sixty columns hold every line of the menu itself; NO_COLOR leaves no colour in it.
  for (const line of text.split('\n').filter((one) => /^ {2}[1-6q] {2}/.test(one))) assert.ok(line.length <= 60, line)
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(screen, /\u001b\[[0-9;]+m/)
})

test('everything that the configuration has, and one day of it', { skip }, async (t) => {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'sluice.config.mjs'), "export default { pipelines: { items: { load: 'in/*.json', into: 'items', key: 'id', dateField: 'at' }, all: { load: 'in/*.json', into: 'all' } } }")
  const { screen, code } = await talk(folder, [[PROMPT, '3\n'], ['2026-01-31> ', '2026-01-02\n'], ['(items, all) [items]> ', '\n'], [PROMPT, '3\n'], ['2026-01-31> ', '2026-02-30\n'], [PROMPT, '1\n'], [PROMPT, 'q\n']])
  const text = plain(screen)
  assert.equal(code, 0, text)
  assert.match(text, /\$ sluice load --pipeline items --since 2026-01-02 --until 2026-01-03\n/)
  assert.match(text, /2026-02-30 is no day\./)
  assert.match(text, /\$ sluice load --pipeline items\n[\s\S]*\$ sluice load --pipeline all\n/)
  const counted = documentOf(await sluice(['tables', 'count', 'all', '--json'], { cwd: folder })) as { items: { rows: number }[] }
  assert.equal(counted.items[0]?.rows, 3)
})

test('Ctrl-D and Ctrl-C leave, at every prompt; a choice that fails comes back', { skip }, async (t) => {
  const folder = folderOf(t)
  const gone = await talk(folder, [[PROMPT, '\u0004']])
  assert.equal(gone.code, 0, gone.screen)
  assert.equal((await talk(folder, [[PROMPT, '\u0003']])).code, 130)
  const inside = await talk(folder, [[PROMPT, '1\n'], [PROMPT, '4\n'], [PROMPT, '2\n'], ['file> ', '\u0004'], [PROMPT, '2\n'], ['file> ', 'nothing.json\n'], ['table [nothing]> ', '\n'], ['is kept)> ', '\n'], ['PATH_NOT_FOUND', ''], [PROMPT, '6\n'], ['sql (empty: back)> ', '\u0003']])
  assert.equal(inside.code, 130, inside.screen)
  assert.match(plain(inside.screen), /There is no configuration[\s\S]*No file was loaded yet/)
})

test('where nobody sits at a terminal there is a short help, and exit 2', async (t) => {
  const said = await sluice([], { cwd: scratch(t) })
  assert.deepEqual([said.code, said.stdout], [2, ''])
  assert.match(said.stderr, /Usage: sluice/)
})
