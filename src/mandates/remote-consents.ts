import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal, seal } from '../kernel/crypto.ts';
import { type AidantId, type DraftId, newId, type OrganisationId, type UsagerId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Weakness } from '../usagers/channel.ts';
import { type ChannelStore, phoneFor, type QueueSms } from '../usagers/channels.ts';
import { firstName, type Usager } from '../usagers/usager.ts';
import type { ConsentRefusal, MandateStore, Mandates } from './mandates.ts';
import type { Narrowing } from './narrowing.ts';
import { checkDraft, checkParties, hashOfDraft } from './policy.ts';
import {
  type Answer,
  type Candidate,
  endOfQuestion,
  evidenceOf,
  newConsentReference,
  type RemoteConsent,
  type RemoteConsentId,
  type RemoteState,
} from './remote-consent.ts';
import { type Reply, readReply, readStop } from './reply.ts';

type Who = { aidantId: AidantId; organisationId: OrganisationId };

export interface RemoteConsentStore {
  /** Notes a call of the gateway; false when this message was called in before. */
  takeCall(tx: Transaction, messageId: string, kind: 'reply' | 'receipt', now: Date): Promise<boolean>;
  /** People of the organisation's own mandates, live or ended less than a year ago, by name. */
  people(tx: Transaction, organisationId: OrganisationId, now: Date): Promise<Usager[]>;
  add(tx: Transaction, consent: RemoteConsent): Promise<void>;
  /** Lets the draft live as long as its question. */
  extendDraft(tx: Transaction, id: DraftId, until: Date): Promise<void>;
  /** The newest question of a draft. */
  ofDraft(tx: Transaction, id: DraftId): Promise<RemoteConsent | undefined>;
  /** By the reference that the gateway brings back, held until the transaction ends. */
  byReference(tx: Transaction, reference: string): Promise<RemoteConsent | undefined>;
  /** Closes a question that is open; false when it was not (the first answer wins). */
  close(
    tx: Transaction,
    id: RemoteConsentId,
    state: Exclude<RemoteState, 'asked'>,
    at: Date,
    evidence?: { hash: Buffer; box: Buffer },
  ): Promise<boolean>;
  count(tx: Transaction, id: RemoteConsentId, what: 'unclear' | 'later'): Promise<void>;
  receipt(tx: Transaction, id: RemoteConsentId, status: 'delivered' | 'failed', at: Date): Promise<void>;
  overdue(tx: Transaction, now: Date, limit: number): Promise<RemoteConsent[]>;
  /** Forgets the gateway's calls, and the counters of messages, of before that. */
  purgeCalls(tx: Transaction, before: Date): Promise<number>;
}

/** What is written to the person whose consent is asked. */
export interface ConsentTexts {
  /** The one message that names what the mandate is for: she asked for it on the phone. */
  recap(facts: { organisation: string; aidant: string; themes: readonly string[]; narrowing: Narrowing; from: Date; days: number }): string;
  question(): string;
  again(): string;
  /** `others`: after a yes, other structures may act for the same themes, and go on (claim M22); after a no that said stop, how to stop the rest. */
  thanks(reply: 'yes' | 'no', others: boolean): string;
  tooLate(): string;
  /** To somebody who answers again after a yes. */
  already(): string;
  /** To somebody whose word has stopped `count` mandates. */
  stopped(count: number): string;
  /** To somebody who says no without being asked. */
  howToStop(): string;
  /** To a number that does not say which person writes. */
  whoIsIt(): string;
}

export type AskRefusal = ConsentRefusal | 'theme_missing' | 'phone_missing' | 'phone_weak' | 'sms_capped' | 'already_asked';
export type Answered = { taken: Reply | 'expired' | 'later' | 'already' | 'stopped' } | { refused: 'request_unknown' };

export interface RemoteConsents {
  people(organisationId: OrganisationId): Promise<Candidate[]>;
  /** Asks a person by SMS about a draft: recap, then question. The phone must be an independent channel of hers. */
  ask(who: Who, draftId: DraftId, usagerId: UsagerId): Promise<{ asked: RemoteConsent } | { refused: AskRefusal; weak?: Weakness[] }>;
  /** The newest question of a draft, to whoever made the draft. */
  find(who: Who, draftId: DraftId): Promise<RemoteConsent | undefined>;
  /** Takes an answer from the gateway, once. Only a clear yes to an open question records a will; nothing else ever does. */
  answer(answer: Answer): Promise<Answered>;
  receipt(call: { messageId: string; reference: string; status: 'delivered' | 'failed' }): Promise<Answered>;
  /** Closes the questions whose time is over; returns how many. */
  expireOverdue(): Promise<number>;
  purge(): Promise<number>;
}

