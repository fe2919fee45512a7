import type { AidantId, DraftId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { RemoteConsent, RemoteConsentId, RemoteState } from '../mandates/remote-consent.ts';
import type { RemoteConsentStore } from '../mandates/remote-consents.ts';
import type { ChannelId } from '../usagers/channel.ts';
import type { Usager } from '../usagers/usager.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface ConsentRow {
  id: RemoteConsentId;
  reference: string;
  draft_id: DraftId;
  aidant_id: AidantId;
  organisation_id: OrganisationId;
  usager_id: UsagerId;
  channel_id: ChannelId;
  phone: string;
  text_hash: Buffer;
  delivery_id: string;
  state: RemoteState;
  asked_at: Date;
  expires_at: Date;
  delivered_at: Date | null;
  failed_at: Date | null;
  taken_at: Date | null;
  attempts: number;
  unclear: number;
  later: number;
  ended_at: Date | null;
}

const read = (found: ConsentRow): RemoteConsent => ({
  id: found.id,
  reference: found.reference,
  draftId: found.draft_id,
  aidantId: found.aidant_id,
  organisationId: found.organisation_id,
  usagerId: found.usager_id,
  channelId: found.channel_id,
  phone: found.phone,
  textHash: found.text_hash,
  deliveryId: found.delivery_id,
  state: found.state,
  askedAt: found.asked_at,
  expiresAt: found.expires_at,
  deliveredAt: found.delivered_at ?? undefined,
  failedAt: found.failed_at ?? undefined,
  takenAt: found.taken_at ?? undefined,
  attempts: found.attempts,
  unclear: found.unclear,
  later: found.later,
  endedAt: found.ended_at ?? undefined,
});

export const remoteConsentStore: RemoteConsentStore = {
  async takeCall(tx, messageId, kind, now) {
    return (
      (await run(tx, sql`insert into sms_callback (message_id, kind, received_at) values (${messageId}, ${kind}, ${now}) on conflict do nothing`)) > 0
    );
  },
  async people(tx, organisationId, now) {
    return rows<Usager>(
      tx,
      sql`select u.id, u.given_name "givenName", u.family_name "familyName", u.preferred_username "preferredUsername", u.gender, u.birthdate, u.birthplace,
          u.birthcountry, u.email from usager u
        where u.erased_at is null and u.id in (select m.usager_id from mandate m where m.organisation_id = ${organisationId}
          and least(m.ends_at, m.ended_at) > ${now}::timestamptz - interval '365 days')
        order by lower(coalesce(u.preferred_username, u.family_name)), u.given_name, u.id limit 500`,
    );
  },
  async add(tx, consent) {
    await run(
      tx,
      sql`insert into remote_consent (id, reference, draft_id, usager_id, channel_id, phone, text_hash, delivery_id, state, asked_at, expires_at)
        values (${consent.id}, ${consent.reference}, ${consent.draftId}, ${consent.usagerId}, ${consent.channelId}, ${consent.phone}, ${consent.textHash},
          ${consent.deliveryId}, 'asked', ${consent.askedAt}, ${consent.expiresAt})`,
    );
  },
  async extendDraft(tx, id, until) {
    await run(tx, sql`update mandate_draft set expires_at = greatest(expires_at, ${until}::timestamptz) where id = ${id} and closed_at is null`);
  },
  async ofDraft(tx, id) {
    const found = await row<ConsentRow>(
      tx,
      sql`select r.*, d.aidant_id, d.organisation_id, v.attempts, v.acknowledged_at taken_at from remote_consent r
        join mandate_draft d on d.id = r.draft_id join delivery v on v.id = r.delivery_id
        where r.draft_id = ${id} order by r.asked_at desc, r.id desc limit 1`,
    );
    return found && read(found);
  },
  async byReference(tx, reference) {
    const found = await row<ConsentRow>(
      tx,
      sql`select r.*, d.aidant_id, d.organisation_id, v.attempts, v.acknowledged_at taken_at from remote_consent r
        join mandate_draft d on d.id = r.draft_id join delivery v on v.id = r.delivery_id
        where r.reference = ${reference} for update of r`,
    );
    return found && read(found);
  },
  async close(tx, id, state, at, evidence) {
    return (
      (await run(
        tx,
        sql`update remote_consent set state = ${state}, ended_at = ${at}, evidence = ${evidence?.hash ?? null}, evidence_box = ${evidence?.box ?? null}
          where id = ${id} and state = 'asked'`,
      )) > 0
    );
  },
  async count(tx, id, what) {
    await run(
      tx,
      what === 'unclear'
        ? sql`update remote_consent set unclear = unclear + 1 where id = ${id} and unclear < 20`
        : sql`update remote_consent set later = later + 1 where id = ${id} and later < 20`,
    );
  },
  async receipt(tx, id, status, at) {
    await run(
      tx,
      status === 'delivered'
        ? sql`update remote_consent set delivered_at = coalesce(delivered_at, ${at}::timestamptz) where id = ${id}`
        : sql`update remote_consent set failed_at = coalesce(failed_at, ${at}::timestamptz) where id = ${id}`,
    );
  },
  async overdue(tx, now, limit) {
    const found = await rows<ConsentRow>(
      tx,
      sql`select r.*, d.aidant_id, d.organisation_id, 0 attempts, null::timestamptz taken_at from remote_consent r join mandate_draft d on d.id = r.draft_id
        where r.state = 'asked' and r.expires_at <= ${now} order by r.expires_at limit ${limit}`,
    );
    return found.map(read);
  },
  purgeCalls: (tx, before) =>
    run(
      tx,
      sql`with counted as (delete from sms_quota where day < ${before}::timestamptz::date) delete from sms_callback where received_at < ${before}`,
    ),
};
