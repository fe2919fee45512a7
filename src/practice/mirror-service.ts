import './guard.ts';
import type { Programme } from './page.tsx';
import type { Field } from './simulator-page.tsx';

/** A field of a démarche: what is asked, and what makes an answer wrong. */
export interface DemarcheField extends Field {
  check(value: string): string | undefined;
}

/** What the service holds about one person; invented, and kept in memory only. */
export interface Dossier {
  address: string;
  readonly sent: { readonly title: string; readonly reference: string; readonly at: Date }[];
}

export interface Demarche {
  /** Name in the catalogue registered at Relais: `service.word`. */
  readonly code: string;
  /** Name in the address of its page. */
  readonly slug: string;
  readonly title: string;
  readonly intro: string;
  /** Object of the sentence that the person reads: “… a envoyé {label} sur …”. */
  readonly label: { readonly fr: string; readonly en: string };
  readonly themes: readonly string[];
  readonly effect: 'read' | 'declare' | 'change';
  readonly fields: readonly DemarcheField[];
  /** What the button of the form says. */
  readonly send?: string;
  /** Rows that the page shows. */
  rows?(dossier: Dossier): { readonly caption: string; readonly head: readonly string[]; readonly lines: readonly (readonly string[])[] };
  /** What sending changes at the service. */
  apply?(dossier: Dossier, values: Readonly<Record<string, string>>): void;
}

/** A mirror public service: an invented one, with the shapes of a real one. */
export interface MirrorService {
  readonly id: string;
  readonly name: string;
  readonly profile: 'standard' | 'fapi2';
  /** “Rien n’a été transmis {to}.” */
  readonly to: string;
  readonly welcome: string;
  readonly themes: readonly { readonly code: string; readonly label: string }[];
  readonly demarches: readonly Demarche[];
  /** An act that a check may do (docs/check-service.md), filled as a person would. */
  readonly example: { readonly slug: string; readonly values: Readonly<Record<string, string>> };
  readonly programme: Programme;
}

/** Identity scopes that both services register. */
export const IDENTITY_SCOPES = ['given_name', 'family_name', 'birthdate'] as const;

/** What must be registered at Relais for a mirror service, in the names of OpenID Connect registration and of the catalogue. */
export interface ClientMetadata {
  readonly id: string;
  readonly name: string;
  readonly profile: 'standard' | 'fapi2' | 'franceconnect';
  readonly redirect_uris: readonly string[];
  readonly post_logout_redirect_uris: readonly string[];
  readonly backchannel_logout_uri?: string;
  readonly backchannel_logout_session_required: true;
  readonly initiate_login_uri?: string;
  readonly token_endpoint_auth_method: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';
  readonly id_token_signed_response_alg: 'ES256' | 'RS256';
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  readonly resources?: readonly string[];
  readonly scopes: readonly string[];
  readonly themes: readonly string[];
  readonly delegation_supported: true;
  readonly demarches: readonly {
    readonly code: string;
    readonly label_fr: string;
    readonly label_en: string;
    readonly themes: readonly string[];
    readonly effect: 'read' | 'declare' | 'change';
  }[];
}

/** Describes a mirror service to Relais, for the origin at which it listens. */
export const registration = (service: MirrorService, origin: string, publicJwk?: Readonly<Record<string, unknown>>): ClientMetadata => ({
  id: service.id,
  name: service.name,
  profile: service.profile,
  redirect_uris: [`${origin}/retour`],
  post_logout_redirect_uris: [`${origin}/au-revoir`],
  backchannel_logout_uri: `${origin}/deconnexion/relais`,
  backchannel_logout_session_required: true,
  initiate_login_uri: `${origin}/connexion/relais`,
  token_endpoint_auth_method: service.profile === 'fapi2' ? 'private_key_jwt' : 'client_secret_basic',
  id_token_signed_response_alg: 'ES256',
  ...(publicJwk ? { jwks: { keys: [publicJwk] } } : {}),
  scopes: IDENTITY_SCOPES,
  themes: service.themes.map(({ code }) => code),
  delegation_supported: true,
  demarches: service.demarches.map(({ code, label, themes, effect }) => ({ code, label_fr: label.fr, label_en: label.en, themes, effect })),
});

/** Fails a field left empty. */
export const required =
  (sentence: string) =>
  (value: string): string | undefined =>
    value ? undefined : sentence;

/** Fails what is not a whole number between two bounds. */
export const whole =
  (least: number, most: number, sentence: string) =>
  (value: string): string | undefined =>
    /^\d{1,7}$/.test(value) && Number(value) >= least && Number(value) <= most ? undefined : sentence;
