import { isAuthentic } from '../journal/entry.ts';
import type { EventType, Parties, Retention } from '../journal/event.ts';
import { ifReadable, type KeyStore, type LoadedKeys, monthOf, ROLES, type Role, tagKeyOf } from '../journal/keys.ts';
import { AHEAD_MS, type Batch, type KnownParty, type NewLeaf, partyKey, sequence, type WaitingRow } from '../journal/sequencer.ts';
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
  readonly keys: KeyStore;
  readonly clock: Clock;
  /** Names this process in `head.writer`. */
  readonly name?: string;
  readonly batchSize?: number;
  /** Says whether this machine's clock and the database's are apart: what is sequenced meanwhile says so. */
  readonly clockApart?: () => boolean;
  readonly onAlarm?: (alarm: SequencerAlarm) => void;
}

const LOCK = 7351002;

export interface Lead {
  readonly connection: Dedicated;
  readonly epoch: number;
  edge: Edge;
  at: Date;
  /** Nobody else numbers entries while this process leads. Forgotten when somebody is erased, and when it grows too large. */
  readonly known: Map<string, KnownParty>;
  /** The keys of known parties and of this month, so that a batch of known parties costs no reading. */
  readonly persons: Map<string, Buffer | null>;
  readonly periods: Map<string, Buffer | null>;
  /** Rows of parties whose key opens with nothing: they wait while the others go on, and are tried again a minute after `triedAt`. */
  readonly stuck: Set<number>;
  triedAt: number;
  /** The month for which partitions were last ensured. */
  partitioned: string;
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
  return {
    connection,
    epoch: head.epoch,
    edge,
    at: head.at,
    known: new Map(),
    persons: new Map(),
    periods: new Map(),
    stuck: new Set(),
    triedAt: 0,
    partitioned: '',
  };
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
  sealed_with: string;
  commitment: Buffer;
  mac: Buffer;
  known: boolean;
}

const waitingRow = ({ id, event_id, sealed_with, ...rest }: QueueRow): WaitingRow => ({
  ...rest,
  queueId: id,
  eventId: event_id,
  sealedWith: sealed_with,
});

const takeRows = async (lead: Lead, limit: number, now: Date): Promise<WaitingRow[]> =>
  (
    await rows<QueueRow>(
      lead.connection.auto,
      sql`
    select q.id, q.event_id, q.type, q.class, q.writer, q.at, q.parties, q.box, q.sealed_with, q.commitment, q.mac, k.event_id is not null as known
    from (select * from journal.queue where at <= ${new Date(now.getTime() + AHEAD_MS)} and id <> all(${[...lead.stuck]}::bigint[]) order by id limit ${limit}) q
    left join lateral (select r.event_id from journal.receipt r where r.event_id = q.event_id limit 1) k on true order by q.id`,
    )
  ).map(waitingRow);

const MOST_KNOWN = 50_000;
const STUCK_AGAIN_MS = 60_000;

/** Loads what is not known yet of the parties of rows that are authentic: their keys, made at their first entry, and their numbers. */
const learn = async (lead: Lead, keys: KeyStore, taken: readonly WaitingRow[], month: string): Promise<LoadedKeys> => {
  if (lead.known.size > MOST_KNOWN || lead.persons.size > MOST_KNOWN) for (const map of [lead.known, lead.persons, lead.periods]) map.clear();
  const parties = new Map<string, { role: Role; id: string }>();
  const periods = new Map<string, { class: Parameters<LoadedKeys['period']>[0]; period: string }>();
  const need = (of: Parameters<LoadedKeys['period']>[0], period: string): void => {
    if (!lead.periods.has(`${of} ${period}`)) periods.set(`${of} ${period}`, { class: of, period });
  };
  for (const row of taken) {
    need('queue', row.sealedWith);
    need(row.class, month);
    need('actor', month);
    for (const role of ROLES) {
      const id = row.parties[role];
      if (id !== undefined && !lead.known.has(partyKey(role, id))) parties.set(partyKey(role, id), { role, id });
    }
  }
  if (parties.size || periods.size) {
    const ids = [...parties.values()].map(({ id }) => id);
    const loaded = await keys.make(lead.connection.auto, { persons: ids, periods: [...periods.values()] });
    for (const [name, of] of periods) lead.periods.set(name, orHalt(() => loaded.period(of.class, of.period)) ?? null);
    const unreadable = ids.filter((id) => {
      const person = ifReadable(() => loaded.person(id));
      if (person !== undefined) lead.persons.set(id, person);
      return person === undefined;
    });
    for (const row of taken) if (ROLES.some((role) => unreadable.includes(row.parties[role] ?? ''))) lead.stuck.add(row.queueId);
    if (unreadable.length) lead.triedAt = performance.now();
    const counts = await countsOf(lead, parties);
    for (const [key, { id }] of parties) {
      const person = lead.persons.get(id);
      if (person === undefined) continue;
      lead.known.set(key, { count: counts.get(key) ?? 0, tagKey: person ? tagKeyOf(person) : null });
    }
  }
  return { person: (id) => lead.persons.get(id), period: (of, period) => lead.periods.get(`${of} ${period}`) };
};

