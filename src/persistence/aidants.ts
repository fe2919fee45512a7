import type { AgentRole, Dossier, Membership, Staff } from '../aidants/aidant.ts';
import type { AidantStore, MeansStore, TotpRow } from '../aidants/store.ts';
import type { AdministrationId, OrganisationId, StaffId } from '../kernel/ids.ts';
import { forget, remember, remembered } from '../kernel/request-scope.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Theme } from '../organisations/theme.ts';
import { isAuto, row, rows, run } from './database.ts';
import { sql } from './sql.ts';

export interface StaffRow {
  id: StaffId;
  kind: Staff['kind'];
  email: string;
  given_name: string;
  family_name: string;
  status: Staff['status'];
  created_at: Date;
}

export interface DossierRow extends StaffRow {
  administration_id: AdministrationId | null;
  administration_name: string | null;
  agent_role: AgentRole | null;
  memberships: {
    id: OrganisationId;
    name: string;
    siret: string;
    organisation_themes: Theme[];
    organisation_status: Membership['organisation']['status'];
    themes: Theme[];
    referent: boolean;
    status: Membership['status'];
  }[];
}

export const toStaff = (found: StaffRow): Staff => ({
  id: found.id,
  kind: found.kind,
  email: found.email,
  givenName: found.given_name,
  familyName: found.family_name,
  status: found.status,
  createdAt: found.created_at,
});

const toDossier = (found: DossierRow): Dossier => ({
  staff: toStaff(found),
  memberships: found.memberships.map((m) => ({
    organisation: { id: m.id, name: m.name, siret: m.siret, themes: m.organisation_themes, status: m.organisation_status },
    themes: m.themes,
    referent: m.referent,
    status: m.status,
  })),
  ...(found.administration_id === null || found.administration_name === null || found.agent_role === null
    ? {}
    : { administration: { id: found.administration_id, name: found.administration_name, role: found.agent_role } }),
});

/** One statement for everything that rights depend on: of these people, or else of whoever holds this upstream account. */
const dossiers = async (tx: Transaction, ids: readonly StaffId[] | null, iss: string | null, sub: string | null): Promise<Dossier[]> => {
  const found = await rows<DossierRow>(
    tx,
    sql`select s.id, s.kind, s.email, s.given_name, s.family_name, s.status, s.created_at,
               ad.id as administration_id, ad.name as administration_name, ag.role as agent_role,
               coalesce((select json_agg(json_build_object(
                   'id', o.id, 'name', o.name, 'siret', o.siret, 'organisation_themes', o.themes, 'organisation_status', o.status,
                   'themes', m.themes, 'referent', m.referent, 'status', m.status) order by o.name, o.id)
                 from membership m join organisation o on o.id = m.organisation_id where m.aidant_id = s.id), '[]'::json) as memberships
        from staff s
        left join agent ag on ag.staff_id = s.id
        left join administration ad on ad.id = ag.administration_id
        where s.id = any(coalesce(${ids}::text[],
                                  array(select i.staff_id from staff_identity i where i.iss = ${iss}::text and i.sub = ${sub}::text)))
        order by s.family_name, s.given_name, s.id`,
  );
  return found.map(toDossier);
};

const DOSSIER = 'dossier';

/** Keeps the dossier that was read together with the browser session of its holder, for the rest of this request. */
export const rememberDossier = (found: DossierRow): void => void remember(`${DOSSIER} ${found.id}`, found);

/** That dossier, once: a second look asks the database again. */
const takeDossier = (id: StaffId): Dossier | undefined => {
  const found = remembered(`${DOSSIER} ${id}`) as DossierRow | undefined;
  forget(`${DOSSIER} ${id}`);
  return found && toDossier({ ...found, created_at: new Date(found.created_at) });
};

