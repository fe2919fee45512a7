import type { AdministrationId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Theme } from '../organisations/theme.ts';
import type { Administration } from '../services/administration.ts';
import type { AdministrationStore } from '../services/administrations.ts';
import type { PublicKeySet } from '../services/public-keys.ts';
import type { Revision } from '../services/revision.ts';
import { type Demarche, type FormerSecret, metadataOf, type Registration, registrationContent, type Service } from '../services/service.ts';
import type { ServiceStore } from '../services/services.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface AdministrationRow {
  id: AdministrationId;
  name: string;
  created_at: Date;
}

const toAdministration = (found: AdministrationRow): Administration => ({ id: found.id, name: found.name, createdAt: found.created_at });

/** Keeps administrations and their agents. */
export const administrationStore: AdministrationStore = {
  insert: async (tx, it) => {
    await run(tx, sql`insert into administration (id, name, created_at) values (${it.id}, ${it.name}, ${it.createdAt})`);
  },
  find: async (tx, id) => {
    const found = await row<AdministrationRow>(tx, sql`select id, name, created_at from administration where id = ${id}`);
    return found && toAdministration(found);
  },
  findByName: async (tx, name) => {
    const found = await row<AdministrationRow>(tx, sql`select id, name, created_at from administration where lower(name) = lower(${name}) limit 1`);
    return found && toAdministration(found);
  },
  list: async (tx) =>
    (await rows<AdministrationRow>(tx, sql`select id, name, created_at from administration order by name, id`)).map(toAdministration),
  insertAgent: async (tx, staffId, administrationId, role) => {
    await run(tx, sql`insert into agent (staff_id, administration_id, role) values (${staffId}, ${administrationId}, ${role})`);
  },
};

/** The names under which `metadataOf` wrote what this file reads back. */
interface Metadata {
  redirect_uris: string[];
  post_logout_redirect_uris: string[];
  backchannel_logout_uri?: string;
  backchannel_logout_session_required: boolean;
  initiate_login_uri?: string;
  jwks?: PublicKeySet;
  client_secret_hash?: string;
  client_secret_former?: FormerSecret;
  token_endpoint_auth_method: Service['tokenEndpointAuthMethod'];
  scopes: Service['scopes'];
  id_token_signed_response_alg: Service['idTokenSignedResponseAlg'];
  resources?: string[];
}

interface ServiceRow {
  id: string;
  name: string;
  administration_id: AdministrationId;
  administration_name: string;
  profile: Service['profile'];
  sector: string;
  themes: Theme[];
  delegation_supported: boolean;
  minimum_consent: Service['minimumConsent'];
  metadata: Metadata;
  status: Service['status'];
  version: number;
  revision: number | null;
  ended_secrets: string[];
  created_at: Date;
  demarches: DemarcheJson[];
}

export interface DemarcheJson {
  code: string;
  label_fr: string;
  label_en: string;
  themes: Theme[];
  effect: Demarche['effect'];
  level?: 'eidas1' | 'eidas2';
  max_age?: number | null;
}

/** Reads a démarche as the catalogue and the revisions write it. */
export const readDemarcheJson = (it: DemarcheJson): Demarche => ({
  code: it.code,
  labelFr: it.label_fr,
  labelEn: it.label_en,
  themes: it.themes,
  effect: it.effect,
  ...(it.level === 'eidas2' ? { level: it.level } : {}),
  ...(it.max_age === undefined || it.max_age === null ? {} : { maxAge: it.max_age }),
});

/** `ended`: hashes of the former secrets that were ended before their time. */
const fromMetadata = (it: Metadata, ended: readonly string[] = []) => ({
  redirectUris: it.redirect_uris,
  postLogoutRedirectUris: it.post_logout_redirect_uris,
  ...(it.backchannel_logout_uri === undefined ? {} : { backchannelLogoutUri: it.backchannel_logout_uri }),
  backchannelLogoutSessionRequired: it.backchannel_logout_session_required,
  ...(it.initiate_login_uri === undefined ? {} : { initiateLoginUri: it.initiate_login_uri }),
  ...(it.jwks === undefined ? {} : { jwks: it.jwks }),
  ...(it.client_secret_hash === undefined ? {} : { clientSecretHash: it.client_secret_hash }),
  ...(it.client_secret_former === undefined || ended.includes(it.client_secret_former.hash) ? {} : { formerSecret: it.client_secret_former }),
  tokenEndpointAuthMethod: it.token_endpoint_auth_method,
  scopes: it.scopes,
  idTokenSignedResponseAlg: it.id_token_signed_response_alg,
  ...(it.resources === undefined ? {} : { resources: it.resources }),
});

