/**
 * A process that runs one command after another for a test file: a third of the work of a command is its start, and that of its
 * engine. What a command leaves behind in its process shows where each has its own: with SLUICE_TEST_WHOLE, in `.ci/run`.
 */
import { runCommand } from '../src/cli/run.ts'
import { version } from '../src/cli/version.ts'
import { hideSecretsOf } from '../src/core/secret.ts'

export interface Asked {
  args: readonly string[]
  cwd: string
}

export interface Answered {
  code: number
  stdout: string
  stderr: string
}

/** Collects what is written, as a pipe that is always read. */
function collect(stream: NodeJS.WriteStream): () => string {
  const parts: Buffer[] = []
  stream.write = ((chunk: string | Uint8Array, encoding?: BufferEncoding | (() => void), written?: () => void) => {
    parts.push(typeof chunk === 'string' ? Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8') : Buffer.from(chunk))
    const done = typeof encoding === 'function' ? encoding : written
    if (done !== undefined) process.nextTick(done)
    return true
  })
  return () => Buffer.concat(parts.splice(0)).toString()
}

const home = process.cwd()
const variables = { ...process.env }
const [stdout, stderr] = [collect(process.stdout), collect(process.stderr)]
hideSecretsOf(process.env)

process.on('message', ({ args, cwd }: Asked) => {
  process.chdir(cwd)
  // The command before may have read a file of them.
  for (const name of Object.keys(process.env)) if (variables[name] === undefined) delete process.env[name]
  Object.assign(process.env, variables)
  void runCommand(args, version()).then((code) => {
    // The folder may be gone when the next command comes.
    process.chdir(home)
    process.send?.({ code, stdout: stdout(), stderr: stderr() } satisfies Answered)
  })
})
process.on('disconnect', () => process.exit())
