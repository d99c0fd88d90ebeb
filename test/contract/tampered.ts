/** An engine whose children falsify rows: a child takes the environment over when it starts, which is when it is first needed. */
import type { Engine } from '../../src/core/engine.ts'

export function tamperedBy(spec: string, start: () => Engine): Engine {
  const inner = start()
  const tampering = async <T>(work: () => Promise<T>): Promise<T> => {
    process.env['SLUICE_TAMPER'] = spec
    try {
      return await work()
    } finally {
      delete process.env['SLUICE_TAMPER']
    }
  }
  return {
    ...inner,
    stage: (job, on, signal) => tampering(() => inner.stage(job, on, signal)),
    session: (signal) => tampering(() => inner.session(signal)),
  }
}
