import { sha256 } from '../kernel/crypto.ts';
import { encodeLeaf, isAuthentic, type Queued } from './entry.ts';
import { append, type Edge, leafHash, rootOf, type Tile } from './tree.ts';

/** The decision of the sequencer, without its database: which rows become which leaves. */

/** A row of the queue as the sequencer takes it. `known`: a receipt already exists for this event. */
export interface WaitingRow extends Queued {
  readonly queueId: number;
  readonly known: boolean;
}

export interface NewLeaf {
  readonly eventId: string;
  readonly index: number;
  readonly leaf: string;
  readonly leafHash: Buffer;
}

export interface Batch {
  readonly edge: Edge;
  readonly root: Buffer;
  /** The time of every leaf of this batch. */
  readonly at: Date;
  readonly leaves: readonly NewLeaf[];
  readonly tiles: readonly Tile[];
  /** Queue ids of the leaves. */
  readonly taken: readonly number[];
  /** Queue ids of rows whose event already has its leaf: to be dropped, nothing more to do. */
  readonly repeated: readonly number[];
  /** Rows that the writer did not write: to be dropped, loudly. */
  readonly forged: readonly WaitingRow[];
}

/** An entry that says it happened later than this after now waits until the clocks agree. */
export const AHEAD_MS = 2000;
/** An entry sequenced later than this after it happened says so. */
export const LATE_MS = 5000;

/**
 * Turns waiting rows, in order, into the next leaves. Time never goes back: it is now, or the time of the head if a former leader's clock was
 * ahead (journal.md §3.5.5). Rows further ahead than `AHEAD_MS` must not be given: they stay in the queue, since an entry that was
 * committed is never thrown away.
 */
export const sequence = (rows: readonly WaitingRow[], head: { edge: Edge; at: Date }, options: { now: Date; macKey: Buffer }): Batch => {
  const at = options.now > head.at ? options.now : head.at;
  const leaves: NewLeaf[] = [];
  const taken: number[] = [];
  const repeated: number[] = [];
  const forged: WaitingRow[] = [];
  for (const row of rows) {
    if (!isAuthentic(options.macKey, row)) {
      forged.push(row);
      continue;
    }
    if (row.known) {
      repeated.push(row.queueId);
      continue;
    }
    const leaf = encodeLeaf({
      type: row.type,
      class: row.class,
      at,
      eventId: row.eventId,
      writer: row.writer,
      commitment: row.commitment,
      boxes: [sha256(row.box)],
      ...(row.at.getTime() === at.getTime() ? {} : { occurred: row.at }),
      ...(at.getTime() - row.at.getTime() > LATE_MS ? { parameters: { late: 'waited' } } : {}),
    });
    leaves.push({ eventId: row.eventId, index: head.edge.size + leaves.length, leaf, leafHash: leafHash(leaf) });
    taken.push(row.queueId);
  }
  const { edge, tiles } = append(
    head.edge,
    leaves.map((one) => one.leafHash),
  );
  return { edge, root: rootOf(edge), at, leaves, tiles, taken, repeated, forged };
};
