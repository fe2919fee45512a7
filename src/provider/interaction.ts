import { isTheme, type Theme } from '../organisations/theme.ts';
import type { Profile } from '../services/service.ts';
import { isFront, REP_SCOPE } from './front.ts';
import { DELEGATED_ACRS, MANDATE_TYPE, PLAIN_ACRS, themesOfScopes } from './names.ts';

/** The parameters of an authorization request that decide which path it takes. They come from the browser: nothing is assumed of them. */
export type Parameters = Readonly<Record<string, unknown>>;

export interface DelegatedRequest {
  readonly path: 'delegated';
  /** Themes asked for, whichever way; undefined when none was named, and any may be given. */
  readonly asked: readonly Theme[] | undefined;
  /** The one démarche asked for; undefined when none or several were: several narrow nothing. */
  readonly demarche: string | undefined;
}
export interface PlainRequest {
  readonly path: 'plain';
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const words = (value: unknown): string[] => text(value).split(' ').filter(Boolean);

const parse = (value: unknown): unknown => {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a request asks of the id_token by the parameter `claims`. */
const idTokenClaims = (params: Parameters): Readonly<Record<string, unknown>> => {
  const claims = parse(params['claims']);
  return isRecord(claims) && isRecord(claims['id_token']) ? claims['id_token'] : {};
};

/** The mandate details of a request, as the library has let them through. */
const mandateDetails = (params: Parameters): Readonly<Record<string, unknown>>[] => {
  const details = parse(params['authorization_details']);
  return Array.isArray(details) ? details.filter(isRecord).filter((detail) => detail['type'] === MANDATE_TYPE) : [];
};

/** The themes that FranceConnect asks for (`claims.id_token.rep_scope`), or undefined when it names none. A value that is no theme grants nothing. */
const represented = (params: Parameters): readonly Theme[] | undefined => {
  const asked = idTokenClaims(params)[REP_SCOPE];
  const { value, values } = isRecord(asked) ? asked : {};
  if (value === undefined && values === undefined) return undefined;
  return [...new Set([value, ...(Array.isArray(values) ? values : [])].filter(isTheme))];
};

/**
 * Decides the path of a request (protocol.md, "Identity in a delegated session"): delegated when it carries a `dlg:` scope or a mandate
 * detail, or comes from FranceConnect; plain otherwise. Nothing else decides.
 */
export const readRequest = (params: Parameters, profile: Profile): DelegatedRequest | PlainRequest => {
  if (isFront(profile)) return { path: 'delegated', asked: represented(params), demarche: undefined };
  const scopes = words(params['scope']);
  const details = mandateDetails(params);
  if (!details.length && !scopes.some((scope) => scope.startsWith('dlg:'))) return { path: 'plain' };
  const named = [
    ...themesOfScopes(scopes),
    ...details.flatMap((detail) => (Array.isArray(detail['actions']) ? detail['actions'] : [])).filter(isTheme),
  ];
  const demarches = [...new Set(details.flatMap(({ demarche }) => (typeof demarche === 'string' ? [demarche] : [])))];
  return { path: 'delegated', asked: named.length ? [...new Set(named)] : undefined, demarche: demarches.length === 1 ? demarches[0] : undefined };
};

/** What is wrong with a mandate detail, or undefined. Unknown members are refused, naming them (RFC 9396 §5). */
export const faultOfDetail = (detail: Readonly<Record<string, unknown>>): string | undefined => {
  for (const member of Object.keys(detail)) if (!['type', 'actions', 'demarche'].includes(member)) return `unknown member "${member.slice(0, 40)}"`;
  const { actions, demarche } = detail;
  if (actions !== undefined && !(Array.isArray(actions) && actions.length > 0 && actions.every(isTheme))) return 'actions must be themes';
  if (demarche !== undefined && (typeof demarche !== 'string' || demarche.length > 100)) return 'demarche must be a code';
  return undefined;
};

/** The `acr` values that a request accepts, and whether it can do without. Both ways of asking go through here. */
const askedAcrs = (params: Parameters): { values: string[]; essential: boolean } => {
  const idToken = idTokenClaims(params);
  const acr = isRecord(idToken['acr']) ? idToken['acr'] : {};
  const listed = Array.isArray(acr['values']) ? acr['values'].filter((value): value is string => typeof value === 'string') : [];
  const one = typeof acr['value'] === 'string' ? [acr['value']] : [];
  return {
    values: [...words(params['acr_values']), ...listed, ...one],
    essential: acr['essential'] === true || words(params['acr_values']).length > 0,
  };
};

/**
 * Says whether the level that will be given meets what was asked. A higher delegated class satisfies a lower one; a delegated class never
 * satisfies a plain one (claims P24, M7): a service that asked `eidas1` must not receive somebody else in its place.
 */
export const meetsAcr = (params: Parameters, path: 'plain' | 'delegated', level: 'eidas1' | 'eidas2'): boolean => {
  const { values, essential } = askedAcrs(params);
  if (!essential || values.length === 0) return true;
  const ladder = path === 'delegated' ? DELEGATED_ACRS : PLAIN_ACRS;
  return ladder.slice(0, level === 'eidas2' ? 2 : 1).some((value) => values.includes(value));
};

/** The same request, with the shorter of its own `max_age` and this one. */
export const withMaxAge = (params: Parameters, seconds: number | undefined): Parameters => {
  const own = params['max_age'] === undefined ? Number.NaN : Number(params['max_age']);
  return seconds === undefined || own <= seconds ? params : { ...params, max_age: seconds };
};

/** Says whether a request wants a sign-in at the federation itself, however recent the last one. */
export const asksLogin = (params: Parameters): boolean => words(params['prompt']).includes('login');

/** Says whether the aidant's real sign-in is recent enough: `prompt=login` asks for one after the request began, `max_age` for its age. */
export const signInIsFresh = (
  params: Parameters,
  signedIn: { readonly at: Date; readonly upstream: Date },
  requestedAt: Date,
  now: Date,
): boolean => {
  if (asksLogin(params) && signedIn.upstream < requestedAt) return false;
  const maxAge = params['max_age'] === undefined ? undefined : Number(params['max_age']);
  return maxAge === undefined || !Number.isFinite(maxAge) || now.getTime() - signedIn.at.getTime() <= maxAge * 1000 || signedIn.at >= requestedAt;
};

/** Says whether a person must sign in anew at her federation: what it still remembers of her has no date that we could compare with `max_age`. */
export const asksSignInAnew = (params: Parameters): boolean => asksLogin(params) || params['max_age'] !== undefined;

/**
 * The subject that a request insists on: `claims.id_token.sub.value`, or whoever an `id_token_hint` names (the library has verified its signature).
 * Undefined when anybody may be chosen.
 */
export const askedSubject = (params: Parameters): string | undefined => {
  const idToken = idTokenClaims(params);
  const sub = isRecord(idToken['sub']) ? idToken['sub']['value'] : undefined;
  if (typeof sub === 'string') return sub;
  const payload = parse(Buffer.from(text(params['id_token_hint']).split('.')[1] ?? '', 'base64url').toString());
  return isRecord(payload) && typeof payload['sub'] === 'string' ? payload['sub'] : undefined;
};
