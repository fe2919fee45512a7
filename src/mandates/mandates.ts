import type { Journal } from '../journal/journal.ts';
import { endOfMandate, parisDay } from '../kernel/calendar.ts';
import { canonical } from '../kernel/canonical.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal, randomUuid } from '../kernel/crypto.ts';
import { type AidantId, type DraftId, type MandateId, newId, type OrganisationId, type UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Theme } from '../organisations/theme.ts';
import { firstName, type Usager } from '../usagers/usager.ts';
import { createEnding, type EndingStore, type Endings, type EndSessions, type Protection, type TellEnd } from './ending.ts';
import { type Consent, type Days, type Draft, isDuration, type Mandate, newReference, TEMPLATE } from './mandate.ts';
import { type Narrowing, type NarrowingRefusal, nameDemarches, narrowingContent, type Offered } from './narrowing.ts';
import {
  type Actor,
  type ActorRefusal,
  checkActor,
  checkDraft,
  checkParties,
  hashOfDraft,
  type PartyRefusal,
  type RenewalRefusal,
  renewal,
} from './policy.ts';

/** How long a recap may wait for its two wills. */
const DRAFT_MINUTES = 60;

export interface NewMandate {
  readonly id: MandateId;
  readonly reference: string;
  readonly draft: Draft;
  readonly usagerId: UsagerId;
  readonly textHash: Buffer;
  readonly template: string;
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly acceptedBy: AidantId;
  readonly means: string;
  /** Event of its entry. */
  readonly event: string;
}

export interface ClosedGrant {
  readonly mandateId: MandateId;
  readonly theme: Theme;
  /** True when it was the last one of its mandate, which ends with it. */
  readonly last: boolean;
  readonly organisationName: string;
  /** Event of the entry that says so. */
  readonly event: string;
}

export interface MandateStore extends EndingStore {
  usager(tx: Transaction, id: UsagerId): Promise<Usager | undefined>;
  addDraft(tx: Transaction, draft: Draft): Promise<void>;
  /** The démarches of approved services that know of delegation, in these themes: what a mandate may name. Ordered by service and label. */
  offered(tx: Transaction, themes: readonly Theme[]): Promise<Offered[]>;
  /** Reads a draft; with `lock`, holds it until the transaction ends. */
  draft(tx: Transaction, id: DraftId, lock: boolean): Promise<Draft | undefined>;
  /** `event`: of the entry that says it. */
  consentDraft(tx: Transaction, id: DraftId, consent: NonNullable<Draft['consent']>, event: string): Promise<void>;
  closeDraft(tx: Transaction, id: DraftId, now: Date): Promise<void>;
  /** Holds every other creation for this pair until the transaction ends. */
  lockPair(tx: Transaction, organisationId: OrganisationId, usagerId: UsagerId): Promise<void>;
  /** Ends the active grants of this pair for these themes (`replaced`, or `expired` when their time was over) and says which. */
  replaceGrants(tx: Transaction, organisationId: OrganisationId, usagerId: UsagerId, themes: readonly Theme[], now: Date): Promise<ClosedGrant[]>;
  add(tx: Transaction, mandate: NewMandate): Promise<void>;
  /** Live mandates that this person gave to other organisations for one of these themes, by id. */
  overlapping(tx: Transaction, organisationId: OrganisationId, usagerId: UsagerId, themes: readonly Theme[], now: Date): Promise<Mandate[]>;
  byDraft(tx: Transaction, id: DraftId): Promise<Mandate | undefined>;
  find(tx: Transaction, id: MandateId): Promise<Mandate | undefined>;
  ofUsager(tx: Transaction, id: UsagerId): Promise<Mandate[]>;
  ofOrganisation(tx: Transaction, id: OrganisationId, page: ListPage): Promise<Mandate[]>;
  countOfOrganisation(tx: Transaction, id: OrganisationId, list: List): Promise<number>;
  /** Why no mandate may name this person any more, if so, holding that answer until the transaction ends (claim M12). */
  protection(tx: Transaction, id: UsagerId): Promise<Protection | undefined>;
  /** Is whoever saw this draft's paper signed still an aidant of its organisation? Held until the transaction ends. */
  witnessStands(tx: Transaction, id: DraftId): Promise<boolean>;
}

