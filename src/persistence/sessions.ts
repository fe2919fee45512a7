import type { SessionEnd } from '../delegation/session.ts';
import type { Candidate, EndedSession, LiveSession, OpeningFacts, SessionStore } from '../delegation/sessions.ts';
import type { AidantId, MandateId, OrganisationId, SessionId, UsagerId } from '../kernel/ids.ts';
import type { ConsentMethod } from '../mandates/mandate.ts';
import type { Theme } from '../organisations/theme.ts';
import type { Effect } from '../services/service.ts';
import { displayName, type Usager } from '../usagers/usager.ts';
import { row, rows, run } from './database.ts';
import { type NarrowingColumns, readNarrowing } from './narrowing.ts';
import { sql } from './sql.ts';

interface UsagerColumns {
  usager_id: UsagerId;
  given_name: string;
  family_name: string;
  preferred_username: string | null;
  gender: 'male' | 'female';
  birthdate: string;
  birthplace: string;
  birthcountry: string;
  email: string | null;
}

export const readUsager = (found: UsagerColumns): Usager => ({
  id: found.usager_id,
  givenName: found.given_name,
  familyName: found.family_name,
  preferredUsername: found.preferred_username ?? undefined,
  gender: found.gender,
  birthdate: found.birthdate,
  birthplace: found.birthplace,
  birthcountry: found.birthcountry,
  email: found.email ?? undefined,
});

interface CandidateRow extends UsagerColumns, NarrowingColumns {
  mandate_id: MandateId;
  themes: Theme[];
  starts_at: Date;
  ends_at: Date;
  consent_method: ConsentMethod;
  consent_acr: string;
  consented_at: Date;
  others: (UsagerColumns & { service_name: string })[] | null;
}

const readCandidate = (found: CandidateRow): Candidate => {
  const usager = readUsager(found);
  return {
    mandateId: found.mandate_id,
    usager,
    usagerName: displayName(usager),
    themes: found.themes,
    narrowing: readNarrowing(found),
    startsAt: found.starts_at,
    endsAt: found.ends_at,
    consent: { method: found.consent_method, acr: found.consent_acr, at: found.consented_at },
    others: (found.others ?? [])
      .filter((other) => other.usager_id !== usager.id)
      .map((other) => ({ usagerName: displayName(readUsager(other)), serviceName: other.service_name })),
  };
};

interface OpeningRow extends UsagerColumns, NarrowingColumns {
  aidant_id: AidantId;
  aidant_given_name: string;
  aidant_family_name: string;
  aidant_email: string;
  aidant_status: string;
  organisation_id: OrganisationId;
  organisation_name: string;
  siret: string;
  organisation_status: string;
  organisation_themes: Theme[];
  membership_status: string;
  member_themes: Theme[];
  mandate_id: MandateId;
  mandate_organisation: OrganisationId;
  /** Instants as JSON writes them. */
  ended_at: string | null;
  starts_at: string;
  ends_at: string;
  consent_acr: string;
  mandate_themes: Theme[];
  service_id: string;
  service_name: string;
  administration_id: string;
  sector: string;
  service_status: string;
  delegation_supported: boolean;
  service_themes: Theme[];
  minimum_consent: 'eidas1' | 'eidas2';
  used: boolean;
  barred: boolean;
  catalogue: { code: string; effect: Effect; level: 'eidas1' | 'eidas2' }[] | null;
}

const readOpening = (found: OpeningRow): OpeningFacts => ({
  actor: {
    aidantId: found.aidant_id,
    givenName: found.aidant_given_name,
    familyName: found.aidant_family_name,
    email: found.aidant_email,
    aidantStatus: found.aidant_status,
    organisationId: found.organisation_id,
    organisationName: found.organisation_name,
    siret: found.siret,
    organisationStatus: found.organisation_status,
    organisationThemes: found.organisation_themes,
    membershipStatus: found.membership_status,
    memberThemes: found.member_themes,
  },
  mandate: {
    id: found.mandate_id,
    organisationId: found.mandate_organisation,
    ended: found.ended_at !== null,
    startsAt: new Date(found.starts_at),
    endsAt: new Date(found.ends_at),
    consentAcr: found.consent_acr,
    narrowing: readNarrowing(found),
    used: found.used,
    barred: found.barred,
  },
  mandateThemes: found.mandate_themes,
  usager: readUsager(found),
  service: {
    id: found.service_id,
    name: found.service_name,
    administrationId: found.administration_id,
    sector: found.sector,
    status: found.service_status,
    delegationSupported: found.delegation_supported,
    themes: found.service_themes,
    minimumConsent: found.minimum_consent,
  },
  demarches: (found.catalogue ?? []).map(({ code, effect, level }) => ({ code, effect, ...(level === 'eidas2' ? { level } : {}) })),
});

