#!/usr/bin/env -S node --
// The -- keeps Node from looking for the file of our --env-file itself, and ending when it is not there.
// Starts Sluice on a Node that can run it. Plain JavaScript that Node 18 can parse.
//
// Node 24.15 or newer: runs the sources of a clone, or what was built of them in an installed package. In a clone the
// sources win, so that a stale build is never run. An older Node runs the one that `npm ci` put into the clone instead
// and hands signals and exit code through; without one it says so and ends with 4.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NEEDED = [24, 15]

function newEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])
}

/** `import.meta.url` is the real path, so links to this file and any working folder are fine. */
function beside(path) {
  return fileURLToPath(new URL(path, import.meta.url))
}

async function here() {
  const source = new URL('../src/cli/main.ts', import.meta.url)
  const built = new URL('../dist/main.js', import.meta.url)
  // Before anything is imported: compiling takes longer than reading what was compiled last time.
  const { enableCompileCache } = await import('node:module')
  enableCompileCache()
  const { main } = await import(existsSync(source) ? source.href : built.href)
  await main(process.argv.slice(2))
}

/**
 * Runs the clone's Node. A terminal's Ctrl-C reaches the child by itself, a `kill` of this process does not: SIGINT and
 * SIGTERM are told over a channel, where the child counts them beside those that it got itself (src/cli/signals.ts), so
 * none counts twice. The closed channel also tells the child that this process was killed.
 */
function there(node) {
  const child = spawn(node, ['--', fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, SLUICE_WRAPPED: '1' },
  })
  let late = false
  const tell = (signal) => {
    if (child.connected) child.send({ sluiceSignal: signal }, () => {})
    // It has closed the channel, so it is ending already, perhaps because a terminal sent it the same signal, which would now
    // take its exit code from it. Whoever asks again means it.
    else if (late) child.kill(signal)
    else late = true
  }
  process.on('SIGINT', tell)
  process.on('SIGTERM', tell)
  process.on('SIGHUP', () => child.kill('SIGHUP'))
  child.on('error', (error) => tooOld(`Its replacement ${node} does not start: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code === null ? 1 : code)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

function tooOld(detail) {
  const message = `This is Node ${process.versions.node}; Sluice needs ${NEEDED.join('.')} or newer. ${detail}`
  const hint = 'Install Node 24.15 or newer, or run npm ci in the clone: it brings one.'
  const args = process.argv.slice(2)
  const end = args.indexOf('--')
  if ((end < 0 ? args : args.slice(0, end)).includes('--json')) {
    process.stdout.write(`${JSON.stringify({ schema: 'sluice.error/1', code: 'NODE_TOO_OLD', message, hint, exit: 4 })}\n`)
  } else {
    process.stderr.write(`error[NODE_TOO_OLD]: ${message}\n  help: ${hint}\n`)
  }
  process.exitCode = 4
}

if (newEnough(process.versions.node)) {
  await here()
} else {
  const node = beside(`../node_modules/node-linux-${process.arch}/bin/node`)
  if (process.platform === 'linux' && existsSync(node)) there(node)
  else tooOld('There is no newer one beside it.')
}
