import { canonical } from '../kernel/canonical.ts';
import { sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { type Leaf, openPayload, parseLeaf } from './entry.ts';
import { leafHash } from './tree.ts';
import type { Entries, LeafRow, PayloadRow, ProjectionRow, ReceiptRow } from './verify-source.ts';

/** What is wrong with one entry, seen by itself: its leaf, receipt, payload and projection must tell the same story. */

export const FAULTS = [
  'leaf_missing',
  'leaf_altered',
  'leaf_malformed',
  'leaf_moved',
  'time_altered',
  'time_backwards',
  'receipt_missing',
  'receipt_mismatch',
  'payload_missing',
  'payload_altered',
  'payload_unreadable',
  'projection_missing',
  'projection_altered',
  'tile_missing',
  'tile_altered',
  'checkpoint_altered',
  'checkpoint_mismatch',
  'checkpoint_missing',
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

/** Checks entry `index`; `previous` is the time of the entry before. */
export const checkEntry = (index: number, entries: Entries, previous: Date, kek: Buffer | undefined): Checked => {
  const faults: Fault[] = [];
  const tell: Tell = (kind, message) => void faults.push({ kind, index, message: `entry ${index}: ${message}` });
  const row = entries.leaves.get(index);
  const receipt = entries.receipts.get(index);
  if (!row) {
    tell('leaf_missing', 'its leaf is missing');
    return { faults, hash: receipt?.leafHash, at: undefined };
  }
  const computed = leafHash(row.leaf);
  if (!computed.equals(row.leafHash)) tell('leaf_altered', 'its leaf does not have the hash that stands beside it');
  const hash = receipt?.leafHash.equals(row.leafHash) ? row.leafHash : computed;
  const leaf = parse(row.leaf, tell);
  if (leaf) checkTimes(leaf, row, previous, tell);
  checkReceipt(leaf, hash, receipt, tell);
  if (leaf) checkPayload(leaf, entries.payloads.get(index), entries.projections.get(index), kek, tell);
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

const checkPayload = (
  leaf: Leaf,
  payload: PayloadRow | undefined,
  projection: ProjectionRow | undefined,
  kek: Buffer | undefined,
  tell: Tell,
): void => {
  if (!projection) tell('projection_missing', 'it is missing from what is searched');
  else if (projection.type !== leaf.type || projection.at.getTime() !== leaf.at.getTime())
    tell('projection_altered', 'what is searched has another type or time');
  if (!payload) tell('payload_missing', 'its sealed part is missing');
  else if (payload.eventId !== leaf.eventId || !leaf.boxes[0]?.equals(sha256(payload.box)))
    tell('payload_altered', 'its sealed part is not the one that was written');
  else if (kek) checkOpened(leaf, payload, projection, kek, tell);
};

const checkOpened = (leaf: Leaf, payload: PayloadRow, projection: ProjectionRow | undefined, kek: Buffer, tell: Tell): void => {
  try {
    const opened = openPayload(kek, payload.eventId, payload.box);
    if (!opened.commitment.equals(leaf.commitment)) tell('payload_altered', 'its sealed part opens to another text than the one committed to');
    else if (projection && canonical({ ...opened.parties }) !== canonical({ ...projection.parties }))
      tell('projection_altered', 'what is searched differs from its sealed part');
  } catch (error) {
    tell('payload_unreadable', `its sealed part does not open (${error instanceof Failure ? error.code : 'unreadable'})`);
  }
};
