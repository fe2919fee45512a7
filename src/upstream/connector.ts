import * as client from 'openid-client';
import type { Clock } from '../kernel/clock.ts';
import type { Secret } from '../kernel/secret.ts';

/** What a federation is registered with, and what its contract demands (federations.md §2.1, §2.2, §2.5). */
export interface Federation {
  readonly name: 'proconnect' | 'franceconnect';
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  readonly redirectUri: string;
  readonly postLogoutUri: string;
  readonly allowHttp: boolean;
}

/** What a browser must bring back: kept in its session, used once. */
export interface Attempt {
  readonly federation: Federation['name'];
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string | undefined;
  readonly startedAt: number;
}

/** An identity whose every check has passed. Only a connector makes one. */
export interface VerifiedIdentity {
  readonly iss: string;
  readonly sub: string;
  readonly acr: string;
  readonly amr: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** The signed id_token: evidence of a consent, and the hint of a logout. */
  readonly idToken: string;
}

export type UpstreamRefusal = 'upstream_unavailable' | 'upstream_refused' | 'upstream_weak' | 'upstream_invalid' | 'state_mismatch';

export interface Connector {
  readonly federation: Federation;
  /** `again`: the person must sign in there anew, whatever session the federation still holds. */
  begin(again?: boolean): Promise<{ url: string; attempt: Attempt } | { refused: UpstreamRefusal }>;
  /** Checks a response in order: state, error, issuer, code, id_token (signature, iss, aud, nonce, times), level, userinfo. */
  callback(search: URLSearchParams, attempt: Attempt | undefined): Promise<VerifiedIdentity | { refused: UpstreamRefusal }>;
  /** Where to send the browser so that the federation forgets the person at once. */
  logoutUrl(idToken: string, state: string): Promise<string | undefined>;
}

interface Contract {
  readonly pkce: boolean;
  readonly parameters: Readonly<Record<string, string>>;
  /** Levels accepted in the id_token; anything else is `upstream_weak`, whatever was asked (claim U4). */
  readonly accepted: readonly string[];
}

const MFA = ['eidas0-mfa', 'eidas1-mfa', 'eidas2', 'eidas3'];

const CONTRACTS: Readonly<Record<Federation['name'], Contract>> = {
  proconnect: {
    pkce: true,
    parameters: {
      scope: 'openid given_name usual_name email uid siret',
      claims: JSON.stringify({ id_token: { acr: { essential: true, values: MFA }, amr: null } }),
    },
    accepted: MFA,
  },
  franceconnect: {
    pkce: false, // refused by the federation, as any parameter that it does not list
    parameters: {
      scope: 'openid given_name family_name birthdate gender birthplace birthcountry preferred_username email',
      acr_values: 'eidas1',
    },
    accepted: ['eidas1', 'eidas2', 'eidas3'],
  },
};

/** A response later than this is no longer the answer to that question. */
const ATTEMPT_MINUTES = 15;
const TIMEOUT_SECONDS = 5;
/** After a failed discovery, or answers that did not come, everything fails at once for this long: no storm on a federation that is down (claim U1). */
const BREAKER_MS = 3000;
/** How many answers in a row must not come. An answer that is bad is none of these: whoever sends us a bad code must not close the door for others. */
const BREAKER_AFTER = 3;

