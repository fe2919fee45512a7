import './guard.ts';
import type { Account, Federation, Refusal, Simulator, SimulatorOptions } from './federation.ts';
import { STAFF, type StaffIdentity, THENAC, typedStaff } from './identities.ts';
import { startSimulator } from './simulator.ts';

/** Parameters that mean something; the others are dropped without a word (federations.md §2.2: tolerated). */
const KNOWN: ReadonlySet<string> = new Set([
  'response_type',
  'client_id',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'claims',
  'acr_values',
  'prompt',
  'login_hint',
  'code_challenge',
  'code_challenge_method',
]);

const invalid = (description: string): Refusal => ({ refused: 'Y000400', description });

const authorize = (params: URLSearchParams): URLSearchParams | Refusal => {
  if (!params.get('state')) return invalid('Le paramètre « state » est obligatoire.');
  const nonce = params.get('nonce');
  if (nonce !== null && !/^[\x20-\x7e]{1,512}$/.test(nonce)) return invalid('Le paramètre « nonce » doit avoir de 1 à 512 caractères.');
  const hint = params.get('login_hint');
  if (hint !== null && !/^[^\s@]+@[^\s@]+$/.test(hint)) return invalid('Le paramètre « login_hint » doit être une adresse électronique.');
  return new URLSearchParams([...params].filter(([name]) => KNOWN.has(name)));
};

const accountOf = (identity: StaffIdentity): Account => {
  const { id, sub, story, acr, amr, ...professional } = identity;
  const name = `${identity.given_name} ${identity.usual_name}`;
  return { key: sub, id, name, story, sub: () => sub, claims: professional, acr, amr };
};

const field = (body: Readonly<Record<string, string>>, name: string): string => body[name] ?? '';

const typed: Federation['typed'] = (body) => {
  const errors: Record<string, string> = {};
  if (!/^[^\s@]+@[^\s@]+$/.test(field(body, 'email'))) errors['email'] = 'Écrivez une adresse comme prenom.nom@demonstration.example.';
  if (!field(body, 'given_name')) errors['given_name'] = 'Écrivez un prénom.';
  if (!field(body, 'usual_name')) errors['usual_name'] = 'Écrivez un nom.';
  if (!/^\d{14}$/.test(field(body, 'siret'))) errors['siret'] = 'Écrivez les quatorze chiffres du numéro SIRET.';
  if (Object.keys(errors).length) return { errors };
  return accountOf(
    typedStaff({
      email: field(body, 'email'),
      given_name: field(body, 'given_name'),
      usual_name: field(body, 'usual_name'),
      siret: field(body, 'siret'),
    }),
  );
};

const FORM: Federation['form'] = {
  legend: 'Un autre professionnel, que vous décrivez',
  fields: [
    { name: 'email', label: 'Adresse électronique professionnelle' },
    { name: 'given_name', label: 'Prénom' },
    { name: 'usual_name', label: 'Nom' },
    { name: 'siret', label: 'Numéro SIRET de l’employeur', hint: 'Quatorze chiffres', value: THENAC.siret },
  ],
};

/** These levels are proved again at each sign-in: the federation never reuses a session for them. */
const ALWAYS_ASKED: readonly string[] = ['eidas2', 'eidas3'];

const federation = (identities: readonly StaffIdentity[]): Federation => ({
  programme: {
    name: 'Simulateur ProConnect',
    line: 'Identification des professionnels',
    theme: 'simulateur',
    practice: 'Simulateur – fausses données. Ce n’est pas ProConnect.',
  },
  cookie: 'practice_pc',
  scopes: {
    openid: ['sub', 'acr'],
    given_name: ['given_name'],
    usual_name: ['usual_name'],
    email: ['email'],
    uid: ['uid'],
    siret: ['siret'],
    siren: ['siren'],
    phone: ['phone_number'],
    idp_id: ['idp_id'],
    roles: ['roles'],
    organization_label: ['organization_label'],
    custom: ['custom'],
    offline_access: [],
  },
  configuration: {
    grantTypes: ['authorization_code', 'refresh_token'],
    subjectType: 'public',
    pkce: { required: () => false },
    clientAuthMethods: ['client_secret_post', 'private_key_jwt'],
    issueRefreshToken: async () => true,
    ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, Interaction: 600, RefreshToken: 43_200, Session: 43_200, Grant: 43_200 },
  },
  lowAcr: 'eidas1',
  accounts: new Map(identities.map((identity) => [identity.sub, accountOf(identity)])),
  typed,
  form: FORM,
  authorize,
  demand: () => undefined,
  level: (account, { essentialAcr }, fault) =>
    fault === 'ignore-mfa' || !essentialAcr.length || essentialAcr.includes(account.acr)
      ? { acr: account.acr, amr: account.amr }
      : { refused: 'access_denied', description: 'requested ACRs could not be satisfied' },
  reuse: (acr, { essentialAcr }) => acr !== undefined && !ALWAYS_ASKED.includes(acr) && (!essentialAcr.length || essentialAcr.includes(acr)),
  logout: (params) =>
    params.get('id_token_hint') || params.get('client_id') ? undefined : invalid('Le paramètre « id_token_hint » est obligatoire.'),
});

/** Starts the ProConnect simulator: an OpenID provider that honours the contract of federations.md §2.2. */
export const startProConnect = async (options: SimulatorOptions & { readonly identities?: readonly StaffIdentity[] }): Promise<Simulator> =>
  startSimulator(federation(options.identities ?? STAFF), options);
