import type { Transaction } from '../kernel/transaction.ts';
import type { Payload } from '../provider/artefacts.ts';
import { rows } from './database.ts';
import { sql } from './sql.ts';

/** An artefact that waits to be written. */
export interface Write {
  readonly model: string;
  readonly id: string;
  readonly payload: Payload;
  readonly expiresAt: Date | undefined;
  /** Only if the delegated session of its grant is live. */
  readonly onlyIfLive: boolean;
  readonly now: Date;
  /** An interaction that this write finishes: deleted in the same statement. */
  readonly finishes: string | undefined;
}

const keyOf = ({ model, id }: { model: string; id: string }): string => `${model} ${id}`;

/** Writes artefacts, each whole or not at all, and says which were written. Sessions are held against a concurrent stop, in the order of their ids. */
const writeAll = async (tx: Transaction, writes: readonly Write[]): Promise<Set<string>> => {
  const asked = writes.map(({ model, id, payload, expiresAt, onlyIfLive }) => ({
    model,
    id,
    grant_id: model === 'Grant' ? id : payload.grantId,
    uid: payload.uid,
    payload,
    expires_at: expiresAt,
    live: onlyIfLive,
  }));
  const grants = [...new Set(asked.flatMap((each) => (each.live && each.grant_id !== undefined ? [each.grant_id] : [])))];
  const finished = writes.flatMap(({ finishes }) => finishes ?? []);
  const now = new Date(Math.max(...writes.map((each) => each.now.getTime())));
  const written = await rows<{ model: string; id: string }>(
    tx,
    sql`with held as (
        select id, grant_id from delegated_session where grant_id = any (${grants}::text[]) and ended_at is null order by id for share),
      alive as (select h.grant_id from held h cross join lateral (select 1 from live_session(${now}) l where l.id = h.id offset 0) l),
      finished as (delete from oidc_artefact where model = 'Interaction' and id = any (${finished}::text[]))
      insert into oidc_artefact (model, id, grant_id, uid, payload, expires_at)
      select a.model, a.id, a.grant_id, a.uid, a.payload, a.expires_at
      from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb)
        as a (model text, id text, grant_id text, uid text, payload jsonb, expires_at timestamptz, live boolean)
      where not a.live or a.grant_id in (select grant_id from alive)
      order by a.model, a.id
      on conflict (model, id) do update set grant_id = excluded.grant_id, uid = excluded.uid, payload = excluded.payload, expires_at = excluded.expires_at
      returning model, id`,
  );
  return new Set(written.map(keyOf));
};

interface Waiting extends Write {
  readonly resolve: (written: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Gathers the writes of one turn of the event loop into one statement, hence one commit: those of one request, and those of requests that arrived
 * together. Resolves when the write is durable; false when its session was not live.
 */
export const createArtefactWrites = (tx: Transaction): ((write: Write) => Promise<boolean>) => {
  let waiting: Waiting[] = [];

  const send = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      const written = await writeAll(tx, batch);
      for (const each of batch) each.resolve(written.has(keyOf(each)));
    } catch (error) {
      if (batch.length > 1)
        for (const each of batch) void send([each]); // one that cannot be written does not take the others with it
      else batch[0]?.reject(error);
    }
  };

  const flush = (): void => {
    const batch = new Map<string, Waiting>();
    const later: Waiting[] = [];
    for (const each of waiting) {
      if (batch.has(keyOf(each))) later.push(each);
      else batch.set(keyOf(each), each);
    }
    waiting = later;
    const sent = send([...batch.values()]);
    if (later.length) void sent.then(flush); // the same artefact twice: in the order given
  };

  return (write) =>
    new Promise((resolve, reject) => {
      waiting.push({ ...write, resolve, reject });
      if (waiting.length === 1) setImmediate(flush);
    });
};
