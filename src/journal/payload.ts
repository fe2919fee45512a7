import { canonical, type Json, parseCanonical } from '../kernel/canonical.ts';
import { open, randomBytes, seal, sha256, shake256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { PARTIES, type Parties } from './event.ts';
import { pack, SALT_BYTES, type Texts, unpack } from './packed.ts';

/**
 * The personal part of an entry: named fields in two boxes, and a commitment to them in the leaf (journal.md §3.4). Each field is hashed by
 * itself with a salt of its own, so that a party can be shown some of them, check these against the leaf, and learn nothing of the others.
 */

/** By name: parties under their own, members of the detail as `detail.<name>`. */
export type Fields = Readonly<Record<string, Json>>;

/** Who acted has a box of its own, so that it can expire on its own date. */
const ACTOR_FIELDS: ReadonlySet<string> = new Set(['aidant', 'actor', 'detail.aidantName', 'detail.witnessName', 'detail.receivedBy']);

export type BoxName = 'subject' | 'actor';

/** One box, opened. */
export interface OpenBox {
  readonly fields: Fields;
  /** 16 bytes, never shown: the salts of fields come from it. */
  readonly salt: Buffer;
  /** Digest of the other box, with which either opens against the commitment. */
  readonly other: Buffer;
}

const DETAIL = 'detail.';

/** Names every party and every member of the detail. */
export const fieldsOf = (parties: Parties, detail: { readonly [name: string]: Json | undefined }): Fields => {
  const fields: Record<string, Json> = {};
  for (const party of PARTIES) {
    const id = parties[party];
    if (id !== undefined) fields[party] = id;
  }
  for (const [name, value] of Object.entries(detail)) if (value !== undefined) fields[DETAIL + name] = value;
  return fields;
};

/** The detail that fields hold. */
export const detailOf = (fields: Fields): Record<string, Json> =>
  Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (name.startsWith(DETAIL) ? [[name.slice(DETAIL.length), value]] : [])));

/** The parties that fields hold. */
export const partiesIn = (fields: Fields): Parties =>
  Object.fromEntries(PARTIES.flatMap((party) => (typeof fields[party] === 'string' ? [[party, fields[party]]] : [])));

/** The salts of `count` fields, in the order of their names. From some of them nobody finds the others, nor the box's own. */
const saltsOf = (salt: Buffer, count: number): Buffer[] => {
  const all = shake256(SALT_BYTES * count, 'relais/journal/salts/v1\n', salt);
  return Array.from({ length: count }, (_, i) => all.subarray(SALT_BYTES * i, SALT_BYTES * (i + 1)));
};

const FIELD = Buffer.from('relais/journal/field/v1\n');

/** Digest of a field whose value is written canonically already. */
const digestOfText = (fieldSalt: Buffer, name: string, text: string): Buffer => sha256(FIELD, fieldSalt, `[${canonical(name)},${text}]`);

/** Digest of one field, SHA-256 of prefix ‖ salt ‖ canonical [name, value]: whoever has its name, value and salt finds the same. */
export const fieldDigest = (fieldSalt: Buffer, name: string, value: Json): Buffer => digestOfText(fieldSalt, name, canonical(value));

/** Digest of a box from those of its fields, in the order of their names. */
export const digestOf = (digests: readonly Buffer[]): Buffer => sha256('relais/journal/box/v1\n', ...digests);

/** What the leaf commits to. */
export const commitmentTo = (subject: Buffer, actor: Buffer): Buffer => sha256('relais/journal/payload/v1\n', subject, actor);

const NOTHING = digestOf([]);

const textsOf = (fields: Fields): Texts =>
  Object.keys(fields)
    .sort()
    .map((name) => [name, canonical(fields[name] ?? null)]);

const boxDigest = (texts: Texts, salt: Buffer): Buffer => {
  const salts = saltsOf(salt, texts.length);
  return digestOf(texts.map(([name, text], i) => digestOfText(salts[i] ?? salt, name, text)));
};

