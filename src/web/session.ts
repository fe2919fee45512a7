import type { Clock } from '../kernel/clock.ts';
import { equal, hmacSha256, randomToken, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import type { AidantId, DraftId, OrganisationId, StaffId, UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Attempt } from '../upstream/connector.ts';

/** What a sign-in upstream is for: where the person goes once it is done. */
export type Purpose =
  | { readonly kind: 'staff'; readonly to: string }
  | { readonly kind: 'enrolment'; readonly link: string }
  | { readonly kind: 'usager' }
  /** `instead`: the instant of the consent that this one takes the place of (ms). */
  | { readonly kind: 'consent'; readonly draft: string; readonly instead?: number }
  /** On the person's own telephone; the link is sealed for this browser. */
  | { readonly kind: 'phone'; readonly link: string }
  | { readonly kind: 'interaction'; readonly uid: string };

/** What one browser session remembers beside who holds it. Small, and nothing in it decides a right. */
export interface Data {
  /** Sign-ins under way, by `state`; each is used once. */
  readonly attempts?: Readonly<Record<string, Attempt & { readonly purpose: Purpose }>>;
  /** The upstream identity of someone who still has to prove the second factor, or who enrols. */
  readonly pending?: {
    readonly iss: string;
    readonly sub: string;
    readonly acr: string;
    readonly amr: readonly string[];
    readonly at: number;
    readonly to: string;
    /** The one-time link of an enrolment, sealed. */
    readonly link?: string;
    readonly staffId?: StaffId;
    /** The id_token, sealed for that member of staff. */
    readonly leaving?: string;
  };
  /**
   * How and when the holder signed in, or proved again that it is them (ms); `upstream` is when the federation answered for them (ms), `leaving` its
   * id_token, sealed for them, with which the federation is left at sign-out.
   */
  readonly signedIn?: {
    readonly acr: string;
    readonly amr: readonly string[];
    readonly at: number;
    readonly upstream?: number;
    readonly leaving?: string;
  };
  /** The person who has just signed in alone, for the one request of a service that asked. */
  readonly identified?: { readonly uid: string; readonly usagerId: UsagerId; readonly acr: string; readonly at: number };
  /** The one request of a service, on the plain path, at which the person has just turned back at her federation. */
  readonly declined?: string;
  /** The person who has just signed in to consent, until she has said what becomes of her other mandates. */
  readonly asked?: {
    readonly draft: DraftId;
    readonly aidantId: AidantId;
    readonly organisationId: OrganisationId;
    readonly usagerId: UsagerId;
    readonly acr: string;
    /** SHA-256 of the id_token, base64url. */
    readonly evidence: string;
    readonly at: number;
    /** The instant of the consent that this one takes the place of (ms). */
    readonly instead?: number;
    /** On her own telephone: the link, sealed. */
    readonly link?: string;
  };
  /** What came of the link that this browser, somebody's telephone, opened last; the link is sealed. */
  readonly answered?: { readonly link: string; readonly outcome: string };
  /** Logouts upstream under way after a consent: where to go on return, by state. */
  readonly returns?: Readonly<Record<string, string>>;
}

interface AnySession {
  readonly token: string;
  readonly hash: Buffer;
  readonly data: Data;
  readonly createdAt: Date;
  /** When it ends if nobody uses it: 15 minutes after it was last seen, and 8 hours after it began at the latest. */
  readonly endsAt: Date;
  /** True when those 8 hours come first: then no use of it puts the end off. */
  readonly last: boolean;
}

export type Session =
  | ({ readonly kind: 'anonymous' } & AnySession)
  | ({ readonly kind: 'staff'; readonly staffId: StaffId; readonly organisationId: OrganisationId | undefined } & AnySession)
  | ({ readonly kind: 'usager'; readonly usagerId: UsagerId } & AnySession);

export interface StoredSession {
  readonly kind: Session['kind'];
  readonly holderId: string | undefined;
  readonly organisationId: OrganisationId | undefined;
  readonly data: Data;
  readonly createdAt: Date;
  readonly seenAt: Date;
}

export interface WebSessionStore {
  find(tx: Transaction, hash: Buffer): Promise<StoredSession | undefined>;
  add(tx: Transaction, hash: Buffer, session: Omit<StoredSession, 'seenAt'>, now: Date): Promise<void>;
  save(tx: Transaction, hash: Buffer, data: Data): Promise<void>;
  touch(tx: Transaction, hash: Buffer, now: Date): Promise<void>;
  /** False when it had ended. */
  end(tx: Transaction, hash: Buffer, now: Date): Promise<boolean>;
  selectOrganisation(tx: Transaction, hash: Buffer, organisationId: OrganisationId): Promise<void>;
  purge(tx: Transaction, idleBefore: Date): Promise<number>;
}

/**
 * Says whether a fresh factor of ours makes a sign-in recent: at the higher level the federation itself asks its people anew each time
 * (docs/decisions/0011-fresh-factor.md).
 */
export const isOwnFactorEnough = ({ data }: Session): boolean => data.signedIn?.acr === 'eidas1';

const IDLE_MS = 15 * 60_000;
const ABSOLUTE_MS = 8 * 3_600_000;
/** A session is written at most this often for having been used: the idle limit is exact to this. */
const TOUCH_MS = 60_000;

export interface WebSessions {
  /** The session of a cookie, if it is alive: neither idle for 15 minutes nor older than 8 hours. */
  find(token: string | undefined): Promise<Session | undefined>;
  /** Makes a session without a holder. */
  start(data: Data): Promise<Session>;
  save(session: Session, data: Data): Promise<Session>;
  /** Counts as a use, now: the 15 minutes begin again. */
  stay(session: Session): Promise<Session>;
  /**
   * Ends the session and makes another, with another id, for its holder (claim S3). Nothing that was in the old one is in the new one. `together` writes
   * in that transaction, both being there. One that somebody else's request ended meanwhile fails with `session_ended`: nobody signed in goes on.
   */
  renew(session: Session, holder: Holder, data: Data, together?: (tx: Transaction, fresh: Session) => Promise<void>): Promise<Session>;
  end(session: Session, before?: (tx: Transaction) => Promise<void>): Promise<void>;
  selectOrganisation(tx: Transaction, session: Session, organisationId: OrganisationId): Promise<void>;
  /** A form token bound to this session (signed, never stored). */
  formToken(session: Session): string;
  isFormToken(session: Session, token: unknown): boolean;
  purge(): Promise<number>;
}

export type Holder =
  | { readonly kind: 'staff'; readonly staffId: StaffId; readonly organisationId: OrganisationId | undefined }
  | { readonly kind: 'usager'; readonly usagerId: UsagerId };

const endOf = ({ createdAt, seenAt }: Pick<StoredSession, 'createdAt' | 'seenAt'>): Pick<AnySession, 'endsAt' | 'last'> => {
  const [idle, absolute] = [seenAt.getTime() + IDLE_MS, createdAt.getTime() + ABSOLUTE_MS];
  return { endsAt: new Date(Math.min(idle, absolute)), last: absolute <= idle };
};

const build = (token: string, hash: Buffer, stored: StoredSession): Session => {
  const common = { token, hash, data: stored.data, createdAt: stored.createdAt, ...endOf(stored) };
  if (stored.kind === 'staff' && stored.holderId)
    return { kind: 'staff', ...common, staffId: stored.holderId as StaffId, organisationId: stored.organisationId };
  if (stored.kind === 'usager' && stored.holderId) return { kind: 'usager', ...common, usagerId: stored.holderId as UsagerId };
  return { kind: 'anonymous', ...common };
};

export const createWebSessions = (parts: { transactions: Transactions; store: WebSessionStore; clock: Clock; key: Buffer }): WebSessions => {
  const { transactions, store, clock } = parts;
  const formKey = hmacSha256(parts.key, 'relais/form-token/v1');
  const hashOf = (token: string): Buffer => sha256('relais/web-session/v1\n', token);
  const add = async (tx: Transaction, stored: Omit<StoredSession, 'createdAt' | 'seenAt'>): Promise<Session> => {
    const token = randomToken(32);
    const now = clock.now();
    // A member of staff who proves again that it is them, or changes structure, has no more hours for it: they count from the federation's answer.
    const createdAt = new Date(stored.data.signedIn?.upstream ?? now);
    await store.add(tx, hashOf(token), { ...stored, createdAt }, now);
    return build(token, hashOf(token), { ...stored, createdAt, seenAt: now });
  };
  const formTokens = new WeakMap<Session, string>(); // a page has several forms
  const formToken = (session: Session): string => {
    const token = formTokens.get(session) ?? hmacSha256(formKey, session.token).toString('base64url');
    formTokens.set(session, token);
    return token;
  };
  return {
    async find(token) {
      if (!token || !/^[A-Za-z0-9_-]{43}$/.test(token)) return undefined;
      const hash = hashOf(token);
      const stored = await store.find(transactions.auto, hash);
      if (!stored) return undefined;
      const now = clock.now();
      if (now > endOf(stored).endsAt) return undefined;
      if (now.getTime() - stored.seenAt.getTime() <= TOUCH_MS) return build(token, hash, stored);
      await store.touch(transactions.auto, hash, now);
      return build(token, hash, { ...stored, seenAt: now });
    },
    start: (data) => add(transactions.auto, { kind: 'anonymous', holderId: undefined, organisationId: undefined, data }),
    async save(session, data) {
      await store.save(transactions.auto, session.hash, data);
      return { ...session, data };
    },
    async stay(session) {
      const now = clock.now();
      await store.touch(transactions.auto, session.hash, now);
      return { ...session, ...endOf({ createdAt: session.createdAt, seenAt: now }) };
    },
    async renew(session, holder, data, together) {
      return transactions.run(async (tx) => {
        if (!(await store.end(tx, session.hash, clock.now())) && session.kind === 'staff') throw new Failure('session_ended');
        const fresh = await add(tx, {
          kind: holder.kind,
          holderId: holder.kind === 'staff' ? holder.staffId : holder.usagerId,
          organisationId: holder.kind === 'staff' ? holder.organisationId : undefined,
          data,
        });
        await together?.(tx, fresh);
        return fresh;
      });
    },
    async end(session, before) {
      await transactions.run(async (tx) => {
        await before?.(tx);
        await store.end(tx, session.hash, clock.now());
      });
    },
    selectOrganisation: (tx, session, organisationId) => store.selectOrganisation(tx, session.hash, organisationId),
    formToken,
    isFormToken: (session, token) => typeof token === 'string' && equal(token, formToken(session)),
    purge: () => store.purge(transactions.auto, new Date(clock.now().getTime() - ABSOLUTE_MS)),
  };
};

/** The aidant of a staff session for the organisation that is selected; undefined for other staff. */
export const aidantOf = (session: Session): { aidantId: AidantId; organisationId: OrganisationId } | undefined =>
  session.kind === 'staff' && session.staffId.startsWith('aid_') && session.organisationId
    ? { aidantId: session.staffId as AidantId, organisationId: session.organisationId }
    : undefined;
