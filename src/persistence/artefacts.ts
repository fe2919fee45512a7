import type { DelegatedSession, Level } from '../delegation/session.ts';
import type { Sessions } from '../delegation/sessions.ts';
import type { Queued } from '../journal/entry.ts';
import type { Journal } from '../journal/journal.ts';
import { gathered } from '../kernel/gathered.ts';
import type { AidantId, MandateId, OrganisationId, SessionId, UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { ConsentMethod } from '../mandates/mandate.ts';
import type { Theme } from '../organisations/theme.ts';
import type { ArtefactStore, Found, Payload, Redemption } from '../provider/artefacts.ts';
import { createArtefactWrites } from './artefact-writes.ts';
import { row, rows, run } from './database.ts';
import { readUsager } from './sessions.ts';
import { sql } from './sql.ts';

interface Key {
  readonly model: string;
  readonly id: string;
}

/** As JSON writes it: instants and bytes are text. */
interface LiveRow {
  payload: Payload;
  consumed_at: string | null;
  grant_payload: Payload | null;
  session_payload: Payload | null;
  account: string | null;
  dls_id: SessionId | null;
  grant_id: string;
  mandate_id: MandateId;
  identifier: string;
  theme: Theme;
  privileges: string[];
  demarches: string[] | null;
  aidant_id: AidantId;
  aidant_name: string;
  aidant_acr: Level;
  aidant_amr: string[];
  auth_time: string;
  acr: Level;
  organisation_id: OrganisationId;
  organisation_name: string;
  siret: string;
  service_id: string;
  service_name: string;
  administration_id: string;
  consent_method: ConsentMethod;
  consent_acr: string;
  consented_at: string;
  mandate_ends_at: string;
  opened_at: string;
  expires_at: string;
  opened_event: string;
  idx: number | null;
  leaf_hash: string | null;
  usager_id: UsagerId | null;
  given_name: string;
  family_name: string;
  preferred_username: string | null;
  gender: 'male' | 'female';
  birthdate: string;
  birthplace: string;
  birthcountry: string;
  email: string | null;
}

const instant = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));

const readDelegated = (found: LiveRow, id: SessionId): DelegatedSession => ({
  id,
  grantId: found.grant_id,
  mandateId: found.mandate_id,
  identifier: found.identifier,
  theme: found.theme,
  privileges: found.privileges,
  demarches: found.demarches ?? undefined,
  aidantId: found.aidant_id,
  aidantName: found.aidant_name,
  aidantAcr: found.aidant_acr,
  aidantAmr: found.aidant_amr,
  authTime: new Date(found.auth_time),
  acr: found.acr,
  organisation: { id: found.organisation_id, name: found.organisation_name, siret: found.siret },
  usager: readUsager({ ...found, usager_id: found.usager_id as UsagerId }),
  serviceId: found.service_id,
  serviceName: found.service_name,
  administrationId: found.administration_id,
  consent: { method: found.consent_method, acr: found.consent_acr, at: new Date(found.consented_at) },
  mandateEndsAt: new Date(found.mandate_ends_at),
  openedAt: new Date(found.opened_at),
  expiresAt: new Date(found.expires_at),
  openedEvent: found.opened_event,
  receipt: found.idx !== null && found.leaf_hash ? { index: found.idx, leaf: Buffer.from(found.leaf_hash, 'hex').toString('base64url') } : undefined,
});

const read = (found: LiveRow): Found | undefined => {
  const delegated = found.dls_id && found.usager_id ? readDelegated(found, found.dls_id) : undefined;
  if (found.account?.includes('~') && !delegated) return undefined; // fail closed: a delegated account without a live session is nothing
  return {
    payload: found.payload,
    consumedAt: instant(found.consumed_at),
    grant: found.grant_payload ?? undefined,
    session: found.session_payload ?? undefined,
    delegated,
    usager: found.usager_id ? readUsager({ ...found, usager_id: found.usager_id }) : undefined,
  };
};

/** What requests look for in the same turn of the event loop is one statement; while two are under way, the next gathers. */
const READS = { atOnce: 2, most: 100 };

const nameOf = ({ model, id }: Key): string => `${model} ${id}`;

/** As JSON, not as arrays: the planner guesses the same length each time, and keeps its plan. */
const keysAsJson = (keys: readonly Key[]): string =>
  JSON.stringify([...new Map(keys.map(({ model, id }) => [nameOf({ model, id }), { model, id }])).values()]);

/** A row as text: one column, since forty would cost the driver more to read than the rest of the request. */
interface Text extends Key {
  readonly one: string;
}

/** What was found, in the order asked. Each asker has objects of its own: the library changes what it is given. */
const inOrder = <R, T>(keys: readonly Key[], found: readonly Text[], read: (one: R) => T | undefined): (T | undefined)[] => {
  const known = new Map(found.map((each) => [nameOf(each), each.one]));
  return keys.map((key) => {
    const one = known.get(nameOf(key));
    return one === undefined ? undefined : read(JSON.parse(one) as R); // the members that the statement names
  });
};

const findPlain = async (tx: Transaction, keys: readonly Key[]): Promise<({ payload: Payload; consumedAt: Date | undefined } | undefined)[]> => {
  const asked = keysAsJson(keys);
  const found = await rows<Text>(
    tx,
    sql`select o.model, o.id, json_build_object('payload', o.payload, 'consumed_at', o.consumed_at)::text one
      from jsonb_to_recordset(${asked}::jsonb) as k (model text, id text)
      cross join lateral (select model, id, payload, consumed_at from oidc_artefact where model = k.model and id = k.id limit 1) o`,
  );
  return inOrder(keys, found, (one: Pick<LiveRow, 'payload' | 'consumed_at'>) => ({ payload: one.payload, consumedAt: instant(one.consumed_at) }));
};

