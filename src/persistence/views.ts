import type { MandateId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row, rows } from './database.ts';
import { readMandate } from './mandate-readings.ts';
import { sql } from './sql.ts';

/** Readings that pages need beside the use cases: names and states to show, by identifiers already entitled. */

/** The last signed checkpoint. */
export const lastSigned = async (tx: Transaction): Promise<{ size: number; at: Date; note: string } | undefined> =>
  row(tx, sql`select size, at, note from journal.checkpoint order by size desc limit 1`);

/** References of mandates, by id. */
export const referencesOf = async (tx: Transaction, ids: readonly string[]): Promise<Map<string, string>> =>
  ids.length
    ? new Map(
        (await rows<{ id: string; reference: string }>(tx, sql`select id, reference from mandate where id = any (${[...new Set(ids)]}::text[])`)).map(
          (each) => [each.id, each.reference],
        ),
      )
    : new Map();

/** First names of the active aidants of organisations. */
export const aidantNamesOf = async (tx: Transaction, ids: readonly string[]): Promise<Map<string, string[]>> =>
  ids.length
    ? new Map(
        (
          await rows<{ id: string; names: string[] }>(
            tx,
            sql`select b.organisation_id id, array_agg(split_part(a.given_name, ' ', 1) order by a.given_name) names
              from membership b join staff a on a.id = b.aidant_id
              where b.organisation_id = any (${[...new Set(ids)]}::text[]) and b.status = 'active' and a.status = 'active' group by b.organisation_id`,
          )
        ).map((each) => [each.id, each.names]),
      )
    : new Map();

/** Names of the people, among these, who have a live mandate with an organisation: whom it may name now. */
export const helpedNamesOf = async (tx: Transaction, organisationId: string, ids: readonly string[], now: Date): Promise<Map<string, string>> => {
  const found = await rows<{ one: string }>(
    tx,
    sql`select distinct on (v.usager_id) row_to_json(v)::text one from mandate_read v
      where v.usager_id = any (${[...new Set(ids)]}::text[]) and v.organisation_id = ${organisationId} and v.ended_at is null and v.ends_at > ${now}
      order by v.usager_id, v.ends_at desc`,
  );
  return new Map(found.map(({ one }) => readMandate(one)).map(({ usagerId, usagerName }) => [usagerId, usagerName]));
};

/** Everybody who is, or was, an aidant of an organisation: id and name. */
export const colleaguesOf = async (tx: Transaction, organisationId: string): Promise<[id: string, name: string][]> =>
  (
    await rows<{ id: string; name: string }>(
      tx,
      sql`select a.id, a.given_name || ' ' || a.family_name as name from membership b join staff a on a.id = b.aidant_id
        where b.organisation_id = ${organisationId} order by a.family_name, a.given_name, a.id`,
    )
  ).map(({ id, name }) => [id, name]);

/** Sessions, among these, that are over and of which the service said nothing. FranceConnect, which reports nothing, is not among them. */
export const unreportedAmong = async (tx: Transaction, ids: readonly string[]): Promise<Set<string>> =>
  ids.length
    ? new Set(
        (
          await rows<{ id: string }>(
            tx,
            sql`select d.id from delegated_session d join service s on s.id = d.service_id
              where d.id = any (${[...new Set(ids)]}::text[]) and d.ended_at is not null and d.reported_at is null and d.continued_by is null and s.profile <> 'franceconnect'`,
          )
        ).map((each) => each.id),
      )
    : new Set();

/** Names of the services where someone acts under a mandate at this instant. */
export const runningUnder = async (tx: Transaction, mandateId: MandateId, now: Date): Promise<string[]> =>
  (
    await rows<{ name: string }>(
      tx,
      sql`select distinct s.name from live_session(${now}) d join service s on s.id = d.service_id where d.mandate_id = ${mandateId} order by s.name`,
    )
  ).map((each) => each.name);
