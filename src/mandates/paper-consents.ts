import type { Journal } from '../journal/journal.ts';
import { endOfMandate } from '../kernel/calendar.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal } from '../kernel/crypto.ts';
import { type AidantId, type DraftId, newId, type OrganisationId, type UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { type CivilIdentity, displayName, firstName, isSamePerson, pivot, type Usager } from '../usagers/usager.ts';
import { enterTyped, type UsagerStore } from '../usagers/usagers.ts';
import type { Protection } from './ending.ts';
import type { Draft } from './mandate.ts';
import type { AcceptFactor, ConsentRefusal, FactorRefusal, MandateStore, Mandates, Proof } from './mandates.ts';
import { newPaperReference, type PaperConsent, type PaperConsentId, paperEvidence, witnessedHash } from './paper-consent.ts';
import { type Actor, type ActorRefusal, checkActor, checkDraft, checkParties, hashOfDraft } from './policy.ts';

type Who = { readonly aidantId: AidantId; readonly organisationId: OrganisationId };

export interface PaperConsentStore {
  /** People of the organisation's own mandates, live or ended less than a year ago, by name. */
  people(tx: Transaction, organisationId: OrganisationId, now: Date): Promise<Usager[]>;
  /** The same people, whatever their number, born that day. */
  bornOn(tx: Transaction, organisationId: OrganisationId, birthdate: string, now: Date): Promise<Usager[]>;
  isOfOrganisation(tx: Transaction, usagerId: UsagerId, organisationId: OrganisationId, now: Date): Promise<boolean>;
  add(tx: Transaction, paper: PaperConsent): Promise<void>;
  /** Ends the sheet of a draft that nobody has seen signed yet. */
  endOpen(tx: Transaction, draftId: DraftId, now: Date): Promise<void>;
  /** Lets the draft live as long as its sheet. */
  extendDraft(tx: Transaction, id: DraftId, until: Date): Promise<void>;
  /** The sheet of a draft that has not ended. */
  ofDraft(tx: Transaction, id: DraftId): Promise<PaperConsent | undefined>;
  find(tx: Transaction, id: PaperConsentId): Promise<PaperConsent | undefined>;
  /** Records who saw it signed; false when somebody has already, or when it has ended. */
  witness(
    tx: Transaction,
    id: PaperConsentId,
    witness: { readonly id: AidantId; readonly at: Date; readonly means: string; readonly evidence: Buffer },
  ): Promise<boolean>;
  /** Sheets of the organisation that wait for a witness, but for those of one aidant, oldest first. */
  waiting(tx: Transaction, organisationId: OrganisationId, but: AidantId, now: Date): Promise<PaperConsent[]>;
}

export type PaperRefusal = ConsentRefusal | 'theme_missing' | 'draft_closed' | 'person_listed';
export type WitnessRefusal = ConsentRefusal | FactorRefusal | 'witness_is_aidant' | 'witness_is_person' | 'already_witnessed';

export interface PaperConsents {
  people(organisationId: OrganisationId): Promise<Usager[]>;
  /**
   * Prepares a sheet for somebody whom the organisation knows, or whose identity was typed. Another sheet of the same draft, not seen signed, ends.
   */
  ask(who: Who, draftId: DraftId, person: UsagerId | CivilIdentity): Promise<{ asked: PaperConsent } | { refused: PaperRefusal }>;
  /** The sheet of a draft, with its person, to whoever made the draft. */
  find(who: Who, draftId: DraftId): Promise<{ paper: PaperConsent; usager: Usager } | undefined>;
  /** What waits for this aidant as a witness. */
  waiting(who: Who): Promise<PaperConsent[]>;
  /** A sheet to any aidant of its organisation, with what it says. */
  read(who: Who, id: PaperConsentId): Promise<{ paper: PaperConsent; draft: Draft; actor: Actor; usager: Usager } | undefined>;
  /**
   * A second aidant says, with a fresh factor bound to the text, that she saw the person sign: that is the person's consent. The first one to say so is
   * recorded, once.
   */
  witness(who: Who, id: PaperConsentId, shownHash: Buffer, proof: Proof): Promise<{ witnessed: PaperConsent } | { refused: WitnessRefusal }>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: PaperConsentStore;
  readonly usagerStore: UsagerStore;
  readonly mandateStore: Pick<MandateStore, 'actor' | 'usager' | 'draft' | 'protection' | 'find'>;
  readonly mandates: Pick<Mandates, 'consentIn'>;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly acceptFactor: AcceptFactor;
}

const names = (actor: Actor) => ({ aidantName: firstName(actor.givenName), organisationName: actor.organisationName });
const protectedBy = (protection: Protection | undefined): 'person_deceased' | 'protected_person' | undefined =>
  protection && (protection === 'death' ? 'person_deceased' : 'protected_person');

export const createPaperConsents = (parts: Parts): PaperConsents => ({ ...createAsking(parts), ...createWitnessing(parts) });

/** Writes a refusal down, in the transaction that refuses. */
const refuser =
  (journal: Journal, tx: Transaction, who: Who) =>
  async <R extends string>(refused: R, usager?: UsagerId): Promise<{ refused: R }> => {
    await journal.record(tx, {
      type: 'mandate.refused',
      usager,
      aidant: who.aidantId,
      organisation: who.organisationId,
      outcome: 'refused',
      detail: { reason: refused },
    });
    return { refused };
  };

const createAsking = (parts: Parts): Pick<PaperConsents, 'people' | 'ask' | 'find'> => {
  const { transactions, store, usagerStore, mandateStore, journal, clock } = parts;

  /** Somebody whom the organisation knows: there is no search of the whole population. */
  const known = async (tx: Transaction, who: Who, id: UsagerId, now: Date): Promise<Usager | { refused: PaperRefusal }> => {
    const usager = await mandateStore.usager(tx, id);
    return usager && (await store.isOfOrganisation(tx, id, who.organisationId, now)) ? usager : { refused: 'not_found' };
  };

  /** Somebody who was typed: never one of those whom the organisation can choose, nor one of them for whom nothing may stand any more. */
  const typed = async (tx: Transaction, who: Who, actor: Actor, identity: CivilIdentity, now: Date): Promise<Usager | { refused: PaperRefusal }> => {
    const refused = checkParties(actor, identity, now);
    if (refused) return { refused };
    const same = (await store.bornOn(tx, who.organisationId, identity.birthdate, now)).filter((each) => pivot(each) === pivot(identity));
    for (const each of same) {
      const kept = protectedBy(await mandateStore.protection(tx, each.id));
      if (kept) return { refused: kept };
    }
    if (same.length) return { refused: 'person_listed' };
    const { usager, created } = await enterTyped(usagerStore, tx, who.organisationId, identity, now);
    if (created)
      await journal.record(tx, {
        type: 'usager.entered',
        usager: usager.id,
        aidant: who.aidantId,
        organisation: who.organisationId,
        detail: names(actor),
      });
    return usager;
  };

  const prepare = async (tx: Transaction, who: Who, draft: Draft, actor: Actor, usager: Usager, now: Date): Promise<PaperConsent> => {
    const asked: PaperConsent = {
      id: newId('pap'),
      reference: newPaperReference(),
      draftId: draft.id,
      organisationId: who.organisationId,
      askedBy: who.aidantId,
      askedByName: `${actor.givenName} ${actor.familyName}`,
      usagerId: usager.id,
      usagerName: displayName(usager),
      textHash: hashOfDraft(draft, actor, usager, now),
      askedAt: now,
      expiresAt: endOfMandate(now, 1),
      endedAt: undefined,
      witness: undefined,
    };
    await store.endOpen(tx, draft.id, now);
    await store.add(tx, asked);
    await store.extendDraft(tx, draft.id, asked.expiresAt);
    await journal.record(tx, {
      type: 'consent.asked',
      usager: usager.id,
      aidant: who.aidantId,
      organisation: who.organisationId,
      detail: { method: 'paper', themes: draft.themes, days: draft.days, ...names(actor) },
    });
    return asked;
  };

  return {
    people: (organisationId) => store.people(transactions.auto, organisationId, clock.now()),
    async ask(who, draftId, person) {
      const done = await transactions.run(async (tx): Promise<{ asked: PaperConsent } | { refused: PaperRefusal }> => {
        const refuse = refuser(journal, tx, who);
        const now = clock.now();
        const draft = await mandateStore.draft(tx, draftId, true);
        if (draft?.aidantId !== who.aidantId || draft.organisationId !== who.organisationId) return refuse('not_found');
        const actor = await mandateStore.actor(tx, who.aidantId, who.organisationId);
        if (!actor) return refuse('not_found');
        if (draft.closedAt || draft.consent) return refuse('draft_closed');
        if (draft.expiresAt <= now) return refuse('draft_expired');
        const unable = checkDraft(actor, draft.themes);
        if (unable) return refuse(unable);
        const found = typeof person === 'string' ? await known(tx, who, person, now) : await typed(tx, who, actor, person, now);
        if ('refused' in found) return refuse(found.refused);
        const refused = checkParties(actor, found, now) ?? protectedBy(await mandateStore.protection(tx, found.id));
        if (refused) return refuse(refused, found.id);
        const renewed = draft.renews && (await mandateStore.find(tx, draft.renews));
        if (renewed && renewed.usagerId !== found.id) return refuse('usager_mismatch', found.id);
        return { asked: await prepare(tx, who, draft, actor, found, now) };
      });
      journal.nudge();
      return done;
    },
    async find(who, draftId) {
      const paper = await store.ofDraft(transactions.auto, draftId);
      if (paper?.askedBy !== who.aidantId || paper.organisationId !== who.organisationId) return undefined;
      const usager = await mandateStore.usager(transactions.auto, paper.usagerId);
      return usager && { paper, usager };
    },
  };
};

const createWitnessing = (parts: Parts): Pick<PaperConsents, 'waiting' | 'read' | 'witness'> => {
  const { transactions, store, mandateStore, mandates, journal, clock, acceptFactor } = parts;

  const check = async (tx: Transaction, who: Who, id: PaperConsentId, shownHash: Buffer) => {
    const now = clock.now();
    const seen = await store.find(tx, id);
    if (seen?.organisationId !== who.organisationId) return { refused: 'not_found' as const };
    const draft = await mandateStore.draft(tx, seen.draftId, true); // holds every other answer about this draft
    const paper = await store.find(tx, id);
    const actor = await mandateStore.actor(tx, who.aidantId, who.organisationId);
    const maker = paper && (await mandateStore.actor(tx, paper.askedBy, who.organisationId));
    const usager = paper && (await mandateStore.usager(tx, paper.usagerId));
    if (!paper || !draft || !actor || !maker || !usager) return { refused: 'not_found' as const };
    const refuse = <R extends WitnessRefusal>(refused: R) => ({ refused, usagerId: usager.id });
    if (paper.askedBy === who.aidantId) return refuse('witness_is_aidant');
    const unable: ActorRefusal | undefined = checkActor(actor);
    if (unable) return refuse(unable);
    if (paper.witness) return refuse('already_witnessed');
    if (paper.endedAt || paper.expiresAt <= now || draft.closedAt || draft.consent) return refuse('draft_expired');
    if (isSamePerson(usager, actor)) return refuse('witness_is_person');
    // What was printed must still be the text: another day or another name, and it must be printed and signed anew.
    if (!equal(hashOfDraft(draft, maker, usager, now), paper.textHash) || !equal(shownHash, paper.textHash)) return refuse('draft_expired');
    return { paper, actor };
  };

  return {
    waiting: (who) => store.waiting(transactions.auto, who.organisationId, who.aidantId, clock.now()),
    async read(who, id) {
      const paper = await store.find(transactions.auto, id);
      if (paper?.organisationId !== who.organisationId) return undefined;
      const draft = await mandateStore.draft(transactions.auto, paper.draftId, false);
      const actor = await mandateStore.actor(transactions.auto, paper.askedBy, paper.organisationId);
      const usager = await mandateStore.usager(transactions.auto, paper.usagerId);
      return draft && actor && usager && { paper, draft, actor, usager };
    },
    async witness(who, id, shownHash, proof) {
      const done = await transactions.run(async (tx): Promise<{ witnessed: PaperConsent } | { refused: WitnessRefusal }> => {
        const refuse = refuser(journal, tx, who);
        const checked = await check(tx, who, id, shownHash);
        if ('refused' in checked) return refuse(checked.refused, 'usagerId' in checked ? checked.usagerId : undefined);
        const { paper, actor } = checked;
        const factor = await acceptFactor(tx, who.aidantId, proof, witnessedHash(paper));
        if ('refused' in factor) return refuse(factor.refused, paper.usagerId);
        const witness = { id: who.aidantId, at: clock.now(), means: factor.means };
        const evidence = paperEvidence(paper, witness);
        const maker = { aidantId: paper.askedBy, organisationId: paper.organisationId };
        const given = await mandates.consentIn(tx, maker, paper.draftId, paper.usagerId, { method: 'paper', acr: 'eidas1', evidence });
        if ('refused' in given) return refuse(given.refused, paper.usagerId);
        await store.witness(tx, id, { ...witness, evidence });
        await journal.record(tx, {
          type: 'consent.witnessed',
          usager: paper.usagerId,
          aidant: who.aidantId,
          organisation: who.organisationId,
          detail: { reference: paper.reference, ...names(actor) },
        });
        return { witnessed: { ...paper, witness: { id: witness.id, name: `${actor.givenName} ${actor.familyName}`, at: witness.at } } };
      });
      journal.nudge();
      return done;
    },
  };
};