/** Makes the relying party of one federation. Discovery is done at the first use and kept; a failure is not. */
export const createConnector = (federation: Federation, clock: Clock, notice: (code: string, detail: string) => void): Connector => {
  const contract = CONTRACTS[federation.name];
  let known: Promise<client.Configuration> | undefined;
  let brokenUntil = 0;
  let silences = 0;

  const configuration = async (): Promise<client.Configuration> => {
    if (clock.now().getTime() < brokenUntil) throw new Error('breaker open');
    known ??= client
      .discovery(
        new URL(federation.issuer),
        federation.clientId,
        { client_secret: federation.clientSecret.reveal(), id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256' },
        client.ClientSecretPost(federation.clientSecret.reveal()),
        { execute: [...(federation.allowHttp ? [client.allowInsecureRequests] : []), client.enableNonRepudiationChecks], timeout: TIMEOUT_SECONDS },
      )
      .catch((error: unknown) => {
        known = undefined;
        brokenUntil = clock.now().getTime() + BREAKER_MS;
        throw error;
      });
    return known;
  };

  const refuse = (error: unknown, stage: string): { refused: UpstreamRefusal } => {
    const code =
      error instanceof client.ClientError || error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError
        ? error.code
        : undefined;
    notice(`upstream_${stage}`, `${federation.name} ${code ?? (error instanceof Error ? error.name : 'error')}`);
    if (error instanceof client.AuthorizationResponseError)
      return { refused: /^(server_error|temporarily_unavailable)$/.test(error.error) ? 'upstream_unavailable' : 'upstream_refused' };
    // The federation is well, and does not know this code: somebody brought one of elsewhere, or brought it twice.
    if (error instanceof client.ResponseBodyError && error.error === 'invalid_grant') return { refused: 'upstream_invalid' };
    const forged =
      (error instanceof client.ResponseBodyError && error.status < 500) || // it answered: this code is not good
      (typeof code === 'string' &&
        /^OAUTH_(JWT|INVALID|PARSE|JSON|UNSUPPORTED|KEY)|CLAIM|SIGNATURE/.test(code) &&
        !/TIMEOUT/.test(code) &&
        !isServerFault(error));
    if (isSilence(error) && ++silences >= BREAKER_AFTER) {
      silences = 0;
      brokenUntil = clock.now().getTime() + BREAKER_MS;
    }
    return { refused: forged ? 'upstream_invalid' : 'upstream_unavailable' };
  };

  /** Redeems a code, checks the answer, and reads who it is. */
  const identify = async (search: URLSearchParams, attempt: Attempt): Promise<VerifiedIdentity | { refused: UpstreamRefusal }> => {
    const config = await configuration();
    const here = new URL(federation.redirectUri);
    here.search = search.toString();
    const tokens = await client.authorizationCodeGrant(config, here, {
      expectedState: attempt.state,
      expectedNonce: attempt.nonce,
      idTokenExpected: true,
      ...(attempt.verifier ? { pkceCodeVerifier: attempt.verifier } : {}),
    });
    const claims = tokens.claims();
    const acr = typeof claims?.['acr'] === 'string' ? claims['acr'] : '';
    if (!claims || !contract.accepted.includes(acr)) {
      notice('upstream_weak', `${federation.name} acr not accepted`);
      return { refused: 'upstream_weak' };
    }
    const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
    const amr = Array.isArray(claims['amr']) ? claims['amr'].filter((method): method is string => typeof method === 'string') : [];
    silences = 0;
    return { iss: claims.iss, sub: claims.sub, acr, amr, claims: userinfo, idToken: tokens.id_token ?? '' };
  };

  return {
    federation,
    async begin(again = false) {
      try {
        const config = await configuration();
        const state = client.randomState();
        const nonce = client.randomNonce();
        const verifier = contract.pkce ? client.randomPKCECodeVerifier() : undefined;
        const url = client.buildAuthorizationUrl(config, {
          redirect_uri: federation.redirectUri,
          ...contract.parameters,
          ...(again ? { prompt: 'login' } : {}),
          state,
          nonce,
          ...(verifier ? { code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' } : {}),
        });
        return { url: url.href, attempt: { federation: federation.name, state, nonce, verifier, startedAt: clock.now().getTime() } };
      } catch (error) {
        return refuse(error, 'begin');
      }
    },
    async callback(search, attempt) {
      const late = attempt && clock.now().getTime() - attempt.startedAt > ATTEMPT_MINUTES * 60_000;
      // The state is in this browser's session, or this is somebody else's answer (claims S5, P14).
      if (!attempt || late || attempt.federation !== federation.name || search.get('state') !== attempt.state) return { refused: 'state_mismatch' };
      try {
        return await withinDeadline(identify(search, attempt));
      } catch (error) {
        return refuse(error, 'callback');
      }
    },
    async logoutUrl(idToken, state) {
      try {
        const config = await configuration();
        return client.buildEndSessionUrl(config, { id_token_hint: idToken, state, post_logout_redirect_uri: federation.postLogoutUri }).href;
      } catch (error) {
        refuse(error, 'logout');
        return undefined;
      }
    },
  };
};

/** A 5xx or an answer that is no JSON says that the federation is ill, not that somebody forged an answer. */
const isServerFault = (error: unknown): boolean => {
  const cause = error instanceof Error ? error.cause : undefined;
  const response = cause instanceof Response ? cause : undefined;
  return response !== undefined && response.status >= 500;
};

class DeadlineError extends Error {}

/** Nobody waits longer than one time-out, however many answers a sign-in needs. */
const withinDeadline = async <T>(work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new DeadlineError('too late')), TIMEOUT_SECONDS * 1000);
  });
  work.catch(() => undefined); // what fails after the deadline has been answered already
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** No answer, or one that says that the federation is ill. */
const isSilence = (error: unknown): boolean =>
  error instanceof DeadlineError ||
  isServerFault(error) ||
  (error instanceof Error && /^(TimeoutError|AbortError)$/.test(error.name)) ||
  (error instanceof client.ClientError && error.code === 'OAUTH_TIMEOUT') ||
  (error instanceof TypeError && error.message === 'fetch failed');

/** Level of an aidant by what ProConnect says (protocol.md, "Upstream"); our own second factor is always asked besides. */
export const aidantLevel = (acr: string): 'eidas1' | 'eidas2' => (acr === 'eidas2' || acr === 'eidas3' ? 'eidas2' : 'eidas1');
/** Level of a usager by what FranceConnect says; nothing above `eidas2` is ever said. */
export const usagerLevel = (acr: string): 'eidas1' | 'eidas2' => (acr === 'eidas2' || acr === 'eidas3' ? 'eidas2' : 'eidas1');
