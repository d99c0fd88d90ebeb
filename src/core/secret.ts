/**
 * Secrets, and keeping them out of everything that is written. A `Secret` shows itself as `***` wherever it is printed;
 * `redact` takes passwords out of addresses, and the values of secrets out of any text.
 */
const HIDDEN = '***'
/** Shorter values would be found in innocent text. */
const SHORTEST = 6

const known = new Set<string>()

/** From now on `redact` takes the value out of every text, also as it stands in JSON and in addresses. */
function hide(value: string): void {
  if (value.length < SHORTEST) return
  for (const form of [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)]) known.add(form)
}

/** A value that can be used and not be printed. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
    hide(value)
  }
  /** The value itself: for the call that needs it, never for a message. */
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return HIDDEN
  }
  toJSON(): string {
    return HIDDEN
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return HIDDEN
  }
}

const NAME = /(^|[_-])(PASSWORD|PASSWD|PASSPHRASE|PWD|SECRET|TOKEN|CREDENTIALS?|API[_-]?KEY|ACCESS[_-]?KEY|PRIVATE[_-]?KEY)($|[_-])/i

/** Does a variable of this name hold a secret? */
export function isSecretName(name: string): boolean {
  // PWD and OLDPWD are the shell's folders.
  return name !== 'PWD' && name !== 'OLDPWD' && NAME.test(name)
}

/** From now on the values of these variables appear in no text that passes `redact`. */
export function hideSecretsOf(variables: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined || value === '') continue
    if (isSecretName(name)) hide(value)
    // An address is no secret, the password in it is.
    const password = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*?:([^/?#\s]+)@/i.exec(value)?.[1]
    if (password === undefined) continue
    hide(password)
    try {
      hide(decodeURIComponent(password))
    } catch {
      // Not encoded: as it is written is all there is.
    }
  }
}

// user:password@ of an address, also with an empty user. A password that should have been encoded may hold / and @: rather
// too much is hidden than too little.
const ADDRESS = /([a-z][a-z0-9+.-]*:\/\/[^\s/?#:@"'<>]*):[^\s"'<>]*@/gi
// ?password=…&token=… of an address
const QUERY = /([?&;](?:[a-z0-9_.-]*[_.-])?(?:password|passwd|pwd|secret|token|signature|sig|credential|api[_-]?key|access[_-]?key)=)[^&;\s"'#]*/gi

/** The text without passwords in addresses and without the values of known secrets. */
export function redact(text: string): string {
  let clean = text
  if (clean.includes('://')) clean = clean.replace(ADDRESS, `$1:${HIDDEN}@`).replace(QUERY, `$1${HIDDEN}`)
  for (const value of known) if (clean.includes(value)) clean = clean.replaceAll(value, HIDDEN)
  return clean
}
