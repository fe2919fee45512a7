import { isId } from '../kernel/ids.ts';
import { readName } from '../organisations/name.ts';
import { readThemes, type Theme } from '../organisations/theme.ts';
import { type AddressFault, addressFault } from './address.ts';
import { type DemarcheFault, readDemarche } from './demarche.ts';
import { type KeyFault, type PublicKeySet, readPublicKeys } from './public-keys.ts';
import { AUTH_METHODS, type AuthMethod, type Demarche, IDENTITY_SCOPES, PROFILES, type Profile, type Registration } from './service.ts';

export type RegistrationFaultCode =
  | AddressFault
  | KeyFault
  | DemarcheFault
  | 'unknown_member'
  | 'id_malformed'
  | 'name_malformed'
  | 'administration_malformed'
  | 'profile_unknown'
  | 'sector_malformed'
  | 'themes_malformed'
  | 'boolean_malformed'
  | 'consent_unknown'
  | 'list_malformed'
  | 'redirect_missing'
  | 'auth_method_unknown'
  | 'auth_method_of_profile'
  | 'keys_missing'
  | 'keys_unused'
  | 'scope_unknown'
  | 'algorithm_unknown'
  | 'logout_session_required'
  | 'demarches_without_delegation'
  | 'resource_not_read'
  | 'resource_of_another'
  | 'not_of_profile'
  | 'demarche_effect_changed'
  | 'demarche_code_retired';

/** One thing that is wrong with a registration: which member, and the rule it breaks. */
export interface RegistrationFault {
  readonly field: string;
  readonly code: RegistrationFaultCode;
}

const MEMBERS = [
  'id',
  'name',
  'administrationId',
  'profile',
  'sector',
  'themes',
  'delegationSupported',
  'minimumConsent',
  'demarches',
  'redirectUris',
  'postLogoutRedirectUris',
  'backchannelLogoutUri',
  'backchannelLogoutSessionRequired',
  'initiateLoginUri',
  'jwks',
  'tokenEndpointAuthMethod',
  'scopes',
  'idTokenSignedResponseAlg',
  'resources',
];
const ID = /^[a-z0-9][a-z0-9-]{1,62}$/;
const MOST = 50;

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const oneOf = <T extends string>(known: readonly T[], value: unknown): T | undefined => known.find((item) => item === value);

