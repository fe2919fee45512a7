import type { AidantId, DraftId, MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Protection } from '../mandates/ending.ts';
import { type ConsentMethod, type Days, type Draft, isDuration } from '../mandates/mandate.ts';
import type { ClosedGrant, MandateStore } from '../mandates/mandates.ts';
import type { Theme } from '../organisations/theme.ts';
import type { Effect } from '../services/service.ts';
import { row, rows, run } from './database.ts';
import { createEndingStore } from './mandate-endings.ts';
import { createReadings } from './mandate-readings.ts';
import { type NarrowingColumns, readNarrowing } from './narrowing.ts';
import { sql } from './sql.ts';
import { createUsagerStore } from './usagers.ts';

interface DraftRow extends NarrowingColumns {
  id: DraftId;
  organisation_id: OrganisationId;
  aidant_id: AidantId;
  themes: Theme[];
  days: number;
  created_at: Date;
  expires_at: Date;
  renews: MandateId | null;
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
  renews: found.renews ?? undefined,
  narrowing: readNarrowing(found),
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

export const createMandateStore = (): MandateStore => ({
  ...createReadings(),
  ...createEndingStore(),
  usager: createUsagerStore().find,
  async protection(tx, id) {
    return (await row<{ protection: Protection | null }>(tx, sql`select protection from usager where id = ${id} for share`))?.protection ?? undefined;
  },
  async witnessStands(tx, id) {
    const found = await row<{ stands: boolean }>(
      tx,
      sql`select coalesce(bool_or(is_aidant_of_draft(p.witness_id, p.draft_id)), false) stands from paper_consent p
        where p.draft_id = ${id} and p.ended_at is null and p.witness_id is not null`,
    );
    return found?.stands === true;
  },
  async addDraft(tx, draft) {
    await run(
      tx,
      sql`insert into mandate_draft (id, organisation_id, aidant_id, themes, days, created_at, expires_at, renews, demarches, read_only, single_use)
        values (${draft.id}, ${draft.organisationId}, ${draft.aidantId}, ${draft.themes}, ${draft.days}, ${draft.createdAt}, ${draft.expiresAt}, ${draft.renews ?? null},
          ${draft.narrowing.demarches ? JSON.stringify(draft.narrowing.demarches) : null}::jsonb, ${draft.narrowing.readOnly}, ${draft.narrowing.singleUse})`,
    );
  },
  async offered(tx, themes) {
    const found = await rows<{ code: string; fr: string; en: string; themes: Theme[]; effect: Effect; service: string }>(
      tx,
      sql`select e.code, e.label_fr fr, e.label_en en, e.themes, e.effect, s.name service
        from demarche e join service s on s.id = e.service_id and s.status = 'approved' and s.delegation_supported
        where e.until is null and e.themes && ${themes}::text[] and s.themes && ${themes}::text[] order by s.name, e.label_fr, e.code`,
    );
    return found.map((each) => ({
      code: each.code,
      labelFr: each.fr,
      labelEn: each.en,
      themes: each.themes,
      effect: each.effect,
      serviceName: each.service,
    }));
  },
  async draft(tx, id, lock) {
    const found = lock
      ? await row<DraftRow>(
          tx,
          sql`select id, organisation_id, aidant_id, themes, days, created_at, expires_at, renews, demarches, read_only, single_use, usager_id, consent_method, consent_acr, consent_evidence, consented_at,
            text_hash, closed_at from mandate_draft where id = ${id} for update`,
        )
      : await row<DraftRow>(
          tx,
          sql`select id, organisation_id, aidant_id, themes, days, created_at, expires_at, renews, demarches, read_only, single_use, usager_id, consent_method, consent_acr, consent_evidence, consented_at,
            text_hash, closed_at from mandate_draft where id = ${id}`,
        );
    return found && readDraft(found);
  },
  async consentDraft(tx, id, consent, event) {
    await run(
      tx,
      sql`update mandate_draft set usager_id = ${consent.usagerId}, consent_method = ${consent.method}, consent_acr = ${consent.acr},
        consent_evidence = ${consent.evidence}, consented_at = ${consent.at}, text_hash = ${consent.textHash}, consented_event = ${event}
        where id = ${id} and closed_at is null`,
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
          update mandate_grant g set ended_at = ${now}, end_reason = case when m.ends_at <= ${now} then 'expired' else 'replaced' end, ended_event = gen_random_uuid()
          from mandate m
          where m.id = g.mandate_id and g.organisation_id = ${organisationId} and g.usager_id = ${usagerId} and g.theme = any (${themes}::text[]) and g.ended_at is null
          returning g.mandate_id, g.theme, g.ended_event),
        emptied as (
          update mandate m set ended_at = ${now}, end_reason = case when m.ends_at <= ${now} then 'expired' else 'replaced' end, ended_by = 'replacement'
          where m.ended_at is null and m.id in (select mandate_id from closed)
            and not exists (select 1 from mandate_grant g where g.mandate_id = m.id and g.ended_at is null
              and not exists (select 1 from closed c where c.mandate_id = g.mandate_id and c.theme = g.theme))
          returning m.id)
        select c.mandate_id "mandateId", c.theme, c.mandate_id in (select id from emptied) "last", o.name "organisationName", c.ended_event event
        from closed c join organisation o on o.id = ${organisationId} order by c.mandate_id, c.theme`,
    );
  },
  async add(tx, mandate) {
    const { draft } = mandate;
    await run(
      tx,
      sql`with made as (
          insert into mandate (id, reference, draft_id, organisation_id, usager_id, template, text_hash, days, starts_at, ends_at, consent_method, consent_acr,
            consent_evidence, consented_at, accepted_by, accepted_at, acceptance_means, demarches, read_only, single_use, created_event)
          select ${mandate.id}, ${mandate.reference}, d.id, d.organisation_id, d.usager_id, ${mandate.template}, ${mandate.textHash}, d.days, ${mandate.startsAt}::timestamptz,
            ${mandate.endsAt}, d.consent_method, d.consent_acr, d.consent_evidence, d.consented_at, ${mandate.acceptedBy}, ${mandate.startsAt}, ${mandate.means},
            d.demarches, d.read_only, d.single_use, ${mandate.event}::uuid
          from mandate_draft d where d.id = ${draft.id} and d.usager_id = ${mandate.usagerId} and d.closed_at is null
          returning id, organisation_id, usager_id)
        insert into mandate_grant (mandate_id, theme, organisation_id, usager_id)
        select made.id, theme, made.organisation_id, made.usager_id from made, unnest(${draft.themes}::text[]) theme`,
    );
  },
});
