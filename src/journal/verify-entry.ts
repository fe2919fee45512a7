import { canonical } from '../kernel/canonical.ts';
import { equal, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { type Leaf, parseLeaf } from './entry.ts';
import type { Parties } from './event.ts';
import { type BoxClass, boxKey, ifReadable, type LoadedKeys, monthOf, ROLES, type Role, tagKeyOf, tagOf } from './keys.ts';
import { type BoxName, commitmentOf, type Fields, openBox, partiesIn } from './payload.ts';
import { leafHash } from './tree.ts';
import type { Accounts } from './verify-erasure.ts';
import type { Entries, LeafRow, PayloadRow, ProjectionRow, ReceiptRow } from './verify-source.ts';

/** What is wrong with one entry, seen by itself: its leaf, receipt, payload and projection must tell the same story. */

export const FAULTS = [
  'leaf_missing',
  'leaf_altered',
  'leaf_malformed',
  'leaf_moved',
  'time_altered',
  'time_backwards',
  'time_outside',
  'receipt_missing',
  'receipt_mismatch',
  'payload_missing',
  'payload_altered',
  'payload_unreadable',
  'erasure_unaccounted',
  'projection_missing',
  'projection_altered',
  'tag_altered',
  'number_gap',
  'tile_missing',
  'tile_altered',
  'checkpoint_altered',
  'checkpoint_mismatch',
  'checkpoint_missing',
  'checkpoint_late',
  'timestamp_altered',
  'rotation_wrong',
  'head_altered',
  'extra_row',
  'truncated',
  'rolled_back',
  'fork',
  'other_log',
  'state_damaged',
] as const;

export interface Fault {
  readonly kind: (typeof FAULTS)[number];
  /** The first entry that it concerns. */
  readonly index: number;
  readonly message: string;
}

/** Faults of an entry that may change the root of the tree. */
export const TREE_FAULTS: ReadonlySet<Fault['kind']> = new Set(['leaf_missing', 'leaf_altered', 'leaf_malformed', 'leaf_moved', 'receipt_mismatch']);

interface Checked {
  readonly faults: readonly Fault[];
  /** The hash with which the tree goes on: where leaf, column and receipt disagree, what two of them say. */
  readonly hash: Buffer | undefined;
  readonly at: Date | undefined;
}

type Tell = (kind: Fault['kind'], message: string) => void;

/** What is known when an entry is checked. */
export interface Before {
  /** The time of the entry before. */
  readonly previous: Date;
  /** How many entries each party has had so far; the entry's own parties are counted in. */
  readonly counts: Readonly<Record<Role, Map<string, number>>>;
  /** The walk began in the middle: the first number of each party is taken as it is. */
  readonly partial?: boolean;
  /** Without keys, sealed parts are only compared with their hash, and tags with their number. */
  readonly keys: LoadedKeys | undefined;
  /** What was erased, to be compared at the end with what the journal says of it. */
  readonly accounts: Accounts;
}

/** Checks entry `index`. */
export const checkEntry = (index: number, entries: Entries, before: Before): Checked => {
  const faults: Fault[] = [];
  const tell: Tell = (kind, message) => void faults.push({ kind, index, message: `entry ${index}: ${message}` });
  const row = entries.leaves.get(index);
  const receipt = entries.receipts.get(index);
  if (!row) {
    tell('leaf_missing', 'its leaf is missing');
    return { faults, hash: receipt?.leafHash, at: undefined };
  }
  const computed = leafHash(row.leaf);
  const altered = !computed.equals(row.leafHash);
  if (altered) tell('leaf_altered', 'its leaf does not have the hash that stands beside it');
  const hash = altered && receipt?.leafHash.equals(row.leafHash) ? row.leafHash : computed;
  const leaf = parse(row.leaf, tell);
  if (leaf) checkTimes(leaf, row, before.previous, tell);
  checkReceipt(leaf, hash, receipt, tell);
  const [payload, projection] = [entries.payloads.get(index), entries.projections.get(index)];
  if (leaf) {
    before.accounts.said(index, leaf);
    checkPayload(leaf, { payload, projection, lost: lostUsager(index, leaf, projection, before.accounts, tell) }, { index, ...before }, tell);
  }
  if (projection) checkNumbers(leaf, projection, before, tell);
  return { faults, hash, at: leaf?.at };
};

const parse = (bytes: Buffer, tell: Tell): Leaf | undefined => {
  try {
    return parseLeaf(bytes);
  } catch (error) {
    tell('leaf_malformed', `its leaf is not in its only form (${error instanceof Failure ? error.message : 'unreadable'})`);
    return undefined;
  }
};

const checkTimes = (leaf: Leaf, row: LeafRow, previous: Date, tell: Tell): void => {
  if (leaf.at.getTime() !== row.at.getTime()) tell('time_altered', 'the time beside its leaf is not the time in its leaf');
  if (leaf.at < previous) tell('time_backwards', 'it is older than the entry before it');
};

const checkReceipt = (leaf: Leaf | undefined, hash: Buffer, receipt: ReceiptRow | undefined, tell: Tell): void => {
  if (!receipt) tell('receipt_missing', 'its receipt is missing');
  else if (leaf && leaf.eventId !== receipt.eventId) tell('leaf_moved', 'its leaf is that of another event than its receipt');
  else if (!receipt.leafHash.equals(hash)) tell('receipt_mismatch', 'its receipt was given for another leaf');
};

/** Says whether the usager of an entry was taken out of what is searched: its leaf has a tag more than there are numbers. */
const lostUsager = (index: number, leaf: Leaf, projection: ProjectionRow | undefined, accounts: Accounts, tell: Tell): boolean => {
  if (!projection) return false;
  const lost = leaf.tags.length - ROLES.filter((role) => projection.numbers[role] !== undefined).length;
  if (lost === 1 && projection.parties.usager === undefined) {
    accounts.person(index);
    return true;
  }
  if (lost > 0) tell('projection_altered', 'one of its parties is missing from what is searched');
  return false;
};

interface Sealed {
  readonly payload: PayloadRow | undefined;
  readonly projection: ProjectionRow | undefined;
  /** Its usager was taken out of what is searched. */
  readonly lost: boolean;
}
type Around = Pick<Before, 'keys' | 'accounts'> & { readonly index: number };

const checkPayload = (leaf: Leaf, sealed: Sealed, around: Around, tell: Tell): void => {
  const { payload, projection } = sealed;
  if (!projection) tell('projection_missing', 'it is missing from what is searched');
  else if (projection.type !== leaf.type || projection.at.getTime() !== leaf.at.getTime())
    tell('projection_altered', 'what is searched has another type or time');
  if (!payload && leaf.class === 'log') tell('payload_missing', 'its sealed part is missing');
  else if (!payload) around.accounts.part(around.index, monthOf(leaf.at));
  else if (!isAsWritten(leaf, payload)) tell('payload_altered', 'its sealed part is not the one that was written');
  else if (around.keys) checkOpened(leaf, { ...sealed, payload }, around.keys, around, tell);
};

const isAsWritten = (leaf: Leaf, payload: PayloadRow): boolean => {
  const boxes = payload.actor ? [payload.subject, payload.actor] : [payload.subject];
  return (
    payload.eventId === leaf.eventId &&
    payload.class === leaf.class &&
    payload.month === monthOf(leaf.at) &&
    boxes.length === leaf.boxes.length &&
    boxes.every((box, i) => leaf.boxes[i]?.equals(sha256(box)))
  );
};

/** Parties that stand in the actor's box. */
const ACTORS: ReadonlySet<string> = new Set(['aidant', 'actor']);
const only = (parties: Parties, boxes: ReadonlySet<BoxName>): Parties =>
  Object.fromEntries(Object.entries(parties).filter(([name]) => boxes.has(ACTORS.has(name) ? 'actor' : 'subject')));

/** Opens what can be opened; what cannot, because its key was destroyed, is noted, and the rest is compared with what is searched. */
const checkOpened = (leaf: Leaf, sealed: Sealed & { payload: PayloadRow }, keys: LoadedKeys, { index, accounts }: Around, tell: Tell): void => {
  const { payload, projection, lost } = sealed;
  const open = (name: BoxName, box: Buffer, id: string | undefined, boxClass: BoxClass): Fields | undefined => {
    const person = id === undefined ? undefined : keys.person(id);
    const period = keys.period(boxClass, payload.month);
    if (id !== undefined && person === undefined) throw new Failure('person_unknown');
    if (!period) accounts.period(index, boxClass, payload.month);
    if (person === null && name === 'subject') accounts.person(index);
    if (!period || person === null) return undefined;
    const opened = openBox(boxKey(person, period), payload.eventId, name, box);
    if (!commitmentOf(name, opened).equals(leaf.commitment))
      tell('payload_altered', 'its sealed part opens to another text than the one committed to');
    return opened.fields;
  };
  try {
    const nobody = lost || leaf.parameters?.['erased'] === 'usager';
    const subject = nobody ? undefined : open('subject', payload.subject, projection?.parties.usager, leaf.class);
    const actor = payload.actor && open('actor', payload.actor, projection?.parties.aidant, 'actor');
    const opened = new Set<BoxName>([...(subject ? (['subject'] as const) : []), ...(actor || !payload.actor ? (['actor'] as const) : [])]);
    if (projection && canonical({ ...partiesIn({ ...subject, ...actor }) }) !== canonical({ ...only(projection.parties, opened) }))
      tell('projection_altered', 'what is searched differs from its sealed part');
  } catch (error) {
    if (error instanceof Failure && error.code === 'person_unknown')
      tell('projection_altered', 'what is searched names somebody who never had a key');
    else tell('payload_unreadable', `its sealed part does not open (${error instanceof Failure ? error.code : 'unreadable'})`);
  }
};

/** Each party's entries are numbered without a gap, and the leaf has the tag of each number (journal.md §3.4). */
const checkNumbers = (leaf: Leaf | undefined, projection: ProjectionRow, { counts, partial, keys }: Before, tell: Tell): void => {
  const tags: Buffer[] = [];
  let known = keys !== undefined;
  for (const role of ROLES) {
    const [id, n] = [projection.parties[role], projection.numbers[role]];
    if (id === undefined || n === undefined) continue;
    const last = counts[role].get(id) ?? (partial ? n - 1 : 0);
    if (n !== last + 1) tell('number_gap', `it is number ${n} of its ${role}, after number ${last}`);
    counts[role].set(id, n);
    const person = ifReadable(() => keys?.person(id)); // its boxes say so
    if (person) tags.push(tagOf(tagKeyOf(person), role, n));
    else known = false;
  }
  if (!leaf) return;
  const missing = tags.some((tag) => !leaf.tags.some((one) => equal(one, tag)));
  if (missing || (known && tags.length > leaf.tags.length)) tell('tag_altered', 'its tags are not those of its parties');
};