/** Which mandates of an organisation: soonest-ending first. */
export interface List {
  readonly now: Date;
  /** Live ones unless `ended` is asked for. */
  readonly state?: 'live' | 'ended';
  readonly theme?: Theme | undefined;
  /** Only those whose end is not later than this. */
  readonly endsBefore?: Date | undefined;
  /** Only people whose name contains this, among the organisation's own mandates. */
  readonly name: string | undefined;
}

export interface ListPage extends List {
  readonly after: MandateId | undefined;
  readonly limit: number;
}

/** What an aidant proves to accept a text: a one-time code as typed, or a passkey's assertion as the browser wrote it. */
export type Proof = string | { readonly assertion: string };

/**
 * Consumes a fresh second factor in the caller's transaction, so that a code typed once, or an assertion, signs one mandate. An assertion answers a
 * challenge derived from `textHash`: made over another text, it is refused.
 */
export type AcceptFactor = (
  tx: Transaction,
  aidantId: AidantId,
  proof: Proof,
  textHash: Buffer,
) => Promise<{ accepted: true; means: string } | { refused: FactorRefusal }>;
export type FactorRefusal = 'wrong_code' | 'code_already_used' | 'too_many_codes' | 'passkey_expired' | 'passkey_refused';

/** What a person says of the mandates that she gave to other organisations for the same themes: each is kept or stopped (claim M22). */
export type OthersAnswer = ReadonlyMap<MandateId, 'keep' | 'stop'>;

export type DraftRefusal = ActorRefusal | NarrowingRefusal | 'theme_missing' | 'not_found';

/** How a mandate is to be narrower than its themes, as it is asked for: the démarches by their codes. */
export interface Narrower {
  readonly demarches?: readonly string[];
  readonly readOnly?: boolean;
  readonly singleUse?: boolean;
}
export type ConsentRefusal =
  | ActorRefusal
  | PartyRefusal
  | RenewalRefusal
  | 'usager_mismatch'
  | 'protected_person'
  | 'person_deceased'
  | 'not_found'
  | 'draft_expired'
  | 'overlap_unanswered'
  | 'already_agreed';
export type AcceptRefusal = ConsentRefusal | 'witness_gone' | 'consent_missing' | 'usager_mismatch' | FactorRefusal;