/** The number of the last entry of each party: the end of its own index. */
const countsOf = async (lead: Lead, parties: ReadonlyMap<string, { role: Role; id: string }>): Promise<Map<string, number>> => {
  const asked = (role: Role): string[] => [...parties.values()].flatMap((one) => (one.role === role ? [one.id] : []));
  const found = await rows<{ role: Role; id: string; n: number | null }>(
    lead.connection.auto,
    sql`select 'usager' as role, id, (select usager_n from journal.projection where usager = id order by at desc, idx desc limit 1) as n from unnest(${asked('usager')}::text[]) id
      union all select 'organisation', id, (select organisation_n from journal.projection where organisation = id order by at desc, idx desc limit 1) from unnest(${asked('organisation')}::text[]) id
      union all select 'administration', id, (select administration_n from journal.projection where administration = id order by at desc, idx desc limit 1) from unnest(${asked('administration')}::text[]) id
      union all select 'aidant', id, (select aidant_n from journal.projection where aidant = id order by at desc, idx desc limit 1) from unnest(${asked('aidant')}::text[]) id`,
  );
  return new Map(found.map(({ role, id, n }) => [partyKey(role, id), n ?? 0]));
};

/**
 * Writes a batch in one statement, which is its own transaction: everything, or nothing when the head is no longer ours. The rows leave the
 * queue in the same statement as they become leaves, so that none can be lost or written twice.
 */
