import { randomUuid } from '../kernel/crypto.ts';
import type { MandateId } from '../kernel/ids.ts';
import type { EndingStore } from '../mandates/ending.ts';
import type { Actor } from '../mandates/policy.ts';
import type { Theme } from '../organisations/theme.ts';
import { row, rows, run } from './database.ts';
import { readMandate } from './mandate-readings.ts';
import { sql } from './sql.ts';

/** What ends mandates, in SQL. `find` is the mandates' own. */
export const createEndingStore = (): Omit<EndingStore, 'find'> => ({
  actor: (tx, aidantId, organisationId) =>
    row<Actor & { referent: boolean }>(
      tx,
      sql`select a.id "aidantId", a.given_name "givenName", a.family_name "familyName", a.email, a.status "aidantStatus", o.id "organisationId",
          o.name "organisationName", o.siret, o.status "organisationStatus", o.themes "organisationThemes", b.status "membershipStatus", b.themes "memberThemes", b.referent
        from membership b join staff a on a.id = b.aidant_id join organisation o on o.id = b.organisation_id
        where b.aidant_id = ${aidantId} and b.organisation_id = ${organisationId}`,
    ),
  async hold(tx, id) {
    await run(tx, sql`select 1 from mandate where id = ${id} for update`);
  },
  async end(tx, id, reason, by, now, theme) {
    const event = randomUuid();
    // Both parts read what stood before the statement: the grants that remain are those that it does not end.
    const ended = await row<{ themes: Theme[]; left: Theme[]; event: string }>(
      tx,
      sql`with g as (
          update mandate_grant set ended_at = ${now}, end_reason = ${reason}, ended_event = ${event}
          where mandate_id = ${id} and ended_at is null and (${theme ?? null}::text is null or theme = ${theme ?? null}::text) returning theme),
        remaining as (
          select theme from mandate_grant where mandate_id = ${id} and ended_at is null and theme not in (select theme from g)),
        m as (
          update mandate set ended_at = ${now}, end_reason = ${reason}, ended_by = ${by}
          where id = ${id} and ended_at is null and exists (select 1 from g) and not exists (select 1 from remaining))
        select array(select theme from g order by theme) themes, array(select theme from remaining order by theme) "left", ${event}::text event`,
    );
    return ended?.themes.length ? ended : undefined;
  },
  async closeDraftsOf(tx, usagerId, now) {
    await run(
      tx,
      sql`update mandate_draft set closed_at = ${now} where closed_at is null and id in (
        select id from mandate_draft where usager_id = ${usagerId} and closed_at is null
        union select draft_id from paper_consent where usager_id = ${usagerId} and ended_at is null)`,
    );
  },
  async overdue(tx, now, limit) {
    const found = await rows<{ id: MandateId }>(
      tx,
      sql`select id from mandate where ended_at is null and ends_at <= ${now} order by ends_at limit ${limit}`,
    );
    return found.map((mandate) => mandate.id);
  },
  async holdLive(tx, whose) {
    const usager = 'usagerId' in whose ? whose.usagerId : null;
    const organisation = 'organisationId' in whose ? whose.organisationId : null;
    const held = await rows<{ id: MandateId }>(
      tx,
      sql`select id from mandate
        where ended_at is null and (usager_id = ${usager}::text or organisation_id = ${organisation}::text) order by id for update`,
    );
    const found = await rows<{ one: string }>(
      tx,
      sql`select row_to_json(v)::text one from mandate_read v where v.id = any (${held.map(({ id }) => id)}::text[]) order by v.id`,
    );
    return found.map(({ one }) => readMandate(one));
  },
  async protect(tx, id, protection, now) {
    // A death that follows a guardianship is noted; nothing follows a death.
    const noted = await run(
      tx,
      sql`update usager set protection = ${protection}, protected_at = ${now}
        where id = ${id} and (protection is null or (protection = 'guardianship' and ${protection}::text = 'death'))`,
    );
    if (noted) return true;
    return (await row(tx, sql`select 1 from usager where id = ${id}`)) ? false : undefined;
  },
});
