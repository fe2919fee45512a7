import type { AidantId, DraftId, MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import { type ConsentMethod, type Days, type Draft, type EndReason, isDuration, type Mandate } from '../mandates/mandate.ts';
import type { ClosedGrant, MandateStore } from '../mandates/mandates.ts';
import type { Actor } from '../mandates/policy.ts';
import type { Theme } from '../organisations/theme.ts';
import { displayName } from '../usagers/usager.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';
import { createUsagerStore } from './usagers.ts';

interface DraftRow {
  id: DraftId;
  organisation_id: OrganisationId;
  aidant_id: AidantId;
  themes: Theme[];
  days: number;
  created_at: Date;
  expires_at: Date;
  usager_id: UsagerId | null;
  consent_method: ConsentMethod | null;
  consent_acr: string | null;
  consent_evidence: Buffer | null;
  consented_at: Date | null;
  text_hash: Buffer | null;
  closed_at: Date | null;
}

const readDraft = (found: DraftRow): Draft => ({
  id: found.id,
  organisationId: found.organisation_id,
  aidantId: found.aidant_id,
  themes: found.themes,
  days: isDuration(found.days) ? found.days : (1 satisfies Days),
  createdAt: found.created_at,
  expiresAt: found.expires_at,
  closedAt: found.closed_at ?? undefined,
  consent:
    found.usager_id && found.consent_method && found.consent_acr && found.consent_evidence && found.consented_at && found.text_hash
      ? {
          usagerId: found.usager_id,
          method: found.consent_method,
          acr: found.consent_acr,
          evidence: found.consent_evidence,
          at: found.consented_at,
          textHash: found.text_hash,
        }
      : undefined,
});

interface MandateRow {
  id: MandateId;
  reference: string;
  organisation_id: OrganisationId;
  organisation_name: string;
  usager_id: UsagerId;
  days: number;
  starts_at: Date;
  ends_at: Date;
  consent_method: ConsentMethod;
  consent_acr: string;
  consented_at: Date;
  accepted_by: AidantId;
  accepted_by_name: string;
  ended_at: Date | null;
  end_reason: EndReason | null;
  themes: Theme[];
  theme_ends: (Date | null)[];
  given_name: string;
  family_name: string;
  preferred_username: string | null;
  gender: 'male' | 'female';
}

const readMandate = (found: MandateRow): Mandate => ({
  id: found.id,
  reference: found.reference,
  organisationId: found.organisation_id,
  organisationName: found.organisation_name,
  usagerId: found.usager_id,
  usagerName: displayName({
    gender: found.gender,
    givenName: found.given_name,
    familyName: found.family_name,
    preferredUsername: found.preferred_username ?? undefined,
  }),
  themes: found.themes.map((theme, i) => ({ theme, endedAt: found.theme_ends[i] ?? undefined })),
  days: found.days,
  startsAt: found.starts_at,
  endsAt: found.ends_at,
  consent: { method: found.consent_method, acr: found.consent_acr, at: found.consented_at },
  acceptedBy: found.accepted_by,
  acceptedByName: found.accepted_by_name,
  state: found.ended_at && found.end_reason ? { kind: 'ended', at: found.ended_at, reason: found.end_reason } : { kind: 'active' },
});

/** Columns of a mandate with its names and grants, by a condition on ids: four readings, one shape. */
const createReadings = (): Pick<MandateStore, 'byDraft' | 'find' | 'ofUsager' | 'ofOrganisation'> => ({
  async byDraft(tx, id) {
    const found = await row<MandateRow>(
      tx,
      sql`select m.id, m.reference, m.organisation_id, o.name organisation_name, m.usager_id, m.days, m.starts_at, m.ends_at, m.consent_method, m.consent_acr,
          m.consented_at, m.accepted_by, a.given_name accepted_by_name, m.ended_at, m.end_reason, u.given_name, u.family_name, u.preferred_username, u.gender,
          array(select g.theme from mandate_grant g where g.mandate_id = m.id order by g.theme) themes,
          array(select g.ended_at from mandate_grant g where g.mandate_id = m.id order by g.theme) theme_ends
        from mandate m join organisation o on o.id = m.organisation_id join staff a on a.id = m.accepted_by join usager u on u.id = m.usager_id
        where m.draft_id = ${id}`,
    );
    return found && readMandate(found);
  },
  async find(tx, id) {
    const found = await row<MandateRow>(
      tx,
      sql`select m.id, m.reference, m.organisation_id, o.name organisation_name, m.usager_id, m.days, m.starts_at, m.ends_at, m.consent_method, m.consent_acr,
          m.consented_at, m.accepted_by, a.given_name accepted_by_name, m.ended_at, m.end_reason, u.given_name, u.family_name, u.preferred_username, u.gender,
          array(select g.theme from mandate_grant g where g.mandate_id = m.id order by g.theme) themes,
          array(select g.ended_at from mandate_grant g where g.mandate_id = m.id order by g.theme) theme_ends
        from mandate m join organisation o on o.id = m.organisation_id join staff a on a.id = m.accepted_by join usager u on u.id = m.usager_id
        where m.id = ${id}`,
    );
    return found && readMandate(found);
  },
  async ofUsager(tx, id) {
    const found = await rows<MandateRow>(
      tx,
      sql`select m.id, m.reference, m.organisation_id, o.name organisation_name, m.usager_id, m.days, m.starts_at, m.ends_at, m.consent_method, m.consent_acr,
          m.consented_at, m.accepted_by, a.given_name accepted_by_name, m.ended_at, m.end_reason, u.given_name, u.family_name, u.preferred_username, u.gender,
          array(select g.theme from mandate_grant g where g.mandate_id = m.id order by g.theme) themes,
          array(select g.ended_at from mandate_grant g where g.mandate_id = m.id order by g.theme) theme_ends
        from mandate m join organisation o on o.id = m.organisation_id join staff a on a.id = m.accepted_by join usager u on u.id = m.usager_id
        where m.usager_id = ${id} order by m.ended_at is not null, m.ends_at desc limit 100`,
    );
    return found.map(readMandate);
  },
  async ofOrganisation(tx, id, page) {
    const like = page.name ? `%${page.name.replace(/[\\%_]/g, '\\$&')}%` : null;
    const found = await rows<MandateRow>(
      tx,
      sql`select m.id, m.reference, m.organisation_id, o.name organisation_name, m.usager_id, m.days, m.starts_at, m.ends_at, m.consent_method, m.consent_acr,
          m.consented_at, m.accepted_by, a.given_name accepted_by_name, m.ended_at, m.end_reason, u.given_name, u.family_name, u.preferred_username, u.gender,
          array(select g.theme from mandate_grant g where g.mandate_id = m.id order by g.theme) themes,
          array(select g.ended_at from mandate_grant g where g.mandate_id = m.id order by g.theme) theme_ends
        from mandate m join organisation o on o.id = m.organisation_id join staff a on a.id = m.accepted_by join usager u on u.id = m.usager_id
        where m.organisation_id = ${id} and m.ended_at is null and m.ends_at > ${page.now}
          and (${like}::text is null or u.given_name || ' ' || u.family_name || ' ' || coalesce(u.preferred_username, '') ilike ${like}::text)
          and (${page.after ?? null}::text is null
            or (m.ends_at, m.id) > (select p.ends_at, p.id from mandate p where p.id = ${page.after ?? null}::text and p.organisation_id = ${id}))
        order by m.ends_at, m.id limit ${page.limit}`,
    );
    return found.map(readMandate);
  },
});

export const createMandateStore = (): MandateStore => ({
  ...createReadings(),
  actor: (tx, aidantId, organisationId) =>
    row<Actor>(
      tx,
      sql`select a.id "aidantId", a.given_name "givenName", a.family_name "familyName", a.email, a.status "aidantStatus", o.id "organisationId",
          o.name "organisationName", o.siret, o.status "organisationStatus", o.themes "organisationThemes", b.status "membershipStatus", b.themes "memberThemes"
        from membership b join staff a on a.id = b.aidant_id join organisation o on o.id = b.organisation_id
        where b.aidant_id = ${aidantId} and b.organisation_id = ${organisationId}`,
    ),
  usager: createUsagerStore().find,
  async addDraft(tx, draft) {
    await run(
      tx,
      sql`insert into mandate_draft (id, organisation_id, aidant_id, themes, days, created_at, expires_at)
        values (${draft.id}, ${draft.organisationId}, ${draft.aidantId}, ${draft.themes}, ${draft.days}, ${draft.createdAt}, ${draft.expiresAt})`,
    );
  },
  async draft(tx, id, lock) {
    const found = lock
      ? await row<DraftRow>(
          tx,
          sql`select id, organisation_id, aidant_id, themes, days, created_at, expires_at, usager_id, consent_method, consent_acr, consent_evidence, consented_at,
            text_hash, closed_at from mandate_draft where id = ${id} for update`,
        )
      : await row<DraftRow>(
          tx,
          sql`select id, organisation_id, aidant_id, themes, days, created_at, expires_at, usager_id, consent_method, consent_acr, consent_evidence, consented_at,
            text_hash, closed_at from mandate_draft where id = ${id}`,
        );
    return found && readDraft(found);
  },
  async consentDraft(tx, id, consent) {
    await run(
      tx,
      sql`update mandate_draft set usager_id = ${consent.usagerId}, consent_method = ${consent.method}, consent_acr = ${consent.acr},
        consent_evidence = ${consent.evidence}, consented_at = ${consent.at}, text_hash = ${consent.textHash} where id = ${id} and closed_at is null`,
    );
  },
  async closeDraft(tx, id, now) {
    await run(tx, sql`update mandate_draft set closed_at = ${now} where id = ${id}`);
  },
  async lockPair(tx, organisationId, usagerId) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`pair ${organisationId} ${usagerId}`}, 0))`);
  },
  async replaceGrants(tx, organisationId, usagerId, themes, now) {
    return rows<ClosedGrant>(
      tx,
      sql`with closed as (
          update mandate_grant g set ended_at = ${now}, end_reason = case when m.ends_at <= ${now} then 'expired' else 'replaced' end
          from mandate m
          where m.id = g.mandate_id and g.organisation_id = ${organisationId} and g.usager_id = ${usagerId} and g.theme = any (${themes}::text[]) and g.ended_at is null
          returning g.mandate_id, g.theme),
        emptied as (
          update mandate m set ended_at = ${now}, end_reason = case when m.ends_at <= ${now} then 'expired' else 'replaced' end, ended_by = 'replacement'
          where m.ended_at is null and m.id in (select mandate_id from closed)
            and not exists (select 1 from mandate_grant g where g.mandate_id = m.id and g.ended_at is null
              and not exists (select 1 from closed c where c.mandate_id = g.mandate_id and c.theme = g.theme))
          returning m.id)
        select c.mandate_id "mandateId", c.theme, c.mandate_id in (select id from emptied) "last", o.name "organisationName"
        from closed c join organisation o on o.id = ${organisationId} order by c.mandate_id, c.theme`,
    );
  },
  async add(tx, mandate) {
    const { draft } = mandate;
    await run(
      tx,
      sql`with made as (
          insert into mandate (id, reference, draft_id, organisation_id, usager_id, template, text_hash, days, starts_at, ends_at, consent_method, consent_acr,
            consent_evidence, consented_at, accepted_by, accepted_at, acceptance_means)
          select ${mandate.id}, ${mandate.reference}, d.id, d.organisation_id, d.usager_id, ${mandate.template}, ${mandate.textHash}, d.days, ${mandate.startsAt}::timestamptz,
            ${mandate.endsAt}, d.consent_method, d.consent_acr, d.consent_evidence, d.consented_at, ${mandate.acceptedBy}, ${mandate.startsAt}, ${mandate.means}
          from mandate_draft d where d.id = ${draft.id} and d.usager_id = ${mandate.usagerId} and d.closed_at is null
          returning id, organisation_id, usager_id)
        insert into mandate_grant (mandate_id, theme, organisation_id, usager_id)
        select made.id, theme, made.organisation_id, made.usager_id from made, unnest(${draft.themes}::text[]) theme`,
    );
  },
  async hold(tx, id) {
    await run(tx, sql`select 1 from mandate where id = ${id} for update`);
  },
  async end(tx, id, reason, by, now) {
    const ended = await row<{ themes: Theme[] }>(
      tx,
      sql`with m as (
          update mandate set ended_at = ${now}, end_reason = ${reason}, ended_by = ${by} where id = ${id} and ended_at is null returning id),
        g as (
          update mandate_grant set ended_at = ${now}, end_reason = ${reason} where mandate_id in (select id from m) and ended_at is null returning theme)
        select array(select theme from g order by theme) themes from m`,
    );
    return ended;
  },
  async countOfOrganisation(tx, id, now, name) {
    const like = name ? `%${name.replace(/[\\%_]/g, '\\$&')}%` : null;
    const found = await row<{ n: number }>(
      tx,
      sql`select count(*) n from mandate m join usager u on u.id = m.usager_id
        where m.organisation_id = ${id} and m.ended_at is null and m.ends_at > ${now}
          and (${like}::text is null or u.given_name || ' ' || u.family_name || ' ' || coalesce(u.preferred_username, '') ilike ${like}::text)`,
    );
    return found?.n ?? 0;
  },
  async overdue(tx, now, limit) {
    const found = await rows<{ id: MandateId }>(
      tx,
      sql`select id from mandate where ended_at is null and ends_at <= ${now} order by ends_at limit ${limit}`,
    );
    return found.map((mandate) => mandate.id);
  },
});