export interface Mandates extends Endings {
  draft(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    themes: readonly Theme[],
    days: Days,
    narrower?: Narrower,
  ): Promise<{ draft: Draft } | { refused: DraftRefusal }>;
  /** The démarches that a mandate of these themes may name. */
  offered(themes: readonly Theme[]): Promise<Offered[]>;
  /** Drafts the renewal of a mandate: its person, its themes and its days, as narrow. It needs both wills anew. */
  renew(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: MandateId,
  ): Promise<{ draft: Draft } | { refused: DraftRefusal | RenewalRefusal }>;
  /** The draft, to the aidant who made it for the organisation that is selected; anybody else gets the answer of an unknown id. */
  findDraft(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: DraftId,
  ): Promise<{ draft: Draft; actor: Actor; usager: Usager | undefined } | undefined>;
  /** Closes a draft that the person does not want: nothing can be agreed to or signed with it any more. Another's draft is left as it is. */
  abandon(who: { aidantId: AidantId; organisationId: OrganisationId }, id: DraftId): Promise<void>;
  /**
   * Records the usager's will on a draft. The first one counts; `instead` is the instant of the one that this takes the place of. Where she signs in to
   * FranceConnect, `overlap_unanswered` until `others` answers for each mandate that another organisation holds for the same themes; what she stops
   * there ends in the same transaction. By other means they are kept, and she is told.
   */
  consent(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: DraftId,
    usagerId: UsagerId,
    consent: Consent,
    others?: OthersAnswer,
    instead?: Date,
  ): Promise<{ draft: Draft; kept: number } | { refused: ConsentRefusal }>;
  /** The mandates that `consent` asks about, with the themes in common. */
  overlaps(draft: Draft, usagerId: UsagerId): Promise<{ mandate: Mandate; themes: Theme[] }[]>;
  /** The same in the caller's transaction, for a will that arrives with a change of its own; the caller writes the refusal down. */
  consentIn(
    tx: Transaction,
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: DraftId,
    usagerId: UsagerId,
    consent: Consent,
    others?: OthersAnswer,
    instead?: Date,
  ): Promise<{ draft: Draft; kept: number } | { refused: ConsentRefusal; usagerId?: UsagerId }>;
  /**
   * Records the organisation's will and makes the mandate, its grants and its entries in one transaction. The same draft accepted again
   * gives the same mandate. `shownHash` is the hash of the text that the page showed.
   */
  accept(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: DraftId,
    shownHash: Buffer,
    proof: Proof,
  ): Promise<{ mandate: Mandate; again: boolean } | { refused: AcceptRefusal }>;
  find(id: MandateId): Promise<Mandate | undefined>;
  ofUsager(usagerId: UsagerId): Promise<Mandate[]>;
  ofOrganisation(organisationId: OrganisationId, page: ListPage): Promise<Mandate[]>;
  countOfOrganisation(organisationId: OrganisationId, list: List): Promise<number>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: MandateStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly endSessions: EndSessions;
  readonly tellEnd?: TellEnd;
  readonly acceptFactor: AcceptFactor;
  /** Seals the mandate in the transaction that makes it: there is no mandate without its attestation. */
  readonly attest: (tx: Transaction, id: MandateId) => Promise<void>;
}

export const createMandates = (parts: Parts): Mandates => {
  const endings = createEnding(parts);
  return { ...createDrafting(parts, endings), ...endings, ...createReading(parts) };
};

type Who = { aidantId: AidantId; organisationId: OrganisationId };

/** What an entry says of how narrow a mandate is. */
const heldDetail = ({ demarches, readOnly, singleUse }: Narrowing) => ({
  ...(demarches ? { demarches: demarches.map(({ code }) => code) } : {}),
  ...(readOnly ? { readOnly } : {}),
  ...(singleUse ? { singleUse } : {}),
});

const names = (actor: Actor) => ({ aidantName: firstName(actor.givenName), organisationName: actor.organisationName });

const commonThemes = (mandate: Mandate, themes: readonly Theme[]): Theme[] =>
  mandate.themes.flatMap((each) => (!each.endedAt && themes.includes(each.theme) ? [each.theme] : []));

