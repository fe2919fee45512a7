import { isTheme, THEMES, type Theme } from '../organisations/theme.ts';

/** Every claim, scope and parameter name that is ours, in one place: individual drafts move. */

/** Algorithms of DPoP proofs, and of what services authenticate with: `Ed25519` is the newer name of `EdDSA` with that curve (RFC 8037, RFC 9864). */
export const DPOP_ALGS = ['ES256', 'EdDSA', 'Ed25519'] as const;
export const CLIENT_ALGS = ['ES256', 'PS256', 'EdDSA', 'Ed25519'] as const;
export const CLIENT_METHODS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;

export const MANDATE_TYPE = 'urn:relais:mandate:1';
/** An internal resource, set only so that the library accepts `authorization_details` (delegated-session.md §6). Never an audience. */
export const MANDATE_RESOURCE = 'urn:relais:mandate';

const PREFIX = 'dlg:';
export const scopeOf = (theme: Theme): string => `${PREFIX}${theme}`;
export const DELEGATED_SCOPES: readonly string[] = THEMES.map(scopeOf);

/** The themes named by the delegated scopes among these. */
export const themesOfScopes = (scopes: readonly string[]): Theme[] =>
  scopes
    .filter((scope) => scope.startsWith(PREFIX))
    .map((scope) => scope.slice(PREFIX.length))
    .filter(isTheme);

export const IDENTITY_SCOPES = {
  given_name: ['given_name'],
  family_name: ['family_name'],
  birthdate: ['birthdate'],
  gender: ['gender'],
  birthplace: ['birthplace'],
  birthcountry: ['birthcountry'],
  preferred_username: ['preferred_username'],
  email: ['email'],
  identite_pivot: ['given_name', 'family_name', 'birthdate', 'gender', 'birthplace', 'birthcountry'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Claims of ours that `openid` alone gives: who acts, under what, and the receipt. Asking for them by name changes nothing. */
export const OWN_CLAIMS = ['act', 'authorization_details', 'journal'] as const;

export const ACTIONS_SCOPE = 'actions:write';
/** Asks whether a mandate held (`/api/v1/mandates/{ref}/validity`). */
export const MANDATES_SCOPE = 'mandates:check';
export const VALIDITY_TYPE = 'mandate-validity+jwt';
/** Of a service's own token: its signal stream (SSF 1.0, CAEP interoperability profile §2.7.3). */
export const STREAM_SCOPES = { manage: 'ssf.manage', read: 'ssf.read' } as const;

export const delegatedAcr = (level: 'eidas1' | 'eidas2'): string => `urn:relais:acr:delegated:${level}`;
export const DELEGATED_ACRS = [delegatedAcr('eidas1'), delegatedAcr('eidas2')] as const;
export const PLAIN_ACRS = ['eidas1', 'eidas2'] as const;

export const SIRET_ISSUER = 'urn:fr:insee:siret';
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout';
