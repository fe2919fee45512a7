import { FRESH_MS, type FreshStore } from '../aidants/recovery.ts';
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal, hmacSha256, randomBelow } from '../kernel/crypto.ts';
import { type AidantId, newId, type OrganisationId, type UsagerId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { type Channel, type ChannelId, type Sharing, type Sms, type SmsPayer, type Weakness, weaknesses } from './channel.ts';
import { type PhoneRefusal, readPhone } from './phone.ts';

/** A number whose code has not come back yet. */
export interface Pending {
  readonly channel: Channel;
  readonly codeMac: Buffer;
  readonly codeExpiresAt: Date;
  readonly failures: number;
}

export interface ChannelStore {
  /** Holds every other change of this person's channels until the transaction ends. */
  lock(tx: Transaction, usagerId: UsagerId): Promise<void>;
  add(tx: Transaction, channel: Channel, code?: { mac: Buffer; expiresAt: Date }): Promise<void>;
  /** Live channels, the person's own proved one first, then the newest. */
  ofUsager(tx: Transaction, usagerId: UsagerId): Promise<Channel[]>;
  pending(tx: Transaction, usagerId: UsagerId): Promise<Pending | undefined>;
  /** Counts a wrong code; nothing when five were counted. */
  failed(tx: Transaction, id: ChannelId): Promise<void>;
  /** False when it was proved or ended already. */
  verify(tx: Transaction, id: ChannelId, now: Date): Promise<boolean>;
  end(tx: Transaction, id: ChannelId, now: Date): Promise<void>;
  /** Who has a phone number: people who proved it, people for whom an aidant entered it, and whether it belongs to a structure or its staff. */
  holders(tx: Transaction, address: string): Promise<{ own: UsagerId[]; entered: UsagerId[]; professional: boolean }>;
  sharing(tx: Transaction, channel: Channel, organisationId: OrganisationId): Promise<Sharing>;
  /** Whether this person has, or had less than a year ago, a mandate with this organisation. */
  isOfOrganisation(tx: Transaction, usagerId: UsagerId, organisationId: OrganisationId, now: Date): Promise<boolean>;
}

/** Queues an SMS in the caller's transaction, within the caps; refused, nothing is written. */
export type QueueSms = (tx: Transaction, sms: Sms, payer: SmsPayer) => Promise<{ queued: string } | { refused: 'sms_capped' }>;

/** What is written to people about their own channels. */
export interface ChannelTexts {
  code(code: string): string;
  /** To the old number: an aidant entered another one. */
  otherNumber(): string;
  /** To the old number: the person herself chose another one. */
  replaced(): string;
}

export type AddRefusal = PhoneRefusal | 'sms_capped';
export type ConfirmRefusal = 'wrong_code' | 'code_expired' | 'too_many_codes';

export interface Channels {
  ofUsager(usagerId: UsagerId): Promise<Channel[]>;
  pending(usagerId: UsagerId): Promise<Channel | undefined>;
  /** The person enters her own number: a code is sent to it, and nothing counts before it came back. */
  addOwn(usagerId: UsagerId, phone: string): Promise<{ channel: Channel } | { refused: AddRefusal }>;
  confirm(usagerId: UsagerId, code: string): Promise<{ channel: Channel } | { refused: ConfirmRefusal }>;
  /**
   * An aidant notes a number for a person of the organisation, within five minutes of a factor in this browser session (claim S9). It stays weak, and
   * the number that the person proved is told.
   */
  enterFor(
    who: { aidantId: AidantId; organisationId: OrganisationId; webSession: Buffer },
    usagerId: UsagerId,
    phone: string,
  ): Promise<{ channel: Channel } | { refused: AddRefusal | 'factor_not_fresh' | 'not_found' }>;
}

const CODE_MINUTES = 10;
const MOST_FAILURES = 5;

/** The phone through which a person may be asked, as one organisation may use it: her own first; with its weaknesses. */
export const phoneFor = async (
  store: ChannelStore,
  tx: Transaction,
  usagerId: UsagerId,
  organisationId: OrganisationId,
  now: Date,
): Promise<{ channel: Channel; weak: Weakness[] } | undefined> => {
  const [channel] = (await store.ofUsager(tx, usagerId)).filter((each) => each.kind === 'phone');
  return channel && { channel, weak: weaknesses(channel, await store.sharing(tx, channel, organisationId), now) };
};

export const createChannels = (parts: {
  transactions: Transactions;
  store: ChannelStore;
  fresh: Pick<FreshStore, 'isFresh'>;
  journal: Journal;
  clock: Clock;
  kek: Secret<Buffer>;
  queueSms: QueueSms;
  texts: ChannelTexts;
}): Channels => {
  const { transactions, store, journal, clock, kek, queueSms, texts } = parts;
  const macOf = (id: ChannelId, code: string): Buffer => hmacSha256(kek.reveal(), 'relais/phone-code/v1\n', id, code);

  const ownPhone = async (tx: Transaction, usagerId: UsagerId): Promise<Channel | undefined> =>
    (await store.ofUsager(tx, usagerId)).find((each) => each.kind === 'phone' && each.addedBy === 'usager' && each.verifiedAt);

  const newPhone = (usagerId: UsagerId, address: string, addedBy: string, organisationId?: OrganisationId): Channel => ({
    id: newId('chn'),
    usagerId,
    kind: 'phone',
    address,
    addedBy,
    organisationId,
    addedAt: clock.now(),
    verifiedAt: undefined,
  });

  return {
    ofUsager: (usagerId) => store.ofUsager(transactions.auto, usagerId),
    pending: async (usagerId) => {
      const found = await store.pending(transactions.auto, usagerId);
      return found && found.codeExpiresAt > clock.now() ? found.channel : undefined;
    },
    async addOwn(usagerId, phone) {
      const read = readPhone(phone);
      if ('refused' in read) return read;
      return transactions.run(async (tx) => {
        await store.lock(tx, usagerId);
        const channel = newPhone(usagerId, read.phone, 'usager');
        const code = String(randomBelow(1_000_000)).padStart(6, '0');
        const expiresAt = new Date(clock.now().getTime() + CODE_MINUTES * 60_000);
        const sent = await queueSms(tx, { to: channel.address, text: texts.code(code), until: expiresAt, template: 'phone_code' }, { usagerId });
        if ('refused' in sent) return sent;
        const before = await store.pending(tx, usagerId);
        if (before) await store.end(tx, before.channel.id, clock.now());
        await store.add(tx, channel, { mac: macOf(channel.id, code), expiresAt });
        return { channel };
      });
    },
    async confirm(usagerId, code) {
      const done = await transactions.run(async (tx): Promise<{ channel: Channel } | { refused: ConfirmRefusal }> => {
        await store.lock(tx, usagerId);
        const now = clock.now();
        const pending = await store.pending(tx, usagerId);
        if (!pending || pending.codeExpiresAt <= now) return { refused: 'code_expired' };
        if (pending.failures >= MOST_FAILURES) return { refused: 'too_many_codes' };
        const { channel } = pending;
        if (!equal(macOf(channel.id, code.replace(/\s/g, '').slice(0, 12)), pending.codeMac)) {
          await store.failed(tx, channel.id);
          return { refused: 'wrong_code' };
        }
        const old = await ownPhone(tx, usagerId);
        if (old) await store.end(tx, old.id, now);
        if (!(await store.verify(tx, channel.id, now))) return { refused: 'code_expired' };
        if (old && old.address !== channel.address)
          await queueSms(tx, { to: old.address, text: texts.replaced(), template: 'phone_replaced' }, { usagerId });
        await journal.record(tx, { type: 'channel.added', usager: usagerId, detail: { kind: 'phone', by: 'usager' } });
        return { channel: { ...channel, verifiedAt: now } };
      });
      journal.nudge();
      return done;
    },
    async enterFor(who, usagerId, phone) {
      const read = readPhone(phone);
      if ('refused' in read) return read;
      const done = await transactions.run(async (tx): ReturnType<Channels['enterFor']> => {
        await store.lock(tx, usagerId);
        const since = new Date(clock.now().getTime() - FRESH_MS);
        if (!(await parts.fresh.isFresh(tx, who.webSession, who.aidantId, since))) return { refused: 'factor_not_fresh' };
        if (!(await store.isOfOrganisation(tx, usagerId, who.organisationId, clock.now()))) return { refused: 'not_found' };
        const live = (await store.ofUsager(tx, usagerId)).filter((each) => each.kind === 'phone');
        const mine = live.filter((each) => each.organisationId === who.organisationId);
        const same = mine.find((each) => each.address === read.phone);
        if (same) return { channel: same };
        const told = live.find((each) => each.verifiedAt) ?? live[0];
        if (told && told.address !== read.phone) {
          const sent = await queueSms(
            tx,
            { to: told.address, text: texts.otherNumber(), template: 'other_number' },
            { usagerId, aidantId: who.aidantId, organisationId: who.organisationId },
          );
          if ('refused' in sent) return sent;
        }
        for (const each of mine) await store.end(tx, each.id, clock.now());
        const channel = newPhone(usagerId, read.phone, who.aidantId, who.organisationId);
        await store.add(tx, channel);
        await journal.record(tx, {
          type: 'channel.added',
          usager: usagerId,
          aidant: who.aidantId,
          organisation: who.organisationId,
          detail: { kind: 'phone', by: 'aidant' },
        });
        return { channel };
      });
      journal.nudge();
      return done;
    },
  };
};
