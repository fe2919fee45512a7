import { canonical, type Json, parseCanonical } from '../kernel/canonical.ts';
import { open, randomBytes, seal, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { PARTIES, type Parties } from './event.ts';

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
  /** 32 bytes, never shown: the salts of fields come from it. */
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

/** The salt with which one field is shown: it tells nothing of the salts of the others. */
export const saltOf = (salt: Buffer, name: string): Buffer => sha256('relais/journal/salt/v1\n', salt, name);

/** Digest of one field: whoever has its name, value and salt finds the same. */
export const fieldDigest = (fieldSalt: Buffer, name: string, value: Json): Buffer =>
  sha256('relais/journal/field/v1\n', fieldSalt, canonical([name, value]));

/** Digest of a box from those of its fields, in the order of their names. */
export const digestOf = (digests: readonly Buffer[]): Buffer => sha256('relais/journal/box/v1\n', ...digests);

/** What the leaf commits to. */
export const commitmentTo = (subject: Buffer, actor: Buffer): Buffer => sha256('relais/journal/payload/v1\n', subject, actor);

const NOTHING = digestOf([]);

const boxDigest = (fields: Fields, salt: Buffer): Buffer =>
  digestOf(
    Object.keys(fields)
      .sort()
      .map((name) => fieldDigest(saltOf(salt, name), name, fields[name] ?? null)),
  );

/** Both boxes of an entry, not sealed yet. `actor` is missing when nobody in particular acted. */
export interface Split {
  readonly subject: OpenBox;
  readonly actor: OpenBox | undefined;
  readonly commitment: Buffer;
}

/** Divides fields into boxes with fresh salts, and commits to them. */
export const split = (fields: Fields): Split => {
  const of = (actor: boolean): Fields => Object.fromEntries(Object.entries(fields).filter(([name]) => ACTOR_FIELDS.has(name) === actor));
  const [subject, actor] = [of(false), of(true)];
  const [subjectSalt, actorSalt] = [randomBytes(32), randomBytes(32)];
  const subjectDigest = boxDigest(subject, subjectSalt);
  const acted = Object.keys(actor).length > 0;
  const actorDigest = acted ? boxDigest(actor, actorSalt) : NOTHING;
  return {
    subject: { fields: subject, salt: subjectSalt, other: actorDigest },
    actor: acted ? { fields: actor, salt: actorSalt, other: subjectDigest } : undefined,
    commitment: commitmentTo(subjectDigest, actorDigest),
  };
};

const plain = ({ fields, salt, other }: OpenBox): Json => ({ fields, other: other.toString('base64url'), salt: salt.toString('base64url') });

const context = (eventId: string, name: BoxName | 'queue'): string => `${eventId}\n${name}`;

/** Seals one box of an entry. */
export const sealBox = (key: Buffer, eventId: string, name: BoxName, box: OpenBox): Buffer =>
  seal(key, canonical(plain(box)), context(eventId, name));

/** Seals both boxes together, for the queue. */
export const sealQueued = (key: Buffer, eventId: string, { subject, actor }: Split): Buffer =>
  seal(key, canonical({ actor: actor ? plain(actor) : null, subject: plain(subject) }), context(eventId, 'queue'));

const isObject = (value: Json | undefined): value is { readonly [key: string]: Json | undefined } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const HASH = /^[A-Za-z0-9_-]{43}$/;

const readBox = (value: Json | undefined): OpenBox => {
  if (!isObject(value) || Object.keys(value).length !== 3) throw new Failure('payload_malformed');
  const { fields, salt, other } = value;
  if (!isObject(fields) || typeof salt !== 'string' || !HASH.test(salt) || typeof other !== 'string' || !HASH.test(other))
    throw new Failure('payload_malformed');
  return { fields: fields as Fields, salt: Buffer.from(salt, 'base64url'), other: Buffer.from(other, 'base64url') };
};

/** Opens a box. Fails as `box_does_not_open` or `payload_malformed`. */
export const openBox = (key: Buffer, eventId: string, name: BoxName, box: Buffer): OpenBox =>
  readBox(parseCanonical(open(key, box, context(eventId, name)).toString('utf8')));

/** Opens what waited in the queue. Its bytes are those that this program sealed: they are not compared with their canonical form. */
export const openQueued = (key: Buffer, eventId: string, box: Buffer): Pick<Split, 'subject' | 'actor'> => {
  const value = JSON.parse(open(key, box, context(eventId, 'queue')).toString('utf8')) as Json;
  if (!isObject(value)) throw new Failure('payload_malformed');
  return { subject: readBox(value['subject']), actor: value['actor'] === null ? undefined : readBox(value['actor']) };
};

/** The commitment that an open box gives, to be compared with the leaf's. */
export const commitmentOf = (name: BoxName, box: OpenBox): Buffer => {
  const own = boxDigest(box.fields, box.salt);
  return name === 'subject' ? commitmentTo(own, box.other) : commitmentTo(box.other, own);
};

/** A field as it is shown to a party, or the digest of one that is not: in the order of their names, as the box's digest needs them. */
export type Shown = { readonly name: string; readonly value: Json; readonly salt: string } | { readonly digest: string };

/** Shows the fields of a box that `may` allows, with what checks them; of the others, the digests alone. */
export const show = ({ fields, salt }: OpenBox, may: (name: string) => boolean): Shown[] =>
  Object.keys(fields)
    .sort()
    .map((name) => {
      const value = fields[name] ?? null;
      const own = saltOf(salt, name);
      return may(name) ? { name, value, salt: own.toString('base64url') } : { digest: fieldDigest(own, name, value).toString('base64url') };
    });
