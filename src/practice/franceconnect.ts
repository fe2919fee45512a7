import './guard.ts';
import type { Account, Federation, Refusal, Simulator, SimulatorOptions } from './federation.ts';
import { franceConnectSub, PERSONS, type PersonIdentity, typedPerson } from './identities.ts';
import { startSimulator } from './simulator.ts';

const PIVOT = ['given_name', 'family_name', 'birthdate', 'gender', 'birthplace', 'birthcountry'] as const;
const MANDATORY = ['response_type', 'client_id', 'redirect_uri', 'scope', 'acr_values', 'state', 'nonce'] as const;
const OPTIONAL = ['claims', 'prompt', 'idp_hint', 'ui_locales'] as const;
const KNOWN: ReadonlySet<string> = new Set([...MANDATORY, ...OPTIONAL]);
const LEVELS = ['eidas1', 'eidas2', 'eidas3'] as const;

const invalid = (description: string): Refusal => ({ refused: 'Y000400', description });

/** The whitelist of federations.md §2.1: one parameter too many, or one missing, and the browser stays here. */
const authorize = (params: URLSearchParams): URLSearchParams | Refusal => {
  for (const name of params.keys()) if (!KNOWN.has(name)) return invalid(`Le paramètre « ${name.slice(0, 60)} » n’est pas accepté.`);
  for (const name of new Set(params.keys())) if (params.getAll(name).length > 1) return invalid(`Le paramètre « ${name} » est présent deux fois.`);
  for (const name of MANDATORY) if (!params.get(name)) return invalid(`Le paramètre « ${name} » est obligatoire.`);
  if ((params.get('nonce') ?? '').length < 22) return invalid('Le paramètre « nonce » doit avoir au moins 22 caractères.');
  if (params.get('response_type') !== 'code') return invalid('Le paramètre « response_type » doit valoir « code ».');
  const prompts = (params.get('prompt') ?? '').split(' ').filter(Boolean);
  if (prompts.some((prompt) => prompt !== 'login' && prompt !== 'consent'))
    return invalid('Le paramètre « prompt » n’accepte que « login » et « consent ».');
  return params;
};

const accountOf = (identity: PersonIdentity): Account => {
  const { id, story, ...civil } = identity;
  const name = [identity.gender === 'female' ? 'Madame' : 'Monsieur', identity.given_name, identity.family_name].filter(Boolean).join(' ');
  return { key: id, id, name, story, sub: (clientId) => franceConnectSub(id, clientId), claims: civil, acr: 'eidas1', amr: ['pwd'] };
};

const field = (body: Readonly<Record<string, string>>, name: string): string => body[name] ?? '';

const typed: Federation['typed'] = (body) => {
  const errors: Record<string, string> = {};
  if (!field(body, 'family_name')) errors['family_name'] = 'Écrivez un nom de naissance.';
  const birthdate = field(body, 'birthdate');
  if (!/^\d{4}-\d{2}-\d{2}$/.test(birthdate) || Number.isNaN(Date.parse(birthdate))) errors['birthdate'] = 'Écrivez une date comme 1946-04-12.';
  if (!/^(\d[\dAB]\d{3})?$/.test(field(body, 'birthplace'))) errors['birthplace'] = 'Écrivez un code de cinq caractères, ou rien.';
  if (!/^(\d{5})?$/.test(field(body, 'birthcountry'))) errors['birthcountry'] = 'Écrivez un code de cinq chiffres, ou rien.';
  if (Object.keys(errors).length) return { errors };
  const usage = field(body, 'preferred_username');
  return accountOf(
    typedPerson({
      given_name: field(body, 'given_name'),
      family_name: field(body, 'family_name'),
      ...(usage ? { preferred_username: usage } : {}),
      birthdate,
      gender: field(body, 'gender') === 'male' ? 'male' : 'female',
      birthplace: field(body, 'birthplace'),
      birthcountry: field(body, 'birthcountry'),
    }),
  );
};

const FORM: Federation['form'] = {
  legend: 'Une autre personne, que vous décrivez',
  fields: [
    { name: 'given_name', label: 'Prénoms', hint: 'Séparés par une espace' },
    { name: 'family_name', label: 'Nom de naissance' },
    { name: 'preferred_username', label: 'Nom d’usage', hint: 'Facultatif' },
    { name: 'birthdate', label: 'Date de naissance', hint: 'Année-mois-jour, par exemple 1946-04-12' },
    {
      name: 'gender',
      label: 'Sexe',
      choices: [
        { value: 'female', label: 'Féminin' },
        { value: 'male', label: 'Masculin' },
      ],
    },
    {
      name: 'birthplace',
      label: 'Commune de naissance',
      hint: 'Code officiel géographique, par exemple 17444. Rien si la personne est née à l’étranger.',
    },
    { name: 'birthcountry', label: 'Pays de naissance', hint: 'Code officiel géographique, 99100 pour la France', value: '99100' },
  ],
};

const federation = (identities: readonly PersonIdentity[]): Federation => ({
  programme: {
    name: 'Simulateur FranceConnect',
    line: 'Identification des personnes',
    theme: 'simulateur',
    practice: 'Simulateur – fausses données. Ce n’est pas FranceConnect.',
  },
  cookie: 'practice_fc',
  scopes: {
    openid: ['sub', 'acr'],
    identite_pivot: PIVOT,
    preferred_username: ['preferred_username'],
    email: ['email'],
    ...Object.fromEntries(PIVOT.map((name) => [name, [name]])),
  },
  configuration: {
    grantTypes: ['authorization_code'],
    subjectType: 'pairwise',
    pkce: { required: () => false },
    clientAuthMethods: ['client_secret_post', 'client_secret_basic'],
    issueRefreshToken: async () => false,
    ttl: { AccessToken: 60, AuthorizationCode: 30, IdToken: 60, Interaction: 600, Session: 1800, Grant: 1800 },
  },
  lowAcr: 'eidas0',
  accounts: new Map(identities.map((identity) => [identity.id, accountOf(identity)])),
  typed,
  form: FORM,
  authorize,
  demand: ({ acrValues }) =>
    acrValues.length === 1 && (LEVELS as readonly string[]).includes(acrValues[0] ?? '')
      ? undefined
      : { refused: 'invalid_acr', description: 'acr_value is not valid, should be equal one of these values, expected eidas1' },
  level: (account, { acrValues }) => ({ acr: acrValues[0] ?? 'eidas1', amr: account.amr }),
  reuse: (acr, { acrValues }) => acr === acrValues[0] && acr === 'eidas1',
  logout: (params) => {
    for (const name of ['id_token_hint', 'state', 'post_logout_redirect_uri'])
      if (!params.get(name)) return invalid(`Le paramètre « ${name} » est obligatoire.`);
    return undefined;
  },
});

/** Starts the FranceConnect simulator: an OpenID provider that honours the contract of federations.md §2.1, to the refusals. */
export const startFranceConnect = async (options: SimulatorOptions & { readonly identities?: readonly PersonIdentity[] }): Promise<Simulator> =>
  startSimulator(federation(options.identities ?? PERSONS), options);
