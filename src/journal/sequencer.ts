import { randomBytes, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { encodeLeaf, isPublic, publicParameters, type Queued } from './entry.ts';
import { boxKey, type LoadedKeys, monthOf, ROLES, type Role, tagOf } from './keys.ts';
import { openQueued, readPacked, sealBox } from './payload.ts';
import { append, type Edge, leafHash, rootOf, type Tile } from './tree.ts';

/** The decision of the sequencer, without its database: which rows become which leaves. */

/** A row of the queue as the sequencer takes it. `known`: a receipt already exists for this event. */
export interface WaitingRow extends Queued {
  readonly queueId: number;
  readonly known: boolean;
}

/** The number of an entry for each of its parties. A role is missing when nobody has it, or whoever had it was erased. */
export type Numbers = { readonly [R in Role]?: number };

export interface NewLeaf {
  readonly eventId: string;
  readonly index: number;
  readonly leaf: string;
  readonly leafHash: Buffer;
  readonly class: string;
  readonly subject: Buffer;
  readonly actor: Buffer | undefined;
  readonly numbers: Numbers;
}

/** What the sequencer knows of a party under one role: how many entries it has, and the key of its tags (null: erased, it gets no more). */
export interface KnownParty {
  readonly count: number;
  readonly tagKey: Buffer | null;
}

/** Where parties are known, by role and id. */
export const partyKey = (role: Role, id: string): string => `${role}\n${id}`;

export interface Batch {
  readonly edge: Edge;
  readonly root: Buffer;
  /** The time of every leaf of this batch. */
  readonly at: Date;
  readonly leaves: readonly NewLeaf[];
  /** Parties that got entries, as they are once the batch is written. */
  readonly known: ReadonlyMap<string, KnownParty>;
  readonly tiles: readonly Tile[];
  /** Queue ids of the leaves. */
  readonly taken: readonly number[];
  /** Queue ids of rows whose event already has its leaf: to be dropped, nothing more to do. */
  readonly repeated: readonly number[];
}

/** An entry that says it happened later than this after now waits until the clocks agree. */
export const AHEAD_MS = 2000;
/** An entry sequenced later than this after it happened says so. */
export const LATE_MS = 5000;

export interface SequenceOptions {
  readonly now: Date;
  /** Keys of every person and period of the rows, made if they were missing. */
  readonly keys: LoadedKeys;
  /** Every party of the rows. */
  readonly known: ReadonlyMap<string, KnownParty>;
  /** This machine's clock and the database's disagree: no time of these leaves is to be trusted (claim J17). */
  readonly clockApart?: boolean;
}

const periodKey = (keys: LoadedKeys, ...of: Parameters<LoadedKeys['period']>): Buffer => {
  const key = keys.period(...of);
  if (!key) throw new Failure('journal_key_missing', `the key of ${of[0]} ${of[1]} is not there any more`);
  return key;
};

/** The parties of one row get their next number and its tag. */
const number = (row: Queued, known: Map<string, KnownParty>, before: ReadonlyMap<string, KnownParty>): { numbers: Numbers; tags: Buffer[] } => {
  const numbers: { [R in Role]?: number } = {};
  const tags: Buffer[] = [];
  for (const role of ROLES) {
    const id = row.parties[role];
    if (id === undefined) continue;
    const key = partyKey(role, id);
    const party = known.get(key) ?? before.get(key);
    if (!party) throw new Failure('journal_party_unknown');
    if (!party.tagKey) continue;
    const n = party.count + 1;
    known.set(key, { ...party, count: n });
    numbers[role] = n;
    tags.push(tagOf(party.tagKey, role, n));
  }
  return { numbers, tags };
};

/** Seals both boxes under the keys of their person and month. Of somebody erased nothing more is kept: a key of this moment only. */
const sealBoxes = (row: Queued, month: string, { keys }: SequenceOptions): { subject: Buffer; actor: Buffer | undefined; packed: Buffer } => {
  const opened = openQueued(periodKey(keys, 'queue', row.sealedWith), row.eventId, row.box);
  const keyFor = (id: string | undefined, boxClass: Parameters<LoadedKeys['period']>[0]): Buffer => {
    const person = id === undefined ? undefined : keys.person(id);
    return person === null ? randomBytes(32) : boxKey(person, periodKey(keys, boxClass, month));
  };
  return {
    packed: opened.subject,
    subject: sealBox(keyFor(row.parties.usager, row.class), row.eventId, 'subject', opened.subject),
    actor: opened.actor && sealBox(keyFor(row.parties.aidant, 'actor'), row.eventId, 'actor', opened.actor),
  };
};

/**
 * Turns waiting rows, in order, each with its writer's MAC (`isAuthentic`), into the next leaves. Time never goes back: it is now, or the time of the head if a former leader's clock was
 * ahead (journal.md §3.5.5). Rows further ahead than `AHEAD_MS` must not be given: they stay in the queue, since an entry that was
 * committed is never thrown away. Fails as `journal_key_missing` or `box_does_not_open` when what waits cannot be opened.
 */
export const sequence = (rows: readonly WaitingRow[], head: { edge: Edge; at: Date }, options: SequenceOptions): Batch => {
  const at = options.now > head.at ? options.now : head.at;
  const leaves: NewLeaf[] = [];
  const known = new Map<string, KnownParty>();
  const taken: number[] = [];
  const repeated: number[] = [];
  for (const row of rows) {
    if (row.known) {
      repeated.push(row.queueId);
      continue;
    }
    const { subject, actor, packed } = sealBoxes(row, monthOf(at), options);
    const { numbers, tags } = number(row, known, options.known);
    const parameters = {
      ...(isPublic(row.type) ? publicParameters(readPacked(packed).fields) : {}),
      ...(at.getTime() - row.at.getTime() > LATE_MS ? { late: 'waited' } : {}),
      ...(row.parties.usager !== undefined && options.keys.person(row.parties.usager) === null ? { erased: 'usager' } : {}),
      ...(options.clockApart ? { clock: 'apart' } : {}),
    };
    const leaf = encodeLeaf({
      type: row.type,
      class: row.class,
      at,
      eventId: row.eventId,
      writer: row.writer,
      tags,
      commitment: row.commitment,
      boxes: actor ? [sha256(subject), sha256(actor)] : [sha256(subject)],
      ...(row.at.getTime() === at.getTime() ? {} : { occurred: row.at }),
      ...(Object.keys(parameters).length ? { parameters } : {}),
    });
    const index = head.edge.size + leaves.length;
    leaves.push({ eventId: row.eventId, index, leaf, leafHash: leafHash(leaf), class: row.class, subject, actor, numbers });
    taken.push(row.queueId);
  }
  const { edge, tiles } = append(
    head.edge,
    leaves.map((one) => one.leafHash),
  );
  return { edge, root: rootOf(edge), at, leaves, known, tiles, taken, repeated };
};
