/** bin/sluice.js: under an old Node, through a link, from any folder, with and without a Node beside it, with signals. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { documentOf, plainEnv, scratch, sluice } from '../../test/command.ts'

/** A Node below 24 in PATH, outside of the clone. */
function oldNode(): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, 'node')
    if (folder.includes('node_modules') || !existsSync(path)) continue
    const version = spawnSync(path, ['--version'], { encoding: 'utf8', env: plainEnv() }).stdout
    if (Number(/^v(\d+)\./.exec(version ?? '')?.[1] ?? 99) < 24) return path
  }
  return null
}

const old = oldNode()
const skip = old === null ? 'there is no Node below 24 in PATH' : false
const node = old ?? ''

/** That of the clone, which runs its sources. */
const BIN = join(import.meta.dirname, '../../bin/sluice.js')

/** A package whose command is `program`, started by the real bin/sluice.js; with or without the clone's Node. */
function trial(t: TestContext, program: string, withNode: boolean): string {
  const folder = scratch(t)
  mkdirSync(join(folder, 'bin'))
  mkdirSync(join(folder, 'dist'))
  cpSync(BIN, join(folder, 'bin/sluice.js'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  mkdirSync(join(folder, 'parts'))
  cpSync(join(import.meta.dirname, 'signals.ts'), join(folder, 'parts/signals.ts'))
  writeFileSync(join(folder, 'dist/main.js'), `import { listenToWrapper, onInterruption, EXIT_OF } from '../parts/signals.ts'\nexport async function main(args) { listenToWrapper(); ${program} }\n`)
  if (withNode) {
    const place = join(folder, `node_modules/node-linux-${process.arch}/bin`)
    mkdirSync(place, { recursive: true })
    symlinkSync(process.execPath, join(place, 'node'))
  }
  return join(folder, 'bin/sluice.js')
}

// Says when it is ready and what it hears; ends with the second signal, or without the word `twice` a while after the first,
// so that a first one that counts twice would be heard.
const STOPPING = `
  const stop = onInterruption((times) => console.log('heard ' + times))
  console.log('ready')
  await new Promise((resolve) => {
    const alive = setInterval(() => {}, 1000)
    const end = () => { clearInterval(alive); resolve() }
    if (args[0] !== 'twice') stop.signal.addEventListener('abort', () => setTimeout(end, 800).unref())
    stop.now.addEventListener('abort', end)
  })
  process.exitCode = EXIT_OF[stop.by]
  stop.release()`

/** Calls `send` with the process's id when it says `word` for the first time. */
function when(word: string, send: (pid: number) => void) {
  return (child: { pid?: number; stdout: NodeJS.ReadableStream | null }): void => {
    let sent = false
    child.stdout?.on('data', (text: string) => {
      if (sent || !text.includes(word)) return
      sent = true
      send(child.pid ?? 0)
    })
  }
}
const whenReady = (send: (pid: number) => void) => when('ready', send)

test('the bin parses under old Nodes: no syntax newer than 18', () => {
  const text = readFileSync(BIN, 'utf8')
  assert.doesNotMatch(text, /\busing\b|import\.meta\.(dirname|filename)|withResolvers|toSorted/)
  if (old !== null) assert.equal(spawnSync(old, ['--check', BIN]).status, 0)
})

test('under an old Node the clone’s own is taken, from any folder and through a link', { skip }, async (t) => {
  const folder = scratch(t)
  symlinkSync(BIN, join(folder, 'sluice'))
  const said = await sluice(['explain', 'NOPE', '--json'], { node, cwd: '/', bin: join(folder, 'sluice') })
  assert.deepEqual([said.code, documentOf(said)['code']], [6, 'NOT_FOUND'])
})

test('without a newer Node there is one sentence and exit code 4', { skip }, async (t) => {
  const bin = trial(t, 'console.log("ran")', false)
  const said = await sluice(['load', 'in'], { node, bin })
  assert.deepEqual([said.code, said.stdout], [4, ''])
  assert.match(said.stderr, /^error\[NODE_TOO_OLD\]: This is Node \d+\.\d+\.\d+; Sluice needs 24\.15 or newer\./)
  const document = documentOf(await sluice(['load', 'in', '--json'], { node, bin }))
  assert.deepEqual([document['schema'], document['code'], document['exit']], ['sluice.error/1', 'NODE_TOO_OLD', 4])
})

test('a Node that is new enough runs the package itself, without sources', async (t) => {
  const said = await sluice(['a', 'b'], { bin: trial(t, 'console.log(args.join("-")); process.exitCode = 7', false) })
  assert.deepEqual([said.code, said.stdout], [7, 'a-b\n'])
})

test('exit code and death by a signal come through', { skip }, async (t) => {
  const said = await sluice(['x'], { node, bin: trial(t, 'process.exitCode = 3', true) })
  assert.equal(said.code, 3)
  const dead = await sluice(['x'], { node, bin: trial(t, 'process.kill(process.pid, "SIGKILL"); await new Promise(() => setInterval(() => {}, 1000))', true) })
  assert.equal(dead.signal, 'SIGKILL')
})

test('a signal to the outer process is heard once inside', { skip }, async (t) => {
  for (const [signal, code] of [['SIGTERM', 143], ['SIGINT', 130]] as const) {
    const said = await sluice([], { node, bin: trial(t, STOPPING, true), onStart: whenReady((pid) => process.kill(pid, signal)) })
    assert.deepEqual([said.code, said.stdout], [code, 'ready\nheard 1\n'])
  }
})

test('a signal to both, as of a terminal, is heard once; a second one is the second', { skip }, async (t) => {
  const bin = trial(t, STOPPING, true)
  // By two calls the first process could have told the second, and it could have ended, before its own signal is sent.
  const both = (pid: number): boolean => process.kill(-pid, 'SIGINT')
  const once = await sluice([], { node, bin, group: true, onStart: whenReady(both) })
  assert.deepEqual([once.code, once.stdout], [130, 'ready\nheard 1\n'])
  const twice = await sluice(['twice'], {
    node,
    bin,
    group: true,
    onStart: (child) => {
      whenReady(both)(child)
      when('heard 1', both)(child)
    },
  })
  assert.deepEqual([twice.code, twice.stdout], [130, 'ready\nheard 1\nheard 2\n'])
})

test('a command that hangs after it has ended dies of the next signal', { skip }, async (t) => {
  const hanging = `const stop = onInterruption(() => {}); console.log('ready')
    stop.signal.addEventListener('abort', () => { stop.release(); console.log('released') })
    await new Promise(() => setInterval(() => {}, 1000))`
  const kill = (pid: number): void => void process.kill(pid, 'SIGTERM')
  const said = await sluice([], {
    node,
    bin: trial(t, hanging, true),
    onStart: (child) => {
      whenReady(kill)(child)
      when('released', kill)(child)
    },
  })
  assert.deepEqual([said.signal, said.stdout], ['SIGTERM', 'ready\nreleased\n'])
})

test('a command that handles no signals dies of it, and so does the outer process', { skip }, async (t) => {
  const said = await sluice([], { node, bin: trial(t, 'console.log("ready"); await new Promise(() => setInterval(() => {}, 1000))', true), onStart: whenReady((pid) => process.kill(pid, 'SIGTERM')) })
  assert.equal(said.signal, 'SIGTERM')
})

test('kill -9 of the outer process ends the inner one', { skip }, async (t) => {
  // The pipe closes only when the last process that has it is gone: `sluice` would never answer.
  const said = await sluice([], { node, bin: trial(t, STOPPING, true), onStart: whenReady((pid) => process.kill(pid, 'SIGKILL')) })
  assert.deepEqual([said.signal, said.stdout], ['SIGKILL', 'ready\n'])
})
