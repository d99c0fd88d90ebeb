/**
 * The order in which paths are numbered: runs of digits compare as numbers (f2 before f10), everything else by UTF-8 bytes;
 * paths that are equal so far (f1, f01) by their bytes.
 */
const ZERO = 48
const NINE = 57

function isDigit(unit: number): boolean {
  return unit >= ZERO && unit <= NINE
}

/** Negative: `a` comes first. Zero only for equal texts. */
export function comparePaths(a: string, b: string): number {
  let i = 0
  let j = 0
  while (i < a.length && j < b.length) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(j)
    if (isDigit(x) && isDigit(y)) {
      const startA = skipZeros(a, i)
      const startB = skipZeros(b, j)
      i = endOfDigits(a, startA)
      j = endOfDigits(b, startB)
      // Without leading zeros the longer number is the larger one.
      if (i - startA !== j - startB) return i - startA - (j - startB)
      for (let k = 0; k < i - startA; k++) {
        const difference = a.charCodeAt(startA + k) - b.charCodeAt(startB + k)
        if (difference !== 0) return difference
      }
    } else if (x !== y) return compareUnits(x, y)
    else {
      i++
      j++
    }
  }
  return a.length - i - (b.length - j) || compareBytes(a, b)
}

/** UTF-16 puts surrogate pairs before U+E000 … U+FFFF, UTF-8 after. */
function compareUnits(x: number, y: number): number {
  const high = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)
  return high(x) - high(y)
}

function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let k = 0; k < length; k++) {
    const difference = compareUnits(a.charCodeAt(k), b.charCodeAt(k))
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function skipZeros(text: string, from: number): number {
  let at = from
  while (at < text.length && text.charCodeAt(at) === ZERO) at++
  return at
}

function endOfDigits(text: string, from: number): number {
  let at = from
  while (at < text.length && isDigit(text.charCodeAt(at))) at++
  return at
}
