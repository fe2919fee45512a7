import { isDeepStrictEqual } from 'node:util';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { open, seal, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { newId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { type Delivery, REFUSED } from '../notices/deliveries.ts';
import { addressFault } from '../services/address.ts';
import { type StreamEvent, toldAmong } from './events.ts';
import type { Outgoing } from './outgoing.ts';
import type { SetFacts, SetIssuer } from './set.ts';

export type StreamStatus = 'enabled' | 'paused' | 'disabled';

/** One service's stream (SSF 1.0 §8.1.1). */
export interface Stream {
  readonly id: string;
  readonly serviceId: string;
  readonly method: 'push' | 'poll';
  readonly endpoint: string | undefined;
  /** What the receiver wants in the Authorization header of a push, sealed. */
  readonly authorizationBox: Buffer | undefined;
  readonly requested: readonly string[];
  readonly events: readonly StreamEvent[];
  readonly description: string | undefined;
  readonly status: StreamStatus;
  readonly statusReason: string | undefined;
}

/** What a receiver asks of its stream; a member that is absent stays as it is, or as it is at first. */
export interface Wish {
  readonly delivery?: { readonly method: 'push' | 'poll'; readonly endpoint?: string; readonly authorization?: string } | undefined;
  readonly requested?: readonly string[] | undefined;
  readonly description?: string | null | undefined;
}

export interface StreamStore {
  insert(tx: Transaction, stream: Stream, now: Date): Promise<boolean>;
  ofService(tx: Transaction, serviceId: string): Promise<Stream | undefined>;
  /** A service's own stream, held until the end of the transaction; another's is unknown. */
  hold(tx: Transaction, serviceId: string, id: string): Promise<Stream | undefined>;
  update(tx: Transaction, stream: Stream, now: Date): Promise<void>;
  /** Removes a stream; what waited for it is told to nobody. */
  remove(tx: Transaction, id: string, now: Date): Promise<void>;
  /** What waited for a stream is told to nobody. */
  drop(tx: Transaction, id: string, now: Date): Promise<void>;
  exclude(tx: Transaction, id: string, subject: Buffer, excluded: boolean): Promise<void>;
  /** Of these subjects, those of which the service wants to hear nothing. */
  excluded(tx: Transaction, id: string, subjects: readonly Buffer[]): Promise<Buffer[]>;
  /** False when ten wait already: whoever does not take them gets no more. The caller holds the stream. */
  queueVerification(tx: Transaction, id: string, deliveryId: string, box: Buffer, now: Date): Promise<boolean>;
  /** What SETs say, oldest first: those of these ids, or up to `limit` that wait for the stream. */
  facts(tx: Transaction, asked: { streamId: string; ids?: readonly string[]; limit: number }): Promise<Waiting[]>;
  /** Those of these streams that are told by poll, and for which something waits. */
  pending(tx: Transaction, ids: readonly string[]): Promise<string[]>;
  /** Those that are told by poll and were never acknowledged, given up after `before`; returns how many. */
  forget(tx: Transaction, before: Date, now: Date): Promise<number>;
}

export type Waiting = { readonly box: Buffer | undefined } & SetFacts;

export type StreamRefusal = {
  readonly refused: 'stream_unknown' | 'stream_exists' | 'stream_malformed' | 'too_many_requests';
  readonly detail?: string;
};

export interface Streams {
  create(serviceId: string, wish: Wish): Promise<Stream | StreamRefusal>;
  /** `whole`: what is not in the wish goes back to what it is at first (PUT). */
  change(serviceId: string, id: string, wish: Wish, whole: boolean): Promise<Stream | StreamRefusal>;
  setStatus(serviceId: string, id: string, status: StreamStatus, reason: string | undefined): Promise<Stream | StreamRefusal>;
  remove(serviceId: string, id: string): Promise<{ readonly removed: true } | StreamRefusal>;
  find(serviceId: string, id: string): Promise<Stream | StreamRefusal>;
  ofService(serviceId: string): Promise<Stream | undefined>;
  subject(serviceId: string, id: string, sub: string, excluded: boolean): Promise<{ readonly done: true } | StreamRefusal>;
  verify(serviceId: string, id: string, state: string | undefined): Promise<{ readonly queued: true } | StreamRefusal>;
  /** Signed SETs that wait for a poll stream that is enabled, by `jti`; and whether more wait. */
  waiting(
    stream: Stream,
    limit: number,
  ): Promise<{
    readonly sets: Readonly<Record<string, string>>;
    readonly more: boolean;
    /** Of subjects that the service removed. */
    readonly unwanted: readonly string[];
  }>;
  /** Those of these streams whose poll has something to say. */
  pending(ids: readonly string[]): Promise<string[]>;
  /** Posts one SET to its push endpoint (RFC 8935). */
  push(delivery: Delivery): Promise<void>;
  /** Gives up what no poll has fetched for seven days. */
  purge(): Promise<number>;
  readonly jwks: SetIssuer['jwks'];
  readonly refreshKeys: SetIssuer['refreshKeys'];
}

const KEPT_MS = 7 * 86_400_000;
/** Refusals of one SET (RFC 8935 §2.3): others may pass. */
const REFUSALS = new Set([400, 413, 422]);

export const createStreams = (parts: {
  readonly transactions: Transactions;
  readonly store: StreamStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly kek: Secret<Buffer>;
  readonly issuer: SetIssuer;
  readonly outgoing: Outgoing;
  readonly allowLoopback: boolean;
  readonly allEvents: readonly string[];
  readonly administrationOf: (tx: Transaction, serviceId: string) => Promise<string | undefined>;
}): Streams => {
  const { transactions, store, journal, clock, kek, issuer, outgoing } = parts;
  const unknown: StreamRefusal = { refused: 'stream_unknown' };

  const merge = (id: string, serviceId: string, before: Stream | undefined, wish: Wish): Stream => {
    const { delivery } = wish;
    const requested = wish.requested ?? before?.requested ?? parts.allEvents;
    return {
      id,
      serviceId,
      method: delivery?.method ?? before?.method ?? 'poll',
      endpoint: delivery ? delivery.endpoint : before?.endpoint,
      authorizationBox: delivery
        ? delivery.authorization === undefined
          ? undefined
          : seal(kek.reveal(), delivery.authorization, id)
        : before?.authorizationBox,
      requested,
      events: toldAmong(requested),
      description: wish.description === undefined ? before?.description : (wish.description ?? undefined),
      status: before?.status ?? 'enabled',
      statusReason: before?.statusReason,
    };
  };

  /** Where a push goes is looked at now as it is at each call (claim I3). Outside every transaction. */
  const fault = async ({ delivery }: Wish): Promise<StreamRefusal | undefined> => {
    if (delivery?.method !== 'push') return undefined;
    const wrong = addressFault(delivery.endpoint, parts.allowLoopback);
    if (wrong) return { refused: 'stream_malformed', detail: `endpoint_url: ${wrong}` };
    return (await outgoing.refuses(new URL(delivery.endpoint ?? '')))
      ? { refused: 'stream_malformed', detail: 'endpoint_url: address_host' }
      : undefined;
  };

  const say = async (tx: Transaction, stream: Stream, what: 'created' | 'updated' | 'status' | 'removed'): Promise<void> => {
    await journal.record(tx, {
      type: 'stream.changed',
      service: stream.serviceId,
      administration: await parts.administrationOf(tx, stream.serviceId),
      actor: stream.serviceId,
      detail: { what, method: stream.method, status: stream.status },
    });
  };

  /** Changes a stream that is held, with its entry. */
  const holding = async <T>(serviceId: string, id: string, work: (tx: Transaction, stream: Stream) => Promise<T>): Promise<T | StreamRefusal> => {
    const done = await transactions.run(async (tx) => {
      const stream = await store.hold(tx, serviceId, id);
      return stream ? work(tx, stream) : unknown;
    });
    journal.nudge();
    return done;
  };

  const factsOf = (found: Waiting): SetFacts => {
    if (found.event !== 'verification' || !found.box) return found;
    const { state } = JSON.parse(open(kek.reveal(), found.box, found.id).toString()) as { state?: string }; // sealed by `verify`
    return { ...found, state };
  };
  const subjectOf = (found: SetFacts): Buffer | undefined =>
    found.event === 'verification' ? undefined : sha256(issuer.subject(found.sector, found.usagerId));
  /** Says of what waits for a stream whether its service wants to hear of it. */
  const wants = async (streamId: string, found: readonly Waiting[]): Promise<(one: Waiting) => boolean> => {
    const subjects = found.flatMap((each) => subjectOf(each) ?? []);
    const excluded = subjects.length ? await store.excluded(transactions.auto, streamId, subjects) : [];
    return (one) => !excluded.some((each) => subjectOf(one)?.equals(each));
  };

  return {
    jwks: issuer.jwks,
    refreshKeys: issuer.refreshKeys,
    async create(serviceId, wish) {
      const wrong = await fault(wish);
      if (wrong) return wrong;
      const stream = merge(newId('str'), serviceId, undefined, wish);
      const made = await transactions.run(async (tx) => {
        if (!(await store.insert(tx, stream, clock.now()))) return false;
        await say(tx, stream, 'created');
        return true;
      });
      journal.nudge();
      return made ? stream : { refused: 'stream_exists' };
    },
    async change(serviceId, id, wish, whole) {
      const wrong = await fault(wish);
      if (wrong) return wrong;
      return holding(serviceId, id, async (tx, before) => {
        const { status, statusReason } = before;
        const stream = whole ? { ...merge(id, serviceId, undefined, wish), status, statusReason } : merge(id, serviceId, before, wish);
        if (isDeepStrictEqual(stream, before)) return stream;
        await store.update(tx, stream, clock.now());
        await say(tx, stream, 'updated');
        return stream;
      });
    },
    setStatus: (serviceId, id, status, statusReason) =>
      holding(serviceId, id, async (tx, before) => {
        const stream = { ...before, status, statusReason };
        await store.update(tx, stream, clock.now());
        if (status === 'disabled') await store.drop(tx, id, clock.now());
        if (status !== before.status) await say(tx, stream, 'status');
        return stream;
      }),
    remove: (serviceId, id) =>
      holding(serviceId, id, async (tx, stream) => {
        await store.remove(tx, id, clock.now());
        await say(tx, stream, 'removed');
        return { removed: true as const };
      }),
    async find(serviceId, id) {
      const found = await store.ofService(transactions.auto, serviceId);
      return found?.id === id ? found : unknown;
    },
    ofService: (serviceId) => store.ofService(transactions.auto, serviceId),
    subject: (serviceId, id, sub, excluded) =>
      holding(serviceId, id, async (tx) => {
        await store.exclude(tx, id, sha256(sub), excluded);
        return { done: true as const };
      }),
    verify: (serviceId, id, state) =>
      holding(serviceId, id, async (tx, stream) => {
        const deliveryId = newId('dlv');
        const box = seal(kek.reveal(), JSON.stringify(state === undefined ? {} : { state }), deliveryId);
        const kept = stream.status === 'disabled' || (await store.queueVerification(tx, id, deliveryId, box, clock.now()));
        return kept ? { queued: true as const } : { refused: 'too_many_requests' as const };
      }),
    async waiting(stream, limit) {
      if (stream.method !== 'poll' || stream.status !== 'enabled') return { sets: {}, more: false, unwanted: [] };
      const found = await store.facts(transactions.auto, { streamId: stream.id, limit: limit + 1 });
      const wanted = await wants(stream.id, found);
      const sets: Record<string, string> = {};
      for (const each of found.slice(0, limit)) if (wanted(each)) sets[each.id] = await issuer.sign(factsOf(each));
      return { sets, more: found.length > limit, unwanted: found.filter((each) => !wanted(each)).map(({ id }) => id) };
    },
    pending: (ids) => store.pending(transactions.auto, ids),
    async push(delivery) {
      const stream = delivery.stream && (await store.facts(transactions.auto, { streamId: delivery.stream.id, ids: [delivery.id], limit: 1 }))[0];
      if (!stream || !delivery.stream?.endpoint) throw new Failure('no_address');
      if (!(await wants(delivery.stream.id, [stream]))(stream)) throw new Failure('no_address');
      const { authorizationBox } = delivery.stream;
      const { status } = await outgoing.post(new URL(delivery.stream.endpoint), {
        headers: {
          'content-type': 'application/secevent+jwt',
          accept: 'application/json',
          ...(authorizationBox ? { authorization: open(kek.reveal(), authorizationBox, delivery.stream.id).toString() } : {}),
        },
        body: await issuer.sign(factsOf(stream)),
      });
      if ([200, 202, 204].includes(status)) return;
      throw REFUSALS.has(status) ? new Failure(REFUSED) : new Error('NotAcknowledged');
    },
    purge: () => store.forget(transactions.auto, new Date(clock.now().getTime() - KEPT_MS), clock.now()),
  };
};
