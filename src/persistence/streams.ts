import type { SessionEnd } from '../delegation/session.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { StreamEvent } from '../signals/events.ts';
import type { Stream, StreamStore, Waiting } from '../signals/streams.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface StreamRow {
  id: string;
  service_id: string;
  method: Stream['method'];
  endpoint: string | null;
  authorization_box: Buffer | null;
  requested: string[];
  events: StreamEvent[];
  description: string | null;
  status: Stream['status'];
  status_reason: string | null;
}

const readStream = (found: StreamRow): Stream => ({
  id: found.id,
  serviceId: found.service_id,
  method: found.method,
  endpoint: found.endpoint ?? undefined,
  authorizationBox: found.authorization_box ?? undefined,
  requested: found.requested,
  events: found.events,
  description: found.description ?? undefined,
  status: found.status,
  statusReason: found.status_reason ?? undefined,
});

interface FactsRow {
  id: string;
  stream_id: string;
  service_id: string;
  created_at: Date;
  event: 'verification' | StreamEvent;
  body_box: Buffer | null;
  sector: string;
  usager_id: string;
  session_id: string;
  identifier: string;
  theme: string;
  reason: SessionEnd;
  by_other: boolean;
}

const readFacts = (found: FactsRow): Waiting => ({
  id: found.id,
  streamId: found.stream_id,
  serviceId: found.service_id,
  at: found.created_at,
  box: found.body_box ?? undefined,
  ...(found.event === 'verification'
    ? { event: 'verification', state: undefined }
    : {
        event: found.event,
        sector: found.sector,
        usagerId: found.usager_id,
        session: found.session_id,
        identifier: found.identifier,
        theme: found.theme,
        reason: found.reason,
        byOther: found.by_other,
      }),
});

/** A service that wants to hear of fewer people than this does better not to ask for a stream; beyond, they are told. */
const MOST_EXCLUDED = 10_000;
/** Verifications that wait to be taken. */
const MOST_VERIFICATIONS = 10;

export const streamStore: StreamStore = {
  insert: async (tx, it, now) =>
    (await run(
      tx,
      sql`insert into stream (id, service_id, method, endpoint, authorization_box, requested, events, description, status, created_at, updated_at)
        values (${it.id}, ${it.serviceId}, ${it.method}, ${it.endpoint ?? null}, ${it.authorizationBox ?? null}, ${it.requested}::text[], ${it.events}::text[],
          ${it.description ?? null}, ${it.status}, ${now}, ${now}) on conflict (service_id) do nothing`,
    )) === 1,
  async ofService(tx, serviceId) {
    const found = await row<StreamRow>(tx, sql`select * from stream where service_id = ${serviceId}`);
    return found && readStream(found);
  },
  async hold(tx, serviceId, id) {
    const found = await row<StreamRow>(tx, sql`select * from stream where id = ${id} and service_id = ${serviceId} for update`);
    return found && readStream(found);
  },
  async update(tx, it, now) {
    await run(
      tx,
      sql`update stream set method = ${it.method}, endpoint = ${it.endpoint ?? null}, authorization_box = ${it.authorizationBox ?? null},
        requested = ${it.requested}::text[], events = ${it.events}::text[], description = ${it.description ?? null}, status = ${it.status},
        status_reason = ${it.statusReason ?? null}, updated_at = ${now} where id = ${it.id}`,
    );
    // What waited while the stream was paused, or elsewhere, leaves now.
    await run(
      tx,
      sql`update delivery set next_at = ${now} where stream_id = ${it.id} and done_at is null and next_at > ${now} and locked_until is null`,
    );
  },
  async remove(tx, id, now) {
    await this.drop(tx, id, now);
    await run(tx, sql`delete from stream where id = ${id}`);
  },
  async drop(tx, id, now) {
    await run(
      tx,
      sql`update delivery set done_at = ${now}, body_box = null, locked_until = null, last_error = 'dropped' where stream_id = ${id} and done_at is null`,
    );
  },
  async exclude(tx, id, subject, excluded) {
    await run(
      tx,
      excluded
        ? sql`insert into stream_excluded (stream_id, subject) select ${id}, ${subject}::bytea
            where (select count(*) from stream_excluded where stream_id = ${id}) < ${MOST_EXCLUDED} on conflict do nothing`
        : sql`delete from stream_excluded where stream_id = ${id} and subject = ${subject}`,
    );
  },
  excluded: async (tx, id, subjects) =>
    (
      await rows<{ subject: Buffer }>(
        tx,
        sql`select subject from stream_excluded where stream_id = ${id} and subject in (select decode(s, 'hex') from unnest(${subjects.map((each) => each.toString('hex'))}::text[]) s)`,
      )
    ).map(({ subject }) => subject),
  queueVerification: async (tx, id, deliveryId, box, now) =>
    (await run(
      tx,
      sql`insert into delivery (id, kind, target, stream_id, event, body_box, created_at, next_at)
        select ${deliveryId}, 'set', ${id}, ${id}, 'verification', ${box}::bytea, ${now}::timestamptz, ${now}::timestamptz
        where (select count(*) from delivery where stream_id = ${id} and event = 'verification' and done_at is null) < ${MOST_VERIFICATIONS}`,
    )) === 1,
  async facts(tx, { streamId, ids, limit }) {
    const found = await rows<FactsRow>(
      tx,
      sql`select d.id, d.stream_id, t.service_id, d.created_at, d.event, d.body_box, s.sector, e.usager_id, d.session_id, e.identifier, e.theme, d.reason, d.by_other
        from delivery d join stream t on t.id = d.stream_id join service s on s.id = t.service_id left join delegated_session e on e.id = d.session_id
        where d.stream_id = ${streamId} and d.done_at is null and (${ids ?? null}::text[] is null or d.id = any (${ids ?? null}::text[]))
        order by d.seq limit ${limit}`,
    );
    return found.map(readFacts);
  },
  pending: async (tx, ids) =>
    (
      await rows<{ id: string }>(
        tx,
        sql`select t.id from stream t where t.id = any (${[...ids]}::text[]) and t.method = 'poll' and t.status = 'enabled'
          and exists (select 1 from delivery d where d.stream_id = t.id and d.done_at is null)`,
      )
    ).map(({ id }) => id),
  forget: (tx, before, now) =>
    run(
      tx,
      sql`update delivery set done_at = ${now}, body_box = null, last_error = 'not_fetched'
        where kind = 'set' and done_at is null and created_at < ${before} and (locked_until is null or locked_until < ${now})`,
    ),
};

/** Takes a person out of those of whom services want to hear nothing; `subject` gives the hash of her identifier in a sector. */
export const forgetExcluded = async (tx: Transaction, subject: (sector: string) => Buffer): Promise<void> => {
  // Held: a removal that has not committed is waited for.
  const streams = await rows<{ id: string; sector: string }>(
    tx,
    sql`select t.id, s.sector from stream t join service s on s.id = t.service_id order by t.id for update of t`,
  );
  const sectors = [...new Set(streams.map(({ sector }) => sector))];
  await run(tx, sql`delete from stream_excluded where subject = any (${sectors.map(subject)}::bytea[])`);
};