/** Further messages about one question, however often somebody answers. */
const MOST_AGAIN = 1;
const MOST_LATER = 1;
const KEEP_CALLS_MS = 30 * 86_400_000;

interface Parts {
  readonly transactions: Transactions;
  readonly store: RemoteConsentStore;
  readonly mandateStore: Pick<MandateStore, 'actor' | 'usager' | 'draft' | 'protection'>;
  readonly channelStore: ChannelStore;
  readonly mandates: Pick<Mandates, 'consentIn' | 'stopAllIn'>;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly kek: Secret<Buffer>;
  readonly queueSms: QueueSms;
  readonly texts: ConsentTexts;
}

export const createRemoteConsents = (parts: Parts): RemoteConsents => ({ ...createAsking(parts), ...createAnswering(parts) });

const createAsking = (parts: Parts): Pick<RemoteConsents, 'people' | 'ask' | 'find'> => {
  const { transactions, store, mandateStore, channelStore, journal, clock, queueSms, texts } = parts;

  const check = async (tx: Transaction, who: Who, draftId: DraftId, usagerId: UsagerId) => {
    const now = clock.now();
    const draft = await mandateStore.draft(tx, draftId, true);
    if (draft?.aidantId !== who.aidantId || draft.organisationId !== who.organisationId) return { refused: 'not_found' as const };
    const actor = await mandateStore.actor(tx, who.aidantId, who.organisationId);
    const usager = await mandateStore.usager(tx, usagerId);
    // Nobody outside the organisation's own mandates can be asked: there is no search of the whole population.
    if (!actor || !usager || !(await channelStore.isOfOrganisation(tx, usagerId, who.organisationId, now))) return { refused: 'not_found' as const };
    if (draft.closedAt || draft.expiresAt <= now) return { refused: 'draft_expired' as const };
    const refused = checkDraft(actor, draft.themes) ?? checkParties(actor, usager, now);
    if (refused) return { refused };
    if (await mandateStore.protection(tx, usagerId)) return { refused: 'protected_person' as const };
    const found = await phoneFor(channelStore, tx, usagerId, who.organisationId, now);
    if (!found) return { refused: 'phone_missing' as const };
    if (found.weak.length) return { refused: 'phone_weak' as const, weak: found.weak };
    return { draft, actor, usager, channel: found.channel };
  };

  return {
    async people(organisationId) {
      const now = clock.now();
      const people = await store.people(transactions.auto, organisationId, now);
      return Promise.all(
        people.map(async (usager): Promise<Candidate> => {
          const found = await phoneFor(channelStore, transactions.auto, usager.id, organisationId, now);
          return { usager, phone: found && { address: found.channel.address, weak: found.weak } };
        }),
      );
    },
    async ask(who, draftId, usagerId) {
      const done = await transactions.run(async (tx): Promise<{ asked: RemoteConsent } | { refused: AskRefusal; weak?: Weakness[] }> => {
        const refuse = async <R extends AskRefusal>(refused: R, weak?: Weakness[]) => {
          const entry = { aidant: who.aidantId, organisation: who.organisationId, outcome: 'refused', detail: { reason: refused } } as const;
          await journal.record(tx, { type: 'mandate.refused', ...entry });
          return { refused, ...(weak ? { weak } : {}) };
        };
        const checked = await check(tx, who, draftId, usagerId);
        if ('refused' in checked) return refuse(checked.refused, checked.weak);
        const { draft, actor, usager, channel } = checked;
        const now = clock.now();
        const open = await store.ofDraft(tx, draftId);
        if (open?.state === 'asked' && open.expiresAt > now) return refuse('already_asked');
        if (open?.state === 'asked') await store.close(tx, open.id, 'expired', now);
        const reference = newConsentReference();
        const expiresAt = endOfQuestion(now);
        const facts = {
          organisation: actor.organisationName,
          aidant: firstName(actor.givenName),
          themes: draft.themes,
          narrowing: draft.narrowing,
          from: now,
          days: draft.days,
        };
        const sms = { to: channel.address, text: texts.recap(facts), next: texts.question(), reference, until: expiresAt, template: 'consent' };
        const sent = await queueSms(tx, sms, { usagerId, ...who });
        if ('refused' in sent) return refuse(sent.refused);
        const asked: RemoteConsent = {
          id: newId('rcs'),
          reference,
          draftId,
          ...who,
          usagerId,
          channelId: channel.id,
          phone: channel.address,
          textHash: hashOfDraft(draft, actor, usager, now),
          deliveryId: sent.queued,
          state: 'asked',
          askedAt: now,
          expiresAt,
          deliveredAt: undefined,
          failedAt: undefined,
          takenAt: undefined,
          attempts: 0,
          unclear: 0,
          later: 0,
          endedAt: undefined,
        };
        await store.add(tx, asked);
        await store.extendDraft(tx, draftId, expiresAt);
        await journal.record(tx, {
          type: 'consent.asked',
          usager: usagerId,
          aidant: who.aidantId,
          organisation: who.organisationId,
          detail: { method: 'sms', themes: draft.themes, days: draft.days, aidantName: facts.aidant, organisationName: facts.organisation },
        });
        return { asked };
      });
      journal.nudge();
      return done;
    },
    async find(who, draftId) {
      const found = await store.ofDraft(transactions.auto, draftId);
      return found?.aidantId === who.aidantId && found.organisationId === who.organisationId ? found : undefined;
    },
  };
};

