import type { AidantId, MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { ConsentMethod, EndReason, Mandate } from '../mandates/mandate.ts';
import type { MandateStore } from '../mandates/mandates.ts';
import type { Theme } from '../organisations/theme.ts';
import { displayName } from '../usagers/usager.ts';
import { row, rows } from './database.ts';
import { type NarrowingColumns, readNarrowing } from './narrowing.ts';
import { sql } from './sql.ts';

/** As JSON writes a row of `mandate_read`: instants are text. */
interface MandateRow extends NarrowingColumns {
  id: MandateId;
  reference: string;
  organisation_id: OrganisationId;
  organisation_name: string;
  usager_id: UsagerId;
  days: number;
  starts_at: string;
  ends_at: string;
  consent_method: ConsentMethod;
  consent_acr: string;
  consented_at: string;
  accepted_by: AidantId;
  accepted_by_name: string;
  ended_at: string | null;
  end_reason: EndReason | null;
  given_name: string;
  family_name: string;
  preferred_username: string | null;
  gender: 'male' | 'female';
  themes: { theme: Theme; endedAt: string | null }[];
  used: boolean;
}

/** Reads a row of `mandate_read` written as JSON. */
export const readMandate = (one: string): Mandate => {
  const found = JSON.parse(one) as MandateRow; // the columns of the view
  return {
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
    themes: found.themes.map(({ theme, endedAt }) => ({ theme, endedAt: endedAt === null ? undefined : new Date(endedAt) })),
    days: found.days,
    narrowing: readNarrowing(found),
    used: found.used,
    startsAt: new Date(found.starts_at),
    endsAt: new Date(found.ends_at),
    consent: { method: found.consent_method, acr: found.consent_acr, at: new Date(found.consented_at) },
    acceptedBy: found.accepted_by,
    acceptedByName: found.accepted_by_name,
    state: found.ended_at && found.end_reason ? { kind: 'ended', at: new Date(found.ended_at), reason: found.end_reason } : { kind: 'active' },
  };
};

type One = { one: string };

export const createReadings = (): Pick<MandateStore, 'byDraft' | 'find' | 'ofUsager' | 'ofOrganisation' | 'countOfOrganisation' | 'overlapping'> => ({
  async byDraft(tx, id) {
    const found = await row<One>(tx, sql`select row_to_json(v)::text one from mandate_read v where v.draft_id = ${id}`);
    return found && readMandate(found.one);
  },
  async find(tx, id) {
    const found = await row<One>(tx, sql`select row_to_json(v)::text one from mandate_read v where v.id = ${id}`);
    return found && readMandate(found.one);
  },
  async ofUsager(tx, id) {
    const found = await rows<One>(
      tx,
      sql`select row_to_json(v)::text one from mandate_read v where v.usager_id = ${id} order by v.ended_at is not null, v.ends_at desc limit 100`,
    );
    return found.map(({ one }) => readMandate(one));
  },
  async overlapping(tx, organisationId, usagerId, themes, now) {
    const found = await rows<One>(
      tx,
      sql`select row_to_json(v)::text one from mandate_read v
        where v.usager_id = ${usagerId} and v.organisation_id <> ${organisationId} and v.ended_at is null and v.ends_at > ${now}
          and exists (select 1 from mandate_grant g where g.mandate_id = v.id and g.ended_at is null and g.theme = any (${themes}::text[]))
        order by v.id`,
    );
    return found.map(({ one }) => readMandate(one));
  },
  async ofOrganisation(tx, id, page) {
    const { state = 'live', theme } = page;
    const found = await rows<One>(
      tx,
      sql`select row_to_json(v)::text one from mandate_read v
        where v.organisation_id = ${id} and (v.ended_at is null and v.ends_at > ${page.now}) = ${state === 'live'}
          and (${theme ?? null}::text is null or exists (select 1 from mandate_grant g where g.mandate_id = v.id and g.theme = ${theme ?? null}::text))
          and (${page.endsBefore ?? null}::timestamptz is null or v.ends_at <= ${page.endsBefore ?? null}::timestamptz)
          and (${likeOf(page.name)}::text is null or v.given_name || ' ' || v.family_name || ' ' || coalesce(v.preferred_username, '') ilike ${likeOf(page.name)}::text)
          and (${page.after ?? null}::text is null
            or (v.ends_at, v.id) > (select p.ends_at, p.id from mandate p where p.id = ${page.after ?? null}::text and p.organisation_id = ${id}))
        order by v.ends_at, v.id limit ${page.limit}`,
    );
    return found.map(({ one }) => readMandate(one));
  },
  async countOfOrganisation(tx, id, page) {
    const { state = 'live', theme } = page;
    const found = await row<{ n: number }>(
      tx,
      sql`select count(*) n from mandate m join usager u on u.id = m.usager_id
        where m.organisation_id = ${id} and (m.ended_at is null and m.ends_at > ${page.now}) = ${state === 'live'}
          and (${theme ?? null}::text is null or exists (select 1 from mandate_grant g where g.mandate_id = m.id and g.theme = ${theme ?? null}::text))
          and (${page.endsBefore ?? null}::timestamptz is null or m.ends_at <= ${page.endsBefore ?? null}::timestamptz)
          and (${likeOf(page.name)}::text is null or u.given_name || ' ' || u.family_name || ' ' || coalesce(u.preferred_username, '') ilike ${likeOf(page.name)}::text)`,
    );
    return found?.n ?? 0;
  },
});

const likeOf = (name: string | undefined): string | null => (name ? `%${name.replace(/[\\%_]/g, '\\$&')}%` : null);
