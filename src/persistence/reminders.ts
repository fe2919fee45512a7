import type { OrganisationId } from '../kernel/ids.ts';
import type { Ending, ReminderStore } from '../notices/reminders.ts';
import { rows, run } from './database.ts';
import { sql } from './sql.ts';
import { referentsOf } from './stopping.ts';

export const reminderStore: ReminderStore = {
  referents: referentsOf,
  async due(tx, now, endsBy) {
    const found = await rows<{ id: OrganisationId }>(
      tx,
      sql`select distinct m.organisation_id id from mandate m
        where m.ended_at is null and m.ends_at > ${now} and m.ends_at <= ${endsBy} and m.days > 31
          and not exists (select 1 from mandate_reminder r where r.mandate_id = m.id)
        order by 1`,
    );
    return found.map(({ id }) => id);
  },
  async take(tx, organisationId, now, endsBy) {
    // Held, so that an end under way is over before, or waits and forgets the message.
    const held = await rows<Ending>(
      tx,
      sql`select m.id "mandateId", m.reference, m.usager_id "usagerId", m.ends_at "endsAt" from mandate m
        where m.organisation_id = ${organisationId} and m.ended_at is null and m.ends_at > ${now} and m.ends_at <= ${endsBy} and m.days > 31
          and not exists (select 1 from mandate_reminder r where r.mandate_id = m.id)
        order by m.id for share`,
    );
    const taken = await rows<{ id: string }>(
      tx,
      sql`insert into mandate_reminder (mandate_id, at) select id, ${now}::timestamptz from unnest(${held.map((each) => each.mandateId)}::text[]) id
        order by id on conflict do nothing returning mandate_id id`,
    );
    return held.filter((each) => taken.some(({ id }) => id === each.mandateId));
  },
  async sent(tx, id, deliveryId) {
    await run(tx, sql`update mandate_reminder set delivery_id = ${deliveryId} where mandate_id = ${id}`);
  },
};
