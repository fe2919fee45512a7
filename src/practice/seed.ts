import './guard.ts';
import type { AgentRole } from '../aidants/aidant.ts';
import { stepAt } from '../aidants/code.ts';
import type { App } from '../app.ts';
import type { Clock } from '../kernel/clock.ts';
import { sha256, totp } from '../kernel/crypto.ts';
import type { AidantId, OrganisationId, StaffId } from '../kernel/ids.ts';
import { isId } from '../kernel/ids.ts';
import type { Days } from '../mandates/mandate.ts';
import type { Mandates } from '../mandates/mandates.ts';
import type { Theme } from '../organisations/theme.ts';
import { THEMES } from '../organisations/theme.ts';
import { franceConnectSub, PERSONS, SAINTES, STAFF, type StaffIdentity, THENAC } from './identities.ts';
import type { ClientMetadata } from './mirror-service.ts';

/** What the demonstration's people and services are made from. Everything goes through the use cases: there is no other way in. */
export interface SeedParts {
  readonly app: App;
  readonly clock: Clock;
  /** Mandates whose clock is two days behind and whose second factor is taken as given, for what must already be over. */
  readonly past: (days: number) => Mandates;
  readonly issuers: { readonly proconnect: string; readonly franceconnect: string };
  readonly franceconnectClient: string;
}

const must = <T extends object>(what: string, answer: T): Exclude<T, { readonly refused: unknown }> => {
  if ('refused' in answer) throw new Error(`the demonstration could not be prepared: ${what}: ${String(answer.refused)}`);
  return answer as Exclude<T, { readonly refused: unknown }>;
};

const identity = (id: string): StaffIdentity => {
  const found = STAFF.find((each) => each.id === id);
  if (!found) throw new Error(`no test identity ${id}`);
  return found;
};

const named = (it: StaffIdentity) => ({ givenName: it.given_name, familyName: it.usual_name, email: it.email });

/** Enrols someone as they would by themselves: opens the link, links the ProConnect account, types a first code. */
const enrol = async ({ app, clock, issuers }: SeedParts, it: StaffIdentity, token: string): Promise<void> => {
  const account = { iss: issuers.proconnect, sub: it.sub };
  const pending = must(`${it.id} begins`, await app.aidants.beginEnrolment(token, account));
  // The step before: the code of the present one is left for the first sign-in.
  const confirm = () => app.aidants.confirmEnrolment(token, account, totp(pending.seed, stepAt(clock.now()) - 1));
  const first = await confirm();
  // The step may end between the code and its reading: then it is two steps old, and the next one is not.
  must(`${it.id} confirms`, 'refused' in first && first.refused === 'wrong_code' ? await confirm() : first);
};

export interface Seeded {
  readonly thenac: OrganisationId;
  readonly saintes: OrganisationId;
  readonly alice: StaffId;
  readonly marc: StaffId;
}

const seedStaff = async (
  parts: SeedParts,
): Promise<Seeded & { karim: AidantId; ines: AidantId; administrations: { allowances: string; taxes: string } }> => {
  const { app } = parts;
  const operateur = async (id: string): Promise<StaffId> => {
    const it = identity(id);
    const invited = must(id, await app.aidants.inviteOperateur({ ...named(it), actor: 'cli' }));
    await enrol(parts, it, invited.token);
    return invited.staff.id;
  };
  const alice = await operateur('alice');
  const marc = await operateur('marc');
  const organisation = async (it: { siret: string; name: string }): Promise<OrganisationId> =>
    must(it.name, await app.organisations.add({ ...it, themes: [...THEMES], actor: alice })).organisation.id;
  const thenac = await organisation(THENAC);
  const saintes = await organisation(SAINTES);
  const aidant = async (id: string, organisationId: OrganisationId, referent: boolean, enrolled: boolean): Promise<AidantId> => {
    const it = identity(id);
    const invited = must(
      id,
      await app.aidants.invite(
        { ...named(it), organisationId, themes: [...THEMES], referent, actor: alice },
        enrolled
          ? undefined
          : (tx, invitation) =>
              app.deliveries.queue(tx, 'mail', {
                about: { template: 'enrolment', aidant: invitation.staff.id, organisation: organisationId },
                to: it.email,
                subject: 'Relais : préparez votre connexion',
                text: `Bonjour ${it.given_name},\n\nVotre structure vous a déclaré dans Relais. Préparez votre second moyen de connexion avec ce lien. Il sert une seule fois, pendant 24 heures :\n\n${app.site.publicUrl}/inscription/${invitation.token}\n`,
              }),
      ),
    );
    if (enrolled) await enrol(parts, it, invited.token);
    return invited.staff.id as AidantId;
  };
  const karim = await aidant('karim', thenac, false, true);
  const ines = await aidant('ines', thenac, true, true);
  must('ines joins', await app.aidants.join(ines, { organisationId: saintes, themes: [...THEMES], referent: false, actor: alice }));
  await aidant('courriel', thenac, false, true);
  await aidant('lea', thenac, false, false);
  const administration = async (name: string): Promise<string> => must(name, await app.administrations.add({ name, actor: alice })).administration.id;
  const administrations = {
    allowances: await administration('Allocations de démonstration'),
    taxes: await administration('Impôts de démonstration'),
  };
  const agent = async (id: string, administrationId: string, role: AgentRole = 'reader'): Promise<void> => {
    const it = identity(id);
    const invited = must(id, await app.administrations.addAgent({ ...named(it), administrationId, role, actor: alice }));
    await enrol(parts, it, invited.token);
  };
  await agent('nora', administrations.allowances);
  await agent('hugo', administrations.taxes);
  await agent('sofia', administrations.allowances, 'integrator');
  return { thenac, saintes, alice, marc, karim, ines, administrations };
};

