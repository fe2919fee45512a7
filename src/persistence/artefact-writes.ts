import type { Queued } from '../journal/entry.ts';
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
  /** A code that this write uses up, with the entry that says so: nothing is written unless it was unused until now (claim P1). */
  readonly redeems: { readonly code: string; readonly entry: Queued } | undefined;
}

const keyOf = ({ model, id }: { model: string; id: string }): string => `${model} ${id}`;

/** Writes artefacts, each whole or not at all, and says which were written. No two of them may be the same, or redeem the same code. Sessions are held against a concurrent stop, in the order of their ids. */
const writeAll = async (tx: Transaction, writes: readonly Write[]): Promise<Set<string>> => {
  const asked = writes.map(({ model, id, payload, expiresAt, onlyIfLive, redeems }) => ({
    model,
    id,
    grant_id: model === 'Grant' ? id : payload.grantId,
    uid: payload.uid,
    payload,
    expires_at: expiresAt,
    live: onlyIfLive,
    code: redeems?.code,
  }));
  const issued = writes.flatMap(({ redeems }) =>
    redeems
      ? {
          ...redeems.entry,
          code: redeems.code,
          event_id: redeems.entry.eventId,
          sealed_with: redeems.entry.sealedWith,
          box: redeems.entry.box.toString('hex'),
          commitment: redeems.entry.commitment.toString('hex'),
          mac: redeems.entry.mac.toString('hex'),
        }
      : [],
  );
  const finished = writes.flatMap(({ finishes }) => finishes ?? []);
  const now = new Date(Math.max(...writes.map((each) => each.now.getTime())));
  const written = await rows<{ model: string; id: string }>(
    tx,
    sql`with asked as (
        select model, id, grant_id, uid, payload, expires_at, live, code
        from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb)
          as a (model text, id text, grant_id text, uid text, payload jsonb, expires_at timestamptz, live boolean, code text)),
      held as (
        select d.id, d.grant_id from delegated_session d
        where d.grant_id = any (array(select a.grant_id from asked a where a.live)) and d.ended_at is null order by d.id for share of d),
      alive as (select h.grant_id from held h where session_lives(h.id, ${now})),
      finished as (delete from oidc_artefact where model = 'Interaction' and id = any (${finished}::text[])),
      used as (
        update oidc_artefact o set consumed_at = ${now} from asked a
        where o.model = 'AuthorizationCode' and o.id = a.code and o.consumed_at is null and (not a.live or a.grant_id in (select grant_id from alive))
        returning o.id),
      issued as (
        insert into journal.queue (event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac)
        select e.event_id, e.type, e.class, e.writer, e.at, e.parties, decode(e.box, 'hex'), e.sealed_with, decode(e.commitment, 'hex'), decode(e.mac, 'hex')
        from jsonb_to_recordset(${JSON.stringify(issued)}::jsonb)
          as e (code text, event_id uuid, type text, class text, writer text, at timestamptz, parties jsonb, box text, sealed_with text, commitment text, mac text)
        where e.code in (select id from used))
      insert into oidc_artefact (model, id, grant_id, uid, payload, expires_at)
      select a.model, a.id, a.grant_id, a.uid, a.payload, a.expires_at from asked a
      where (not a.live or a.grant_id in (select grant_id from alive)) and (a.code is null or a.code in (select id from used))
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
    const batch: Waiting[] = [];
    const later: Waiting[] = [];
    const met = new Set<string>();
    for (const each of waiting) {
      const own = [keyOf(each), ...(each.redeems ? [`code ${each.redeems.code}`] : [])];
      const repeated = own.some((key) => met.has(key));
      for (const key of own) met.add(key);
      (repeated ? later : batch).push(each);
    }
    waiting = later;
    const sent = send(batch);
    if (later.length) void sent.then(flush); // the same artefact or code twice: in the order given
  };

  return (write) =>
    new Promise((resolve, reject) => {
      waiting.push({ ...write, resolve, reject });
      if (waiting.length === 1) setImmediate(flush);
    });
};
