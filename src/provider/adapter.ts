import Provider, { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { isDelegatedAccount } from '../delegation/session.ts';
import type { Clock } from '../kernel/clock.ts';
import { sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { forget, remember, remembered } from '../kernel/request-scope.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { ArtefactStore, Found, Payload, Redemption } from './artefacts.ts';

/** Models whose id is itself a secret in somebody's hands: the table keeps its hash (architecture.md, style 9). */
const BEARER = new Set([
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'ClientCredentials',
  'Session',
  'Interaction',
  'PushedAuthorizationRequest',
]);
/** Models that stand on a grant, hence on a mandate. */
const GRANTED = new Set(['Grant', 'AccessToken', 'AuthorizationCode', 'RefreshToken', 'SignedAccessToken']);
/** What a code is redeemed for. The second is the trace of a token that its reader checks alone: its id opens nothing. */
const REDEEMING = new Set(['AccessToken', 'SignedAccessToken']);

/** The interaction that this request has finished and not yet deleted. */
const FINISHED = 'finished interaction';
const FINISH_MS = 200;

/** The code that this request redeems, until its token is written. */
const REDEEMED = 'redeemed code';

/** Says whether this request redeems a code whose token is not written yet. */
export const isRedemptionPending = (): boolean => remembered(REDEEMED) !== undefined;

/** The transaction that this request writes artefacts in, if not in one of their own. */
const TRANSACTION = 'transaction';

/** The browser that a grant written now belongs to. */
const BROWSER = 'browser';

/** Runs `work`, whose artefacts are written in `tx`: none of them exists unless it commits. A grant among them may bear the name of its browser. */
export const writingIn = async <T>(tx: Transaction, work: () => Promise<T>, browser?: Buffer): Promise<T> => {
  remember(TRANSACTION, tx);
  if (browser) remember(BROWSER, browser.toString('base64url'));
  try {
    return await work();
  } finally {
    forget(TRANSACTION);
    forget(BROWSER);
  }
};

const keyOf = (model: string, id: string): string => (BEARER.has(model) ? sha256(id).toString('base64url') : id);

/** What was read of a grant during this request: who, under what. Claims are written from it without another statement. */
export const rememberedGrant = (grantId: string | undefined): Found | undefined =>
  grantId === undefined ? undefined : (remembered(`facts ${grantId}`) as Found | undefined);

const rememberGrant = (grantId: string, found: Found): void => void remember(`facts ${grantId}`, found);

/** A parameter may bring a character that no database holds: then the request is what is wrong (claim P21). */
const refuseUnstorable = (error: unknown): never => {
  throw error instanceof Failure && error.code === 'unstorable_text'
    ? new errors.InvalidRequest('a parameter holds a character that cannot be kept')
    : error;
};

export interface AdapterParts {
  readonly store: ArtefactStore;
  readonly clock: Clock;
  /** A service as the library's client metadata; undefined when it is not approved. */
  readonly client: (id: string) => Promise<AdapterPayload | undefined>;
}

/** The library's adapter over our store: single use is one conditional statement, a delegated artefact lives only with its session. */
export const createAdapter = ({ store, clock, client }: AdapterParts) =>
  class RelaisAdapter implements Adapter {
    readonly model: string;
    constructor(model: string) {
      this.model = model;
    }

    async upsert(id: string, payload: AdapterPayload, expiresIn: number): Promise<void> {
      const { jti: _id, ...kept } = payload;
      const browser = this.model === 'Grant' ? remembered(BROWSER) : undefined;
      const content = (BEARER.has(this.model) ? kept : { ...payload, ...(browser ? { uid: browser } : {}) }) as Payload;
      const expiresAt = expiresIn ? new Date(clock.now().getTime() + expiresIn * 1000) : undefined;
      const key = keyOf(this.model, id);
      const onlyIfLive = GRANTED.has(this.model) && isDelegatedAccount(payload.accountId ?? '');
      const finishes = remembered(FINISHED) as string | undefined;
      forget(FINISHED);
      const redeems = REDEEMING.has(this.model) ? (remembered(REDEEMED) as Redemption | undefined) : undefined;
      forget(REDEEMED);
      const written = await store
        .write(
          { model: this.model, id: key, payload: content, expiresAt, onlyIfLive, now: clock.now(), finishes, redeems },
          remembered(TRANSACTION) as Transaction | undefined,
        )
        .catch(refuseUnstorable);
      if (written) return;
      if (!redeems) throw new errors.InvalidGrant('the delegated session has ended');
      // Somebody else redeemed the code at the same moment: neither of the two is trusted (RFC 9700 §4.5, claim P1).
      const { grantId } = redeems.found.payload;
      if (grantId) await store.revokeGrant(grantId, 'code_replayed', clock.now());
      throw new errors.InvalidGrant('authorization code already consumed, or the delegated session has ended');
    }

    async find(id: string): Promise<AdapterPayload | undefined> {
      if (this.model === 'Client') return client(id);
      if (this.model === 'RefreshToken') return undefined; // none is ever issued
      const key = keyOf(this.model, id);
      // A client's own token has no grant, and is looked for beside an access token: in the same statement.
      if (!GRANTED.has(this.model) && this.model !== 'ClientCredentials') {
        const found = await store.find(this.model, key);
        return found && this.#out(id, found.payload, found.consumedAt);
      }
      const kept = `${this.model} ${key}`;
      const payload = remembered(kept) as Payload | undefined;
      if (payload) {
        forget(kept); // once: a second look in the same request asks the database again
        return this.#out(id, payload, undefined);
      }
      const found = await store.findLive(this.model, key, clock.now());
      if (!found) return undefined;
      const grantId = this.model === 'Grant' ? id : found.payload.grantId;
      if (grantId) {
        rememberGrant(grantId, found);
        if (this.model !== 'Grant' && found.grant) remember(`Grant ${grantId}`, found.grant);
      }
      const { sessionUid } = found.payload;
      if (typeof sessionUid === 'string' && found.session) remember(`Session of ${sessionUid}`, found.session);
      if (this.model === 'AuthorizationCode') remember(`code ${key}`, found);
      return this.#out(id, found.payload, found.consumedAt);
    }

    async findByUid(uid: string): Promise<AdapterPayload | undefined> {
      const kept = `${this.model} of ${uid}`;
      const payload = remembered(kept) as Payload | undefined;
      if (payload) {
        forget(kept); // once, as above
        return this.#out(undefined, payload, undefined);
      }
      const found = await store.findByUid(this.model, uid);
      return found && this.#out(undefined, found.payload, found.consumedAt);
    }

    async findByUserCode(): Promise<undefined> {
      return undefined; // no device flow
    }

    async consume(id: string): Promise<void> {
      const key = keyOf(this.model, id);
      if (this.model !== 'AuthorizationCode') {
        if (await store.consume(this.model, key, clock.now())) return;
        throw this.model === 'PushedAuthorizationRequest'
          ? new errors.InvalidRequestUri('request_uri was already used')
          : new errors.InvalidGrant('already used');
      }
      const found = remembered(`code ${key}`) as Found | undefined;
      // It is used up with the token that it is for, in one statement: a code is never lost without a token, nor a token written without its code.
      if (!found || !remember(REDEEMED, { code: key, found, clientId: String(found.payload['clientId']) } satisfies Redemption))
        throw new errors.InvalidGrant('authorization code not found');
    }

    async destroy(id: string): Promise<void> {
      if (this.model === 'Grant') {
        if (remembered(`revoked ${id}`)) return;
        return store.revokeGrant(id, endOf(), clock.now());
      }
      const key = keyOf(this.model, id);
      if (this.model !== 'Interaction' || !remember(FINISHED, key)) return store.destroy(this.model, key);
      // A request that finishes an interaction writes something next: the deletion goes with it. One that is refused deletes it by itself.
      setTimeout(() => {
        if (remembered(FINISHED) !== key) return;
        forget(FINISHED);
        void store.destroy(this.model, key).catch(() => undefined); // it expires by itself
      }, FINISH_MS).unref();
    }

    async revokeByGrantId(grantId: string): Promise<void> {
      if (remembered(`revoked ${grantId}`)) return; // the library asks once a model; the first time does it all
      remember(`revoked ${grantId}`, true);
      await store.revokeGrant(grantId, endOf(), clock.now());
    }

    /** The library's own Session rows are found by their uid, without their secret id: the cookie brings it, a lookup by uid never needs it. */
    #out(id: string | undefined, payload: Payload, consumedAt: Date | undefined): AdapterPayload {
      return {
        ...payload,
        ...(BEARER.has(this.model) && id !== undefined ? { jti: id } : {}),
        ...(consumedAt ? { consumed: Math.floor(consumedAt.getTime() / 1000) } : {}),
      } as AdapterPayload;
    }
  };

/** Why a grant is being revoked: at the token endpoint only a replayed code does that; elsewhere somebody signs out. */
const endOf = (): 'code_replayed' | 'signed_out' => (Provider.ctx?.oidc?.route === 'token' ? 'code_replayed' : 'signed_out');