const findWithGrants = async (tx: Transaction, keys: readonly (Key & { now: Date })[]): Promise<(Found | undefined)[]> => {
  const asked = keysAsJson(keys);
  const now = new Date(Math.max(...keys.map((key) => key.now.getTime())));
  const found = await rows<Text>(
    tx,
    sql`select f.model, f.id, row_to_json(f)::text one from (select o.model, o.id, o.payload, o.consumed_at, g.payload grant_payload, o.payload->>'accountId' account,
            (select w.payload from oidc_artefact w where w.model = 'Session' and w.uid = o.payload->>'sessionUid' order by w.expires_at desc nulls last limit 1) session_payload,
            d.id dls_id, d.grant_id, d.mandate_id, d.identifier, d.theme, d.privileges, d.demarches, d.aidant_id, split_part(a.given_name, ' ', 1) aidant_name, d.aidant_acr, d.aidant_amr,
            d.auth_time, d.acr, d.organisation_id, og.name organisation_name, og.siret, d.service_id, s.name service_name, s.administration_id,
            m.consent_method, m.consent_acr, m.consented_at, m.ends_at mandate_ends_at, d.opened_at, d.expires_at, d.opened_event, r.idx, encode(r.leaf_hash, 'hex') leaf_hash,
            u.id usager_id, u.given_name, u.family_name, u.preferred_username, u.gender, u.birthdate, u.birthplace, u.birthcountry, u.email
          from jsonb_to_recordset(${asked}::jsonb) as k (model text, id text)
          cross join lateral (select model, id, grant_id, payload, consumed_at from oidc_artefact where model = k.model and id = k.id limit 1) o
          left join oidc_artefact g on g.model = 'Grant' and g.id = o.grant_id
          left join lateral live_session_of(o.grant_id, ${now}) d on true
          left join mandate m on m.id = d.mandate_id
          left join staff a on a.id = d.aidant_id
          left join organisation og on og.id = d.organisation_id
          left join service s on s.id = d.service_id
          left join journal.receipt r on r.event_id = d.opened_event
          left join usager u on u.id = coalesce(d.usager_id, o.payload->>'accountId')) f`,
  );
  return inOrder(keys, found, read);
};

export const createArtefactStore = (parts: { transactions: Transactions; journal: Journal; sessions: () => Sessions }): ArtefactStore => {
  const { transactions, journal, sessions } = parts;
  const { auto } = transactions;
  const writers = new WeakMap<Transaction, ReturnType<typeof createArtefactWrites>>();
  const writer = (tx: Transaction): ReturnType<typeof createArtefactWrites> => {
    const known = writers.get(tx) ?? createArtefactWrites(tx);
    writers.set(tx, known);
    return known;
  };

  const issued = ({ found: { delegated, usager }, clientId }: Redemption): Queued =>
    journal.seal({
      type: 'token.issued',
      ...(delegated
        ? {
            usager: delegated.usager.id,
            aidant: delegated.aidantId,
            organisation: delegated.organisation.id,
            mandate: delegated.mandateId,
            session: delegated.id,
            administration: delegated.administrationId,
            theme: delegated.theme,
          }
        : { usager: usager?.id }),
      service: clientId,
      detail: { kind: delegated ? 'delegated' : 'plain' },
    });

  const find = gathered((keys: readonly Key[]) => findPlain(auto, keys), READS);
  const findLive = gathered((keys: readonly (Key & { now: Date })[]) => findWithGrants(auto, keys), READS);
  return {
    async write({ redeems, ...artefact }, tx = auto) {
      const written = await writer(tx)({ ...artefact, redeems: redeems && { code: redeems.code, entry: issued(redeems) } });
      if (written && redeems) journal.nudge();
      return written;
    },
    find: (model, id) => find({ model, id }),
    async findByUid(model, uid) {
      const found = await row<{ payload: Payload; consumed_at: Date | null }>(
        auto,
        sql`select payload, consumed_at from oidc_artefact where model = ${model} and uid = ${uid} order by expires_at desc nulls last limit 1`,
      );
      return found && { payload: found.payload, consumedAt: found.consumed_at ?? undefined };
    },
    findLive: (model, id, now) => findLive({ model, id, now }),
    async consume(model, id, now) {
      return (await run(auto, sql`update oidc_artefact set consumed_at = ${now} where model = ${model} and id = ${id} and consumed_at is null`)) > 0;
    },
    async destroy(model, id) {
      await run(auto, sql`delete from oidc_artefact where model = ${model} and id = ${id}`);
    },
    async revokeGrant(grantId, reason, now) {
      await transactions.run(async (tx) => {
        await sessions().endIn(tx, { grantId }, reason, now);
        await run(tx, sql`delete from oidc_artefact where grant_id = ${grantId}`);
      });
      journal.nudge();
    },
    async unique(id, expiresAt, now) {
      return (
        (await run(
          auto,
          sql`insert into replay (id, expires_at) values (${id}, ${expiresAt})
            on conflict (id) do update set expires_at = excluded.expires_at where replay.expires_at < ${now}`,
        )) > 0
      );
    },
    async purge(now) {
      const deleted = await rows<{ one: number }>(
        auto,
        sql`with gone as (delete from oidc_artefact where (model, id) in
            (select model, id from oidc_artefact where expires_at < ${now} limit 1000) returning 1),
          proofs as (delete from replay where id in (select id from replay where expires_at < ${now} limit 1000) returning 1)
          select 1 one from gone union all select 1 from proofs`,
      );
      return deleted.length;
    },
  };
};
