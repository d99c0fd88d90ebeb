/**
 * A ledger in a process of its own: forked, called over IPC, killed for real. Run as a program it is that process; imported
 * it gives `startLedgerProcess`.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Ledger } from '../../src/core/ledger.ts'
import { openLedger } from '../../src/ledger/sqlite.ts'
import { systemClock, systemRandom } from '../../src/storage/system.ts'

interface Call {
  n: number
  method: string
  args: unknown[]
}
type Answer = { n: number; value: unknown } | { n: number; error: { code: string; message: string } }

/** Every method of the ledger but `restore`, which takes a stream, and `id`. */
export async function startLedgerProcess(folder: string): Promise<{ ledger: Ledger; pid: number; kill(signal?: NodeJS.Signals): Promise<void> }> {
  const child = fork(fileURLToPath(import.meta.url), [folder], { serialization: 'advanced', execArgv: ['--disable-warning=ExperimentalWarning'] })
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  child.on('message', (answer: Answer) => {
    const call = waiting.get(answer.n)
    if ('value' in answer) call?.resolve(answer.value)
    else call?.reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }))
  })
  child.on('exit', () => waiting.forEach((call) => call.reject(new Error('the ledger process is gone'))))
  let calls = 0
  const ask = (method: string, args: unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(++calls, { resolve, reject })
      child.send({ n: calls, method, args } satisfies Call)
    })
  const worker = await ask('worker', [])
  // A promise must not look like one more ledger: `then` is no method of it.
  const ledger = new Proxy({ worker } as Ledger, {
    get: (own, method: string) => (method === 'worker' ? own.worker : method === 'then' ? undefined : (...args: unknown[]) => ask(method, args)),
  })
  return {
    ledger,
    pid: child.pid ?? 0,
    async kill(signal = 'SIGKILL') {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill(signal)
      await once(child, 'exit')
    },
  }
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) {
  const ledger = await openLedger(process.argv[2] ?? '', { clock: systemClock, random: systemRandom })
  process.on('disconnect', () => process.exit())
  process.on('message', (call: Call) => {
    const answer = (a: Answer): void => void process.send?.(a)
    if (call.method === 'worker') return answer({ n: call.n, value: ledger.worker })
    const method = Reflect.get(ledger, call.method) as (...args: unknown[]) => Promise<unknown>
    method.apply(ledger, call.args).then(
      (value) => answer({ n: call.n, value }),
      (thrown: { code?: string; message: string }) => answer({ n: call.n, error: { code: thrown.code ?? '', message: thrown.message } }),
    )
  })
}
