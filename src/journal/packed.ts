import { Failure } from '../kernel/failure.ts';
import { ID_BYTES, readId, writeId } from '../kernel/ids.ts';

/**
 * How a box is written before it is sealed: one byte for the format, its salt, the digest of the other box; then, for each field, one byte for its
 * name (0: a name that is spelled out) and its value. Values are canonical JSON; what most entries hold takes less. None of this is hashed: the
 * commitment is to names and canonical values (payload.ts).
 */

/** Fields in the order of their names, each value written canonically. */
export type Texts = readonly (readonly [name: string, text: string])[];

export const SALT_BYTES = 16;
const DIGEST = 32;
const FORMAT = 1;

/** Part of the format, as `WORDS` and `KIND` are: something is added at the end, nothing is ever changed. */
const NAMES = [
  ...['actor', 'administration', 'aidant', 'demarche', 'mandate', 'organisation', 'outcome', 'service', 'session', 'theme', 'usager', 'verb'],
  ...['detail.aidantName', 'detail.organisationName', 'detail.serviceName', 'detail.administrationName', 'detail.demarcheLabel'],
  ...['detail.demarcheLabelEn', 'detail.reference', 'detail.at', 'detail.outsideMandate', 'detail.reason', 'detail.by', 'detail.method'],
  ...['detail.themes', 'detail.days', 'detail.demarches', 'detail.readOnly', 'detail.singleUse', 'detail.endsAt', 'detail.expiresAt'],
  ...['detail.textHash', 'detail.privileges', 'detail.reported', 'detail.acr', 'detail.amr', 'detail.kind', 'detail.purpose', 'detail.template'],
  ...['detail.channel', 'detail.attempts', 'detail.left', 'detail.sessions', 'detail.entry', 'detail.entries', 'detail.event', 'detail.hash'],
  ...['detail.name', 'detail.subject', 'detail.acknowledgedAt', 'detail.witnessName', 'detail.receivedBy', 'detail.from', 'detail.to'],
];
const CODES: ReadonlyMap<string, number> = new Map(NAMES.map((name, i) => [name, i + 1]));
const SPELLED = 0;

/** Whole values. */
const WORDS = [
  ...['true', 'false', 'null', '"accepted"', '"refused"', '"failed"', '"read"', '"declare"', '"change"'],
  ...['"argent"', '"emploi"', '"famille"', '"logement"', '"papiers"', '"sante"', '"social"', '"cli"', '"system"', '"usager"', '"franceconnect"'],
  ...['["read"]', '["declare","read"]', '["read","declare"]', '"mail"', '"sms"', '"paper"', '"totp"', '"passkey"'],
];
const WORD_CODES: ReadonlyMap<string, number> = new Map(WORDS.map((word, i) => [word, i]));

/** The first byte of a value: below `long` the length of its text, which follows. */
const KIND = { long: 0xf0, id: 0xf1, instant: 0xf2, word: 0xf3 } as const;
/** How many bytes a length above that takes. */
const LENGTH = 3;
const INSTANT_BYTES = 6;
const INSTANT = /^"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"$/;

/** Milliseconds since 1970 of an instant written as `Date` writes it. */
const instantOf = (text: string): number | undefined => {
  const instant = INSTANT.exec(text)?.[1];
  if (instant === undefined) return undefined;
  const at = new Date(instant);
  return !Number.isNaN(at.getTime()) && at.toISOString() === instant ? at.getTime() : undefined;
};

const writeText = (into: Buffer, start: number, text: string): number => {
  const bytes = Buffer.byteLength(text);
  const short = bytes < KIND.long;
  let at = into.writeUInt8(short ? bytes : KIND.long, start);
  if (!short) at = into.writeUIntBE(bytes, at, LENGTH);
  return at + into.write(text, at);
};

const writeValue = (into: Buffer, start: number, text: string): number => {
  const word = WORD_CODES.get(text);
  if (word !== undefined) return into.writeUInt8(word, into.writeUInt8(KIND.word, start));
  if (text.length === 32 && writeId(into, start + 1, text.slice(1, -1))) return into.writeUInt8(KIND.id, start) + ID_BYTES;
  const instant = text.length === 26 ? instantOf(text) : undefined;
  if (instant !== undefined) return into.writeUIntBE(instant, into.writeUInt8(KIND.instant, start), INSTANT_BYTES);
  return writeText(into, start, text);
};

/** Writes a box. `other` is the digest of the other one. */
export const pack = (texts: Texts, salt: Buffer, other: Buffer): Buffer => {
  let longest = 1 + SALT_BYTES + DIGEST;
  for (const [name, text] of texts) longest += 1 + 3 * (name.length + text.length) + 2 * (1 + LENGTH); // three bytes a UTF-16 unit at most
  const packed = Buffer.allocUnsafe(longest);
  packed[0] = FORMAT;
  packed.set(salt, 1);
  packed.set(other, 1 + SALT_BYTES);
  let at = 1 + SALT_BYTES + DIGEST;
  for (const [name, text] of texts) {
    const code = CODES.get(name) ?? SPELLED;
    at = packed.writeUInt8(code, at);
    if (code === SPELLED) at = writeText(packed, at, name);
    at = writeValue(packed, at, text);
  }
  return packed.subarray(0, at);
};

const malformed = (detail?: string): Failure => new Failure('payload_malformed', detail);

/** Reads what `pack` wrote. Fails as `payload_malformed`. */
export const unpack = (packed: Buffer): { readonly texts: Texts; readonly salt: Buffer; readonly other: Buffer } => {
  if (packed[0] !== FORMAT) throw malformed('a format that this program does not know');
  let at = 1;
  const take = (bytes: number): Buffer => {
    if (at + bytes > packed.length) throw malformed();
    at += bytes;
    return packed.subarray(at - bytes, at);
  };
  const byte = (): number => take(1).readUInt8();
  const text = (first: number): string => {
    if (first > KIND.long) throw malformed();
    return take(first < KIND.long ? first : take(LENGTH).readUIntBE(0, LENGTH)).toString('utf8');
  };
  const value = (): string => {
    const kind = byte();
    if (kind === KIND.id) return `"${readId(take(ID_BYTES))}"`;
    if (kind === KIND.instant) return `"${new Date(take(INSTANT_BYTES).readUIntBE(0, INSTANT_BYTES)).toISOString()}"`;
    return kind === KIND.word ? (WORDS[byte()] ?? '') : text(kind);
  };
  const salt = Buffer.from(take(SALT_BYTES));
  const other = Buffer.from(take(DIGEST));
  const texts: [string, string][] = [];
  for (let last = ''; at < packed.length; ) {
    const code = byte();
    const name = code === SPELLED ? text(byte()) : NAMES[code - 1];
    if (name === undefined || name <= last) throw malformed();
    texts.push([name, value()]);
    last = name;
  }
  return { texts, salt, other };
};