const createAnswering = (parts: Parts): Pick<RemoteConsents, 'answer' | 'receipt' | 'expireOverdue' | 'purge'> => {
  const { transactions, store, mandateStore, channelStore, mandates, journal, clock, kek, queueSms, texts } = parts;

  const tell = async (tx: Transaction, consent: RemoteConsent, text: string): Promise<void> => {
    await queueSms(tx, { to: consent.phone, text, reference: consent.reference, template: 'consent_reply' }, { usagerId: consent.usagerId });
  };

  const end = async (tx: Transaction, consent: RemoteConsent, answer: 'no' | 'expired', evidence?: { hash: Buffer; box: Buffer }): Promise<void> => {
    if (!(await store.close(tx, consent.id, answer, clock.now(), evidence))) return;
    await journal.record(tx, {
      type: 'consent.answered',
      usager: consent.usagerId,
      aidant: consent.aidantId,
      organisation: consent.organisationId,
      detail: { answer, method: 'sms' },
    });
  };

  /** After the end, nothing that is answered changes anything; the person is told so, once. */
  const late = async (tx: Transaction, consent: RemoteConsent, reply: Reply): Promise<void> => {
    await store.count(tx, consent.id, 'later');
    if (consent.later >= MOST_LATER) return;
    if (consent.state === 'expired' && reply !== 'no') await tell(tx, consent, texts.tooLate());
    if (consent.state === 'yes' && reply === 'no') await tell(tx, consent, texts.already());
  };

  /** The text that was told must still be the text: another day, another name, other people, and the person must be asked again. */
  const stillSame = async (tx: Transaction, consent: RemoteConsent): Promise<boolean> => {
    const draft = await mandateStore.draft(tx, consent.draftId, true);
    const actor = await mandateStore.actor(tx, consent.aidantId, consent.organisationId);
    const usager = await mandateStore.usager(tx, consent.usagerId);
    if (!draft || !actor || !usager || draft.consent) return false;
    return equal(hashOfDraft(draft, actor, usager, clock.now()), consent.textHash);
  };

  const agree = async (tx: Transaction, consent: RemoteConsent, answer: Answer): Promise<'yes' | 'expired'> => {
    const now = clock.now();
    const { record, hash } = evidenceOf(consent, answer, 'yes', now);
    const who = { aidantId: consent.aidantId, organisationId: consent.organisationId };
    const given = (await stillSame(tx, consent))
      ? await mandates.consentIn(tx, who, consent.draftId, consent.usagerId, { method: 'sms', acr: 'eidas1', evidence: hash })
      : { refused: 'draft_expired' };
    if ('refused' in given) {
      await end(tx, consent, 'expired');
      await tell(tx, consent, texts.tooLate());
      return 'expired';
    }
    await store.close(tx, consent.id, 'yes', now, { hash, box: seal(kek.reveal(), record, consent.id) });
    await tell(tx, consent, texts.thanks('yes', 'kept' in given && given.kept > 0));
    return 'yes';
  };

  /**
   * A word that stops, outside any question (claim M18): every mandate of the one person who proved that this number is hers. A number of several
   * people, of a structure, or that only an aidant entered, stops nothing: it is told whom to call.
   */
  const stop = async (tx: Transaction, answer: Answer, word: 'stop' | 'no'): Promise<Answered> => {
    const { own, entered, professional } = await channelStore.holders(tx, answer.from);
    const usagerId = own[0] ?? entered[0];
    if (!usagerId) return { refused: 'request_unknown' };
    if (!(await store.takeCall(tx, answer.messageId, 'reply', clock.now()))) return { taken: 'already' };
    const say = (text: string) => queueSms(tx, { to: answer.from, text, template: 'stop_reply' }, { usagerId }); // beyond the caps it is not said, and stopped all the same
    if (own.length !== 1 || professional) {
      await say(texts.whoIsIt());
      return { taken: 'later' };
    }
    if (word === 'no') {
      await say(texts.howToStop());
      return { taken: 'later' };
    }
    await say(texts.stopped(await mandates.stopAllIn(tx, usagerId, { by: 'sms' })));
    return { taken: 'stopped' };
  };

  const read = async (tx: Transaction, answer: Answer): Promise<Answered> => {
    const now = clock.now();
    const consent = await store.byReference(tx, answer.reference);
    const mine = consent?.phone === answer.from;
    const word = mine && consent.state === 'asked' ? undefined : readStop(answer.text);
    if (word === 'stop' || (word && !mine)) return stop(tx, answer, word);
    // The phone that was asked, and no other, can answer.
    if (!consent || !mine) return { refused: 'request_unknown' };
    if (!(await store.takeCall(tx, answer.messageId, 'reply', now))) return { taken: 'already' };
    const reply = readReply(answer.text);
    if (consent.state !== 'asked') {
      await late(tx, consent, reply);
      return { taken: 'later' };
    }
    if (consent.expiresAt <= now) {
      await end(tx, consent, 'expired');
      await late(tx, { ...consent, state: 'expired' }, reply);
      return { taken: 'expired' };
    }
    if (reply === 'yes') return { taken: await agree(tx, consent, answer) };
    if (reply === 'no') {
      const { record, hash } = evidenceOf(consent, answer, 'no', now);
      await end(tx, consent, 'no', { hash, box: seal(kek.reveal(), record, consent.id) });
      await tell(tx, consent, texts.thanks('no', readStop(answer.text) === 'stop'));
      return { taken: 'no' };
    }
    await store.count(tx, consent.id, 'unclear');
    if (consent.unclear < MOST_AGAIN) await tell(tx, consent, texts.again());
    return { taken: 'unclear' };
  };

  return {
    async answer(answer) {
      const done = await transactions.run((tx) => read(tx, answer));
      journal.nudge();
      return done;
    },
    async receipt(call) {
      return transactions.run(async (tx): Promise<Answered> => {
        const consent = await store.byReference(tx, call.reference);
        if (!consent) return { refused: 'request_unknown' };
        if (!(await store.takeCall(tx, call.messageId, 'receipt', clock.now()))) return { taken: 'already' };
        await store.receipt(tx, consent.id, call.status, clock.now());
        await journal.record(tx, {
          type: 'message.received',
          usager: consent.usagerId,
          aidant: consent.aidantId,
          organisation: consent.organisationId,
          detail: { channel: 'sms', template: 'consent', received: call.status === 'delivered' },
        });
        return { taken: 'later' };
      });
    },
    async expireOverdue() {
      const due = await store.overdue(transactions.auto, clock.now(), 100);
      for (const consent of due) await transactions.run((tx) => end(tx, consent, 'expired'));
      if (due.length) journal.nudge();
      return due.length;
    },
    purge: () => store.purgeCalls(transactions.auto, new Date(clock.now().getTime() - KEEP_CALLS_MS)),
  };
};