const createDrafting = (
  { transactions, store, journal, clock, endSessions, acceptFactor, attest }: Parts,
  endings: Pick<Endings, 'revokeIn'>,
): Pick<Mandates, 'draft' | 'offered' | 'renew' | 'findDraft' | 'abandon' | 'consent' | 'consentIn' | 'overlaps' | 'accept'> => {
  /** Runs a step in one transaction; a refusal is an entry of its own, and nothing else changes. */
  const step = async <T extends object, R extends string>(
    who: Who,
    work: (tx: Transaction) => Promise<T | { refused: R; usagerId?: UsagerId }>,
  ): Promise<T | { refused: R }> => {
    const result = await transactions.run(async (tx) => {
      const done = await work(tx);
      if ('refused' in done && done.refused !== 'overlap_unanswered')
        await journal.record(tx, {
          type: 'mandate.refused',
          aidant: who.aidantId,
          organisation: who.organisationId,
          usager: done.usagerId,
          outcome: 'refused',
          detail: { reason: done.refused },
        });
      return done;
    });
    journal.nudge();
    return 'refused' in result ? { refused: result.refused as R } : result;
  };

  const ownDraft = async (tx: Transaction, who: Who, id: DraftId, lock: boolean): Promise<Draft | undefined> => {
    const draft = await store.draft(tx, id, lock);
    return draft?.aidantId === who.aidantId && draft.organisationId === who.organisationId ? draft : undefined;
  };

  const replaceOlder = async (tx: Transaction, who: Who, draft: Draft, usager: Usager, reference: string, now: Date): Promise<void> => {
    for (const closed of await store.replaceGrants(tx, who.organisationId, usager.id, draft.themes, now)) {
      await endSessions(tx, { mandateId: closed.mandateId, theme: closed.theme }, 'replaced', now);
      await journal.record(
        tx,
        {
          type: 'mandate.replaced',
          usager: usager.id,
          aidant: who.aidantId,
          organisation: who.organisationId,
          mandate: closed.mandateId,
          theme: closed.theme,
          detail: { by: reference, theme: closed.theme, organisationName: closed.organisationName },
        },
        closed.event,
      );
    }
  };

  const addDraft = async (
    tx: Transaction,
    who: Who,
    themes: readonly Theme[],
    days: Days,
    narrowing: Narrowing,
    renews?: MandateId,
  ): Promise<{ draft: Draft } | { refused: DraftRefusal }> => {
    const actor = await store.actor(tx, who.aidantId, who.organisationId);
    if (!actor) return { refused: 'not_found' };
    const refused = checkDraft(actor, themes);
    if (refused) return { refused };
    const now = clock.now();
    const draft: Draft = {
      id: newId('dra'),
      aidantId: who.aidantId,
      organisationId: who.organisationId,
      themes,
      days,
      narrowing,
      createdAt: now,
      expiresAt: new Date(now.getTime() + DRAFT_MINUTES * 60_000),
      renews,
      consent: undefined,
      closedAt: undefined,
    };
    await store.addDraft(tx, draft);
    await journal.record(tx, {
      type: 'mandate.drafted',
      aidant: who.aidantId,
      organisation: who.organisationId,
      mandate: renews,
      detail: { themes, days, ...heldDetail(narrowing) },
    });
    return { draft };
  };

  const checkProtection = async (tx: Transaction, id: UsagerId): Promise<'protected_person' | 'person_deceased' | undefined> => {
    const protection = await store.protection(tx, id);
    return protection && (protection === 'death' ? 'person_deceased' : 'protected_person');
  };

  /** A renewal stands only while what it renews may be renewed, for the same person, and is held until the transaction ends. */
  const checkRenewal = async (
    tx: Transaction,
    draft: Draft,
    usagerId: UsagerId,
    now: Date,
  ): Promise<RenewalRefusal | 'usager_mismatch' | undefined> => {
    if (!draft.renews) return undefined;
    await store.hold(tx, draft.renews);
    const mandate = await store.find(tx, draft.renews);
    const held = mandate ? renewal(mandate, now) : ({ refused: 'renewal_refused' } as const);
    if ('refused' in held) return held.refused;
    if (held.usagerId !== usagerId) return 'usager_mismatch';
    const asWide = canonical(narrowingContent(held.narrowing)) === canonical(narrowingContent(draft.narrowing));
    return asWide && draft.themes.every((theme) => held.themes.includes(theme)) ? undefined : 'renewal_refused';
  };

  /** Stops what the person chose to stop. Returns how many mandates of other organisations go on beside the one that she consents to. */
  const settleOthers = async (
    tx: Transaction,
    draft: Draft,
    usagerId: UsagerId,
    consent: Consent,
    answers: OthersAnswer | undefined,
    now: Date,
  ): Promise<number | 'overlap_unanswered'> => {
    const others = await store.overlapping(tx, draft.organisationId, usagerId, draft.themes, now);
    if (consent.method === 'franceconnect' && !others.every(({ id }) => answers?.has(id))) return 'overlap_unanswered';
    const stopped = others.filter(({ id }) => answers?.get(id) === 'stop');
    for (const mandate of stopped) for (const theme of commonThemes(mandate, draft.themes)) await endings.revokeIn(tx, mandate, theme);
    return others.length - stopped.length;
  };

  const consentIn: Mandates['consentIn'] = async (tx, who, id, usagerId, consent, others, instead) => {
    const draft = await ownDraft(tx, who, id, true);
    const actor = await store.actor(tx, who.aidantId, who.organisationId);
    const usager = await store.usager(tx, usagerId);
    const now = clock.now();
    if (!draft || !actor || !usager) return { refused: 'not_found' };
    if (draft.closedAt || draft.expiresAt <= now) return { refused: 'draft_expired', usagerId };
    if (draft.consent?.at.getTime() !== instead?.getTime()) return { refused: 'already_agreed', usagerId };
    const refused = checkDraft(actor, draft.themes) ?? checkParties(actor, usager, now);
    if (refused) return { refused: refused as ConsentRefusal, usagerId };
    const held = await checkProtection(tx, usagerId);
    if (held) return { refused: held, usagerId };
    const notRenewable = await checkRenewal(tx, draft, usagerId, now);
    if (notRenewable) return { refused: notRenewable, usagerId };
    const kept = await settleOthers(tx, draft, usagerId, consent, others, now);
    if (kept === 'overlap_unanswered') return { refused: kept, usagerId };
    const hash = hashOfDraft(draft, actor, usager, now);
    const given = { ...consent, usagerId, at: now, textHash: hash };
    const event = randomUuid();
    await store.consentDraft(tx, id, given, event);
    await journal.record(
      tx,
      {
        type: 'mandate.consented',
        usager: usagerId,
        aidant: who.aidantId,
        organisation: who.organisationId,
        detail: {
          method: consent.method,
          acr: consent.acr,
          themes: draft.themes,
          ...heldDetail(draft.narrowing),
          ...(kept ? { kept } : {}),
          ...names(actor),
        },
      },
      event,
    );
    return { draft: { ...draft, consent: given }, kept };
  };

  return {
    async draft(who, themes, days, { demarches, readOnly = false, singleUse = false } = {}) {
      return step<{ draft: Draft }, DraftRefusal>(who, async (tx) => {
        if (demarches === undefined) return addDraft(tx, who, themes, days, { readOnly, singleUse });
        const named = nameDemarches(demarches, await store.offered(tx, themes), themes, readOnly);
        return 'refused' in named ? named : addDraft(tx, who, themes, days, { ...named, readOnly, singleUse });
      });
    },
    offered: (themes) => store.offered(transactions.auto, themes),
    async renew(who, id) {
      return step<{ draft: Draft }, DraftRefusal | RenewalRefusal>(who, async (tx) => {
        const mandate = await store.find(tx, id);
        if (mandate?.organisationId !== who.organisationId) return { refused: 'not_found' };
        const held = renewal(mandate, clock.now());
        if ('refused' in held) return { ...held, usagerId: mandate.usagerId };
        return isDuration(mandate.days) ? addDraft(tx, who, held.themes, mandate.days, held.narrowing, id) : { refused: 'renewal_refused' };
      });
    },
    async findDraft(who, id) {
      const draft = await ownDraft(transactions.auto, who, id, false);
      const actor = draft && (await store.actor(transactions.auto, who.aidantId, who.organisationId));
      if (!draft || !actor) return undefined;
      return { draft, actor, usager: draft.consent && (await store.usager(transactions.auto, draft.consent.usagerId)) };
    },
    async abandon(who, id) {
      await transactions.run(async (tx) => {
        const draft = await ownDraft(tx, who, id, true);
        if (!draft || draft.closedAt) return;
        await store.closeDraft(tx, id, clock.now());
        const detail = { reason: 'consent_not_given' };
        await journal.record(tx, { type: 'mandate.refused', aidant: who.aidantId, organisation: who.organisationId, outcome: 'refused', detail });
      });
      journal.nudge();
    },
    consent: (who, id, usagerId, consent, others, instead) =>
      step<{ draft: Draft; kept: number }, ConsentRefusal>(who, (tx) => consentIn(tx, who, id, usagerId, consent, others, instead)),
    consentIn,
    async overlaps(draft, usagerId) {
      const others = await store.overlapping(transactions.auto, draft.organisationId, usagerId, draft.themes, clock.now());
      return others.map((mandate) => ({ mandate, themes: commonThemes(mandate, draft.themes) }));
    },
    async accept(who, id, shownHash, proof) {
      return step<{ mandate: Mandate; again: boolean }, AcceptRefusal>(who, async (tx) => {
        const draft = await ownDraft(tx, who, id, true);
        if (!draft) return { refused: 'not_found' };
        const already = await store.byDraft(tx, id);
        if (already) return { mandate: already, again: true };
        if (!draft.consent) return { refused: 'consent_missing' };
        const { usagerId } = draft.consent;
        const actor = await store.actor(tx, who.aidantId, who.organisationId);
        const usager = await store.usager(tx, usagerId);
        const now = clock.now();
        if (!actor || !usager) return { refused: 'not_found', usagerId };
        // The text names its first day: a recap that midnight has overtaken is no longer what was consented to.
        if (draft.closedAt || draft.expiresAt <= now || parisDay(draft.consent.at) !== parisDay(now)) return { refused: 'draft_expired', usagerId };
        const refused = checkActor(actor) ?? checkDraft(actor, draft.themes) ?? checkParties(actor, usager, now);
        if (refused) return { refused: refused as AcceptRefusal, usagerId };
        const kept = await checkProtection(tx, usagerId);
        if (kept) return { refused: kept, usagerId };
        const notRenewable = await checkRenewal(tx, draft, usagerId, now);
        if (notRenewable) return { refused: notRenewable, usagerId };
        if (draft.consent.method === 'paper' && !(await store.witnessStands(tx, id))) return { refused: 'witness_gone', usagerId };
        const hash = hashOfDraft(draft, actor, usager, now);
        if (!equal(hash, draft.consent.textHash) || !equal(hash, shownHash)) return { refused: 'usager_mismatch', usagerId };
        const factor = await acceptFactor(tx, who.aidantId, proof, hash);
        if ('refused' in factor) return { refused: factor.refused, usagerId };
        await store.lockPair(tx, who.organisationId, usagerId);
        const reference = newReference();
        await replaceOlder(tx, who, draft, usager, reference, now);
        const mandateId = newId('man');
        const event = randomUuid();
        const endsAt = endOfMandate(now, draft.days);
        await store.add(tx, {
          id: mandateId,
          reference,
          draft,
          usagerId,
          textHash: hash,
          template: TEMPLATE,
          startsAt: now,
          endsAt,
          acceptedBy: who.aidantId,
          means: factor.means,
          event,
        });
        await attest(tx, mandateId);
        await store.closeDraft(tx, id, now);
        await journal.record(
          tx,
          {
            type: 'mandate.created',
            usager: usagerId,
            aidant: who.aidantId,
            organisation: who.organisationId,
            mandate: mandateId,
            detail: {
              reference,
              themes: draft.themes,
              ...heldDetail(draft.narrowing),
              endsAt: endsAt.toISOString(),
              method: draft.consent.method,
              textHash: hash.toString('base64url'),
              ...names(actor),
            },
          },
          event,
        );
        const mandate = await store.find(tx, mandateId);
        if (!mandate) return { refused: 'not_found', usagerId };
        return { mandate, again: false };
      });
    },
  };
};

const createReading = ({ transactions, store }: Parts): Pick<Mandates, 'find' | 'ofUsager' | 'ofOrganisation' | 'countOfOrganisation'> => ({
  countOfOrganisation: (id, list) => store.countOfOrganisation(transactions.auto, id, list),
  find: (id) => store.find(transactions.auto, id),
  ofUsager: (usagerId) => store.ofUsager(transactions.auto, usagerId),
  ofOrganisation: (organisationId, page) => store.ofOrganisation(transactions.auto, organisationId, page),
});
