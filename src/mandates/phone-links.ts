import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { type DraftId, newId, type UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { firstName } from '../usagers/usager.ts';
import type { Consent, Draft, Mandate } from './mandate.ts';
import type { ConsentRefusal, DraftRefusal, MandateStore, Mandates, OthersAnswer } from './mandates.ts';
import { endOfLink, isLive, type PhoneLink, type PhoneLinkId, readSecret, secretHash, secretOf } from './phone-link.ts';
import { type Actor, checkDraft } from './policy.ts';

type Who = Pick<PhoneLink, 'aidantId' | 'organisationId'>;

export interface PhoneLinkStore {
  add(tx: Transaction, link: Pick<PhoneLink, 'id' | 'draftId' | 'createdAt' | 'expiresAt'>, hash: Buffer): Promise<void>;
  /** The newest link of a draft. */
  ofDraft(tx: Transaction, id: DraftId): Promise<PhoneLink | undefined>;
  byHash(tx: Transaction, hash: Buffer): Promise<PhoneLink | undefined>;
  /** Notes that somebody left for FranceConnect, on a link that is open; what came of an earlier attempt is forgotten. */
  start(tx: Transaction, id: PhoneLinkId, at: Date): Promise<void>;
  /** Notes why an attempt was no consent, on a link that is open. */
  fail(tx: Transaction, id: PhoneLinkId, refusal: string): Promise<void>;
  /** Ends a link that is open; false when it was not. */
  close(tx: Transaction, id: PhoneLinkId, state: 'yes' | 'no' | 'replaced', at: Date): Promise<boolean>;
  /** Lets the draft live as long as its link. */
  extendDraft(tx: Transaction, id: DraftId, until: Date): Promise<void>;
}

/** One refusal for a link that never was, is too old, was used or was replaced: whoever guesses learns nothing. */
type Over = { refused: 'phone_link_over' };
export type PhoneRefusal = Over['refused'] | ConsentRefusal;

/** A link as the aidant's page shows it. */
export interface ShownLink {
  readonly link: PhoneLink;
  readonly secret: string;
}

export interface PhoneLinks {
  /** Makes the link of a draft; an older one ends. */
  make(who: Who, draftId: DraftId): Promise<ShownLink | { refused: DraftRefusal | 'draft_expired' | 'already_agreed' }>;
  /** The newest link of a draft, to whoever made the draft. */
  find(who: Who, draftId: DraftId): Promise<ShownLink | undefined>;
  /** What the person is asked. Changes nothing. */
  read(secret: string): Promise<{ link: PhoneLink; draft: Draft; actor: Actor } | Over>;
  /** What became of a link, to the browser that answered it. Changes nothing. */
  outcome(secret: string): Promise<{ link: PhoneLink; actor: Actor; mandate: Mandate | undefined } | Over>;
  /** Somebody leaves for FranceConnect. */
  start(secret: string): Promise<{ link: PhoneLink } | Over>;
  /**
   * Records the will of the person who signed in on her own telephone. The first one counts. `overlap_unanswered` asks `others` of her, as `consent`
   * does, and leaves the link as it was.
   */
  agree(secret: string, usagerId: UsagerId, consent: Consent, others?: OthersAnswer): Promise<{ draft: Draft } | { refused: PhoneRefusal }>;
  /** Somebody says no: the link ends. */
  decline(secret: string): Promise<{ declined: true } | Over>;
  /** Tells the aidant's page that a sign-in came to nothing. */
  fail(secret: string, refusal: string): Promise<void>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: PhoneLinkStore;
  readonly mandateStore: Pick<MandateStore, 'actor' | 'draft' | 'byDraft'>;
  readonly mandates: Pick<Mandates, 'consentIn'>;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly key: Buffer;
}

const OVER: Over = { refused: 'phone_link_over' };
const isOf = (thing: Who | undefined, who: Who): boolean => thing?.aidantId === who.aidantId && thing.organisationId === who.organisationId;

export const createPhoneLinks = (parts: Parts): PhoneLinks => ({ ...createMaking(parts), ...createAnswering(parts) });

const createMaking = ({ transactions, store, mandateStore, journal, clock, key }: Parts): Pick<PhoneLinks, 'make' | 'find'> => ({
  async make(who, draftId) {
    const attempt = async (tx: Transaction): ReturnType<PhoneLinks['make']> => {
      const draft = await mandateStore.draft(tx, draftId, true);
      const actor = isOf(draft, who) ? await mandateStore.actor(tx, who.aidantId, who.organisationId) : undefined;
      if (!draft || !actor) return { refused: 'not_found' };
      const now = clock.now();
      if (draft.closedAt || draft.expiresAt <= now) return { refused: 'draft_expired' };
      if (draft.consent) return { refused: 'already_agreed' };
      const refused = checkDraft(actor, draft.themes);
      if (refused) return { refused };
      const older = await store.ofDraft(tx, draftId);
      if (older?.state === 'open') await store.close(tx, older.id, 'replaced', now);
      const id = newId('lnk');
      const secret = secretOf(key, id);
      const until = endOfLink(now);
      await store.add(tx, { id, draftId, createdAt: now, expiresAt: until }, secretHash(secret));
      await store.extendDraft(tx, draftId, until);
      await journal.record(tx, {
        type: 'consent.asked',
        aidant: who.aidantId,
        organisation: who.organisationId,
        detail: {
          method: 'franceconnect',
          themes: draft.themes,
          days: draft.days,
          aidantName: firstName(actor.givenName),
          organisationName: actor.organisationName,
        },
      });
      const link = await store.ofDraft(tx, draftId);
      return link ? { link, secret } : { refused: 'not_found' };
    };
    const made = await transactions.run(async (tx) => {
      const done = await attempt(tx);
      const { aidantId: aidant, organisationId: organisation } = who;
      if ('refused' in done)
        await journal.record(tx, { type: 'mandate.refused', aidant, organisation, outcome: 'refused', detail: { reason: done.refused } });
      return done;
    });
    journal.nudge();
    return made;
  },
  async find(who, draftId) {
    const link = await store.ofDraft(transactions.auto, draftId);
    return link && isOf(link, who) ? { link, secret: secretOf(key, link.id) } : undefined;
  },
});

const createAnswering = (parts: Parts): Omit<PhoneLinks, 'make' | 'find'> => {
  const { transactions, store, mandateStore, mandates, journal, clock } = parts;

  const linkOf = async (tx: Transaction, secret: string): Promise<PhoneLink | undefined> => {
    const read = readSecret(secret);
    return read === undefined ? undefined : store.byHash(tx, secretHash(read));
  };
  /**
   * Reads the link again once its draft is held: whatever changes either of them holds the draft first. One that is dead stays so and needs no hold:
   * it costs what an unknown one costs (claim S11).
   */
  const hold = async (tx: Transaction, secret: string): Promise<{ link: PhoneLink; live: boolean } | undefined> => {
    const found = await linkOf(tx, secret);
    if (!found || !isLive(found, clock.now())) return found && { link: found, live: false };
    await mandateStore.draft(tx, found.draftId, true);
    const link = await linkOf(tx, secret);
    return link && { link, live: isLive(link, clock.now()) };
  };
  const refuse = async (tx: Transaction, link: PhoneLink, usager: UsagerId, reason: PhoneRefusal): Promise<{ refused: PhoneRefusal }> => {
    const { aidantId: aidant, organisationId: organisation } = link;
    await journal.record(tx, { type: 'mandate.refused', usager, aidant, organisation, outcome: 'refused', detail: { reason } });
    return { refused: reason };
  };

  return {
    async read(secret) {
      const link = await linkOf(transactions.auto, secret);
      if (!link || !isLive(link, clock.now())) return OVER;
      const draft = await mandateStore.draft(transactions.auto, link.draftId, false);
      const actor = await mandateStore.actor(transactions.auto, link.aidantId, link.organisationId);
      return draft && actor ? { link, draft, actor } : OVER;
    },
    async outcome(secret) {
      const link = await linkOf(transactions.auto, secret);
      const actor = link && (await mandateStore.actor(transactions.auto, link.aidantId, link.organisationId));
      if (!link || !actor) return OVER;
      return { link, actor, mandate: link.state === 'yes' ? await mandateStore.byDraft(transactions.auto, link.draftId) : undefined };
    },
    start: (secret) =>
      transactions.run(async (tx) => {
        const held = await hold(tx, secret);
        if (!held?.live) return OVER;
        await store.start(tx, held.link.id, clock.now());
        return { link: held.link };
      }),
    async agree(secret, usagerId, consent, others) {
      const done = await transactions.run(async (tx): Promise<{ draft: Draft } | { refused: PhoneRefusal }> => {
        const held = await hold(tx, secret);
        if (!held) return OVER;
        const { link } = held;
        if (!held.live) return refuse(tx, link, usagerId, 'phone_link_over');
        const given = await mandates.consentIn(tx, link, link.draftId, usagerId, consent, others);
        if ('refused' in given) {
          if (given.refused === 'overlap_unanswered') return { refused: given.refused };
          await store.fail(tx, link.id, given.refused);
          return refuse(tx, link, usagerId, given.refused);
        }
        await store.close(tx, link.id, 'yes', given.draft.consent?.at ?? clock.now());
        return { draft: given.draft };
      });
      journal.nudge();
      return done;
    },
    async decline(secret) {
      const done = await transactions.run(async (tx) => {
        const held = await hold(tx, secret);
        if (!held?.live) return OVER;
        const { link } = held;
        await store.close(tx, link.id, 'no', clock.now());
        await journal.record(tx, {
          type: 'consent.answered',
          aidant: link.aidantId,
          organisation: link.organisationId,
          detail: { answer: 'no', method: 'franceconnect' },
        });
        return { declined: true as const };
      });
      journal.nudge();
      return done;
    },
    async fail(secret, refusal) {
      await transactions.run(async (tx) => {
        const held = await hold(tx, secret);
        if (held?.live) await store.fail(tx, held.link.id, refusal);
      });
    },
  };
};
