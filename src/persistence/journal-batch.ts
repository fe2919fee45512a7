import type { EventType, Parties, Retention } from '../journal/event.ts';
import { AHEAD_MS, type Batch, type NewLeaf, sequence, type WaitingRow } from '../journal/sequencer.ts';
import { type Edge, loadEdge, rootOf } from '../journal/tree.ts';
import type { Clock } from '../kernel/clock.ts';
import { Failure } from '../kernel/failure.ts';
import { type Database, type Dedicated, row, rows, run } from './database.ts';
import { hashSource } from './journal-source.ts';
import { sql } from './sql.ts';

/** One batch of the sequencer on its own connection: what is read, decided, and written in one statement. */

/** What an operator must hear about. Only `halted` needs a human before entries are sequenced again. */
export type SequencerAlarm =
  /** A row without the writer's MAC was in the queue and has been removed. */
  | { readonly kind: 'forged_entry'; readonly eventId: string }
  /** Entries from a clock more than two seconds ahead wait. */
  | { readonly kind: 'entry_ahead' }
  /** What the database holds is not what was written: someone changed it. Nothing is sequenced until the program starts again. */
  | { readonly kind: 'halted'; readonly reason: string }
  /** Another process leads now. */
  | { readonly kind: 'lost_lead' }
  /** The database did not answer as it should; tried again. */
  | { readonly kind: 'fault'; readonly code: string };

export type Sequenced = Pick<NewLeaf, 'eventId' | 'index' | 'leafHash'>;

export interface SequencerOptions {
  readonly database: Database;
  /** `journal-mac`. */
  readonly macKey: Buffer;
  readonly clock: Clock;
  /** Names this process in `head.writer`. */
  readonly name?: string;
  readonly batchSize?: number;
  readonly onAlarm?: (alarm: SequencerAlarm) => void;
}

const LOCK = 7351002;

export interface Lead {
  readonly connection: Dedicated;
  readonly epoch: number;
  edge: Edge;
  at: Date;
}

/** Thrown inside the loop when the data says that somebody else wrote: never tried again. */
export class Halt extends Error {}

interface HeadRow {
  size: number;
  root: Buffer;
  epoch: number;
  at: Date;
}

/** Takes the lead on `connection`, or returns undefined when another process has it. What is loaded is checked before anything is added to it. */
export const takeLead = async (kind: Database['kind'], connection: Dedicated, name: string): Promise<Lead | undefined> => {
  // The folder's lock file stands for the advisory lock on PGlite: one process, one sequencer.
  if (kind === 'postgres' && !(await row<{ taken: boolean }>(connection.auto, sql`select pg_try_advisory_lock(${LOCK}) as taken`))?.taken)
    return undefined;
  const head = await row<HeadRow>(connection.auto, sql`update journal.head set epoch = epoch + 1, writer = ${name} returning size, root, epoch, at`);
  if (!head) throw new Halt('journal.head has no row');
  const beyond = await row<{ found: boolean }>(connection.auto, sql`select exists (select 1 from journal.leaf where idx >= ${head.size}) as found`);
  if (beyond?.found) throw new Halt(`there are leaves beyond the head (${head.size})`);
  const edge = await loadEdge(hashSource(connection.auto), head.size).catch((error: unknown) => {
    throw error instanceof Failure ? new Halt(error.message) : error;
  });
  if (!rootOf(edge).equals(head.root)) throw new Halt(`the leaves do not give the root of the head (${head.size})`);
  return { connection, epoch: head.epoch, edge, at: head.at };
};

interface QueueRow {
  id: number;
  event_id: string;
  type: EventType;
  class: Retention;
  writer: string;
  at: Date;
  parties: Parties;
  box: Buffer;
  commitment: Buffer;
  mac: Buffer;
  known: boolean;
}

const takeRows = async (lead: Lead, limit: number, now: Date): Promise<WaitingRow[]> =>
  (
    await rows<QueueRow>(
      lead.connection.auto,
      sql`
    select q.id, q.event_id, q.type, q.class, q.writer, q.at, q.parties, q.box, q.commitment, q.mac,
      exists (select 1 from journal.receipt r where r.event_id = q.event_id) as known
    from journal.queue q where q.at <= ${new Date(now.getTime() + AHEAD_MS)} order by q.id limit ${limit}`,
    )
  ).map(({ id, event_id, ...rest }) => ({ ...rest, queueId: id, eventId: event_id }));

