/**
 * Made-up data in the shape of real deliveries, for the examples and the bench; the same seed gives the same bytes.
 *
 *   products        CSV: name, sku, description. Of 500,000 rows 466,693 skus and 212,751 names differ; a row that repeats a
 *                   sku has another description, as a corrected product has.
 *   events          JSON array: id, event_type, username, user_email, user_type, organization_name, plan_name, received_at.
 *                   One in twenty is delivered twice.
 *   organizations   JSON array: organization_key, organization_name, created_at.
 */
import { randomBits } from './records.ts'

export interface Sample {
  /** Path below the folder. */
  file: string
  /** Text in pieces. */
  text: () => Iterable<string>
  records: number
  /** Different keys (sku, id, organization_key). */
  keys: number
}

const PIECE = 1000
const WORDS = 'able acid aged also area army away baby back ball band bank base bath bear beat been beer bell belt best bill bird blow blue boat body bomb bond bone book boom born boss both bowl bulk burn bush busy call calm came camp card care case cash cast cell chat chip city club coal coat code cold come cook cool cope copy core'.split(' ')
const FIRST = syllables('Ad Be Ca Do El Fa Gi Ha Is Jo Ka Le Mi No Ol Pa Qui Ro Sa Ti'.split(' '), 'na ra la mo vin bert dy ssa ric lo than mir ton nie ya das lia fred win rik ca gus le min'.split(' '))
const LAST = syllables('Ash Bar Clay Dun East Fair Green Hart In Jack King Lang Mar Nor Oak Park Quin Rey South Thorn'.split(' '), 'ton well field son ley man er wood ford by worth shaw den brook low burn stead ham more croft gate land ridge hill'.split(' '))

function syllables(heads: readonly string[], tails: readonly string[]): string[] {
  return heads.flatMap((head) => tails.map((tail) => head + tail))
}

const at = (list: readonly string[], i: number): string => list[i % list.length] ?? ''

/** Person number n: different for every n below 230,400. */
function person(n: number): string {
  const scattered = (n * 91_529) % (FIRST.length * LAST.length)
  return `${at(FIRST, scattered)} ${at(LAST, Math.floor(scattered / FIRST.length))}`
}

function* pieces(records: number, one: (n: number) => string, between: string): Generator<string> {
  for (let from = 0; from < records; from += PIECE) {
    const some: string[] = []
    for (let n = from; n < Math.min(records, from + PIECE); n++) some.push(one(n))
    yield (from === 0 ? '' : between) + some.join(between)
  }
}

/** Sku number n: different for every n below 13 million. */
function sku(n: number): string {
  const scattered = (n * 7_368_787) % WORDS.length ** 4
  return [0, 1, 2, 3].map((digit) => at(WORDS, Math.floor(scattered / WORDS.length ** digit))).join('-')
}

function products(rows: number, seed: number): Sample {
  const keys = Math.max(1, Math.round((rows * 466_693) / 500_000))
  const names = Math.max(1, Math.round((rows * 212_751) / 500_000))
  const row = (n: number): string => {
    const of = n < keys ? n : (n * 7919 + seed) % keys
    const words = Array.from({ length: 6 + ((n + seed) % 9) }, (_, i) => at(WORDS, n * 31 + i * 17 + seed)).join(' ')
    // Quotes, commas and line ends, as people type them.
    const description = n % 50 === 0 ? `"${words},\nand a ""special"" one"` : n % 7 === 0 ? `"${words}, ${at(WORDS, n)}"` : words
    return `${person(n % names)},${sku(of)},${description}\n`
  }
  return {
    file: 'products.csv', records: rows, keys,
    text: function* () {
      yield 'name,sku,description\n'
      yield* pieces(rows, row, '')
    },
  }
}

const FIRST_DAY = Date.UTC(2020, 11, 6)
const DAYS = 5
const EVENT_TYPES = ['User Created', 'User Updated', 'User Deleted', 'Plan Changed', 'Signed In']
const USER_TYPES = ['Admin', 'Manager', 'User']
const PLANS = ['Employees', 'Gold', 'Basic']
const ORGANIZATIONS = 40

function organizationName(n: number): string {
  return `${at(LAST, n * 37)} ${at(['Ltd', 'Inc', 'GmbH', 'Group'], n)}`
}

/** `2020-12-08 20:03:16.759617` */
function instant(day: number, micros: number): string {
  const millis = Math.floor(micros / 1000)
  return `${new Date(FIRST_DAY + day * 86_400_000 + millis).toISOString().slice(0, 23).replace('T', ' ')}${String(micros % 1000).padStart(3, '0')}`
}

/** @param from number of the first event: files with other numbers hold other events */
function eventsFile(file: string, records: number, seed: number, from: number): Sample {
  const twice = Math.floor(records / 20)
  const keys = records - twice
  const event = (n: number): string => {
    const of = from + (n < keys ? n : (n * 7919 + seed) % keys)
    const bits = randomBits(seed * 1_000_003 + of)
    const user = person(bits() % 900)
    const email = `${user.toLowerCase().replace(' ', '.')}@example.com`
    return JSON.stringify({
      id: hex(bits(), 8) + hex(bits(), 8) + hex(of, 8),
      event_type: at(EVENT_TYPES, bits()),
      username: user,
      user_email: email,
      user_type: at(USER_TYPES, bits()),
      organization_name: organizationName(bits() % ORGANIZATIONS),
      plan_name: at(PLANS, bits()),
      received_at: instant(bits() % DAYS, (bits() * 20) % 86_400_000_000),
    })
  }
  return { file, records, keys, text: () => array(pieces(records, event, ',\n')) }
}

function hex(value: number, width: number): string {
  return (value >>> 0).toString(16).padStart(width, '0').slice(-width)
}

function* array(inner: Iterable<string>): Generator<string> {
  yield '['
  yield* inner
  yield ']\n'
}

function organizations(seed: number): Sample {
  const one = (n: number): string => JSON.stringify({ organization_key: hex(n * 2_654_435_761 + seed, 8), organization_name: organizationName(n), created_at: instant(0, n * 1_000_003) })
  return { file: 'organizations/organizations_sample.json', records: ORGANIZATIONS, keys: ORGANIZATIONS, text: () => array(pieces(ORGANIZATIONS, one, ',\n')) }
}

/** Events of five days, the organizations that they name, and a small file of other events of the same shape. */
function events(records: number, seed: number): Sample[] {
  return [
    eventsFile('events/events_sample.json', records, seed, 0),
    organizations(seed),
    eventsFile('custom_sample.json', Math.max(1, Math.round(records / 100)), seed, records),
  ]
}

export const SAMPLES = ['products', 'events'] as const
export type SampleName = (typeof SAMPLES)[number]

/** What each sample writes; `records` of its main file. */
export const SAMPLE_MAKERS: Readonly<Record<SampleName, (records: number, seed: number) => Sample[]>> = {
  products: (records, seed) => [products(records, seed)],
  events,
}
