import type { MandateThen, ValidityStore } from '../mandates/validity.ts';
import { row } from './database.ts';
import { sql } from './sql.ts';

export const validityStore: ValidityStore = {
  at: (tx, serviceId, { ref, theme, demarche, at }) => {
    const uuid = ref.startsWith('urn:uuid:') ? ref.slice('urn:uuid:'.length) : null;
    const reference = uuid === null ? ref : null;
    return row<MandateThen>(
      tx,
      sql`select m.id "mandateId", m.usager_id "usagerId", m.organisation_id "organisationId", o.name "organisationName", s.administration_id "administrationId",
          a.name "administrationName", s.name "serviceName", m.consent_method "consentMethod", m.consent_acr "consentAcr",
          m.starts_at <= ${at}::timestamptz and m.ends_at > ${at}::timestamptz and (m.ended_at is null or m.ended_at > ${at}::timestamptz)
            and exists (select 1 from mandate_grant g where g.mandate_id = m.id and g.theme = ${theme} and (g.ended_at is null or g.ended_at > ${at}::timestamptz))
            and not exists (select 1 from unnest(m.barred, m.barred_at) b (administration, since) where b.administration = s.administration_id and coalesce(b.since <= ${at}::timestamptz, true))
            and (${demarche ?? null}::text is null
              or (m.demarches is null or m.demarches @> jsonb_build_array(jsonb_build_object('code', ${demarche ?? null}::text)))
                and exists (select 1 from demarche e where e.service_id = s.id and e.code = ${demarche ?? null}::text and ${theme} = any (e.themes)
                  and (not m.read_only or e.effect = 'read'))) held
        from service s join administration a on a.id = s.administration_id
        join mandate m on m.reference = ${reference}::text or m.id in (
          select d.mandate_id from delegated_session d join service x on x.id = d.service_id and x.sector = s.sector where d.identifier = ${uuid}::uuid)
        join organisation o on o.id = m.organisation_id
        where s.id = ${serviceId} and s.status = 'approved' and ${theme} = any (s.themes)
          and exists (select 1 from delegated_session d join service x on x.id = d.service_id and x.sector = s.sector where d.mandate_id = m.id)`,
    );
  },
};
