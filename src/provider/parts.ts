import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NewSession } from '../delegation/sessions.ts';
import type { Entry } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SessionId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Service } from '../services/service.ts';
import type { ArtefactStore, Found } from './artefacts.ts';
import type { Parameters } from './interaction.ts';
import type { KeySource } from './key-set.ts';

/** The pages that the library shows by itself, made by `web`. Each returns a whole HTML document. */
export interface ProviderPages {
  error(out: { error: string; description: string | undefined; known: boolean }): Promise<string>;
  /** `form` is the library's own, with id `op.logoutForm`. */
  logout(form: string): Promise<string>;
  loggedOut(): Promise<string>;
  /** `form` is to be posted to the service by the person's own gesture; it has the id `op.callbackForm`. */
  callback(form: string): Promise<string>;
}

export interface ProviderParts {
  readonly issuer: string;
  readonly publicUrl: string;
  readonly secure: boolean;
  readonly allowLoopback: boolean;
  readonly keys: { pairwise: Secret<Buffer>; cookies: Secret<Buffer>; dpopNonce: Secret<Buffer> };
  /** The keys that sign. */
  readonly signing: KeySource;
  readonly store: ArtefactStore;
  readonly services: (id: string) => Promise<Service | undefined>;
  readonly journal: Journal;
  /** Writes down what a service was refused. */
  readonly refused: (entry: Entry) => Promise<void>;
  readonly clock: Clock;
  readonly pages: ProviderPages;
  /** Says of an error that it passes by itself: the database or the journal does not answer now. */
  readonly passes: (error: unknown) => boolean;
  /** Ends one delegated session because its service signs it out. */
  readonly endSession: (id: SessionId) => Promise<void>;
  /** Queues the notice that a person's own session at a service is over; it is kept until the service acknowledges it. */
  readonly tellLogout: (serviceId: string, session: { readonly sub: string; readonly sid: string }) => Promise<void>;
  /** One line to the security log: a code, never a value of the request. */
  readonly notice: (event: { code: string; service?: string | undefined; detail?: string | undefined; fault?: unknown }) => void;
}

/** One authorization request that waits for a person. */
export interface Interaction {
  readonly uid: string;
  readonly params: Parameters;
  readonly service: Service;
  readonly requestedAt: Date;
  /** The usager whose delegated or own session this browser holds at the provider, if any. */
  readonly currentAccount: string | undefined;
}

export interface Bearer {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly found: Found | undefined;
}

/** Why a token opens nothing: in words, by its code (RFC 6750 §3.1, RFC 9449 §7.1), and the scheme to answer with. */
export interface BearerRefusal {
  readonly refused: string;
  readonly error: 'invalid_token' | 'invalid_dpop_proof';
  readonly scheme: 'Bearer' | 'DPoP';
}

export interface OpenIdProvider {
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** The interaction that this browser's cookie names, or undefined: finished, expired, or another browser's. */
  interaction(req: IncomingMessage, res: ServerResponse): Promise<Interaction | undefined>;
  /** Gives the delegated session to the library, in the transaction that opens it. Only after `interaction` of the same request. */
  grantDelegated(tx: Transaction, req: IncomingMessage, res: ServerResponse, session: NewSession): Promise<void>;
  /** After that transaction: returns where the browser goes. */
  finishDelegated(req: IncomingMessage, res: ServerResponse): Promise<string>;
  /** Gives a usager, signed in alone, to the library. */
  finishPlain(
    req: IncomingMessage,
    res: ServerResponse,
    usager: { id: string; acr: string; authTime: Date },
    /** In an aidant's browser: its name, and what runs the write of the grant in the transaction that ends what was done there for others. */
    beside?: { readonly browser: Buffer; readonly within: (write: (tx: Transaction) => Promise<void>) => Promise<unknown> },
  ): Promise<string>;
  /** Ends an interaction with an OAuth error, which the service receives with `state` and `iss`. */
  fail(req: IncomingMessage, res: ServerResponse, error: { error: string; description: string }): Promise<string>;
  /** Reads the access token of a request to an API of ours, sender constraint included. */
  bearer(request: { authorization: string | undefined; dpop: string | undefined; method: string; url: string }): Promise<Bearer | BearerRefusal>;
  /** Signs what Relais says to a service outside a sign-in, as a JWS of this `typ` with the key of its ID tokens (ES256). */
  sign(claims: Readonly<Record<string, unknown>>, typ: string): Promise<string>;
  /**
   * A logout token (OIDC Back-Channel Logout 1.0 §2.4): for a delegated session with `sid` alone, because `sub` would end the usager's own session too;
   * for a person's own session, `sub` is the account. A service that is out of use is told what it was.
   */
  logoutToken(serviceId: string, session: { readonly sid: string; readonly sub?: string; readonly jti: string }): Promise<string | undefined>;
  /** The public keys in force and to come. */
  jwks(): { keys: readonly object[] };
  /**
   * Reads the keys and their times again; true when what is published or what signs has changed. Fails as `signing_key_missing` when every key of an
   * algorithm was revoked: nothing is signed until another is there.
   */
  refreshKeys(): Promise<boolean>;
}
