import { canonical, type Json, parseCanonical } from '../kernel/canonical.ts';
import { equal, hmacSha256, open, randomBytes, randomUuid, seal, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { type Entry, type EventType, isEventType, KINDS, PARTIES, type Parties, type Retention } from './event.ts';

/** What is hashed, what is sealed, and what waits in the queue between the two (journal.md §3.4). */

export interface JournalKeys {
  /** `payload-kek`: 32 bytes. */
  readonly kek: Buffer;
  /** `journal-mac`: 32 bytes. */
  readonly mac: Buffer;
}

/** An entry as it waits to be sequenced: nothing personal in clear but identifiers. */
export interface Queued {
  readonly eventId: string;
  readonly type: EventType;
  readonly class: Retention;
  readonly writer: string;
  readonly at: Date;
  readonly parties: Parties;
  readonly box: Buffer;
  readonly commitment: Buffer;
  readonly mac: Buffer;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const HASH = /^[A-Za-z0-9_-]{43}$/;
const WRITER = /^[a-z0-9][a-z0-9.:-]{0,63}$/;
const LONGEST_LEAF = 1024;
const LONGEST_PARTY = 200;
const LONGEST_TEXT = 2000;

/** Control characters, line separators and marks that turn the direction of writing: what could make one entry look like another. */
const UNSAFE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]/gu;

/** Writes text on one line: unsafe characters become `\u{…}`, lone surrogates the replacement character, and a long text says what it lost. */
export const oneLine = (text: string, longest = LONGEST_TEXT): string => {
  if (text.length <= longest && /^[\x20-\x7e]*$/.test(text)) return text;
  const whole = text.toWellFormed().normalize('NFC');
  const kept = whole.slice(0, longest).toWellFormed(); // the cut may fall inside a pair
  const line = kept.replace(UNSAFE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return whole.length > longest ? `${line}… (${text.length} characters)` : line;
};

const onOneLine = (value: Json): Json => {
  if (typeof value === 'string') return oneLine(value);
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item: Json) => onOneLine(item));
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, member === undefined ? undefined : onOneLine(member)]));
};

const partiesOf = (given: Readonly<Record<string, unknown>>): Parties =>
  Object.fromEntries(
    PARTIES.flatMap((party) => {
      const value = given[party];
      return typeof value === 'string' ? [[party, oneLine(value, LONGEST_PARTY)]] : [];
    }),
  );

/** Reads parties as they were written: known names, text. */
const readParties = (value: Json | undefined): Parties | undefined => {
  if (!isObject(value)) return undefined;
  const known: readonly string[] = PARTIES;
  return Object.entries(value).every(([party, id]) => known.includes(party) && typeof id === 'string') ? (value as Parties) : undefined;
};

const commitmentOf = (salt: Buffer, payload: string): Buffer => sha256('relais/journal/payload/v1\n', salt, payload);
const boxKey = (kek: Buffer, eventId: string): Buffer => hmacSha256(kek, `relais/journal/box/v1\n${eventId}`);

/** MAC of the writer over every column of the queue: a row planted or altered in the database is not sequenced. */
export const macOf = (key: Buffer, row: Omit<Queued, 'mac'>): Buffer => {
  const head = canonical([row.eventId, row.type, row.class, row.writer, row.at.toISOString(), { ...row.parties }]);
  return hmacSha256(key, 'relais/journal/queue/v1\n', head, '\n', row.commitment, row.box);
};

/** Says whether the writer's MAC is that of the row. */
export const isAuthentic = (key: Buffer, row: Queued): boolean => {
  try {
    return equal(macOf(key, row), row.mac);
  } catch {
    return false; // planted with values that the writer could not have written: it must not stop the others
  }
};

/** Makes the queue row of an entry: seals parties, detail and a fresh salt; commits to them; signs the row. */
export const prepare = (entry: Entry, options: { keys: JournalKeys; writer: string; at: Date; eventId?: string | undefined }): Queued => {
  const eventId = options.eventId ?? randomUuid();
  if (!UUID.test(eventId)) throw new Failure('journal_event_id', 'an event id is a lower-case UUID');
  if (!WRITER.test(options.writer)) throw new Failure('journal_writer', 'a writer is a short lower-case word');
  const { type, detail, ...rest } = entry;
  const parties = partiesOf(rest);
  const salt = randomBytes(32);
  const payload = canonical({ detail: onOneLine({ ...detail } as Json), parties: { ...parties }, salt: salt.toString('base64url') });
  const row = {
    eventId,
    type,
    class: KINDS[type].retention,
    writer: options.writer,
    at: options.at,
    parties,
    box: seal(boxKey(options.keys.kek, eventId), payload, eventId),
    commitment: commitmentOf(salt, payload),
  };
  return { ...row, mac: macOf(options.keys.mac, row) };
};