/**
 * Writes a batch in one statement, which is its own transaction: everything, or nothing when the head is no longer ours. The rows leave the
 * queue in the same statement as they become leaves, so that none can be lost or written twice.
 */
const write = async (lead: Lead, batch: Batch): Promise<boolean> => {
  const tiles = batch.tiles;
  const done = await row<{ won: number; taken: number }>(
    lead.connection.auto,
    sql`
    with won as (
      update journal.head set size = ${batch.edge.size}, root = ${batch.root}, at = ${batch.at}
      where epoch = ${lead.epoch} and size = ${lead.edge.size} and root = ${rootOf(lead.edge)} returning size
    ), added as (
      select ${lead.edge.size}::bigint + u.n - 1 as idx, u.event_id, u.leaf_hash, convert_to(u.leaf, 'UTF8') as leaf
      from unnest(${batch.leaves.map((one) => one.eventId)}::uuid[], ${batch.leaves.map((one) => one.leafHash)}::bytea[],
        ${batch.leaves.map((one) => one.leaf)}::text[]) with ordinality as u (event_id, leaf_hash, leaf, n), won
    ), taken as (
      delete from journal.queue where id = any(${batch.taken}::bigint[]) and exists (select 1 from won) returning event_id, type, parties, box
    ), leaves as (
      insert into journal.leaf (idx, at, leaf_hash, leaf) select idx, ${batch.at}::timestamptz, leaf_hash, leaf from added
    ), payloads as (
      insert into journal.payload (idx, event_id, box) select a.idx, t.event_id, t.box from added a join taken t on t.event_id = a.event_id
    ), receipts as (
      insert into journal.receipt (event_id, idx, leaf_hash) select event_id, idx, leaf_hash from added
    ), projections as (
      insert into journal.projection (idx, at, type, usager, aidant, organisation, mandate, session, service, administration, theme, demarche, verb, outcome, actor)
      select a.idx, ${batch.at}::timestamptz, t.type, t.parties->>'usager', t.parties->>'aidant', t.parties->>'organisation', t.parties->>'mandate', t.parties->>'session',
        t.parties->>'service', t.parties->>'administration', t.parties->>'theme', t.parties->>'demarche', t.parties->>'verb', t.parties->>'outcome', t.parties->>'actor'
      from added a join taken t on t.event_id = a.event_id
    ), tiles as (
      insert into journal.tile (level, n, hashes, root) select u.level, u.n, u.hashes, u.root
      from unnest(${tiles.map((tile) => tile.level)}::int[], ${tiles.map((tile) => tile.n)}::bigint[], ${tiles.map((tile) => Buffer.concat(tile.hashes))}::bytea[],
        ${tiles.map((tile) => tile.root)}::bytea[]) as u (level, n, hashes, root), won
    )
    select (select count(*) from won)::int as won, (select count(*) from taken)::int as taken`,
  );
  if (done?.won !== 1) return false;
  if (done.taken !== batch.leaves.length) throw new Halt('rows of the queue were removed by somebody else while they became leaves');
  return true;
};

/** Finds out why a batch was not written: another leader (normal), or a head that was changed by hand. */
const explainLoss = async (lead: Lead): Promise<void> => {
  const head = await row<HeadRow>(lead.connection.auto, sql`select size, root, epoch, at from journal.head`);
  if (!head || head.epoch < lead.epoch || (head.epoch === lead.epoch && (head.size !== lead.edge.size || !head.root.equals(rootOf(lead.edge)))))
    throw new Halt('the head is not the one that this process wrote');
};

/** Takes what waits and makes it leaves. `lost`: another process leads. */
export const runBatch = async (
  lead: Lead,
  options: Required<SequencerOptions>,
  sequenced: (leaves: readonly Sequenced[]) => void,
): Promise<number | 'lost'> => {
  const now = options.clock.now();
  const taken = await takeRows(lead, options.batchSize, now);
  if (!taken.length) return 0;
  const batch = sequence(taken, lead, { now, macKey: options.macKey });
  if (batch.leaves.length) {
    if (!(await write(lead, batch))) {
      await explainLoss(lead);
      return 'lost';
    }
    lead.edge = batch.edge;
    lead.at = batch.at;
    sequenced(batch.leaves);
  }
  const dropped = [...batch.repeated, ...batch.forged.map((forged) => forged.queueId)];
  if (dropped.length) await run(lead.connection.auto, sql`delete from journal.queue where id = any(${dropped}::bigint[])`);
  for (const forged of batch.forged) options.onAlarm({ kind: 'forged_entry', eventId: forged.eventId });
  return taken.length;
};
