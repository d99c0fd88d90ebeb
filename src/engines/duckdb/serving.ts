/** What an engine process does when it is loaded: the calls of its parent, one by one or beside one another. */
import type { ConverterEvent } from '../../core/convert.ts'
import type { StageEvent, Standing } from '../../core/engine.ts'
import { SluiceError } from '../../core/errors.ts'
import type { Row } from '../../core/schema.ts'
import { openSplitter } from '../../formats/splitter.ts'
import { installFailpoints } from '../../storage/failpoints.ts'
import { installPoison } from '../../storage/poison.ts'
import { Pulse } from '../../storage/pulse.ts'
import { systemClock } from '../../storage/system.ts'
import { Asked } from './answer.ts'
import { convertFiles } from './convert.ts'
import { Database, isOver } from './database.ts'
import type { Connection } from './database.ts'
import { opening, start } from './opening.ts'
import { PULSE_FD, fromWire, toWire } from './protocol.ts'
import type { Call, ToChild, ToParent } from './protocol.ts'
import { moves } from './motion.ts'
import { readHere, stage } from './stage.ts'
import { inspectPinned } from './inspect.ts'
import { Flow, readStaged } from './streams.ts'
import { Telling } from './telling.ts'

installFailpoints('child')
installPoison()

/** Between two signs of life while nothing is read; milliseconds. */
const BEAT_MS = 1_000

const pulse = new Pulse(PULSE_FD)
setInterval(() => moves() && pulse.beat(), BEAT_MS).unref()

const { memory } = start
let made: Promise<Database> | null = null
/** DuckDB did not open: nothing that is asked here can be answered. */
let unopened = false
let opened: Promise<Database> | null = null
let sessions = 0
let asked: Asked | null = null
const connections = new Map<number, Connection>()
const flows = new Map<number, Flow>()
const questions = new Map<number, PromiseWithResolvers<ReadonlyMap<string, Standing>>>()

// A parent that is gone is noticed by 'disconnect'; what could not be sent then has no reader.
const telling = new Telling((message) => process.send?.(message, undefined, {}, () => undefined), systemClock)

function tell(message: ToParent): void {
  telling.tell(message)
}

/** Told once by each engine that uses this process; the folder can change as long as nothing was spilled. */
async function databaseThatSpillsTo(temp: string): Promise<Database> {
  made ??= Database.over(opening, start).catch((thrown: unknown) => {
    unopened = true
    throw thrown
  })
  const database = await made
  await database.spillTo(temp)
  return database
}

async function database(): Promise<Database> {
  if (opened === null) throw new SluiceError('INTERNAL', 'An engine process was called before it was set up.')
  return opened
}

function connection(session: number): Connection {
  const found = connections.get(session)
  if (found === undefined) throw new SluiceError('INTERNAL', 'This session of the engine is closed.')
  return found
}

function console(): Asked {
  if (asked === null) throw new SluiceError('INTERNAL', 'This engine process is no console.')
  return asked
}

/** Chunk by chunk, as the parent takes them. */
async function send(id: number, chunks: AsyncIterable<Row[]>): Promise<null> {
  const flow = new Flow()
  flows.set(id, flow)
  try {
    for await (const rows of chunks) {
      if (!(await flow.take())) break
      tell({ from: 'chunk', id, rows })
    }
  } finally {
    flows.delete(id)
  }
  return null
}

async function answer(id: number, call: Call): Promise<unknown> {
  switch (call.do) {
    case 'stage': {
      const standing = (shas: string[]): Promise<ReadonlyMap<string, Standing>> => {
        const question = Promise.withResolvers<ReadonlyMap<string, Standing>>()
        questions.set(id, question)
        tell({ from: 'ask', id, shas })
        return question.promise
      }
      const on = (event: StageEvent): void => telling.event(id, event)
      try {
        return await stage(call.job, { memory, database, openSplitter, standing, on, pulse }, call.done)
      } finally {
        pulse.done()
      }
    }
    case 'split': {
      const on = (event: StageEvent): void => telling.event(id, event)
      try {
        return await readHere(call.job, { memory, openSplitter, on, pulse }, { range: call.range, hypothesis: call.hypothesis })
      } finally {
        pulse.done()
      }
    }
    case 'convert': {
      // A file that was converted stays so, whatever becomes of the next one: it is told at once.
      const on = (event: ConverterEvent): void => tell({ from: 'events', id, events: [event] })
      try {
        return await convertFiles(call.job, { database: await database(), openSplitter, on, pulse })
      } finally {
        pulse.done()
      }
    }
    case 'inspect':
      return inspectPinned(call.job, await database(), pulse)
    case 'read':
      return send(id, readStaged(await database(), call.staged, call.what))
    case 'console':
      asked = await Asked.open(await database(), call.setup)
      return asked.names
    case 'ask':
      return console().ask(call.sql)
    case 'answer':
      return send(id, console().rows())
    case 'open': {
      // Another one may be asked for while this one is made.
      const session = ++sessions
      connections.set(session, await (await database()).connect())
      return session
    }
    case 'attached':
      return (await database()).attached()
    case 'widen':
      return connection(call.session).widen(call.columns, call.times)
    case 'exec':
      return connection(call.session).exec(call.sql)
    case 'rows':
      return connection(call.session).rows(call.sql)
    case 'copy':
      return connection(call.session).copy(call.point, call.select, call.uri)
    case 'text':
      return connection(call.session).copyText(call.point, call.select, call.quoted, call.uri)
    case 'close':
      await connection(call.session).close()
      connections.delete(call.session)
      return null
  }
}

async function serve(id: number, call: Call): Promise<void> {
  try {
    tell({ from: 'done', id, value: await answer(id, call) })
  } catch (thrown) {
    tell({ from: 'failed', id, error: toWire(thrown), over: unopened || isOver(thrown) })
  }
}

process.on('message', (message: ToChild) => {
  if (message.to === 'settings') {
    opened = databaseThatSpillsTo(message.settings.temp)
    // Without a call nobody waits for it yet.
    opened.catch(() => undefined)
  } else if (message.to === 'call') {
    // From here on a death is this call's.
    pulse.beat()
    void serve(message.id, message.call)
  }
  else if (message.to === 'more') flows.get(message.id)?.more()
  else if (message.to === 'stop') flows.get(message.id)?.stop()
  else {
    const question = questions.get(message.id)
    questions.delete(message.id)
    if (message.to === 'standing') question?.resolve(message.standing)
    else question?.reject(fromWire(message.error))
  }
})