const toService = (found: ServiceRow): Service => ({
  id: found.id,
  name: found.name,
  administrationId: found.administration_id,
  administrationName: found.administration_name,
  profile: found.profile,
  sector: found.sector,
  themes: found.themes,
  delegationSupported: found.delegation_supported,
  minimumConsent: found.minimum_consent,
  demarches: found.demarches.map(readDemarcheJson),
  ...fromMetadata(found.metadata, found.ended_secrets),
  status: found.status,
  version: found.version,
  revision: found.revision ?? undefined,
  createdAt: found.created_at,
});

/** Reads one service, or all of them when `id` is null. */
const read = async (tx: Transaction, id: string | null): Promise<Service[]> => {
  const found = await rows<ServiceRow>(
    tx,
    sql`select s.id, s.name, s.administration_id, a.name as administration_name, s.profile, s.sector, s.themes, s.delegation_supported,
               s.minimum_consent, s.metadata, s.status, s.version, s.revision, s.ended_secrets, s.created_at,
               coalesce((select json_agg(json_build_object('code', d.code, 'label_fr', d.label_fr, 'label_en', d.label_en, 'themes', d.themes,
                   'effect', d.effect, 'level', d.level, 'max_age', d.max_age) order by d.code)
                 from demarche d where d.service_id = s.id and d.until is null), '[]'::json) as demarches
        from service s join administration a on a.id = s.administration_id
        where s.id = any(coalesce(${id === null ? null : [id]}::text[], array(select every.id from service every))) order by s.id`,
  );
  return found.map(toService);
};

/** Makes the catalogue of a service what its revision says; a démarche that left is kept, and says since when. */
const writeDemarches = async (tx: Transaction, serviceId: string, demarches: readonly Demarche[], at: Date): Promise<void> => {
  const codes = demarches.map(({ code }) => code);
  await run(tx, sql`update demarche set until = ${at} where service_id = ${serviceId} and until is null and not code = any (${codes}::text[])`);
  for (const it of demarches)
    await run(
      tx,
      sql`insert into demarche (service_id, code, label_fr, label_en, themes, effect, level, max_age)
          values (${serviceId}, ${it.code}, ${it.labelFr}, ${it.labelEn}, ${[...it.themes]}, ${it.effect}, ${it.level ?? 'eidas1'}, ${it.maxAge ?? null})
          on conflict (service_id, code) do update set label_fr = excluded.label_fr, label_en = excluded.label_en, themes = excluded.themes,
            level = excluded.level, max_age = excluded.max_age`,
    );
};

type Content = Omit<ServiceRow, 'administration_id' | 'administration_name' | 'status' | 'version' | 'revision' | 'ended_secrets' | 'created_at'> & {
  administration: AdministrationId;
};

interface RevisionRow {
  number: number;
  registration: Content;
  state: Revision['state'];
  asked_by: string;
  asked_at: Date;
  approval_id: string | null;
}

/** Reads back what `registrationContent` wrote. */
const fromContent = (it: Content): Registration => ({
  id: it.id,
  name: it.name,
  administrationId: it.administration,
  profile: it.profile,
  sector: it.sector,
  themes: it.themes,
  delegationSupported: it.delegation_supported,
  minimumConsent: it.minimum_consent,
  demarches: it.demarches.map(readDemarcheJson),
  ...fromMetadata(it.metadata),
});

const toRevision = (found: RevisionRow): Revision => ({
  number: found.number,
  registration: fromContent(found.registration),
  state: found.state,
  askedBy: found.asked_by,
  askedAt: found.asked_at,
  approvalId: found.approval_id ?? undefined,
});

const decide = (tx: Transaction, id: string, state: Revision['state'], at: Date): Promise<number> =>
  run(tx, sql`update service_revision set state = ${state}, decided_at = ${at} where service_id = ${id} and state = 'waiting'`);

const metadataJson = (it: Registration): string => JSON.stringify(metadataOf(it));