/** Ends of a mandate that no service could foresee: of each theme that ends now, one whose session is over already is told as well (Code civil, art. 2005). */
const LATE: readonly SessionEnd[] = ['revoked', 'renounced', 'replaced'];

export const createSessionStore = (): SessionStore => ({
  async candidates(tx, query) {
    const like = query.name ? `%${query.name.replace(/[\\%_]/g, '\\$&')}%` : null;
    const found = await rows<CandidateRow>(
      tx,
      sql`select c.mandate_id, c.themes, m.starts_at, m.ends_at, m.consent_method, m.consent_acr, m.consented_at, m.demarches, m.read_only, m.single_use,
          u.id usager_id, u.given_name, u.family_name, u.preferred_username, u.gender, u.birthdate, u.birthplace, u.birthcountry, u.email,
          (select json_agg(json_build_object('usager_id', x.id, 'given_name', x.given_name, 'family_name', x.family_name, 'preferred_username', x.preferred_username,
              'gender', x.gender, 'birthdate', x.birthdate, 'birthplace', x.birthplace, 'birthcountry', x.birthcountry, 'email', x.email, 'service_name', y.name)
              order by d.opened_at)
            from (select l.* from live_session(${query.now}) l where l.web_session = ${query.webSession ?? null}::bytea offset 0) d
            join usager x on x.id = d.usager_id join service y on y.id = d.service_id) others
        from (
          select g.mandate_id, array_agg(g.theme order by g.theme) themes
          from usable_grant(${query.now}, ${query.aidantId}, ${query.organisationId}) g
          join service s on s.id = ${query.serviceId} and s.status = 'approved' and s.delegation_supported and g.theme = any (s.themes)
          where (${query.asked ?? null}::text[] is null or g.theme = any (${query.asked ?? null}::text[]))
            and (${query.mandateId ?? null}::text is null or g.mandate_id = ${query.mandateId ?? null}::text)
            and exists (select 1 from mandate n where n.id = g.mandate_id and not s.administration_id = any (n.barred)
              and (not n.single_use or use_left(n.id, g.theme, ${query.aidantId}, ${query.organisationId}, s.id, ${query.authTime}, ${query.now}))
              and (n.demarches is null and not n.read_only and ${query.demarche ?? null}::text is null
                or exists (select 1 from demarche e where e.service_id = s.id and e.until is null and g.theme = any (e.themes)
                  and (${query.demarche ?? null}::text is null or e.code = ${query.demarche ?? null}::text)
                  and (n.demarches is null or n.demarches @> jsonb_build_array(jsonb_build_object('code', e.code)))
                  and (not n.read_only or e.effect = 'read'))))
          group by g.mandate_id) c
        join mandate m on m.id = c.mandate_id
        join usager u on u.id = m.usager_id
        where (${like}::text is null or u.given_name || ' ' || u.family_name || ' ' || coalesce(u.preferred_username, '') ilike ${like}::text)
          and (${query.after ?? null}::text is null
            or (u.family_name, m.id) > (select pu.family_name, p.id from mandate p join usager pu on pu.id = p.usager_id
              where p.id = ${query.after ?? null}::text and p.organisation_id = ${query.organisationId}))
        order by u.family_name, m.id limit ${query.limit}`,
    );
    return found.map(readCandidate);
  },
  async holdBrowser(tx, webSession) {
    await run(tx, sql`select 1 from web_session where hash = ${webSession} for update`);
  },
  async endAlone(tx, webSession, exceptUsager) {
    // A grant that was given beside an aidant bears the name of the browser; all that stands on it goes with it.
    await run(
      tx,
      sql`delete from oidc_artefact where grant_id in (select id from oidc_artefact
          where model = 'Grant' and uid = ${webSession.toString('base64url')} and payload->>'accountId' <> ${exceptUsager})`,
    );
  },
  async holdOpening(tx, { webSession, aidantId, organisationId, mandateId, serviceId, theme, authTime }, now) {
    // The browser session is held first; what is absent and what is somebody else's cost the same single statement (claim M1).
    const found = await row<{ held: boolean; facts: OpeningRow | null }>(
      tx,
      sql`with w as (
          select holder_id, organisation_id from web_session
          where hash = ${webSession} and kind = 'staff' and holder_id = ${aidantId} and organisation_id = ${organisationId} and ended_at is null
          for update),
        f as (
        select a.id aidant_id, a.given_name aidant_given_name, a.family_name aidant_family_name, a.email aidant_email, a.status aidant_status,
          o.id organisation_id, o.name organisation_name, o.siret, o.status organisation_status, o.themes organisation_themes,
          b.status membership_status, b.themes member_themes,
          m.id mandate_id, m.organisation_id mandate_organisation, m.ended_at, m.starts_at, m.ends_at, m.consent_acr,
          array(select g.theme from mandate_grant g where g.mandate_id = m.id and g.ended_at is null) mandate_themes,
          u.id usager_id, u.given_name, u.family_name, u.preferred_username, u.gender, u.birthdate, u.birthplace, u.birthcountry, u.email,
          s.id service_id, s.name service_name, s.administration_id, s.sector, s.status service_status, s.delegation_supported, s.themes service_themes, s.minimum_consent,
          m.demarches, m.read_only, m.single_use,
          m.single_use and not use_left(m.id, ${theme}, ${aidantId}, ${organisationId}, s.id, ${authTime}, ${now}) used,
          s.administration_id = any (m.barred) barred,
          (select json_agg(json_build_object('code', e.code, 'effect', e.effect, 'level', e.level)) from demarche e
            where e.service_id = s.id and e.until is null and ${theme} = any (e.themes)) catalogue
        from w
        join membership b on b.aidant_id = w.holder_id and b.organisation_id = w.organisation_id
        join staff a on a.id = b.aidant_id
        join organisation o on o.id = b.organisation_id
        join mandate m on m.id = ${mandateId}
        join usager u on u.id = m.usager_id
        join service s on s.id = ${serviceId}
        for share of m, o, a, b)
        select exists (select 1 from w) held, (select row_to_json(f) from f) facts`,
    );
    if (!found?.held) return 'no_web_session';
    return found.facts ? readOpening(found.facts) : 'not_found';
  },
  async holdOneUse(tx, { mandateId, theme, aidantId, organisationId, serviceId, authTime }, now) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`use ${mandateId}`}, 0))`);
    const found = await row<{ id: SessionId; expires_at: Date; goes_on: boolean }>(
      tx,
      sql`select d.id, d.expires_at, goes_on(d, ${theme}, ${aidantId}, ${organisationId}, ${serviceId}, ${authTime}, ${now})
        from delegated_session d where d.mandate_id = ${mandateId} and d.single_use and d.continued_by is null for update`,
    );
    if (!found) return undefined;
    return found.goes_on ? { id: found.id, expiresAt: found.expires_at } : 'mandate_used';
  },
  async pass(tx, from, to) {
    await run(tx, sql`update delegated_session set web_session = ${to} where web_session = ${from} and ended_at is null`);
  },
  async add(tx, session, entry) {
    await run(
      tx,
      sql`with entry as (
          insert into journal.queue (event_id, type, class, writer, at, parties, box, sealed_with, commitment, mac)
          values (${entry.eventId}, ${entry.type}, ${entry.class}, ${entry.writer}, ${entry.at}, ${JSON.stringify(entry.parties)}, ${entry.box},
            ${entry.sealedWith}, ${entry.commitment}, ${entry.mac}))
        insert into delegated_session (id, grant_id, web_session, mandate_id, theme, aidant_id, organisation_id, usager_id, service_id, acr, aidant_acr, aidant_amr,
          auth_time, privileges, demarches, single_use, identifier, opened_event, opened_at, expires_at)
        values (${session.id}, ${session.grantId}, ${session.webSession}, ${session.mandateId}, ${session.theme}, ${session.aidantId}, ${session.organisationId},
          ${session.usagerId}, ${session.serviceId}, ${session.acr}, ${session.aidantAcr}, ${session.aidantAmr}, ${session.authTime}, ${session.privileges},
          ${session.demarches ?? null}::text[], ${session.singleUse},
          ${session.identifier}, ${session.openedEvent}, ${session.openedAt}, ${session.expiresAt})`,
    );
  },
  async end(tx, which, reason, now, continuedBy) {
    return rows<EndedSession>(
      tx,
      sql`with due as (
          select id from delegated_session
          where ended_at is null
            and (${which.id ?? null}::text is null or id = ${which.id ?? null}::text)
            and (${which.mandateId ?? null}::text is null or mandate_id = ${which.mandateId ?? null}::text)
            and (${which.theme ?? null}::text is null or theme = ${which.theme ?? null}::text)
            and (${which.organisationId ?? null}::text is null or organisation_id = ${which.organisationId ?? null}::text)
            and (${which.aidantId ?? null}::text is null or aidant_id = ${which.aidantId ?? null}::text)
            and (${which.webSession ?? null}::bytea is null or web_session = ${which.webSession ?? null}::bytea)
            and (${which.grantId ?? null}::text is null or grant_id = ${which.grantId ?? null}::text)
            and (${which.serviceId ?? null}::text is null or service_id = ${which.serviceId ?? null}::text)
            and (${which.administrationId ?? null}::text is null
              or service_id in (select x.id from service x where x.administration_id = ${which.administrationId ?? null}::text))
            and (${which.exceptUsager ?? null}::text is null or usager_id <> ${which.exceptUsager ?? null}::text or service_id = ${which.andAtService ?? null}::text)
            and (${which.exceptOrganisation ?? null}::text is null or organisation_id <> ${which.exceptOrganisation ?? null}::text)
            and (${which.expiredAt ?? null}::timestamptz is null or expires_at <= ${which.expiredAt ?? null}::timestamptz)
          order by id for update),
        d as (
          update delegated_session set ended_at = ${now}, ended_event = gen_random_uuid(), continued_by = ${continuedBy ?? null}::text,
            end_reason = case when service_id = ${which.andAtService ?? null}::text and usager_id = ${which.exceptUsager ?? null}::text then 'superseded' else ${reason} end
          where id in (select id from due)
          returning id, end_reason, grant_id, usager_id, aidant_id, organisation_id, mandate_id, service_id, theme, reported_at, ended_event),
        gone as (delete from oidc_artefact where grant_id in (select grant_id from d)),
        late as (
          select distinct on (x.service_id, x.theme) x.id, x.service_id, x.mandate_id from delegated_session x
          where ${LATE.includes(reason)} and x.mandate_id = ${which.mandateId ?? null}::text
            and x.usager_id = (select m.usager_id from mandate m where m.id = ${which.mandateId ?? null}::text)
            and (${which.theme ?? null}::text is null or x.theme = ${which.theme ?? null}::text)
            and (${which.administrationId ?? null}::text is null
              or x.service_id in (select y.id from service y where y.administration_id = ${which.administrationId ?? null}::text))
            and not exists (select 1 from d where d.service_id = x.service_id and d.theme = x.theme)
            and not exists (select 1 from mandate_grant g where g.mandate_id = x.mandate_id and g.theme = x.theme and g.ended_at < ${now})
          order by x.service_id, x.theme, x.opened_at desc),
        told as (
          insert into delivery (id, kind, target, session_id, mandate_id, reason, created_at, next_at)
          select 'dlv_' || replace(gen_random_uuid()::text, '-', ''), 'logout', d.service_id, d.id, d.mandate_id, d.end_reason, ${now}, ${now}
          from (select id, service_id, mandate_id, end_reason from d union all select id, service_id, mandate_id, ${reason} from late) d
          join service s on s.id = d.service_id where s.metadata ? 'backchannel_logout_uri'),
        sets as (
          insert into delivery (id, kind, target, stream_id, event, session_id, mandate_id, reason, by_other, created_at, next_at)
          select 'dlv_' || replace(gen_random_uuid()::text, '-', ''), 'set', t.id, t.id, e.event, d.id, d.mandate_id, d.end_reason, ${which.byOther ?? false}, ${now}, ${now}
          from (select id, service_id, mandate_id, end_reason, true ended from d union all select id, service_id, mandate_id, ${reason}, false from late) d
          join stream t on t.service_id = d.service_id and t.status <> 'disabled'
          cross join (values (1, 'session-revoked'), (2, 'mandate-ended')) e (place, event)
          where e.event = any (t.events) and case e.place when 1 then d.ended else d.end_reason in ('revoked', 'renounced', 'replaced', 'expired') end
          order by d.id, e.place)
        select d.id, d.usager_id "usagerId", d.aidant_id "aidantId", d.organisation_id "organisationId", d.mandate_id "mandateId", d.service_id "serviceId", d.theme,
          s.administration_id "administrationId", d.ended_event event, d.end_reason reason, d.reported_at is not null reported, split_part(a.given_name, ' ', 1) "aidantName", o.name "organisationName", s.name "serviceName"
        from d join service s on s.id = d.service_id join staff a on a.id = d.aidant_id join organisation o on o.id = d.organisation_id
        order by d.id`,
    );
  },
  async live(tx, webSession, now) {
    const found = await rows<UsagerColumns & { id: SessionId; service_id: string; service_name: string; theme: Theme; expires_at: Date }>(
      tx,
      sql`select d.id, d.service_id, s.name service_name, d.theme, d.expires_at,
          u.id usager_id, u.given_name, u.family_name, u.preferred_username, u.gender, u.birthdate, u.birthplace, u.birthcountry, u.email
        from (select l.* from live_session(${now}) l where l.web_session = ${webSession} offset 0) d
        join usager u on u.id = d.usager_id join service s on s.id = d.service_id order by d.opened_at`,
    );
    return found.map(
      (each): LiveSession => ({
        id: each.id,
        usagerId: each.usager_id,
        usagerName: displayName(readUsager(each)),
        serviceId: each.service_id,
        serviceName: each.service_name,
        theme: each.theme,
        expiresAt: each.expires_at,
      }),
    );
  },
});
