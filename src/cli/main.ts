/** From the words of the command line to an exit code. Everything heavy is imported by the command that needs it. */
import { asSluiceError } from '../core/errors.ts'
import { hideSecretsOf } from '../core/secret.ts'
import { installFailpoints } from '../storage/failpoints.ts'
import { listenToWrapper } from './signals.ts'
import { version } from './version.ts'

/** Runs one command and leaves its exit code in the process. Never throws. */
export async function main(args: readonly string[]): Promise<void> {
  installFailpoints('parent')
  hideSecretsOf(process.env)
  listenToWrapper()
  quietOnBrokenPipe()
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
    process.stdout.write(`${version()}\n`)
    return
  }
  const { startEngineEarly } = await import('./early.ts')
  await startEngineEarly(args, process.env)
  try {
    const { runCommand } = await import('./run.ts')
    process.exitCode = await runCommand(args, version())
  } catch (thrown) {
    // Only a fault in the command line itself comes here: commands answer for their own errors.
    process.stderr.write(`error[INTERNAL]: ${asSluiceError(thrown).message}\n`)
    process.exitCode = 1
  }
}

/** `sluice tables head t | head -1` closes our stdout: that is no error, and there is nobody left to tell. */
function quietOnBrokenPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
}