const write = async (lead: Lead, batch: Batch): Promise<boolean> => {
  const tiles = batch.tiles;
  const packed = packedIn(batch);
  const done = await row<{ won: number; taken: number }>(
    lead.connection.auto,
    sql`
    with won as (
      update journal.head set size = ${batch.edge.size}, root = ${batch.root}, at = ${batch.at}
      where epoch = ${lead.epoch} and size = ${lead.edge.size} and root = ${rootOf(lead.edge)} returning size
    ), added as (
      select ${lead.edge.size}::bigint + u.n - 1 as idx, u.event_id, u.class, u.usager_n, u.organisation_n, u.administration_n, u.aidant_n,
        substr(b.bytes, u.start, 32) as leaf_hash, substr(b.bytes, u.start + 32, u.leaf) as leaf, substr(b.bytes, u.start + 32 + u.leaf, u.subject) as subject,
        case when u.actor > 0 then substr(b.bytes, u.start + 32 + u.leaf + u.subject, u.actor) end as actor
      from unnest(${batch.leaves.map((one) => one.eventId)}::uuid[], ${batch.leaves.map((one) => one.class)}::text[], ${packed.starts}::int[],
        ${batch.leaves.map((one) => one.leaf.length)}::int[], ${batch.leaves.map((one) => one.subject.length)}::int[],
        ${batch.leaves.map((one) => one.actor?.length ?? 0)}::int[], ${numbersOf(batch, 'usager')}::bigint[], ${numbersOf(batch, 'organisation')}::bigint[],
        ${numbersOf(batch, 'administration')}::bigint[], ${numbersOf(batch, 'aidant')}::bigint[])
        with ordinality as u (event_id, class, start, leaf, subject, actor, usager_n, organisation_n, administration_n, aidant_n, n),
        (select ${packed.bytes}::bytea as bytes) b, won
    ), taken as (
      delete from journal.queue where id = any(${batch.taken}::bigint[]) and exists (select 1 from won) returning event_id, type, parties
    ), leaves as (
      insert into journal.leaf (idx, at, leaf_hash, leaf) select idx, ${batch.at}::timestamptz, leaf_hash, leaf from added
    ), payloads as (
      insert into journal.payload (idx, month, class, event_id, box_subject, box_actor)
      select a.idx, ${`${monthOf(batch.at)}-01`}::date, a.class, a.event_id, a.subject, a.actor from added a
    ), receipts as (
      insert into journal.receipt (event_id, idx, leaf_hash) select event_id, idx, leaf_hash from added
    ), projections as (
      insert into journal.projection (idx, at, usager_n, organisation_n, administration_n, aidant_n, type, usager, organisation, administration, aidant,
        mandate, session, service, theme, demarche, verb, outcome, actor)
      select a.idx, ${batch.at}::timestamptz, a.usager_n, a.organisation_n, a.administration_n, a.aidant_n, t.type,
        case when a.usager_n is not null then t.parties->>'usager' end, case when a.organisation_n is not null then t.parties->>'organisation' end,
        case when a.administration_n is not null then t.parties->>'administration' end, case when a.aidant_n is not null then t.parties->>'aidant' end,
        case when erased then null else t.parties->>'mandate' end, case when erased then null else t.parties->>'session' end, t.parties->>'service', t.parties->>'theme', t.parties->>'demarche', t.parties->>'verb',
        t.parties->>'outcome', t.parties->>'actor'
      from added a join taken t on t.event_id = a.event_id, lateral (select t.parties ? 'usager' and a.usager_n is null as erased) e
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

/** Bytes travel as they are in one value, where an array of them would be written out as text twice as long: hash, leaf (ASCII) and boxes of each entry. */
const packedIn = (batch: Batch): { bytes: Buffer; starts: number[] } => {
  const starts: number[] = [];
  const parts: Buffer[] = [];
  let next = 1; // SQL counts from one
  for (const { leafHash, leaf, subject, actor } of batch.leaves) {
    starts.push(next);
    parts.push(leafHash, Buffer.from(leaf, 'latin1'), subject, ...(actor ? [actor] : []));
    next += leafHash.length + leaf.length + subject.length + (actor?.length ?? 0);
  }
  return { bytes: Buffer.concat(parts), starts };
};

const numbersOf = (batch: Batch, role: Role): (number | null)[] => batch.leaves.map((one) => one.numbers[role] ?? null);

/** Finds out why a batch was not written: another leader (normal), or a head that was changed by hand. */
const explainLoss = async (lead: Lead): Promise<void> => {
  const head = await row<HeadRow>(lead.connection.auto, sql`select size, root, epoch, at from journal.head`);
  if (!head || head.epoch < lead.epoch || (head.epoch === lead.epoch && (head.size !== lead.edge.size || !head.root.equals(rootOf(lead.edge)))))
    throw new Halt('the head is not the one that this process wrote');
};

/** What waits and cannot be opened was made with another key, or its key is gone: never dropped, never tried again by itself. */
const orHalt = <T>(decide: () => T): T => {
  try {
    return decide();
  } catch (error) {
    throw error instanceof Failure ? new Halt(error.detail ?? error.code) : error;
  }
};

/** Takes what waits and makes it leaves. `lost`: another process leads. */
export const runBatch = async (
  lead: Lead,
  options: Required<SequencerOptions>,
  sequenced: (leaves: readonly Sequenced[]) => void,
): Promise<number | 'lost'> => {
  const now = options.clock.now();
  if (lead.stuck.size && performance.now() - lead.triedAt > STUCK_AGAIN_MS) lead.stuck.clear();
  const taken = await takeRows(lead, options.batchSize, now);
  if (!taken.length) return 0;
  const authentic: WaitingRow[] = [];
  const forged: WaitingRow[] = [];
  for (const one of taken) (isAuthentic(options.macKey, one) ? authentic : forged).push(one);
  const month = monthOf(now > lead.at ? now : lead.at);
  if (lead.partitioned !== month && authentic.length) {
    await rows(lead.connection.auto, sql`select journal.ensure_partitions(${`${month}-01`}::timestamptz)`);
    lead.partitioned = month;
  }
  const keys = await learn(lead, options.keys, authentic, month);
  const able = authentic.filter((one) => !lead.stuck.has(one.queueId));
  const batch = orHalt(() => sequence(able, lead, { now, keys, known: lead.known, clockApart: options.clockApart() }));
  if (batch.leaves.length) {
    if (!(await write(lead, batch))) {
      await explainLoss(lead);
      return 'lost';
    }
    lead.edge = batch.edge;
    lead.at = batch.at;
    for (const [key, party] of batch.known) lead.known.set(key, party);
    if (able.some((one) => one.type === 'erasure.executed')) for (const map of [lead.known, lead.persons, lead.periods]) map.clear();
    sequenced(batch.leaves);
  }
  await drop(lead, options, forged, batch.repeated);
  return taken.length;
};

const drop = async (
  lead: Lead,
  options: Required<SequencerOptions>,
  forged: readonly WaitingRow[],
  others: readonly number[] = [],
): Promise<void> => {
  const ids = [...others, ...forged.map((one) => one.queueId)];
  if (ids.length) await run(lead.connection.auto, sql`delete from journal.queue where id = any(${ids}::bigint[])`);
  for (const one of forged) options.onAlarm({ kind: 'forged_entry', eventId: one.eventId });
};

/** Rows that no batch takes because they say that they happen later: those that the writer did not write would count as waiting for ever. Returns how many. */
export const dropForgedAhead = async (lead: Lead, options: Required<SequencerOptions>): Promise<number> => {
  const ahead = new Date(options.clock.now().getTime() + AHEAD_MS);
  for (let [after, dropped] = [0, 0]; ; ) {
    const found = await rows<QueueRow>(
      lead.connection.auto,
      sql`select id, event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac, false as known from journal.queue
        where at > ${ahead} and id > ${after} order by id limit ${options.batchSize}`,
    );
    const forged = found.map(waitingRow).filter((one) => !isAuthentic(options.macKey, one));
    await drop(lead, options, forged);
    dropped += forged.length;
    const last = found.at(-1);
    if (!last || found.length < options.batchSize) return dropped;
    after = last.id;
  }
};
