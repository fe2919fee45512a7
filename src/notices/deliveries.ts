import type { SessionEnd } from '../delegation/session.ts';
import type { Parties } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { open, seal } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { newId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { createPool } from './pool.ts';

/** What a message is about, for the journal: never its words, nor where it goes. */
export interface About extends Pick<Parties, 'usager' | 'aidant' | 'organisation' | 'mandate' | 'actor'> {
  readonly template: string;
}

/** A message to a person. */
export interface Message {
  readonly about: About;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** SMS: what follows the first text, once the gateway has taken it. */
  readonly next?: string;
  /** SMS: what the answer must bring back. */
  readonly reference?: string;
  /** ISO 8601. After it, the message is forgotten rather than told. */
  readonly until?: string;
}

/** Something that waits to be told, with what the worker needs to tell it. */
export interface Delivery {
  readonly id: string;
  readonly kind: 'logout' | 'mail' | 'sms' | 'set';
  readonly target: string;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly bodyBox: Buffer | undefined;
  /** For a logout: where the service wants it now; undefined when it no longer says. */
  readonly logoutUri: string | undefined;
  /** For a SET: its stream, and where it is pushed. */
  readonly stream: { readonly id: string; readonly endpoint: string | undefined; readonly authorizationBox: Buffer | undefined } | undefined;
  /** For a logout or a SET: why, and the delegated session that it is about. Undefined for a person's own session. */
  readonly session:
    | {
        readonly id: string;
        readonly reason: SessionEnd;
        /** Nothing else tells the service of this end: whatever does was queued in the same transaction. */
        readonly alone: boolean;
        readonly usagerId: string;
        readonly organisationId: string;
        readonly aidantId: string;
        readonly mandateId: string;
        readonly administrationId: string;
        readonly theme: string;
        readonly serviceId: string;
        readonly serviceName: string;
      }
    | undefined;
}

/** A logout, as far as its token names it. */
type Untaken = Pick<Delivery, 'id' | 'bodyBox'> & { readonly session: { readonly id: string } | undefined };

/**
 * Which deliveries a pool of workers takes: messages to people; what is told to endpoints that answer, so far as is known; what is told to those that
 * did not. The last have workers of their own: they delay nobody else.
 */
export type Lane = 'messages' | 'first' | 'again';

export interface Endpoint {
  readonly target: string;
  /** Since when something waits there. */
  readonly since: Date;
  readonly waiting: number;
}

export interface DeliveryStore {
  add(
    tx: Transaction,
    delivery: { id: string; kind: Delivery['kind']; target: string; bodyBox: Buffer; reason?: SessionEnd; now: Date },
  ): Promise<void>;
  /**
   * Takes up to `limit` that are due, leased to this worker: the oldest of an endpoint first, at most `each` at a time for one endpoint among all
   * instances, and nothing of a session while something earlier of it waits.
   */
  claim(tx: Transaction, asked: { lane: Lane; now: Date; leaseMs: number; limit: number; each: number }): Promise<Delivery[]>;
  /**
   * Ends one, and wakes what waited for its endpoint to answer; undefined when it had ended already (a slow worker whose lease was over). `first`: nothing
   * had told the service of that session's end, for that reason, before.
   */
  done(tx: Transaction, delivery: Pick<Delivery, 'id' | 'target' | 'session'>, now: Date): Promise<{ readonly first: boolean } | undefined>;
  /** Those of a target, among these, that wait; held until the end of the transaction. */
  waitingAt(tx: Transaction, kind: 'logout' | 'set', target: string, ids: readonly string[]): Promise<Delivery[]>;
  /** Logouts that the service's own address did not take, and that are not being tried now; oldest first. */
  untaken(tx: Transaction, serviceId: string, now: Date, limit: number): Promise<Untaken[]>;
  /** `nextAt` undefined: given up. `silent`: the endpoint itself did not answer, so that all it is still to be told waits as long. */
  failed(
    tx: Transaction,
    delivery: Pick<Delivery, 'id' | 'target'>,
    failure: { error: string; nextAt: Date | undefined; silent: boolean; now: Date },
  ): Promise<void>;
  /** Endpoints that something was tried at `attempts` times or more, in vain. */
  deaf(tx: Transaction, attempts: number): Promise<Endpoint[]>;
}

/** How each kind leaves. It resolves when the other side has acknowledged, and rejects otherwise. */
export interface Transports {
  /** `id` becomes the token's `jti`: a receiver can tell a second try from a second logout (claim C6). `sub` is for a person's own session alone. */
  logout(target: {
    readonly id: string;
    readonly serviceId: string;
    readonly uri: string;
    readonly sid: string;
    readonly sub?: string;
  }): Promise<void>;
  /** Posts a Security Event Token (RFC 8935). */
  set(delivery: Delivery): Promise<void>;
  /** `id` is the same at each try: whoever takes messages can tell a second try from a second message. */
  message(kind: 'mail' | 'sms', message: Message, id: string): Promise<void>;
}

export interface Deliveries {
  /** Queues a message in the caller's transaction, and returns the delivery's id. It is sealed until it leaves. */
  queue(tx: Transaction, kind: 'mail' | 'sms', message: Message): Promise<string>;
  /** Queues the logout of a person's own session at a service (OIDC Back-Channel Logout 1.0), by what its token will name. */
  queueLogout(tx: Transaction, serviceId: string, session: { readonly sub: string; readonly sid: string }): Promise<void>;
  /**
   * What a receiver that polls says of what it fetched: taken, or refused for good. Ids that are not of this stream (or service, for logouts), or no longer
   * wait, change nothing.
   */
  answered(kind: 'logout' | 'set', target: string, taken: readonly string[], refused: readonly string[]): Promise<void>;
  /** Logouts that a service's own address did not take, by what their token will name. */
  untaken(serviceId: string, limit: number): Promise<{ readonly id: string; readonly sid: string; readonly sub?: string }[]>;
  /** Begins to deliver what is due now, as far as there are workers, and waits for none; returns how many were begun. */
  begin(): Promise<number>;
  /** Delivers what is due now, and waits; returns how many were tried. */
  work(): Promise<number>;
  /** Begins nothing more, and waits for what was begun. */
  stop(): Promise<void>;
  /** Endpoints that have been silent for minutes while something waits to be told there. */
  deaf(): Promise<Endpoint[]>;
}

const GIVE_UP_MS = 7 * 86_400_000;
const LEASE_MS = 15_000;
const TOO_LATE = 'too_late';
/** The service answered, and refused this one: others may pass. */
export const REFUSED = 'delivery_refused';
const NO_ADDRESS = 'no_address';
/** About two minutes of back-off. */
export const DEAF_ATTEMPTS = 8;
/** Workers, and how many of them one endpoint may hold. */
const LANES: Readonly<Record<Lane, { readonly workers: number; readonly each: number }>> = {
  messages: { workers: 8, each: 8 },
  first: { workers: 64, each: 2 },
  again: { workers: 16, each: 1 },
};
/** Reasons for which the usager reads when the service knew (Code civil, art. 2005). */
const MANDATE_ENDS: readonly SessionEnd[] = ['revoked', 'renounced', 'replaced', 'expired'];

/** Seconds before the next try: 1, 2, 4… up to an hour. */
export const backOff = (attempts: number): number => Math.min(3600, 2 ** Math.max(0, attempts - 1));

/** Queues messages, for a process that delivers none: the instances do. */
export const createOutbox = (parts: {
  store: DeliveryStore;
  journal: Journal;
  clock: Clock;
  kek: Secret<Buffer>;
}): Pick<Deliveries, 'queue' | 'queueLogout'> => {
  const { store, journal, clock, kek } = parts;
  // The address is in the box with the rest: the row outlives the message (claim V1).
  const boxed = (id: string, content: object): Buffer => seal(kek.reveal(), JSON.stringify(content), id);
  return {
    async queue(tx, kind, message) {
      const id = newId('dlv');
      await store.add(tx, { id, kind, target: kind, bodyBox: boxed(id, message), now: clock.now() });
      const { template, ...parties } = message.about;
      await journal.record(tx, { type: 'message.sent', ...parties, detail: { channel: kind, template } });
      return id;
    },
    async queueLogout(tx, serviceId, session) {
      const id = newId('dlv');
      await store.add(tx, { id, kind: 'logout', target: serviceId, bodyBox: boxed(id, session), reason: 'signed_out', now: clock.now() });
    },
  };
};

export const createDeliveries = (parts: {
  transactions: Transactions;
  store: DeliveryStore;
  journal: Journal;
  clock: Clock;
  kek: Secret<Buffer>;
  transports: Transports;
}): Deliveries => {
  const { transactions, store, journal, clock, kek, transports } = parts;

  const contentOf = ({ bodyBox, id }: Pick<Delivery, 'id' | 'bodyBox'>): unknown => {
    if (!bodyBox) throw new Error('the message is gone');
    return JSON.parse(open(kek.reveal(), bodyBox, id).toString());
  };
  const messageOf = (delivery: Delivery): Message => contentOf(delivery) as Message; // sealed by `queue`, hence its shape

  /** What the journal says of a message: one that was queued before messages said what they are about says nothing but its channel. */
  const told = (delivery: Delivery, channel: 'mail' | 'sms') => {
    const { template, ...parties } = (messageOf(delivery).about as About | undefined) ?? { template: 'other' };
    return { ...parties, detail: { channel, template, attempts: delivery.attempts } };
  };

  const namedIn = (delivery: Untaken): { sid: string; sub?: string } =>
    delivery.session ? { sid: delivery.session.id } : (contentOf(delivery) as { sub: string; sid: string }); // sealed by `queueLogout`

  const send = async (delivery: Delivery): Promise<void> => {
    const { id, kind, target: serviceId, logoutUri: uri } = delivery;
    if (kind === 'logout') {
      if (uri === undefined) throw new Failure(NO_ADDRESS);
      return transports.logout({ id, serviceId, uri, ...namedIn(delivery) });
    }
    if (kind === 'set') return transports.set(delivery);
    const message = messageOf(delivery);
    if (message.until && Date.parse(message.until) <= clock.now().getTime()) throw new Failure(TOO_LATE);
    return transports.message(kind, message, id);
  };

  const acknowledgeIn = async (tx: Transaction, delivery: Delivery, now: Date): Promise<void> => {
    const ended = await store.done(tx, delivery, now);
    if (!ended) return;
    const { session, kind } = delivery;
    if (kind === 'mail' || kind === 'sms') await journal.record(tx, { type: 'message.delivered', ...told(delivery, kind) });
    if (session && ended.first && MANDATE_ENDS.includes(session.reason))
      await journal.record(tx, {
        type: 'revocation.delivered',
        usager: session.usagerId,
        organisation: session.organisationId,
        aidant: session.aidantId,
        mandate: session.mandateId,
        session: session.id,
        service: session.serviceId,
        administration: session.administrationId,
        theme: session.theme,
        detail: { acknowledgedAt: now.toISOString(), attempts: delivery.attempts, serviceName: session.serviceName },
      });
  };
  const acknowledge = async (delivery: Delivery): Promise<void> => {
    await transactions.run((tx) => acknowledgeIn(tx, delivery, clock.now()));
    journal.nudge();
  };

  const notSent = async (delivery: Delivery, error: unknown): Promise<void> => {
    const now = clock.now();
    const code = error instanceof Failure ? error.code : undefined;
    const over = now.getTime() - delivery.createdAt.getTime() > GIVE_UP_MS || code === TOO_LATE || code === NO_ADDRESS;
    const why = code ?? (error instanceof Error ? error.name : 'error');
    const { kind } = delivery;
    await transactions.run(async (tx) => {
      const nextAt = over ? undefined : new Date(now.getTime() + backOff(delivery.attempts) * 1000);
      await store.failed(tx, delivery, {
        error: why,
        nextAt,
        silent: (kind === 'logout' || kind === 'set') && code !== REFUSED && code !== NO_ADDRESS,
        now,
      });
      if (over && (kind === 'mail' || kind === 'sms') && delivery.bodyBox)
        await journal.record(tx, { type: 'message.failed', ...told(delivery, kind) });
    });
  };

  const one = async (delivery: Delivery): Promise<void> => {
    try {
      await send(delivery);
    } catch (error) {
      return notSent(delivery, error);
    }
    await acknowledge(delivery); // a fault here leaves the lease to run out: told twice rather than never (claim C6)
  };

  const pools = (Object.keys(LANES) as Lane[]).map((lane) =>
    createPool({
      workers: LANES[lane].workers,
      take: (limit) => store.claim(transactions.auto, { lane, now: clock.now(), leaseMs: LEASE_MS, limit, each: LANES[lane].each }),
      one,
    }),
  );
  const begin = async (): Promise<number> => (await Promise.all(pools.map((pool) => pool.begin()))).reduce((sum, n) => sum + n, 0);

  return {
    ...createOutbox(parts),
    untaken: async (serviceId, limit) =>
      (await store.untaken(transactions.auto, serviceId, clock.now(), limit)).map((delivery) => ({ id: delivery.id, ...namedIn(delivery) })),
    async answered(kind, target, taken, refused) {
      const now = clock.now();
      await transactions.run(async (tx) => {
        for (const delivery of await store.waitingAt(tx, kind, target, [...taken, ...refused]))
          if (refused.includes(delivery.id)) await store.failed(tx, delivery, { error: REFUSED, nextAt: undefined, silent: false, now });
          else await acknowledgeIn(tx, delivery, now);
      });
      journal.nudge();
    },
    begin,
    async work() {
      let tried = 0;
      for (let n = await begin(); n > 0; n = await begin()) {
        tried += n;
        await Promise.all(pools.map((pool) => pool.idle()));
      }
      return tried;
    },
    async stop() {
      await Promise.all(pools.map((pool) => pool.stop()));
    },
    deaf: () => store.deaf(transactions.auto, DEAF_ATTEMPTS),
  };
};
