import type { ActionStore, Claim, ReportedSession } from '../actions/actions.ts';
import type { Theme } from '../organisations/theme.ts';
import { rows, run } from './database.ts';
import { type NarrowingColumns, readNarrowing } from './narrowing.ts';
import { type DemarcheJson, readDemarcheJson } from './services.ts';
import { sql } from './sql.ts';

type SessionRow = Omit<ReportedSession, 'demarches' | 'narrowing' | 'heldTo' | 'grants'> &
  NarrowingColumns & {
    grants: { theme: Theme; endedAt: number | null }[];
    held_to: string[] | null;
    catalogue: DemarcheJson[] | null;
  };

export const actionStore: ActionStore = {
  async holdSessions(tx, asked) {
    const ids = asked.map(({ id }) => id);
    const services = asked.map(({ serviceId }) => serviceId);
    // What the lock gives is what is true after having waited for it: the rest of the statement sees the past (claim M17).
    // The end is the earlier of two instants: the job that writes it down comes after it (claim M3).
    const found = await rows<SessionRow>(
      tx,
      sql`with held as (
          select id, service_id, usager_id, aidant_id, organisation_id, mandate_id, theme, demarches, acr, auth_time, opened_at, expires_at, ended_at, reported_at
          from delegated_session where id = any (${ids}::text[]) and (id, service_id) in (select a.id, a.service_id from unnest(${ids}::text[], ${services}::text[]) a (id, service_id))
          order by id for no key update)
        select d.id, d.service_id "serviceId", s.administration_id "administrationId", d.usager_id "usagerId", d.aidant_id "aidantId", d.organisation_id "organisationId",
          d.mandate_id "mandateId", d.theme, d.demarches held_to, d.acr, d.auth_time "authTime", d.opened_at "openedAt", d.reported_at is not null reported, least(d.ended_at, d.expires_at) "endsAt", split_part(a.given_name, ' ', 1) "aidantName",
          o.name "organisationName", s.name "serviceName", m.demarches, m.read_only, m.single_use,
          array(select json_build_object('theme', g.theme, 'endedAt', extract(epoch from g.ended_at) * 1000) from mandate_grant g where g.mandate_id = d.mandate_id) grants,
          (select jsonb_agg(jsonb_build_object('code', e.code, 'label_fr', e.label_fr, 'label_en', e.label_en, 'themes', e.themes, 'effect', e.effect,
              'level', e.level, 'max_age', e.max_age))
            from demarche e where e.service_id = s.id and (e.until is null or e.until > d.opened_at)) catalogue
        from held d join service s on s.id = d.service_id join staff a on a.id = d.aidant_id join organisation o on o.id = d.organisation_id
          join mandate m on m.id = d.mandate_id`,
    );
    return found.map(({ catalogue, grants, held_to, demarches, read_only, single_use, ...session }) => ({
      ...session,
      narrowing: readNarrowing({ demarches, read_only, single_use }),
      grants: grants.map(({ theme, endedAt }) => ({ theme, endedAt: endedAt === null ? undefined : new Date(endedAt) })),
      heldTo: held_to ?? undefined,
      demarches: (catalogue ?? []).map(readDemarcheJson),
    }));
  },
  async markReported(tx, ids, now) {
    await run(tx, sql`update delegated_session set reported_at = ${now} where id = any (${ids}::text[]) and reported_at is null`);
  },
  async claim(tx, claims, now) {
    const all = <T>(pick: (claim: Claim) => T): T[] => claims.map(pick);
    const services = all((claim) => claim.serviceId);
    const sources = all((claim) => claim.source);
    const keys = all((claim) => claim.key);
    const first = await rows<{ event_id: string }>(
      tx,
      sql`insert into action (service_id, source, event_key, body_hash, session_id, event_id, received_at)
        select service_id, source, event_key, body_hash, session_id, event_id, ${now}::timestamptz
        from unnest(${services}::text[], ${sources}::text[], ${keys}::text[], ${all((claim) => claim.hash)}::bytea[], ${all((claim) => claim.sessionId)}::text[],
          ${all((claim) => claim.eventId)}::uuid[]) with ordinality as c (service_id, source, event_key, body_hash, session_id, event_id, n)
        order by service_id, source, event_key, n
        on conflict (service_id, source, event_key) do nothing returning event_id`,
    );
    if (first.length === claims.length) return claims.map(() => undefined);
    const nameOf = (serviceId: string, source: string, key: string): string => JSON.stringify([serviceId, source, key]);
    const standing = await rows<{ service_id: string; source: string; event_key: string; hash: Buffer; eventId: string }>(
      tx,
      sql`select a.service_id, a.source, a.event_key, a.body_hash hash, a.event_id "eventId"
        from unnest(${services}::text[], ${sources}::text[], ${keys}::text[]) c (service_id, source, event_key)
        join action a on a.service_id = c.service_id and a.source = c.source and a.event_key = c.event_key`,
    );
    const under = new Map(standing.map((found) => [nameOf(found.service_id, found.source, found.event_key), found]));
    const won = new Set(first.map((found) => found.event_id));
    return claims.map((claim) => (won.has(claim.eventId) ? undefined : under.get(nameOf(claim.serviceId, claim.source, claim.key))));
  },
};
