import type { BarStore, MetMandate } from '../mandates/barring.ts';
import { row, run } from './database.ts';
import { sql } from './sql.ts';

export const barStore: BarStore = {
  met: (tx, id, administrationId) =>
    row<MetMandate>(
      tx,
      sql`select m.id, m.reference, m.usager_id "usagerId", m.organisation_id "organisationId", o.name "organisationName", ${administrationId} = any (m.barred) barred
        from mandate m join organisation o on o.id = m.organisation_id
        where m.id = ${id} and exists (select 1 from delegated_session d join service s on s.id = d.service_id
          where d.mandate_id = m.id and s.administration_id = ${administrationId})`,
    ),
  async bar(tx, id, administrationId, now) {
    const added = await run(
      tx,
      sql`update mandate set barred = array_append(barred, ${administrationId}::text), barred_at = array_append(barred_at, ${now}::timestamptz)
        where id = ${id} and not ${administrationId}::text = any (barred)`,
    );
    return added > 0;
  },
};
