import '../guard.ts';
import { Failure } from '../../kernel/failure.ts';

/** What a service says of itself so that it can be checked (docs/check-service.md). Addresses are paths of the service. */
export interface Contract {
  readonly client_id: string;
  readonly profile: 'standard' | 'fapi2';
  readonly redirect_uri: string;
  readonly post_logout_redirect_uri?: string;
  readonly backchannel_logout_uri: string;
  /** Where it takes signals by push (RFC 8935), if it does, and what it wants in their Authorization header. */
  readonly signals_uri?: string;
  readonly signals_authorization?: string;
  /** Public keys of a service of profile `fapi2`. */
  readonly jwks?: { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  /** ES256 if left out. */
  readonly id_token_signed_response_alg?: 'ES256' | 'RS256';
  readonly scopes: readonly string[];
  readonly theme: string;
  /** Begins a delegated sign-in for that theme. */
  readonly sign_in: string;
  /** Pages of a delegated session: each shows the banner. */
  readonly pages: readonly string[];
  /** One act: the page that holds its form, when there is one; where it is posted; the fields that a person would fill. */
  readonly write: {
    readonly page?: string;
    readonly action: string;
    readonly fields: Readonly<Record<string, string>>;
    readonly demarche: string;
    readonly verb: 'send' | 'change';
  };
  /** What is stored with each act: a JSON array of `StoredAct`, in the order of the acts. */
  readonly acts: string;
}

/** What a service keeps beside each act done by an aidant. */
export interface StoredAct {
  readonly session: string;
  readonly act: { readonly sub: string };
  readonly identifier: string;
}

export const WELL_KNOWN = '/.well-known/relais-service.json';

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(isText);
const isPath = (value: unknown): boolean => isText(value) && value.startsWith('/') && !value.startsWith('//');
const isHttp = (value: unknown): boolean => isText(value) && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
const isWrite = (value: unknown): boolean =>
  isObject(value) &&
  (value['page'] === undefined || isPath(value['page'])) &&
  isPath(value['action']) &&
  isText(value['demarche']) &&
  (value['verb'] === 'send' || value['verb'] === 'change') &&
  isObject(value['fields']) &&
  Object.values(value['fields']).every((each) => typeof each === 'string');

const RULES: readonly (readonly [member: string, rule: string, holds: (value: unknown, all: Fields) => boolean])[] = [
  ['client_id', 'a text', isText],
  ['profile', '"standard" or "fapi2"', (value) => value === 'standard' || value === 'fapi2'],
  ['redirect_uri', 'an address', isHttp],
  ['post_logout_redirect_uri', 'an address, or absent', (value) => value === undefined || isHttp(value)],
  ['backchannel_logout_uri', 'an address', isHttp],
  ['signals_uri', 'an address, or absent', (value) => value === undefined || isHttp(value)],
  ['signals_authorization', 'a text, or absent', (value) => value === undefined || isText(value)],
  ['jwks', '{"keys": […]} at profile fapi2, absent otherwise', (value, { profile }) => (profile === 'fapi2') === isObject(value)],
  ['id_token_signed_response_alg', '"ES256" or "RS256", or absent', (value) => value === undefined || value === 'ES256' || value === 'RS256'],
  ['scopes', 'a list of texts', isTexts],
  ['theme', 'a text', isText],
  ['sign_in', 'a path', isPath],
  ['pages', 'a list of paths', (value) => Array.isArray(value) && value.length > 0 && value.every(isPath)],
  ['write', '{"page": path or absent, "action": path, "fields": texts by name, "demarche": text, "verb": "send" or "change"}', isWrite],
  ['acts', 'a path', isPath],
];

/** Reads a contract. Fails with `contract_unreadable`, naming the first member that is not as it must be. */
export const readContract = (text: string): Contract => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Failure('contract_unreadable', 'the contract is not JSON (docs/check-service.md)');
  }
  if (!isObject(value)) throw new Failure('contract_unreadable', 'the contract is not a JSON object (docs/check-service.md)');
  for (const [member, rule, holds] of RULES)
    if (!holds(value[member], value)) throw new Failure('contract_unreadable', `the contract’s "${member}" must be ${rule} (docs/check-service.md)`);
  return value as unknown as Contract; // every member was looked at above
};
