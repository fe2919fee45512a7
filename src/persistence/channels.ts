import type { OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { SmsQuotaStore } from '../notices/sms.ts';
import type { Channel, ChannelId, Sharing } from '../usagers/channel.ts';
import type { ChannelStore } from '../usagers/channels.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface ChannelRow {
  id: ChannelId;
  usager_id: UsagerId;
  kind: Channel['kind'];
  address: string;
  added_by: string;
  organisation_id: OrganisationId | null;
  added_at: Date;
  verified_at: Date | null;
}

const read = (found: ChannelRow): Channel => ({
  id: found.id,
  usagerId: found.usager_id,
  kind: found.kind,
  address: found.address,
  addedBy: found.added_by,
  organisationId: found.organisation_id ?? undefined,
  addedAt: found.added_at,
  verifiedAt: found.verified_at ?? undefined,
});

export const channelStore: ChannelStore = {
  async lock(tx, usagerId) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`channels ${usagerId}`}, 0))`);
  },
  async add(tx, channel, code) {
    await run(
      tx,
      sql`insert into channel (id, usager_id, kind, address, added_by, organisation_id, added_at, code_mac, code_expires_at)
        values (${channel.id}, ${channel.usagerId}, ${channel.kind}, ${channel.address}, ${channel.addedBy}, ${channel.organisationId ?? null},
          ${channel.addedAt}, ${code?.mac ?? null}, ${code?.expiresAt ?? null})`,
    );
  },
  async ofUsager(tx, usagerId) {
    const found = await rows<ChannelRow>(
      tx,
      sql`select id, usager_id, kind, address, added_by, organisation_id, added_at, verified_at from channel
        where usager_id = ${usagerId} and ended_at is null and (code_mac is null or verified_at is not null)
        order by (verified_at is null), added_at desc, id`,
    );
    return found.map(read);
  },
  async pending(tx, usagerId) {
    const found = await row<ChannelRow & { code_mac: Buffer; code_expires_at: Date; code_failures: number }>(
      tx,
      sql`select id, usager_id, kind, address, added_by, organisation_id, added_at, verified_at, code_mac, code_expires_at, code_failures from channel
        where usager_id = ${usagerId} and ended_at is null and verified_at is null and code_mac is not null order by added_at desc, id desc limit 1`,
    );
    return found && { channel: read(found), codeMac: found.code_mac, codeExpiresAt: found.code_expires_at, failures: found.code_failures };
  },
  async failed(tx, id) {
    await run(tx, sql`update channel set code_failures = code_failures + 1 where id = ${id} and code_failures < 5`);
  },
  async verify(tx, id, now) {
    return (await run(tx, sql`update channel set verified_at = ${now} where id = ${id} and verified_at is null and ended_at is null`)) > 0;
  },
  async end(tx, id, now) {
    await run(tx, sql`update channel set ended_at = ${now} where id = ${id} and ended_at is null`);
  },
  async holders(tx, address) {
    const found = await row<{ own: UsagerId[]; entered: UsagerId[]; professional: boolean }>(
      tx,
      sql`select
          array(select distinct usager_id from channel where kind = 'phone' and address = ${address} and ended_at is null and added_by = 'usager'
            and verified_at is not null) own,
          array(select distinct usager_id from channel where kind = 'phone' and address = ${address} and ended_at is null and added_by like 'aid\\_%') entered,
          exists (select 1 from professional_number where address = ${address}) professional`,
    );
    return found ?? { own: [], entered: [], professional: false };
  },
  async sharing(tx, channel, organisationId) {
    const found = await row<{ n: number; staff: boolean; organisation: boolean; entered: Date | null }>(
      tx,
      sql`select
          (select count(distinct c.usager_id)::int from channel c where c.address = ${channel.address} and c.ended_at is null
            and exists (select 1 from mandate m where m.usager_id = c.usager_id and m.organisation_id = ${organisationId})) n,
          exists (select 1 from professional_number p where p.address = ${channel.address} and p.holder like 'aid\\_%')
            or exists (select 1 from staff s where lower(s.email) = lower(${channel.address})) staff,
          exists (select 1 from professional_number p where p.address = ${channel.address} and p.holder like 'org\\_%') organisation,
          (select max(c.added_at) from channel c where c.usager_id = ${channel.usagerId} and c.address = ${channel.address} and c.added_by like 'aid\\_%') entered`,
    );
    return {
      usagersOfOrganisation: found?.n ?? 0,
      staff: found?.staff ?? false,
      organisation: found?.organisation ?? false,
      enteredByAidantAt: found?.entered ?? undefined,
    } satisfies Sharing;
  },
  async isOfOrganisation(tx, usagerId, organisationId, now) {
    const found = await row<{ held: boolean }>(
      tx,
      sql`select exists (select 1 from mandate m where m.usager_id = ${usagerId} and m.organisation_id = ${organisationId}
        and least(m.ends_at, m.ended_at) > ${now}::timestamptz - interval '365 days') held`,
    );
    return found?.held === true;
  },
};

/** Counters of SMS: rows first, then their locks in one order, then all of them or none. */
export const smsQuotaStore: SmsQuotaStore = {
  async take(tx, day, count, caps) {
    const scopes = caps.map((cap) => cap.scope);
    const holders = caps.map((cap) => cap.holder);
    await run(
      tx,
      sql`insert into sms_quota (day, scope, holder, sent) select ${day}::date, s.scope, s.holder, 0 from unnest(${scopes}::text[], ${holders}::text[]) s(scope, holder)
        order by s.scope, s.holder on conflict do nothing`,
    );
    const counted = await rows<{ scope: string; holder: string; sent: number }>(
      tx,
      sql`select q.scope, q.holder, q.sent from sms_quota q join unnest(${scopes}::text[], ${holders}::text[]) s(scope, holder) on s.scope = q.scope and s.holder = q.holder
        where q.day = ${day}::date order by q.scope, q.holder for update of q`,
    );
    const over = caps.find((cap) => (counted.find((each) => each.scope === cap.scope && each.holder === cap.holder)?.sent ?? 0) + count > cap.most);
    if (over) return over.scope;
    await run(
      tx,
      sql`update sms_quota q set sent = q.sent + ${count}::int from unnest(${scopes}::text[], ${holders}::text[]) s(scope, holder)
        where q.day = ${day}::date and q.scope = s.scope and q.holder = s.holder`,
    );
    return undefined;
  },
};

/** Notes that a number is an aidant's or a structure's own. */
export const declareProfessionalNumber = async (
  tx: Parameters<ChannelStore['lock']>[0],
  address: string,
  holder: string,
  now: Date,
): Promise<void> => {
  await run(tx, sql`insert into professional_number (address, holder, declared_at) values (${address}, ${holder}, ${now}) on conflict do nothing`);
};