/** Keeps staff, their memberships and their enrolment links. */
export const aidantStore: AidantStore = {
  insertStaff: async (tx, it) => {
    await run(
      tx,
      sql`insert into staff (id, kind, email, given_name, family_name, status, created_at)
          values (${it.id}, ${it.kind}, ${it.email}, ${it.givenName}, ${it.familyName}, ${it.status}, ${it.createdAt})`,
    );
  },
  findByEmail: async (tx, kind, email) =>
    (
      await rows<StaffRow>(
        tx,
        sql`select id, kind, email, given_name, family_name, status, created_at from staff
          where kind = ${kind} and email = ${email} and status <> 'ended' order by id`,
      )
    ).map(toStaff),
  findDossier: async (tx, id) => (isAuto(tx) ? takeDossier(id) : undefined) ?? (await dossiers(tx, [id], null, null))[0],
  findDossierByIdentity: async (tx, { iss, sub }) => (await dossiers(tx, null, iss, sub))[0],
  list: async (tx, kind) => {
    const ids = (await rows<{ id: StaffId }>(tx, sql`select id from staff where kind = ${kind}`)).map((found) => found.id);
    return dossiers(tx, ids, null, null);
  },
  setStatus: async (tx, id, from, to) => (await run(tx, sql`update staff set status = ${to} where id = ${id} and status = ${from}`)) === 1,
  link: async (tx, id, { iss, sub }, at) => {
    await run(
      tx,
      sql`insert into staff_identity (iss, sub, staff_id, linked_at)
          select ${iss}, ${sub}, ${id}, ${at}::timestamptz where not exists (select 1 from staff_identity where staff_id = ${id})
          on conflict (iss, sub) do nothing`,
    );
    return (await row(tx, sql`select 1 from staff_identity where iss = ${iss} and sub = ${sub} and staff_id = ${id}`)) !== undefined;
  },
  hasIdentity: async (tx, id) => (await row(tx, sql`select 1 from staff_identity where staff_id = ${id}`)) !== undefined,
  endBrowserSessions: (tx, id, now) =>
    run(tx, sql`update web_session set ended_at = ${now}, data = '{}' where kind = 'staff' and holder_id = ${id} and ended_at is null`),
  clearMeans: async (tx, id, now) => {
    await run(tx, sql`update passkey set revoked_at = ${now} where staff_id = ${id} and revoked_at is null`);
    await run(tx, sql`delete from recovery_code where staff_id = ${id}`);
    await run(tx, sql`update totp set confirmed_at = null, last_step = 0, failures = 0, locked_until = null where staff_id = ${id}`);
  },

  putMembership: async (tx, aidantId, it) =>
    (await run(
      tx,
      sql`insert into membership (aidant_id, organisation_id, themes, referent, status)
          values (${aidantId}, ${it.organisationId}, ${[...it.themes]}, ${it.referent}, 'active')
          on conflict (aidant_id, organisation_id) do update
            set themes = excluded.themes, referent = excluded.referent, status = 'active' where membership.status <> 'active'`,
    )) === 1,
  endMembership: async (tx, aidantId, organisationId) =>
    (await run(
      tx,
      sql`update membership set status = 'ended' where aidant_id = ${aidantId} and organisation_id = ${organisationId} and status = 'active'`,
    )) === 1,

  putEnrolment: async (tx, staffId, tokenHash, expiresAt) => {
    await run(tx, sql`delete from enrolment where staff_id = ${staffId}`);
    await run(tx, sql`insert into enrolment (token_hash, staff_id, expires_at) values (${tokenHash}, ${staffId}, ${expiresAt})`);
  },
  findEnrolment: async (tx, tokenHash) => {
    const found = await row<StaffRow & { expires_at: Date; used_at: Date | null }>(
      tx,
      sql`select s.id, s.kind, s.email, s.given_name, s.family_name, s.status, s.created_at, e.expires_at, e.used_at
          from enrolment e join staff s on s.id = e.staff_id where e.token_hash = ${tokenHash}`,
    );
    return found && { staff: toStaff(found), expiresAt: found.expires_at, usedAt: found.used_at ?? undefined };
  },
  useEnrolment: async (tx, tokenHash, now) =>
    (await run(tx, sql`update enrolment set used_at = ${now} where token_hash = ${tokenHash} and used_at is null and expires_at > ${now}`)) === 1,
};

interface FactorRow {
  seed_box: Buffer;
  confirmed_at: Date | null;
  last_step: number;
  failures: number;
  locked_until: Date | null;
}

const toFactor = (found: FactorRow | undefined): TotpRow | undefined =>
  found && {
    seedBox: found.seed_box,
    confirmedAt: found.confirmed_at ?? undefined,
    lastStep: found.last_step,
    failures: found.failures,
    lockedUntil: found.locked_until ?? undefined,
  };

/** Keeps second factors in the table `totp`. */
export const meansStore: MeansStore = {
  lock: async (tx, staffId) =>
    toFactor(
      await row<FactorRow>(
        tx,
        sql`select seed_box, confirmed_at, last_step, failures, locked_until from totp where staff_id = ${staffId} for update`,
      ),
    ),
  read: async (tx, staffId) =>
    toFactor(await row<FactorRow>(tx, sql`select seed_box, confirmed_at, last_step, failures, locked_until from totp where staff_id = ${staffId}`)),
  putSeed: async (tx, staffId, seedBox) =>
    (await run(
      tx,
      sql`insert into totp (staff_id, seed_box) values (${staffId}, ${seedBox})
          on conflict (staff_id) do update set seed_box = excluded.seed_box where totp.confirmed_at is null`,
    )) === 1,
  confirm: async (tx, staffId, seedBox, step, now) =>
    (await run(
      tx,
      sql`update totp set seed_box = ${seedBox}, confirmed_at = ${now}, last_step = ${step}, failures = 0, locked_until = null
          where staff_id = ${staffId} and confirmed_at is null`,
    )) === 1,
  accept: async (tx, staffId, step) =>
    (await run(
      tx,
      sql`update totp set last_step = ${step}, failures = 0, locked_until = null
          where staff_id = ${staffId} and confirmed_at is not null and last_step < ${step}`,
    )) === 1,
  fail: async (tx, staffId, failures, lockedUntil) => {
    await run(tx, sql`update totp set failures = ${failures}, locked_until = ${lockedUntil ?? null} where staff_id = ${staffId}`);
  },
};
