import { canonical, type Json } from '../kernel/canonical.ts';
import { equal, sha256 } from '../kernel/crypto.ts';
import type { AdministrationId } from '../kernel/ids.ts';
import type { Theme } from '../organisations/theme.ts';
import type { PublicKeySet } from './public-keys.ts';

export const PROFILES = ['standard', 'fapi2', 'franceconnect'] as const;
export type Profile = (typeof PROFILES)[number];

export const AUTH_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;
export type AuthMethod = (typeof AUTH_METHODS)[number];

/** What a service may know of a person, and no more than it registered (protocol.md, "Identity"). `openid` goes without saying. */
export const IDENTITY_SCOPES = [
  'given_name',
  'family_name',
  'birthdate',
  'gender',
  'birthplace',
  'birthcountry',
  'preferred_username',
  'email',
  'identite_pivot',
] as const;
export type IdentityScope = (typeof IDENTITY_SCOPES)[number];

export const EFFECTS = ['read', 'declare', 'change'] as const;
export type Effect = (typeof EFFECTS)[number];

/** One procedure of the catalogue: what a report may name. */
export interface Demarche {
  /** `<service>.<word>`, such as `allocations.aide-logement`. */
  readonly code: string;
  readonly labelFr: string;
  readonly labelEn: string;
  readonly themes: readonly Theme[];
  readonly effect: Effect;
  /** The least level of the session; absent: `eidas1`. */
  readonly level?: 'eidas2';
  /** How old the aidant's sign-in may be, in seconds; absent: as old as the session. */
  readonly maxAge?: number;
}

/** A secret that another has replaced: its hash as above, and when it ends, in seconds. */
export interface FormerSecret {
  readonly hash: string;
  readonly exp: number;
}

/** A public service as an administration registered it, before its state. */
export interface Registration {
  /** Also its OIDC client_id. */
  readonly id: string;
  readonly name: string;
  readonly administrationId: AdministrationId;
  readonly profile: Profile;
  /** What pairwise identifiers are derived for: its own id, unless it shares one with another service of its administration. */
  readonly sector: string;
  readonly themes: readonly Theme[];
  readonly delegationSupported: boolean;
  /** The least proof of the usager's consent that it accepts. */
  readonly minimumConsent: 'eidas1' | 'eidas2';
  readonly demarches: readonly Demarche[];
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly backchannelLogoutUri?: string;
  readonly backchannelLogoutSessionRequired: boolean;
  readonly initiateLoginUri?: string;
  readonly jwks?: PublicKeySet;
  /** SHA-256 of the secret, hexadecimal. The secret itself was shown once. */
  readonly clientSecretHash?: string;
  /** The secret before it, accepted beside it until `exp` (seconds). */
  readonly formerSecret?: FormerSecret;
  readonly tokenEndpointAuthMethod: AuthMethod;
  /** Identity scopes, `openid` not among them. */
  readonly scopes: readonly IdentityScope[];
  readonly idTokenSignedResponseAlg: 'ES256' | 'RS256';
  /** APIs that take an access token readable without asking Relais, for a minute (RFC 8707, RFC 9068). Its démarches only read. */
  readonly resources?: readonly string[];
}

export interface Service extends Registration {
  readonly administrationName: string;
  /** Nothing but `approved` may be used. */
  readonly status: 'pending' | 'approved' | 'disabled';
  /** Goes up with each change of the registration or of the status: a cache key. */
  readonly version: number;
  /** The revision in force; undefined before the first is approved. */
  readonly revision: number | undefined;
  readonly createdAt: Date;
}

const demarcheJson = (it: Demarche): Json => ({
  code: it.code,
  label_fr: it.labelFr,
  label_en: it.labelEn,
  themes: it.themes,
  effect: it.effect,
  ...(it.level ? { level: it.level } : {}),
  ...(it.maxAge === undefined ? {} : { max_age: it.maxAge }),
});

/** The part of a registration kept as JSON, under the names of OpenID Connect Registration. */
export const metadataOf = (it: Registration): { readonly [member: string]: Json | undefined } => ({
  redirect_uris: it.redirectUris,
  post_logout_redirect_uris: it.postLogoutRedirectUris,
  backchannel_logout_uri: it.backchannelLogoutUri,
  backchannel_logout_session_required: it.backchannelLogoutSessionRequired,
  initiate_login_uri: it.initiateLoginUri,
  jwks: it.jwks && { keys: it.jwks.keys },
  client_secret_hash: it.clientSecretHash,
  client_secret_former: it.formerSecret && { hash: it.formerSecret.hash, exp: it.formerSecret.exp },
  token_endpoint_auth_method: it.tokenEndpointAuthMethod,
  scopes: it.scopes,
  id_token_signed_response_alg: it.idTokenSignedResponseAlg,
  resources: it.resources,
});

/** Everything that was registered, as a revision keeps it. */
export const registrationContent = (it: Registration) => ({
  id: it.id,
  name: it.name,
  administration: it.administrationId,
  profile: it.profile,
  sector: it.sector,
  themes: it.themes,
  delegation_supported: it.delegationSupported,
  minimum_consent: it.minimumConsent,
  demarches: [...it.demarches].sort((a, b) => (a.code < b.code ? -1 : 1)).map(demarcheJson),
  metadata: metadataOf(it),
});

/** The hash that the second person approves: SHA-256 of everything that was registered, in canonical JSON. */
export const registrationHash = (it: Registration): Buffer => sha256('relais/service/v1\n', canonical(registrationContent(it)));

/** The form under which a client secret is kept: it has 256 bits of chance, so one SHA-256 is enough. */
export const secretHash = (secret: string): string => sha256(secret).toString('hex');

/** Says whether `presented` is the service's secret, in a time that depends on neither. */
export const secretMatches = (service: Pick<Service, 'clientSecretHash'>, presented: string): boolean =>
  service.clientSecretHash !== undefined && equal(secretHash(presented), service.clientSecretHash);

/** The démarche of this code, if the service registered it. */
export const demarcheOf = (service: Pick<Service, 'demarches'>, code: string): Demarche | undefined =>
  service.demarches.find((demarche) => demarche.code === code);
