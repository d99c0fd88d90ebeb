/** The contract, on the ledger in memory. */
import { ledgerContract } from '../contract/ledger.ts'
import { NOW } from '../contract/ledger-scene.ts'
import { systemClock, systemRandom } from '../../src/storage/system.ts'
import { MemoryLedger } from './ledger.ts'
import { MemoryState } from './ledger-state.ts'

ledgerContract('memory', async () => {
  const state = new MemoryState()
  const deps = { clock: { ...systemClock, now: () => NOW }, random: systemRandom }
  return {
    ledger: new MemoryLedger(state, deps),
    async other() {
      const ledger = new MemoryLedger(state, deps)
      return { ledger, kill: async () => state.declareDead(ledger.worker) }
    },
    dispose: async () => {},
  }
})