/** The sealed part of an entry, opened. */
export interface Payload {
  readonly parties: Parties;
  readonly detail: { readonly [key: string]: Json | undefined };
  readonly commitment: Buffer;
}

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Opens a box. Fails as `box_does_not_open` or `payload_malformed`. */
export const openPayload = (kek: Buffer, eventId: string, box: Buffer): Payload => {
  const text = open(boxKey(kek, eventId), box, eventId).toString('utf8');
  const value = parseCanonical(text);
  if (!isObject(value)) throw new Failure('payload_malformed');
  const { detail, salt, parties: written, ...others } = value;
  const parties = readParties(written);
  if (!isObject(detail) || !parties || typeof salt !== 'string' || !HASH.test(salt) || Object.keys(others).length)
    throw new Failure('payload_malformed');
  return { detail, parties, commitment: commitmentOf(Buffer.from(salt, 'base64url'), text) };
};

/** What one leaf says. The keys of the bytes are in `encodeLeaf`; version 1 has exactly these. */
export interface Leaf {
  readonly type: EventType;
  readonly class: Retention;
  /** When it was sequenced; never before the leaf that precedes. */
  readonly at: Date;
  /** When it happened, where that differs. */
  readonly occurred?: Date;
  readonly eventId: string;
  readonly writer: string;
  readonly commitment: Buffer;
  /** SHA-256 of each box. */
  readonly boxes: readonly Buffer[];
  /** Small public parameters, such as `late`: why an entry was sequenced more than five seconds after it happened. */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** Writes the bytes that are hashed: canonical JSON in ASCII, one line, at most 1 KB. */
export const encodeLeaf = (leaf: Leaf): string => {
  const text = canonical({
    v: 1,
    e: leaf.type,
    k: leaf.class,
    t: leaf.at.toISOString(),
    o: leaf.occurred?.toISOString(),
    id: leaf.eventId,
    w: leaf.writer,
    tg: [],
    c: leaf.commitment.toString('base64url'),
    ch: leaf.boxes.map((hash) => hash.toString('base64url')),
    p: leaf.parameters,
  });
  if (text.length > LONGEST_LEAF || !/^[\x20-\x7e]*$/.test(text)) throw new Failure('leaf_malformed', 'a leaf is one line of ASCII, 1 KB at most');
  return text;
};

const LEAF_KEYS = new Set(['c', 'ch', 'e', 'id', 'k', 'o', 'p', 't', 'tg', 'v', 'w']);
const RETENTIONS: readonly string[] = ['access', 'mandate', 'staff', 'log'] satisfies Retention[];
const matches = (value: Json | undefined, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value);
const isInstant = (value: Json | undefined): value is string => matches(value, INSTANT) && !Number.isNaN(Date.parse(value));

/** Reads leaf bytes, strictly: canonical form, known keys only, each of its shape. Fails as `not_canonical` or `leaf_malformed`. */
export const parseLeaf = (bytes: Buffer): Leaf => {
  const text = bytes.toString('latin1');
  if (text.length > LONGEST_LEAF || !/^[\x20-\x7e]*$/.test(text)) throw new Failure('leaf_malformed', 'not one line of ASCII');
  const value = parseCanonical(text);
  const bad = (key: string): Failure => new Failure('leaf_malformed', `"${key}" is not as it should be`);
  if (!isObject(value)) throw bad('{}');
  for (const key of Object.keys(value)) if (!LEAF_KEYS.has(key)) throw bad(key);
  const { v, e, k, t, o, id, w, tg, c, ch, p } = value;
  if (v !== 1) throw bad('v');
  if (typeof e !== 'string' || !isEventType(e)) throw bad('e');
  if (typeof k !== 'string' || !RETENTIONS.includes(k)) throw bad('k');
  if (!isInstant(t)) throw bad('t');
  if (o !== undefined && !isInstant(o)) throw bad('o');
  if (!matches(id, UUID)) throw bad('id');
  if (!matches(w, WRITER)) throw bad('w');
  if (!Array.isArray(tg) || tg.length) throw bad('tg');
  if (!matches(c, HASH)) throw bad('c');
  if (!Array.isArray(ch) || ch.length !== 1 || !ch.every((one: Json) => matches(one, HASH))) throw bad('ch');
  if (p !== undefined && !(isObject(p) && Object.values(p).every((one) => typeof one === 'string'))) throw bad('p');
  return {
    type: e,
    class: k as Retention,
    at: new Date(t),
    ...(o === undefined ? {} : { occurred: new Date(o) }),
    eventId: id,
    writer: w,
    commitment: Buffer.from(c, 'base64url'),
    boxes: ch.map((one: Json) => Buffer.from(String(one), 'base64url')),
    ...(p === undefined ? {} : { parameters: p as Readonly<Record<string, string>> }),
  };
};