/** Makes a mandate between a test person and an organisation, with both wills, as `mandates` (whose clock may be behind) sees the time. */
const mandate = async (
  parts: SeedParts,
  mandates: Mandates,
  who: { aidantId: AidantId; organisationId: OrganisationId },
  personId: string,
  themes: readonly Theme[],
  days: Days,
): Promise<void> => {
  const person = PERSONS.find((each) => each.id === personId);
  if (!person) throw new Error(`no test person ${personId}`);
  const identified = must(
    personId,
    await parts.app.site.usagers.identify({
      iss: parts.issuers.franceconnect,
      sub: franceConnectSub(personId, parts.franceconnectClient),
      acr: 'eidas1',
      claims: { ...person },
    }),
  );
  const { draft } = must(personId, await mandates.draft(who, themes, days));
  const evidence = sha256('relais/practice/consent\n', personId);
  const consent = { method: 'franceconnect', acr: 'eidas1', evidence } as const;
  const kept = new Map((await mandates.overlaps(draft, identified.usager.id)).map(({ mandate: { id } }) => [id, 'keep'] as const));
  const consented = must(personId, await mandates.consent(who, draft.id, identified.usager.id, consent, kept));
  const hash = consented.draft.consent?.textHash;
  if (hash) must(personId, await mandates.accept(who, draft.id, hash, ''));
};

/** Prepares the demonstration's people at its first start. Returns undefined when it was done before. */
export const seed = async (parts: SeedParts): Promise<void> => {
  if ((await parts.app.organisations.list()).length) return;
  const { thenac, saintes, karim, ines } = await seedStaff(parts);
  const now = parts.past(0);
  const atThenac = { aidantId: karim, organisationId: thenac };
  await mandate(parts, now, atThenac, 'jean', ['argent', 'famille', 'logement'], 31);
  await mandate(parts, now, atThenac, 'revoquee', ['logement'], 31);
  await mandate(parts, parts.past(3), atThenac, 'expiree', ['logement'], 1);
  await mandate(parts, now, atThenac, 'mauvais-theme', ['transports'], 31);
  await mandate(parts, now, atThenac, 'deux-structures', ['logement'], 31);
  await mandate(parts, now, { aidantId: ines, organisationId: saintes }, 'deux-structures', ['argent', 'logement'], 182);
  await mandate(parts, now, atThenac, 'noms-longs', ['argent', 'social'], 182);
};

/**
 * Registers a mirror service, or registers it again when its address or its key changed: one opérateur asks, the other approves. Returns the secret
 * that was drawn, if one was.
 */
export const ensureService = async (
  app: App,
  metadata: ClientMetadata,
  administrationName: string,
  knowsSecret: boolean,
): Promise<string | undefined> => {
  const administration = (await app.administrations.list()).find((each) => each.name === administrationName);
  const [alice, marc] = await Promise.all(
    ['alice', 'marc'].map(async (id) => (await app.aidants.findByEmail('operateur', identity(id).email))[0]?.id),
  );
  if (!administration || !alice || !marc) throw new Error('the demonstration has lost its opérateurs: remove the var folder to start again');
  const registration = {
    id: metadata.id,
    name: metadata.name,
    administrationId: administration.id,
    profile: metadata.profile,
    themes: [...metadata.themes],
    delegationSupported: metadata.delegation_supported,
    redirectUris: [...metadata.redirect_uris],
    postLogoutRedirectUris: [...metadata.post_logout_redirect_uris],
    backchannelLogoutUri: metadata.backchannel_logout_uri,
    backchannelLogoutSessionRequired: metadata.backchannel_logout_uri !== undefined,
    initiateLoginUri: metadata.initiate_login_uri,
    tokenEndpointAuthMethod: metadata.token_endpoint_auth_method,
    idTokenSignedResponseAlg: metadata.id_token_signed_response_alg,
    scopes: [...metadata.scopes],
    ...(metadata.jwks ? { jwks: metadata.jwks } : {}),
    ...(metadata.resources ? { resources: [...metadata.resources] } : {}),
    demarches: metadata.demarches.map((each) => ({
      code: each.code,
      labelFr: each.label_fr,
      labelEn: each.label_en,
      themes: [...each.themes],
      effect: each.effect,
    })),
  };
  const known = await app.services.find(metadata.id);
  const same =
    known?.status === 'approved' &&
    known.redirectUris.join() === registration.redirectUris.join() &&
    JSON.stringify(known.jwks?.keys) === JSON.stringify(metadata.jwks?.keys);
  if (same && knowsSecret) return undefined;
  const registered = must(
    metadata.id,
    known
      ? await app.services.change(registration, { askedBy: alice, newSecret: !knowsSecret })
      : await app.services.add(registration, { askedBy: alice }),
  );
  must(metadata.id, await app.services.approve(metadata.id, marc));
  return registered.clientSecret;
};

export const staffIds = async (app: App): Promise<{ id: StaffId; who: string }[]> =>
  (await Promise.all((['aidant', 'agent', 'operateur'] as const).map((kind) => app.aidants.list(kind))))
    .flat()
    .filter(({ staff }) => staff.status === 'active' && isStaff(staff.id))
    .map(({ staff }) => ({ id: staff.id, who: `${staff.givenName} ${staff.familyName}` }));

const isStaff = (id: string): boolean => isId('aid', id) || isId('agt', id) || isId('opr', id);
