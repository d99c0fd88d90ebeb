/**
 * `sluice.uuid5(text)`: ids of models, as `models/uuid.ts` computes them.
 *
 * PostgreSQL has no sha1() of its own. Where pgcrypto is there, or may be made (any role that may create in the database may
 * do that, since 13), its digest() is used: 212,751 names take 1.6 s on a busy machine, the digests alone 1.3 s. Elsewhere
 * SHA-1 is computed in plpgsql, with the same result and 0.4 ms for each name. Having the ids computed by this process was
 * weighed: names and ids would cross the connection with every refresh, also inside of a query that only groups by them.
 */
import { NAMESPACE_HEX } from '../../models/uuid.ts'

/** @param digest `schema.digest` of pgcrypto, quoted; null: there is none */
export function uuid5Statements(schema: string, digest: string | null): string[] {
  const hash = digest === null ? `${schema}.sha1(named)` : `${digest}(named, 'sha1')`
  const uuid5 = `CREATE FUNCTION ${schema}.uuid5(name text) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $sluice$
DECLARE
  named bytea := decode('${NAMESPACE_HEX}', 'hex') || convert_to(name, 'UTF8');
  h bytea := substring(${hash} FROM 1 FOR 16);
BEGIN
  RETURN CAST(encode(set_byte(set_byte(h, 6, (get_byte(h, 6) & 15) | 80), 8, (get_byte(h, 8) & 63) | 128), 'hex') AS uuid);
END $sluice$`
  return digest === null ? [sha1(schema), uuid5] : [uuid5]
}

const ROUNDS: readonly (readonly [from: number, to: number, mix: string, constant: number])[] = [
  [0, 19, '((b & c) | ((~b & m) & d))', 0x5a827999],
  [20, 39, '((b # c) # d)', 0x6ed9eba1],
  [40, 59, '(((b & c) | (b & d)) | (c & d))', 0x8f1bbcdc],
  [60, 79, '((b # c) # d)', 0xca62c1d6],
]

/** Operators of bits have one precedence there, so every one has its brackets. */
function sha1(schema: string): string {
  const word = [0, 1, 2, 3].map((byte) => `(CAST(get_byte(padded, block * 64 + i * 4 + ${byte}) AS bigint) << ${24 - 8 * byte})`)
  const rounds = ROUNDS.map(([from, to, mix, constant]) => `    FOR i IN ${from} .. ${to} LOOP
      t := (((((a << 5) & m) | (a >> 27)) + ${mix}) + e + ${constant} + w[i]) & m; e := d; d := c; c := ((b << 30) & m) | (b >> 2); b := a; a := t;
    END LOOP;`)
  return `CREATE FUNCTION ${schema}.sha1(input bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $sluice$
DECLARE
  m CONSTANT bigint := 4294967295; padded bytea; w bigint[]; x bigint; t bigint;
  a bigint; b bigint; c bigint; d bigint; e bigint;
  h0 bigint := 1732584193; h1 bigint := 4023233417; h2 bigint := 2562383102; h3 bigint := 271733878; h4 bigint := 3285377520;
BEGIN
  padded := input || decode('80' || repeat('00', (119 - length(input) % 64) % 64) || lpad(to_hex(CAST(length(input) AS bigint) * 8), 16, '0'), 'hex');
  FOR block IN 0 .. length(padded) / 64 - 1 LOOP
    FOR i IN 0 .. 15 LOOP
      w[i] := ${word.join(' | ')};
    END LOOP;
    FOR i IN 16 .. 79 LOOP
      x := ((w[i - 3] # w[i - 8]) # w[i - 14]) # w[i - 16]; w[i] := ((x << 1) & m) | (x >> 31);
    END LOOP;
    a := h0; b := h1; c := h2; d := h3; e := h4;
${rounds.join('\n')}
    h0 := (h0 + a) & m; h1 := (h1 + b) & m; h2 := (h2 + c) & m; h3 := (h3 + d) & m; h4 := (h4 + e) & m;
  END LOOP;
  RETURN decode(concat(lpad(to_hex(h0), 8, '0'), lpad(to_hex(h1), 8, '0'), lpad(to_hex(h2), 8, '0'), lpad(to_hex(h3), 8, '0'), lpad(to_hex(h4), 8, '0')), 'hex');
END $sluice$`
}
