import type { UsagerId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row, rows } from './database.ts';
import { sql } from './sql.ts';

/**
 * Everything that the tables hold of a person (GDPR article 15), ready to be written as JSON; her entries are the journal's to give. Others appear in it
 * as she knows them: an aidant by the first given name and the structure, an opérateur or an agent by what they are. Keys, hashes and codes that
 * protect her are left out: whoever finds the file must not act with it.
 */
export type PersonalData = { readonly [section: string]: unknown };

const identityOf = (tx: Transaction, id: UsagerId) =>
  row(
    tx,
    sql`select given_name, family_name, preferred_username, gender, birthdate, birthplace, birthcountry, email, protection, protected_at, created_at
      from usager where id = ${id}`,
  );

const accountsOf = (tx: Transaction, id: UsagerId) =>
  rows(
    tx,
    sql`select case when iss like 'urn:relais:paper:%' then 'typed by a structure' else iss end issuer,
        case when iss like 'urn:relais:paper:%' then null else sub end subject, linked_at
      from usager_identity where usager_id = ${id} order by linked_at`,
  );

const channelsOf = (tx: Transaction, id: UsagerId) =>
  rows(
    tx,
    sql`select c.kind, c.address, case when c.added_by like 'aid\\_%' then 'aidant' else c.added_by end added_by, o.name structure, c.added_at, c.verified_at, c.ended_at
      from channel c left join organisation o on o.id = c.organisation_id where c.usager_id = ${id} order by c.added_at, c.id`,
  );

const mandatesOf = (tx: Transaction, id: UsagerId) =>
  rows(
    tx,
    sql`select m.reference, o.name structure, o.siret, m.template, m.days, m.starts_at, m.ends_at, m.consent_method, m.consent_acr, m.consented_at,
        split_part(a.given_name, ' ', 1) accepted_by, m.accepted_at, m.ended_at, m.end_reason, m.demarches, m.read_only, m.single_use, m.barred stopped_at_administrations,
        r.at reminded_at, i.signed_on imported_signed_on, split_part(w.given_name, ' ', 1) imported_witness,
        (select json_agg(json_build_object('theme', g.theme, 'ended_at', g.ended_at, 'end_reason', g.end_reason) order by g.theme)
          from mandate_grant g where g.mandate_id = m.id and g.usager_id = m.usager_id) themes
      from mandate m join organisation o on o.id = m.organisation_id join staff a on a.id = m.accepted_by left join mandate_reminder r on r.mandate_id = m.id
        left join imported_mandate i on i.draft_id = m.draft_id left join staff w on w.id = i.witness_id
      where m.usager_id = ${id} order by m.starts_at, m.id`,
  );

const requestsOf = async (tx: Transaction, id: UsagerId) => ({
  drafts: await rows(
    tx,
    sql`select o.name structure, split_part(a.given_name, ' ', 1) aidant, d.themes, d.days, d.demarches, d.read_only, d.single_use, d.consent_method, d.consent_acr, d.consented_at,
        d.created_at, d.expires_at, d.closed_at
      from mandate_draft d join organisation o on o.id = d.organisation_id join staff a on a.id = d.aidant_id where d.usager_id = ${id} order by d.created_at, d.id`,
  ),
  by_sms: await rows(
    tx,
    sql`select o.name structure, r.phone, r.state, r.asked_at, r.expires_at, r.delivered_at, r.failed_at, r.unclear, r.later, r.ended_at
      from remote_consent r join mandate_draft d on d.id = r.draft_id join organisation o on o.id = d.organisation_id
      where r.usager_id = ${id} order by r.asked_at, r.id`,
  ),
  on_paper: await rows(
    tx,
    sql`select p.reference, o.name structure, split_part(a.given_name, ' ', 1) asked_by, p.asked_at, p.expires_at, p.ended_at, split_part(w.given_name, ' ', 1) witness,
        p.witnessed_at,
        (select json_agg(json_build_object('kind', s.kind, 'bytes', s.size, 'kept_at', s.added_at) order by s.added_at) from paper_scan s where s.paper_id = p.id) copies
      from paper_consent p join mandate_draft d on d.id = p.draft_id join organisation o on o.id = d.organisation_id join staff a on a.id = p.asked_by
        left join staff w on w.id = p.witness_id
      where p.usager_id = ${id} order by p.asked_at, p.id`,
  ),
});

const sessionsOf = (tx: Transaction, id: UsagerId) =>
  rows(
    tx,
    sql`select s.id session, m.reference mandate, o.name structure, split_part(a.given_name, ' ', 1) aidant, v.name service, s.theme, s.privileges, s.demarches, s.single_use, s.acr,
        s.opened_at, s.expires_at, s.ended_at, s.end_reason, s.reported_at,
        (select count(*)::int from action t where t.session_id = s.id) acts,
        (select json_agg(json_build_object('kind', r.kind, 'said_at', r.said_at) order by r.said_at) from remark r where r.session_id = s.id) remarks
      from delegated_session s join mandate m on m.id = s.mandate_id join organisation o on o.id = s.organisation_id join staff a on a.id = s.aidant_id
        join service v on v.id = s.service_id
      where s.usager_id = ${id} order by s.opened_at, s.id`,
  );

const signInsOf = (tx: Transaction, id: UsagerId) =>
  rows(tx, sql`select created_at, seen_at, ended_at from web_session where kind = 'usager' and holder_id = ${id} order by created_at`);

export const personalDataOf = async (tx: Transaction, id: UsagerId): Promise<PersonalData> => ({
  identity: await identityOf(tx, id),
  accounts: await accountsOf(tx, id),
  channels: await channelsOf(tx, id),
  mandates: await mandatesOf(tx, id),
  requests: await requestsOf(tx, id),
  delegated_sessions: await sessionsOf(tx, id),
  sign_ins: await signInsOf(tx, id),
});
