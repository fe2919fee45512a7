import { canonical, type Json, parseCanonical } from '../kernel/canonical.ts';
import { equal, hmacSha256, randomUuid } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { type Entry, type EventType, isEventType, KINDS, PARTIES, type Parties, type Retention } from './event.ts';
import { type QueueKey, ROLES } from './keys.ts';
import { detailOf, type Fields, fieldsOf, sealQueued, split } from './payload.ts';

/** What is hashed, what is sealed, and what waits in the queue between the two (journal.md §3.4). */

/** An entry as it waits to be sequenced: nothing personal in clear but identifiers. */
export interface Queued {
  readonly eventId: string;
  readonly type: EventType;
  readonly class: Retention;
  readonly writer: string;
  readonly at: Date;
  readonly parties: Parties;
  /** Both boxes, under the queue key of the day `sealedWith`, until the sequencer seals each under its own. */
  readonly box: Buffer;
  readonly sealedWith: string;
  readonly commitment: Buffer;
  readonly mac: Buffer;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** 32 and 16 bytes in base64url, one text for one value: the bits that the last character has too many are zero (RFC 4648 §3.5). */
const HASH = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const TAG = /^[A-Za-z0-9_-]{21}[AQgw]$/;
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

/** MAC of the writer over every column of the queue: a row planted or altered in the database is not sequenced. */
export const macOf = (key: Buffer, row: Omit<Queued, 'mac'>): Buffer => {
  const head = canonical([row.eventId, row.type, row.class, row.writer, row.at.toISOString(), { ...row.parties }, row.sealedWith]);
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

/** Makes the queue row of an entry: commits to its fields, seals them, signs the row. */
export const prepare = (
  entry: Entry,
  options: { queueKey: QueueKey; macKey: Buffer; writer: string; at: Date; eventId?: string | undefined },
): Queued => {
  const eventId = options.eventId ?? randomUuid();
  if (!UUID.test(eventId)) throw new Failure('journal_event_id', 'an event id is a lower-case UUID');
  if (!WRITER.test(options.writer)) throw new Failure('journal_writer', 'a writer is a short lower-case word');
  const { type, detail, ...rest } = entry;
  const parties = partiesOf(rest);
  const divided = split(fieldsOf(parties, onOneLine({ ...detail } as Json) as { readonly [name: string]: Json | undefined }));
  const row = {
    eventId,
    type,
    class: KINDS[type].retention,
    writer: options.writer,
    at: options.at,
    parties,
    box: sealQueued(options.queueKey.key, eventId, divided),
    sealedWith: options.queueKey.day,
    commitment: divided.commitment,
  };
  return { ...row, mac: macOf(options.macKey, row) };
};

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Kinds whose detail is in the leaf itself, for whoever verifies without any key: they concern the log, and name nobody. */
const PUBLIC: ReadonlySet<string> = new Set([
  'erasure.executed',
  'partition.dropped',
  'hold.placed',
  'hold.lifted',
  'key.rotated',
  'checkpoint.trusted',
]);

export const isPublic = (type: string): boolean => PUBLIC.has(type);

/** The detail of such an entry as short ASCII texts; a reason, which somebody typed, and what is longer or is no such text stay in the box alone. */
export const publicParameters = (fields: Fields): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(detailOf(fields)).flatMap(([name, value]) =>
      name !== 'reason' && (typeof value === 'string' || typeof value === 'number') && /^[\x20-\x7e]{0,200}$/.test(String(value))
        ? [[name, String(value)]]
        : [],
    ),
  );

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
  /** One for each party that has it among its own, 16 bytes each, sorted. */
  readonly tags: readonly Buffer[];
  readonly commitment: Buffer;
  /** SHA-256 of the subject's box, then of the actor's if there is one. */
  readonly boxes: readonly Buffer[];
  /**
   * Small public parameters, such as `late`: why an entry was sequenced more than five seconds after it happened; and `erased`: it came after its usager's key
   * was destroyed, and nobody can read it.
   */
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
    tg: leaf.tags.map((tag) => tag.toString('base64url')).sort(),
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
const ascending = (texts: readonly Json[]): boolean => texts.every((text, i) => i === 0 || String(texts[i - 1]) < String(text));
const isInstant = (value: Json | undefined): value is string => matches(value, INSTANT) && !Number.isNaN(Date.parse(value));

const QUICK =
  /^\{"c":"([\w-]{42}[AEIMQUYcgkosw048])","ch":\["([\w-]{42}[AEIMQUYcgkosw048])"(?:,"([\w-]{42}[AEIMQUYcgkosw048])")?\],"e":"([a-z.-]+)","id":"([0-9a-f-]{36})","k":"([a-z]+)"(?:,"o":"([\dT:.Z-]{24})")?(?:,"p":\{"late":"(waited)"\})?,"t":"([\dT:.Z-]{24})","tg":\[((?:"[\w-]{21}[AQgw]",?){0,4})\],"v":1,"w":"([a-z0-9.:-]+)"\}$/;

/** Reads the leaf that nearly all are, in one look; undefined for any other, and for whatever is not as it should be. */
const parseQuickly = (text: string): Leaf | undefined => {
  const [, c = '', subject = '', actor, e = '', id = '', k = '', o, late, t = '', tg = '', w = ''] = QUICK.exec(text) ?? [];
  const tags = tg ? tg.slice(1, -1).split('","') : [];
  const fits =
    isEventType(e) &&
    UUID.test(id) &&
    RETENTIONS.includes(k) &&
    isInstant(t) &&
    (o === undefined || isInstant(o)) &&
    tags.every((tag, i) => tag.length === 22 && (i === 0 || (tags[i - 1] ?? '') < tag)) &&
    WRITER.test(w);
  if (!fits) return undefined;
  return {
    type: e,
    class: k as Retention,
    at: new Date(t),
    ...(o === undefined ? {} : { occurred: new Date(o) }),
    eventId: id,
    writer: w,
    tags: tags.map((tag) => Buffer.from(tag, 'base64url')),
    commitment: Buffer.from(c, 'base64url'),
    boxes: (actor === undefined ? [subject] : [subject, actor]).map((hash) => Buffer.from(hash, 'base64url')),
    ...(late === undefined ? {} : { parameters: { late } }),
  };
};

/** Reads leaf bytes, strictly: canonical form, known keys only, each of its shape. Fails as `not_canonical` or `leaf_malformed`. */
export const parseLeaf = (bytes: Buffer): Leaf => {
  const text = bytes.toString('latin1');
  if (text.length > LONGEST_LEAF || !/^[\x20-\x7e]*$/.test(text)) throw new Failure('leaf_malformed', 'not one line of ASCII');
  const quick = parseQuickly(text);
  if (quick) return quick;
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
  if (!Array.isArray(tg) || tg.length > ROLES.length || !tg.every((one: Json) => matches(one, TAG)) || !ascending(tg)) throw bad('tg');
  if (!matches(c, HASH)) throw bad('c');
  if (!Array.isArray(ch) || (ch.length !== 1 && ch.length !== 2) || !ch.every((one: Json) => matches(one, HASH))) throw bad('ch');
  if (p !== undefined && !(isObject(p) && Object.values(p).every((one) => typeof one === 'string'))) throw bad('p');
  return {
    type: e,
    class: k as Retention,
    at: new Date(t),
    ...(o === undefined ? {} : { occurred: new Date(o) }),
    eventId: id,
    writer: w,
    tags: tg.map((one: Json) => Buffer.from(String(one), 'base64url')),
    commitment: Buffer.from(c, 'base64url'),
    boxes: ch.map((one: Json) => Buffer.from(String(one), 'base64url')),
    ...(p === undefined ? {} : { parameters: p as Readonly<Record<string, string>> }),
  };
};
