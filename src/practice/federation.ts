import './guard.ts';
import type { Configuration } from 'oidc-provider';
import type { Fault } from './faults.ts';
import type { Programme } from './page.tsx';
import type { SignInProps } from './simulator-page.tsx';

/** A client of a federation: in the demonstration there is one, Relais. */
export interface SimulatorClient {
  readonly id: string;
  readonly name?: string;
  readonly secret: string;
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly signingAlg?: 'ES256' | 'RS256';
  /** Scopes granted to it; all of the federation's by default. */
  readonly scopes?: readonly string[];
}

export interface SimulatorOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly clients: readonly SimulatorClient[];
}

/** A running simulator. */
export interface Simulator {
  readonly issuer: string;
  readonly origin: string;
  /** Makes it misbehave from now on; `undefined` makes it honest again. */
  setFault(fault: Fault | undefined): void;
  close(): Promise<void>;
}

export interface Account {
  /** The account’s name inside the library: its public subject, or what the pairwise one is drawn from. */
  readonly key: string;
  readonly id: string;
  readonly name: string;
  readonly story: string;
  readonly sub: (clientId: string) => string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly acr: string;
  readonly amr: readonly string[];
}

/** What the request demands about the level of the sign-in. */
export interface Demand {
  readonly acrValues: readonly string[];
  readonly essentialAcr: readonly string[];
}

export type Refusal = { readonly refused: string; readonly description: string };

/** One federation's contract: all in which the two simulators differ. */
export interface Federation {
  readonly programme: Programme;
  /** Prefix of its cookies: the programs of the demonstration share a host, and cookies ignore ports. */
  readonly cookie: string;
  readonly scopes: Readonly<Record<string, readonly string[]>>;
  readonly configuration: Pick<Configuration, 'ttl' | 'issueRefreshToken' | 'pkce' | 'clientAuthMethods'> & {
    readonly grantTypes: string[];
    readonly subjectType: 'public' | 'pairwise';
  };
  /** Level of a forged answer that is too low. */
  readonly lowAcr: string;
  readonly accounts: Map<string, Account>;
  /** Reads a typed sign-in: an account, or what to say beside the form. */
  typed(body: Readonly<Record<string, string>>): Account | { readonly errors: Readonly<Record<string, string>> };
  readonly form: SignInProps['form'];
  /** Checks and filters the parameters of an authorization request, before the library sees them. */
  authorize(params: URLSearchParams): URLSearchParams | Refusal;
  /** Refusals that return to the client, with `state` and `iss`. */
  demand(demand: Demand): Refusal | undefined;
  /** The level that this account gives for this demand. */
  level(account: Account, demand: Demand, fault: Fault | undefined): { readonly acr: string; readonly amr: readonly string[] } | Refusal;
  /** Whether an open session may answer without a question. */
  reuse(acr: string | undefined, demand: Demand): boolean;
  logout(params: URLSearchParams): Refusal | undefined;
}

/** Reads what a request demands, from `acr_values` and from `claims`. Unreadable JSON demands nothing: the library refuses it. */
export const readDemand = (params: Readonly<Record<string, unknown>>): Demand => {
  const acrValues = typeof params['acr_values'] === 'string' ? params['acr_values'].split(' ').filter(Boolean) : [];
  try {
    const claims: unknown = JSON.parse(typeof params['claims'] === 'string' ? params['claims'] : '{}');
    const acr = member(member(claims, 'id_token'), 'acr');
    if (member(acr, 'essential') !== true) return { acrValues, essentialAcr: [] };
    const values = member(acr, 'values');
    const value = member(acr, 'value');
    return { acrValues, essentialAcr: Array.isArray(values) ? values.map(String) : typeof value === 'string' ? [value] : [] };
  } catch {
    return { acrValues, essentialAcr: [] };
  }
};

/** Reads one member of what may not be an object. */
export const member = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && name in value ? (value as Record<string, unknown>)[name] : undefined;
