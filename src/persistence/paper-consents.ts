import type { AidantId, DraftId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { PaperConsent, PaperConsentId } from '../mandates/paper-consent.ts';
import type { PaperConsentStore } from '../mandates/paper-consents.ts';
import { displayName, type Usager } from '../usagers/usager.ts';
import { channelStore } from './channels.ts';
import { row, rows, run } from './database.ts';
import { remoteConsentStore } from './remote-consents.ts';
import { sql } from './sql.ts';

interface PaperRow {
  id: PaperConsentId;
  reference: string;
  draft_id: DraftId;
  organisation_id: OrganisationId;
  asked_by: AidantId;
  asked_by_name: string;
  usager_id: UsagerId;
  given_name: string;
  family_name: string;
  preferred_username: string | null;
  gender: 'male' | 'female';
  text_hash: Buffer;
  asked_at: Date;
  expires_at: Date;
  ended_at: Date | null;
  witness_id: AidantId | null;
  witness_name: string | null;
  witnessed_at: Date | null;
}

const read = (found: PaperRow): PaperConsent => ({
  id: found.id,
  reference: found.reference,
  draftId: found.draft_id,
  organisationId: found.organisation_id,
  askedBy: found.asked_by,
  askedByName: found.asked_by_name,
  usagerId: found.usager_id,
  usagerName: displayName({
    gender: found.gender,
    givenName: found.given_name,
    familyName: found.family_name,
    preferredUsername: found.preferred_username ?? undefined,
  }),
  textHash: found.text_hash,
  askedAt: found.asked_at,
  expiresAt: found.expires_at,
  endedAt: found.ended_at ?? undefined,
  witness:
    found.witness_id && found.witness_name && found.witnessed_at
      ? { id: found.witness_id, name: found.witness_name, at: found.witnessed_at }
      : undefined,
});

/** People of an organisation's own mandates, live or ended less than a year ago, and those for whom nothing may stand any more, born one of those days. */
export const bornOnAny = (tx: Transaction, organisationId: OrganisationId, birthdates: readonly string[], now: Date): Promise<Usager[]> =>
  rows<Usager>(
    tx,
    sql`select u.id, u.given_name "givenName", u.family_name "familyName", u.preferred_username "preferredUsername", u.gender, u.birthdate, u.birthplace,
        u.birthcountry, u.email from usager u
      where u.birthdate = any (${birthdates}::text[]) and exists (select 1 from mandate m where m.usager_id = u.id and m.organisation_id = ${organisationId}
        and (least(m.ends_at, m.ended_at) > ${now}::timestamptz - interval '365 days' or u.protection is not null))`,
  );

export const paperConsentStore: PaperConsentStore = {
  people: remoteConsentStore.people,
  isOfOrganisation: channelStore.isOfOrganisation,
  extendDraft: remoteConsentStore.extendDraft,
  bornOn: (tx, organisationId, birthdate, now) => bornOnAny(tx, organisationId, [birthdate], now),
  async add(tx, paper) {
    await run(
      tx,
      sql`insert into paper_consent (id, reference, draft_id, usager_id, asked_by, text_hash, asked_at, expires_at)
        values (${paper.id}, ${paper.reference}, ${paper.draftId}, ${paper.usagerId}, ${paper.askedBy}, ${paper.textHash}, ${paper.askedAt}, ${paper.expiresAt})`,
    );
  },
  async endOpen(tx, draftId, now) {
    await run(tx, sql`update paper_consent set ended_at = ${now} where draft_id = ${draftId} and ended_at is null and witness_id is null`);
  },
  async ofDraft(tx, id) {
    const found = await row<PaperRow>(tx, sql`select * from paper_read where draft_id = ${id} and ended_at is null`);
    return found && read(found);
  },
  async find(tx, id) {
    const found = await row<PaperRow>(tx, sql`select * from paper_read where id = ${id}`);
    return found && read(found);
  },
  async witness(tx, id, witness) {
    return (
      (await run(
        tx,
        sql`update paper_consent set witness_id = ${witness.id}, witnessed_at = ${witness.at}, witness_means = ${witness.means}, evidence = ${witness.evidence}
          where id = ${id} and witness_id is null and ended_at is null`,
      )) > 0
    );
  },
  async waiting(tx, organisationId, but, now) {
    const found = await rows<PaperRow>(
      tx,
      sql`select * from paper_read where organisation_id = ${organisationId} and asked_by <> ${but} and witness_id is null and ended_at is null
        and expires_at > ${now} and closed_at is null order by asked_at, id limit 100`,
    );
    return found.map(read);
  },
};