/** Keeps services and their catalogue of démarches. */
export const serviceStore: ServiceStore = {
  insert: async (tx, it, createdAt) => {
    const made = await run(
      tx,
      sql`insert into service (id, name, administration_id, profile, sector, themes, delegation_supported, minimum_consent, metadata, status, created_at)
          values (${it.id}, ${it.name}, ${it.administrationId}, ${it.profile}, ${it.sector}, ${[...it.themes]}, ${it.delegationSupported},
                  ${it.minimumConsent}, ${metadataJson(it)}::jsonb, 'pending', ${createdAt}) on conflict (id) do nothing`,
    );
    return made === 1;
  },
  ask: async (tx, { registration, askedBy, at, approvalId }) => {
    await decide(tx, registration.id, 'replaced', at);
    const made = await row<{ number: number }>(
      tx,
      sql`insert into service_revision (service_id, number, registration, state, asked_by, asked_at, approval_id)
          select ${registration.id}, coalesce(max(r.number), 0) + 1, ${JSON.stringify(registrationContent(registration))}::jsonb, 'waiting', ${askedBy},
            ${at}::timestamptz, ${approvalId} from service_revision r where r.service_id = ${registration.id} returning number`,
    );
    return made?.number ?? 0;
  },
  waiting: async (tx, id) => {
    const found = await row<RevisionRow>(
      tx,
      sql`select number, registration, state, asked_by, asked_at, approval_id from service_revision where service_id = ${id} and state = 'waiting'`,
    );
    return found && toRevision(found);
  },
  revisions: async (tx, id) =>
    (
      await rows<RevisionRow>(
        tx,
        sql`select number, registration, state, asked_by, asked_at, approval_id from service_revision where service_id = ${id} order by number desc`,
      )
    ).map(toRevision),
  enforce: async (tx, { number, registration: it }, at) => {
    await decide(tx, it.id, 'approved', at);
    await run(
      tx,
      sql`update service set name = ${it.name}, themes = ${[...it.themes]}, delegation_supported = ${it.delegationSupported},
                 metadata = ${metadataJson(it)}::jsonb, revision = ${number}, status = 'approved', version = version + 1 where id = ${it.id}`,
    );
    await writeDemarches(tx, it.id, it.demarches, at);
  },
  withdraw: async (tx, id, at) => {
    await decide(tx, id, 'withdrawn', at);
  },
  codes: (tx, id) => rows(tx, sql`select code, effect, until is not null retired from demarche where service_id = ${id}`),
  find: async (tx, id) => (await read(tx, id))[0],
  lock: async (tx, id) => {
    const locked = await row<{ id: string }>(tx, sql`select id from service where id = ${id} for update`);
    return locked && (await read(tx, id))[0];
  },
  list: (tx) => read(tx, null),
  endSecret: async (tx, id, hash) => {
    await run(tx, sql`update service set ended_secrets = ended_secrets || ${hash}::text, version = version + 1 where id = ${id}`);
  },
  setStatus: async (tx, id, from, to) =>
    (await run(
      tx,
      // What it was given for itself goes with it: a service out of use asks nothing any more.
      sql`with gone as (delete from oidc_artefact where ${to}::text = 'disabled' and model = 'ClientCredentials' and payload->>'clientId' = ${id})
        update service set status = ${to}, version = version + 1 where id = ${id} and status = ${from}`,
    )) === 1,
  async sectorBelongsToAnother(tx, sector, administrationId) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`sector ${sector}`}, 0))`);
    const found = await row<{ taken: boolean }>(
      tx,
      sql`select exists (select 1 from service where sector = ${sector} and administration_id <> ${administrationId}) as taken`,
    );
    return found?.taken ?? false;
  },
  async resourcesOfOthers(tx, resources, administrationId) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended('resources', 0))`);
    const found = await rows<{ resource: string }>(
      tx,
      // With its last slash or without, it is the same API to whoever reads `aud`.
      sql`select distinct a.resource from unnest(${[...resources]}::text[]) a (resource)
        where exists (select 1 from service s, jsonb_array_elements_text(coalesce(s.metadata->'resources', '[]')) r
          where s.administration_id <> ${administrationId} and rtrim(r, '/') = rtrim(a.resource, '/')) order by 1`,
    );
    return found.map(({ resource }) => resource);
  },
};
