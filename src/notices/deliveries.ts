import type { SessionEnd } from '../delegation/session.ts';
import type { Parties } from '../journal/event.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { open, seal } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { newId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';

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
  readonly kind: 'logout' | 'mail' | 'sms';
  readonly target: string;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly bodyBox: Buffer | undefined;
  /** For a logout: the session that ended, and whose it was. */
  readonly session:
    | {
        readonly id: string;
        readonly reason: SessionEnd;
        readonly usagerId: string;
        readonly organisationId: string;
        readonly aidantId: string;
        readonly mandateId: string;
        readonly administrationId: string;
        readonly theme: string;
        readonly serviceName: string;
        readonly logoutUri: string;
      }
    | undefined;
}

export interface DeliveryStore {
  add(tx: Transaction, delivery: { id: string; kind: 'mail' | 'sms'; target: string; bodyBox: Buffer; now: Date }): Promise<void>;
  /** Takes up to `limit` that are due, leased to this worker; the first of a session before the next of it. */
  claim(tx: Transaction, now: Date, leaseMs: number, limit: number): Promise<Delivery[]>;
  /** Ends one; false when it had ended already (a slow worker whose lease was over). */
  done(tx: Transaction, id: string, now: Date): Promise<boolean>;
  failed(tx: Transaction, id: string, error: string, nextAt: Date | undefined, now: Date): Promise<void>;
}

/** How each kind leaves. It resolves when the other side has acknowledged, and rejects otherwise. */
export interface Transports {
  logout(target: { readonly serviceId: string; readonly uri: string; readonly sid: string }): Promise<void>;
  /** `id` is the same at each try: whoever takes messages can tell a second try from a second message. */
  message(kind: 'mail' | 'sms', message: Message, id: string): Promise<void>;
}

export interface Deliveries {
  /** Queues a message in the caller's transaction, and returns the delivery's id. It is sealed until it leaves. */
  queue(tx: Transaction, kind: 'mail' | 'sms', message: Message): Promise<string>;
  /** Delivers what is due now; returns how many were tried. */
  work(): Promise<number>;
}

const GIVE_UP_MS = 7 * 86_400_000;
const LEASE_MS = 15_000;
const TOO_LATE = 'too_late';
/** Reasons for which the usager reads when the service knew (Code civil, art. 2005). */
const MANDATE_ENDS: readonly SessionEnd[] = ['revoked', 'renounced', 'replaced', 'expired'];

/** Seconds before the next try: 1, 2, 4… up to an hour. */
export const backOff = (attempts: number): number => Math.min(3600, 2 ** Math.max(0, attempts - 1));

/** Queues messages, for a process that delivers none: the instances do. */
export const createOutbox = (parts: { store: DeliveryStore; journal: Journal; clock: Clock; kek: Secret<Buffer> }): Pick<Deliveries, 'queue'> => ({
  async queue(tx, kind, message) {
    const { store, journal, clock, kek } = parts;
    const id = newId('dlv');
    // The address is in the box with the rest: the row outlives the message (claim V1).
    await store.add(tx, { id, kind, target: kind, bodyBox: seal(kek.reveal(), JSON.stringify(message), id), now: clock.now() });
    const { template, ...parties } = message.about;
    await journal.record(tx, { type: 'message.sent', ...parties, detail: { channel: kind, template } });
    return id;
  },
});

export const createDeliveries = (parts: {
  transactions: Transactions;
  store: DeliveryStore;
  journal: Journal;
  clock: Clock;
  kek: Secret<Buffer>;
  transports: Transports;
}): Deliveries => {
  const { transactions, store, journal, clock, kek, transports } = parts;

  const messageOf = ({ bodyBox, id }: Delivery): Message => {
    if (!bodyBox) throw new Error('the message is gone');
    return JSON.parse(open(kek.reveal(), bodyBox, id).toString()) as Message; // sealed by `queue`, hence its shape
  };

  /** What the journal says of a message: one that was queued before messages said what they are about says nothing but its channel. */
  const told = (delivery: Delivery, channel: 'mail' | 'sms') => {
    const { template, ...parties } = (messageOf(delivery).about as About | undefined) ?? { template: 'other' };
    return { ...parties, detail: { channel, template, attempts: delivery.attempts } };
  };

  const send = async (delivery: Delivery): Promise<void> => {
    if (delivery.kind === 'logout') {
      if (!delivery.session) throw new Error('the session is gone');
      return transports.logout({ serviceId: delivery.target, uri: delivery.session.logoutUri, sid: delivery.session.id });
    }
    const message = messageOf(delivery);
    if (message.until && Date.parse(message.until) <= clock.now().getTime()) throw new Failure(TOO_LATE);
    return transports.message(delivery.kind, message, delivery.id);
  };

  const acknowledge = async (delivery: Delivery): Promise<void> => {
    const now = clock.now();
    await transactions.run(async (tx) => {
      if (!(await store.done(tx, delivery.id, now))) return;
      const { session, kind } = delivery;
      if (kind !== 'logout') await journal.record(tx, { type: 'message.delivered', ...told(delivery, kind) });
      if (session && MANDATE_ENDS.includes(session.reason))
        await journal.record(tx, {
          type: 'revocation.delivered',
          usager: session.usagerId,
          organisation: session.organisationId,
          aidant: session.aidantId,
          mandate: session.mandateId,
          session: session.id,
          service: delivery.target,
          administration: session.administrationId,
          theme: session.theme,
          detail: { acknowledgedAt: now.toISOString(), attempts: delivery.attempts, serviceName: session.serviceName },
        });
    });
    journal.nudge();
  };

  const one = async (delivery: Delivery): Promise<void> => {
    try {
      await send(delivery);
    } catch (error) {
      const now = clock.now();
      const over = now.getTime() - delivery.createdAt.getTime() > GIVE_UP_MS || (error instanceof Failure && error.code === TOO_LATE);
      const why = error instanceof Error ? error.name : 'error';
      const { kind } = delivery;
      await transactions.run(async (tx) => {
        await store.failed(tx, delivery.id, why, over ? undefined : new Date(now.getTime() + backOff(delivery.attempts) * 1000), now);
        if (over && kind !== 'logout' && delivery.bodyBox) await journal.record(tx, { type: 'message.failed', ...told(delivery, kind) });
      });
      return;
    }
    await acknowledge(delivery); // a fault here leaves the lease to run out: told twice rather than never (claim C6)
  };

  return {
    ...createOutbox(parts),
    async work() {
      const due = await store.claim(transactions.auto, clock.now(), LEASE_MS, 50);
      await Promise.all(due.map(one));
      return due.length;
    },
  };
};