/** Both boxes of an entry as they will be sealed. `actor` is missing when nobody in particular acted. */
export interface Split {
  readonly subject: Buffer;
  readonly actor: Buffer | undefined;
  readonly commitment: Buffer;
}

/** Divides fields into boxes with fresh salts, and commits to them. */
export const split = (fields: Fields): Split => {
  const texts = textsOf(fields);
  const subject = texts.filter(([name]) => !ACTOR_FIELDS.has(name));
  const actor = texts.filter(([name]) => ACTOR_FIELDS.has(name));
  const [subjectSalt, actorSalt] = [randomBytes(SALT_BYTES), randomBytes(SALT_BYTES)];
  const subjectDigest = boxDigest(subject, subjectSalt);
  const actorDigest = actor.length ? boxDigest(actor, actorSalt) : NOTHING;
  return {
    subject: pack(subject, subjectSalt, actorDigest),
    actor: actor.length ? pack(actor, actorSalt, subjectDigest) : undefined,
    commitment: commitmentTo(subjectDigest, actorDigest),
  };
};

const context = (eventId: string, name: BoxName | 'queue'): string => `${eventId}\n${name}`;

/** Seals one box of an entry, packed. */
export const sealBox = (key: Buffer, eventId: string, name: BoxName, packed: Buffer): Buffer => seal(key, packed, context(eventId, name));

/** Seals both boxes together, for the queue: the length of the subject's, then both, packed. */
export const sealQueued = (key: Buffer, eventId: string, { subject, actor }: Split): Buffer => {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(subject.length);
  return seal(key, Buffer.concat(actor ? [length, subject, actor] : [length, subject]), context(eventId, 'queue'));
};

/** Opens a box. Fails as `box_does_not_open` or `payload_malformed`. */
export const openBox = (key: Buffer, eventId: string, name: BoxName, box: Buffer): OpenBox => readPacked(open(key, box, context(eventId, name)));

/** Reads a packed box. Fails as `payload_malformed`. */
export const readPacked = (packed: Buffer): OpenBox => {
  try {
    const { texts, salt, other } = unpack(packed);
    return { fields: Object.fromEntries(texts.map(([name, text]) => [name, parseCanonical(text)])), salt, other };
  } catch (cause) {
    throw new Failure('payload_malformed', cause instanceof Failure ? cause.detail : undefined, { cause });
  }
};

/** Opens what waited in the queue: both boxes, packed as they will be sealed. */
export const openQueued = (key: Buffer, eventId: string, box: Buffer): { readonly subject: Buffer; readonly actor: Buffer | undefined } => {
  const bytes = open(key, box, context(eventId, 'queue'));
  const end = 4 + bytes.readUInt32BE(0);
  return { subject: bytes.subarray(4, end), actor: bytes.length > end ? bytes.subarray(end) : undefined };
};

/** The commitment that an open box gives, to be compared with the leaf's. */
export const commitmentOf = (name: BoxName, box: OpenBox): Buffer => {
  const own = boxDigest(textsOf(box.fields), box.salt);
  return name === 'subject' ? commitmentTo(own, box.other) : commitmentTo(box.other, own);
};

/** A field as it is shown to a party, or the digest of one that is not: in the order of their names, as the box's digest needs them. */
export type Shown = { readonly name: string; readonly value: Json; readonly salt: string } | { readonly digest: string };

/** Shows the fields of a box that `may` allows, with what checks them; of the others, the digests alone. */
export const show = ({ fields, salt }: OpenBox, may: (name: string) => boolean): Shown[] => {
  const names = Object.keys(fields).sort();
  const salts = saltsOf(salt, names.length);
  return names.map((name, i) => {
    const [value, own] = [fields[name] ?? null, salts[i] ?? salt];
    return may(name) ? { name, value, salt: own.toString('base64url') } : { digest: fieldDigest(own, name, value).toString('base64url') };
  });
};
