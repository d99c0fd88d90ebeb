/** `sluice doctor`: does everything hold what it says? Exit 0 when it does, 1 when something is broken, else that of what could not be looked at. */
import { Command } from 'commander'
import { plural } from './format.ts'
import { browsing } from './listing.ts'
import type { Output } from './output.ts'
import type { Run } from './program.ts'

export function doctorCommand(run: Run): Command {
  return new Command('doctor').description('check that tables, records and ledger agree; changes nothing').action(() => run(doctor)({}))
}

function doctor(output: Output): Promise<number> {
  return browsing(output, async (browser) => {
    const { checkup } = await import('../service/doctor.ts')
    const found = await checkup(browser)
    const { exit } = found
    output.document({ schema: 'sluice.doctor/1', clean: found.clean, exit, tables: found.tables, arrivals: found.arrivals, findings: found.findings })
    for (const finding of found.findings) {
      const word = finding.grade === 'broken' ? output.style('red', '✗ broken ', output.stdout) : finding.grade === 'unseen' ? output.style('yellow', '? unseen ', output.stdout) : output.style('dim', `· ${finding.grade}`, output.stdout)
      output.result(`${word}  ${finding.path}  ${finding.message}`)
    }
    const looked = `${plural(found.tables, 'table')}, ${plural(found.arrivals, 'arrival')}`
    output.result(found.clean ? `✓ clean: ${looked}` : exit === 1 ? `✗ not clean: ${looked}. Do not load until this is cleared up.` : `? clean as far as it could be seen: ${looked}. Run it again when the rest can be reached.`)
    return exit
  })
}
