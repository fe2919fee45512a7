import type { OrganisationId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type DossierRow, rememberDossier } from './aidants.ts';
import { row, run } from './database.ts';
import { sql } from './sql.ts';

/** The shape of a stored browser session. `web` owns its meaning; here it is JSON beside the columns that a statement needs. */
interface Stored {
  readonly kind: 'anonymous' | 'staff' | 'usager';
  readonly holderId: string | undefined;
  readonly organisationId: OrganisationId | undefined;
  readonly data: object;
}

interface SessionRow {
  kind: Stored['kind'];
  holder_id: string | null;
  organisation_id: OrganisationId | null;
  data: object;
  created_at: Date;
  seen_at: Date;
  dossier: DossierRow | null;
}

export const webSessionStore = {
  async find(tx: Transaction, hash: Buffer): Promise<(Stored & { createdAt: Date; seenAt: Date }) | undefined> {
    const found = await row<SessionRow>(
      tx,
      // With what rights depend on, when a member of staff holds it: the same request asks for that next.
      sql`select w.kind, w.holder_id, w.organisation_id, w.data, w.created_at, w.seen_at, case when w.kind = 'staff' then (
            select json_build_object('id', s.id, 'kind', s.kind, 'email', s.email, 'given_name', s.given_name, 'family_name', s.family_name, 'status', s.status,
              'created_at', s.created_at, 'administration_id', ad.id, 'administration_name', ad.name, 'agent_role', ag.role,
              'memberships', coalesce((select json_agg(json_build_object(
                  'id', o.id, 'name', o.name, 'siret', o.siret, 'organisation_themes', o.themes, 'organisation_status', o.status,
                  'themes', m.themes, 'referent', m.referent, 'status', m.status) order by o.name, o.id)
                from membership m join organisation o on o.id = m.organisation_id where m.aidant_id = s.id), '[]'::json))
            from staff s left join agent ag on ag.staff_id = s.id left join administration ad on ad.id = ag.administration_id where s.id = w.holder_id) end dossier
          from web_session w where w.hash = ${hash} and w.ended_at is null`,
    );
    if (found?.dossier) rememberDossier(found.dossier);
    return (
      found && {
        kind: found.kind,
        holderId: found.holder_id ?? undefined,
        organisationId: found.organisation_id ?? undefined,
        data: found.data,
        createdAt: found.created_at,
        seenAt: found.seen_at,
      }
    );
  },
  async add(tx: Transaction, hash: Buffer, session: Stored & { readonly createdAt: Date }, now: Date): Promise<void> {
    await run(
      tx,
      sql`insert into web_session (hash, kind, holder_id, organisation_id, data, created_at, seen_at)
        values (${hash}, ${session.kind}, ${session.holderId ?? null}, ${session.organisationId ?? null}, ${JSON.stringify(session.data)}, ${session.createdAt}, ${now})`,
    );
  },
  async save(tx: Transaction, hash: Buffer, data: object): Promise<void> {
    await run(tx, sql`update web_session set data = ${JSON.stringify(data)} where hash = ${hash} and ended_at is null`);
  },
  async touch(tx: Transaction, hash: Buffer, now: Date): Promise<void> {
    await run(tx, sql`update web_session set seen_at = ${now} where hash = ${hash} and ended_at is null`);
  },
  async end(tx: Transaction, hash: Buffer, now: Date): Promise<boolean> {
    return (await run(tx, sql`update web_session set ended_at = ${now}, data = '{}' where hash = ${hash} and ended_at is null`)) > 0;
  },
  async selectOrganisation(tx: Transaction, hash: Buffer, organisationId: OrganisationId): Promise<void> {
    await run(tx, sql`update web_session set organisation_id = ${organisationId} where hash = ${hash} and ended_at is null`);
  },
  purge: (tx: Transaction, idleBefore: Date): Promise<number> => run(tx, sql`delete from web_session where seen_at < ${idleBefore}`),
};
