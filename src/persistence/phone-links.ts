import type { AidantId, DraftId, OrganisationId } from '../kernel/ids.ts';
import type { PhoneLink, PhoneLinkId } from '../mandates/phone-link.ts';
import type { PhoneLinkStore } from '../mandates/phone-links.ts';
import { row, run } from './database.ts';
import { remoteConsentStore } from './remote-consents.ts';
import { sql } from './sql.ts';

interface LinkRow {
  id: PhoneLinkId;
  draft_id: DraftId;
  aidant_id: AidantId;
  organisation_id: OrganisationId;
  state: PhoneLink['state'];
  created_at: Date;
  expires_at: Date;
  started_at: Date | null;
  refusal: string | null;
  ended_at: Date | null;
  settled: boolean;
}

const read = (found: LinkRow): PhoneLink => ({
  id: found.id,
  draftId: found.draft_id,
  aidantId: found.aidant_id,
  organisationId: found.organisation_id,
  state: found.state,
  createdAt: found.created_at,
  expiresAt: found.expires_at,
  startedAt: found.started_at ?? undefined,
  refusal: found.refusal ?? undefined,
  endedAt: found.ended_at ?? undefined,
  settled: found.settled,
});

export const phoneLinkStore: PhoneLinkStore = {
  async add(tx, link, hash) {
    await run(
      tx,
      sql`insert into phone_link (id, hash, draft_id, state, created_at, expires_at)
        values (${link.id}, ${hash}, ${link.draftId}, 'open', ${link.createdAt}, ${link.expiresAt})`,
    );
  },
  async ofDraft(tx, id) {
    const found = await row<LinkRow>(
      tx,
      sql`select l.*, d.aidant_id, d.organisation_id, d.consented_at is not null or d.closed_at is not null settled
        from phone_link l join mandate_draft d on d.id = l.draft_id where l.draft_id = ${id} order by l.state = 'open' desc, l.created_at desc, l.id desc limit 1`,
    );
    return found && read(found);
  },
  async byHash(tx, hash) {
    const found = await row<LinkRow>(
      tx,
      sql`select l.*, d.aidant_id, d.organisation_id, d.consented_at is not null or d.closed_at is not null settled
        from phone_link l join mandate_draft d on d.id = l.draft_id where l.hash = ${hash}`,
    );
    return found && read(found);
  },
  async start(tx, id, at) {
    await run(tx, sql`update phone_link set started_at = ${at}, refusal = null where id = ${id} and state = 'open'`);
  },
  async fail(tx, id, refusal) {
    await run(tx, sql`update phone_link set refusal = ${refusal} where id = ${id} and state = 'open'`);
  },
  async close(tx, id, state, at) {
    return (await run(tx, sql`update phone_link set state = ${state}, ended_at = ${at} where id = ${id} and state = 'open'`)) > 0;
  },
  extendDraft: remoteConsentStore.extendDraft,
};