/** Collects every fault of one registration, so that an integrator sees them all at once. */
class Reader {
  readonly faults: RegistrationFault[] = [];
  readonly #input: Record<string, unknown>;
  readonly #allowLoopback: boolean;
  constructor(input: Record<string, unknown>, allowLoopback: boolean) {
    this.#input = input;
    this.#allowLoopback = allowLoopback;
  }
  given(field: string): unknown {
    return this.#input[field];
  }
  fault(field: string, code: RegistrationFaultCode): void {
    this.faults.push({ field, code });
  }
  /** Takes what `read` gives, or notes the fault and goes on with `instead`. */
  take<T>(field: string, value: T | undefined, code: RegistrationFaultCode, instead: T): T {
    if (value === undefined) this.fault(field, code);
    return value ?? instead;
  }
  flag(field: string, otherwise: boolean): boolean {
    const value = this.given(field);
    return value === undefined ? otherwise : this.take(field, typeof value === 'boolean' ? value : undefined, 'boolean_malformed', otherwise);
  }
  list(field: string): readonly unknown[] {
    const value = this.given(field) ?? [];
    return this.take<readonly unknown[]>(field, Array.isArray(value) && value.length <= MOST ? value : undefined, 'list_malformed', []);
  }
  address(field: string): string | undefined {
    const value = this.given(field);
    if (value === undefined) return undefined;
    const fault = addressFault(value, this.#allowLoopback);
    if (fault) this.fault(field, fault);
    return typeof value === 'string' ? value : undefined;
  }
  addresses(field: string): readonly string[] {
    const values = this.list(field);
    values.forEach((value, i) => {
      const fault = addressFault(value, this.#allowLoopback);
      if (fault) this.fault(`${field}[${i}]`, fault);
    });
    return [...new Set(values.filter((value): value is string => typeof value === 'string'))];
  }
}

/** The way of authenticating that the profile allows: keys only for fapi2 (FAPI 2.0 §5.3.3.1); keys or a secret that we draw for standard; the secret in the form for FranceConnect. */
const readAuthentication = (reader: Reader, profile: Profile): { method: AuthMethod; jwks: PublicKeySet | undefined } => {
  const given = reader.given('jwks');
  const asked = reader.given('tokenEndpointAuthMethod');
  const secret = profile === 'franceconnect' ? 'client_secret_post' : 'client_secret_basic';
  const usual: AuthMethod = profile === 'fapi2' || given !== undefined ? 'private_key_jwt' : secret;
  const method = asked === undefined ? usual : reader.take('tokenEndpointAuthMethod', oneOf(AUTH_METHODS, asked), 'auth_method_unknown', usual);
  if ((profile === 'fapi2' && method !== 'private_key_jwt') || (profile === 'franceconnect' && method !== 'client_secret_post'))
    reader.fault('tokenEndpointAuthMethod', 'auth_method_of_profile');
  if (given === undefined) {
    if (method === 'private_key_jwt') reader.fault('jwks', 'keys_missing');
    return { method, jwks: undefined };
  }
  if (method !== 'private_key_jwt') reader.fault('jwks', 'keys_unused');
  const jwks = readPublicKeys(given);
  if ('keys' in jwks) return { method, jwks };
  reader.fault('jwks', jwks.fault);
  return { method, jwks: undefined };
};

const readDemarches = (reader: Reader, id: string, themes: readonly Theme[], delegation: boolean): readonly Demarche[] => {
  const demarches: Demarche[] = [];
  reader.list('demarches').forEach((value, i) => {
    const read = readDemarche(value, id, themes);
    const field = `demarches[${i}]`;
    if ('fault' in read) reader.fault(field, read.fault);
    else if (demarches.some((known) => known.code === read.code)) reader.fault(field, 'demarche_repeated');
    else demarches.push(read);
  });
  if (demarches.length && !delegation) reader.fault('demarches', 'demarches_without_delegation');
  return demarches;
};

const readScopes = (reader: Reader, profile: Profile): Registration['scopes'] => {
  if (profile === 'franceconnect') return IDENTITY_SCOPES.filter((scope) => scope !== 'identite_pivot'); // its contract: all of the identity
  const scopes = reader.list('scopes').filter((scope) => scope !== 'openid');
  scopes.forEach((scope, i) => {
    if (!oneOf(IDENTITY_SCOPES, scope)) reader.fault(`scopes[${i}]`, 'scope_unknown');
  });
  return IDENTITY_SCOPES.filter((scope) => scopes.includes(scope));
};

const readAlgorithm = (reader: Reader, profile: Profile): Registration['idTokenSignedResponseAlg'] => {
  // RS256 is not one of FAPI 2.0's algorithms (§5.4.1).
  const known = profile === 'fapi2' ? (['ES256'] as const) : (['ES256', 'RS256'] as const);
  const asked = reader.given('idTokenSignedResponseAlg') ?? 'ES256';
  return reader.take('idTokenSignedResponseAlg', oneOf(known, asked), 'algorithm_unknown', 'ES256');
};

const isName = (value: unknown): string | undefined => (typeof value === 'string' && ID.test(value) ? value : undefined);

/**
 * Reads what an administration asks to register. Nothing is guessed and nothing unknown is let through; every fault is given at once.
 */
export const readRegistration = (
  input: unknown,
  options: { readonly allowLoopback: boolean },
): Registration | { readonly faults: readonly RegistrationFault[] } => {
  if (!isObject(input)) return { faults: [{ field: '', code: 'list_malformed' }] };
  const reader = new Reader(input, options.allowLoopback);
  for (const member of Object.keys(input)) if (!MEMBERS.includes(member)) reader.fault(member.slice(0, 60), 'unknown_member');

  const id = reader.take('id', isName(input['id']), 'id_malformed', '');
  const name = reader.take('name', readName(input['name']), 'name_malformed', '');
  const { administrationId } = input;
  const administration = reader.take(
    'administrationId',
    isId('adm', administrationId) ? administrationId : undefined,
    'administration_malformed',
    'adm_',
  );
  const profile = reader.take('profile', oneOf(PROFILES, input['profile'] ?? 'fapi2'), 'profile_unknown', 'fapi2');
  const sector = reader.take('sector', isName(input['sector'] ?? id), 'sector_malformed', '');
  const asked = readThemes(input['themes']);
  const themes = reader.take('themes', asked?.length ? asked : undefined, 'themes_malformed', []);
  const delegationSupported = reader.flag('delegationSupported', false);
  const minimumConsent = reader.take(
    'minimumConsent',
    oneOf(['eidas1', 'eidas2'] as const, input['minimumConsent'] ?? 'eidas1'),
    'consent_unknown',
    'eidas1',
  );
  const demarches = readDemarches(reader, id, themes, delegationSupported);
  const redirectUris = reader.addresses('redirectUris');
  if (!redirectUris.length) reader.fault('redirectUris', 'redirect_missing');
  const backchannelLogoutUri = reader.address('backchannelLogoutUri');
  const sessionRequired = reader.flag('backchannelLogoutSessionRequired', backchannelLogoutUri !== undefined);
  // A logout token without `sid` would end the usager's own session too (protocol.md, "Be told").
  if (delegationSupported && backchannelLogoutUri !== undefined && !sessionRequired)
    reader.fault('backchannelLogoutSessionRequired', 'logout_session_required');
  const initiateLoginUri = reader.address('initiateLoginUri');
  const { method, jwks } = readAuthentication(reader, profile);

  const resources = reader.addresses('resources');
  // A token that its reader checks alone may live on for a minute after the stop: nothing that changes data takes one.
  if (resources.length && demarches.some(({ effect }) => effect !== 'read')) reader.fault('resources', 'resource_not_read');

  if (profile === 'franceconnect') {
    if (!delegationSupported) reader.fault('delegationSupported', 'not_of_profile'); // whoever comes from there acts for somebody
    if (demarches.length) reader.fault('demarches', 'not_of_profile'); // it reports nothing
    if (resources.length) reader.fault('resources', 'not_of_profile');
  }

  const registration: Registration = {
    id,
    name,
    administrationId: administration,
    profile,
    sector,
    themes,
    delegationSupported,
    minimumConsent,
    demarches,
    redirectUris,
    postLogoutRedirectUris: reader.addresses('postLogoutRedirectUris'),
    ...(backchannelLogoutUri === undefined ? {} : { backchannelLogoutUri }),
    backchannelLogoutSessionRequired: sessionRequired,
    ...(initiateLoginUri === undefined ? {} : { initiateLoginUri }),
    ...(jwks === undefined ? {} : { jwks }),
    tokenEndpointAuthMethod: method,
    scopes: readScopes(reader, profile),
    idTokenSignedResponseAlg: readAlgorithm(reader, profile),
    ...(resources.length ? { resources } : {}),
  };
  return reader.faults.length ? { faults: reader.faults } : registration;
};
