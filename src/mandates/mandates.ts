import type { Journal } from '../journal/journal.ts';
import { endOfMandate, parisDay } from '../kernel/calendar.ts';
import type { Clock } from '../kernel/clock.ts';
import { equal } from '../kernel/crypto.ts';
import { type AidantId, type DraftId, type MandateId, newId, type OrganisationId, type UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Theme } from '../organisations/theme.ts';
import { firstName, type Usager } from '../usagers/usager.ts';
import { type Consent, type Days, type Draft, type EndReason, type Mandate, newReference, TEMPLATE, textHash } from './mandate.ts';
import { type Actor, type ActorRefusal, checkActor, checkDraft, checkParties, type PartyRefusal } from './policy.ts';

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
}

export interface ClosedGrant {
  readonly mandateId: MandateId;
  readonly theme: Theme;
  /** True when it was the last one of its mandate, which ends with it. */
  readonly last: boolean;
  readonly organisationName: string;
}

export interface MandateStore {
  actor(tx: Transaction, aidantId: AidantId, organisationId: OrganisationId): Promise<Actor | undefined>;
  usager(tx: Transaction, id: UsagerId): Promise<Usager | undefined>;
  addDraft(tx: Transaction, draft: Draft): Promise<void>;
  /** Reads a draft; with `lock`, holds it until the transaction ends. */
  draft(tx: Transaction, id: DraftId, lock: boolean): Promise<Draft | undefined>;
  consentDraft(tx: Transaction, id: DraftId, consent: NonNullable<Draft['consent']>): Promise<void>;
  closeDraft(tx: Transaction, id: DraftId, now: Date): Promise<void>;
  /** Holds every other creation for this pair until the transaction ends. */
  lockPair(tx: Transaction, organisationId: OrganisationId, usagerId: UsagerId): Promise<void>;
  /** Ends the active grants of this pair for these themes (`replaced`, or `expired` when their time was over) and says which. */
  replaceGrants(tx: Transaction, organisationId: OrganisationId, usagerId: UsagerId, themes: readonly Theme[], now: Date): Promise<ClosedGrant[]>;
  add(tx: Transaction, mandate: NewMandate): Promise<void>;
  byDraft(tx: Transaction, id: DraftId): Promise<Mandate | undefined>;
  find(tx: Transaction, id: MandateId): Promise<Mandate | undefined>;
  /** Holds a mandate until the transaction ends: whoever opens a session under it is done, or waits and finds it ended. */
  hold(tx: Transaction, id: MandateId): Promise<void>;
  /** Ends a mandate that is active, with its grants; undefined when it was not active (somebody was faster). */
  end(tx: Transaction, id: MandateId, reason: EndReason, by: string, now: Date): Promise<{ themes: Theme[] } | undefined>;
  ofUsager(tx: Transaction, id: UsagerId): Promise<Mandate[]>;
  ofOrganisation(tx: Transaction, id: OrganisationId, page: ListPage): Promise<Mandate[]>;
  countOfOrganisation(tx: Transaction, id: OrganisationId, now: Date, name: string | undefined): Promise<number>;
  /** Mandates whose time is over and whose rows do not say so yet. */
  overdue(tx: Transaction, now: Date, limit: number): Promise<MandateId[]>;
}

export interface ListPage {
  readonly now: Date;
  /** Only people whose name contains this, among the organisation's own live mandates. */
  readonly name: string | undefined;
  readonly after: MandateId | undefined;
  readonly limit: number;
}

/** Ends delegated sessions in the caller's transaction, with their tokens, their entries and the notices to their services. */
export type EndSessions = (
  tx: Transaction,
  which: { readonly mandateId: MandateId; readonly theme?: Theme },
  reason: 'revoked' | 'renounced' | 'replaced' | 'expired',
  now: Date,
) => Promise<{ readonly ended: number }>;

/** Consumes a fresh second factor in the caller's transaction, so that a code typed once signs one mandate. */
export type AcceptFactor = (
  tx: Transaction,
  aidantId: AidantId,
  code: string,
) => Promise<{ accepted: true; means: string } | { refused: 'wrong_code' | 'code_already_used' | 'too_many_codes' }>;

export type DraftRefusal = ActorRefusal | 'theme_missing' | 'not_found';
export type ConsentRefusal = ActorRefusal | PartyRefusal | 'not_found' | 'draft_expired';
export type AcceptRefusal = ConsentRefusal | 'consent_missing' | 'usager_mismatch' | 'wrong_code' | 'code_already_used' | 'too_many_codes';

export interface Mandates {
  draft(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    themes: readonly Theme[],
    days: Days,
  ): Promise<{ draft: Draft } | { refused: DraftRefusal }>;
  /** The draft, to the aidant who made it for the organisation that is selected; anybody else gets the answer of an unknown id. */
  findDraft(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: DraftId,
  ): Promise<{ draft: Draft; actor: Actor; usager: Usager | undefined } | undefined>;
  /** Records the usager's will on a draft. */
  consent(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: DraftId,
    usagerId: UsagerId,
    consent: Consent,
  ): Promise<{ draft: Draft } | { refused: ConsentRefusal }>;
  /**
   * Records the organisation's will and makes the mandate, its grants and its entries in one transaction. The same draft accepted again
   * gives the same mandate. `shownHash` is the hash of the text that the page showed.
   */
  accept(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: DraftId,
    shownHash: Buffer,
    code: string,
  ): Promise<{ mandate: Mandate; again: boolean } | { refused: AcceptRefusal }>;
  /** Ends a mandate for the usager whose it is. Somebody else's is `not_found`; one that has ended already is given back as it is. */
  revokeByUsager(usagerId: UsagerId, id: MandateId): Promise<{ mandate: Mandate; again: boolean } | { refused: 'not_found' }>;
  renounce(
    who: { aidantId: AidantId; organisationId: OrganisationId },
    id: MandateId,
  ): Promise<{ mandate: Mandate; again: boolean } | { refused: 'not_found' | ActorRefusal }>;
  find(id: MandateId): Promise<Mandate | undefined>;
  ofUsager(usagerId: UsagerId): Promise<Mandate[]>;
  ofOrganisation(organisationId: OrganisationId, page: ListPage): Promise<Mandate[]>;
  countOfOrganisation(organisationId: OrganisationId, now: Date, name: string | undefined): Promise<number>;
  /** Writes down the end of mandates whose time is over. Returns how many. */
  expireOverdue(): Promise<number>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: MandateStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly endSessions: EndSessions;
  readonly acceptFactor: AcceptFactor;
}

export const createMandates = (parts: Parts): Mandates => ({ ...createDrafting(parts), ...createEnding(parts), ...createReading(parts) });

type Who = { aidantId: AidantId; organisationId: OrganisationId };

const names = (actor: Actor) => ({ aidantName: firstName(actor.givenName), organisationName: actor.organisationName });

const createDrafting = ({
  transactions,
  store,
  journal,
  clock,
  endSessions,
  acceptFactor,
}: Parts): Pick<Mandates, 'draft' | 'findDraft' | 'consent' | 'accept'> => {
  /** Runs a step in one transaction; a refusal is an entry of its own, and nothing else changes. */
  const step = async <T extends object, R extends string>(
    who: Who,
    work: (tx: Transaction) => Promise<T | { refused: R; usagerId?: UsagerId }>,
  ): Promise<T | { refused: R }> => {
    const result = await transactions.run(async (tx) => {
      const done = await work(tx);
      if ('refused' in done)
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
      await journal.record(tx, {
        type: 'mandate.replaced',
        usager: usager.id,
        aidant: who.aidantId,
        organisation: who.organisationId,
        mandate: closed.mandateId,
        theme: closed.theme,
        detail: { by: reference, theme: closed.theme, organisationName: closed.organisationName },
      });
    }
  };

  return {
    async draft(who, themes, days) {
      return step<{ draft: Draft }, DraftRefusal>(who, async (tx) => {
        const actor = await store.actor(tx, who.aidantId, who.organisationId);
        if (!actor) return { refused: 'not_found' };
        const refused = checkDraft(actor, themes);
        if (refused) return { refused };
        const now = clock.now();
        const draft: Draft = {
          id: newId('dra'),
          ...who,
          themes,
          days,
          createdAt: now,
          expiresAt: new Date(now.getTime() + DRAFT_MINUTES * 60_000),
          consent: undefined,
          closedAt: undefined,
        };
        await store.addDraft(tx, draft);
        await journal.record(tx, { type: 'mandate.drafted', aidant: who.aidantId, organisation: who.organisationId, detail: { themes, days } });
        return { draft };
      });
    },
    async findDraft(who, id) {
      const draft = await ownDraft(transactions.auto, who, id, false);
      const actor = draft && (await store.actor(transactions.auto, who.aidantId, who.organisationId));
      if (!draft || !actor) return undefined;
      return { draft, actor, usager: draft.consent && (await store.usager(transactions.auto, draft.consent.usagerId)) };
    },
    async consent(who, id, usagerId, consent) {
      return step<{ draft: Draft }, ConsentRefusal>(who, async (tx) => {
        const draft = await ownDraft(tx, who, id, true);
        const actor = await store.actor(tx, who.aidantId, who.organisationId);
        const usager = await store.usager(tx, usagerId);
        const now = clock.now();
        if (!draft || !actor || !usager) return { refused: 'not_found' };
        if (draft.closedAt || draft.expiresAt <= now) return { refused: 'draft_expired', usagerId };
        const refused = checkDraft(actor, draft.themes) ?? checkParties(actor, usager, now);
        if (refused) return { refused: refused as ConsentRefusal, usagerId };
        const hash = textHash({
          organisation: { name: actor.organisationName, siret: actor.siret },
          usager,
          themes: draft.themes,
          days: draft.days,
          from: now,
        });
        const given = { ...consent, usagerId, at: now, textHash: hash };
        await store.consentDraft(tx, id, given);
        await journal.record(tx, {
          type: 'mandate.consented',
          usager: usagerId,
          aidant: who.aidantId,
          organisation: who.organisationId,
          detail: { method: consent.method, acr: consent.acr, themes: draft.themes, ...names(actor) },
        });
        return { draft: { ...draft, consent: given } };
      });
    },
    async accept(who, id, shownHash, code) {
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
        const hash = textHash({
          organisation: { name: actor.organisationName, siret: actor.siret },
          usager,
          themes: draft.themes,
          days: draft.days,
          from: now,
        });
        if (!equal(hash, draft.consent.textHash) || !equal(hash, shownHash)) return { refused: 'usager_mismatch', usagerId };
        const factor = await acceptFactor(tx, who.aidantId, code);
        if ('refused' in factor) return { refused: factor.refused, usagerId };
        await store.lockPair(tx, who.organisationId, usagerId);
        const reference = newReference();
        await replaceOlder(tx, who, draft, usager, reference, now);
        const mandateId = newId('man');
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
        });
        await store.closeDraft(tx, id, now);
        await journal.record(tx, {
          type: 'mandate.created',
          usager: usagerId,
          aidant: who.aidantId,
          organisation: who.organisationId,
          mandate: mandateId,
          detail: {
            reference,
            themes: draft.themes,
            endsAt: endsAt.toISOString(),
            method: draft.consent.method,
            textHash: hash.toString('base64url'),
            ...names(actor),
          },
        });
        const mandate = await store.find(tx, mandateId);
        if (!mandate) return { refused: 'not_found', usagerId };
        return { mandate, again: false };
      });
    },
  };
};

const createEnding = ({
  transactions,
  store,
  journal,
  clock,
  endSessions,
}: Parts): Pick<Mandates, 'revokeByUsager' | 'renounce' | 'expireOverdue'> => {
  /** Ends one mandate: row, grants, sessions, tokens, notices and entry stand or fall together. */
  const end = async (
    tx: Transaction,
    mandate: Mandate,
    kind: 'mandate.revoked' | 'mandate.renounced',
    by: string,
    aidant: { id: AidantId; name: string } | undefined,
  ): Promise<{ mandate: Mandate; again: boolean }> => {
    await store.hold(tx, mandate.id);
    const now = clock.now(); // read once it is held: no session opens later than its mandate ended
    const reason = kind === 'mandate.revoked' ? 'revoked' : 'renounced';
    const ended = await store.end(tx, mandate.id, reason, by, now);
    if (!ended) return { mandate: (await store.find(tx, mandate.id)) ?? mandate, again: true };
    const { ended: sessions } = await endSessions(tx, { mandateId: mandate.id }, reason, now);
    const parties = { usager: mandate.usagerId, organisation: mandate.organisationId, mandate: mandate.id };
    const shared = { themes: ended.themes, sessions, organisationName: mandate.organisationName };
    await journal.record(
      tx,
      kind === 'mandate.revoked'
        ? { type: kind, ...parties, detail: { by, ...shared } }
        : { type: kind, ...parties, aidant: aidant?.id, detail: { ...shared, ...(aidant ? { aidantName: aidant.name } : {}) } },
    );
    return { mandate: (await store.find(tx, mandate.id)) ?? mandate, again: false };
  };

  return {
    async revokeByUsager(usagerId, id) {
      const result = await transactions.run(async (tx) => {
        const mandate = await store.find(tx, id);
        if (mandate?.usagerId !== usagerId) return { refused: 'not_found' as const };
        return end(tx, mandate, 'mandate.revoked', 'usager', undefined);
      });
      journal.nudge();
      return result;
    },
    async renounce(who, id) {
      const result = await transactions.run(async (tx) => {
        const actor = await store.actor(tx, who.aidantId, who.organisationId);
        const mandate = await store.find(tx, id);
        if (!actor || mandate?.organisationId !== who.organisationId) return { refused: 'not_found' as const };
        const refused = checkActor(actor);
        if (refused) return { refused };
        return end(tx, mandate, 'mandate.renounced', `aidant ${who.aidantId}`, { id: who.aidantId, name: firstName(actor.givenName) });
      });
      journal.nudge();
      return result;
    },
    async expireOverdue() {
      const due = await store.overdue(transactions.auto, clock.now(), 200);
      for (const id of due)
        await transactions.run(async (tx) => {
          const mandate = await store.find(tx, id);
          if (!mandate) return;
          const now = clock.now();
          const ended = await store.end(tx, id, 'expired', 'system', now);
          if (!ended) return;
          await endSessions(tx, { mandateId: id }, 'expired', now);
          await journal.record(tx, {
            type: 'mandate.ended',
            usager: mandate.usagerId,
            organisation: mandate.organisationId,
            mandate: id,
            detail: { reason: 'expired', themes: ended.themes, organisationName: mandate.organisationName },
          });
        });
      if (due.length) journal.nudge();
      return due.length;
    },
  };
};

const createReading = ({ transactions, store }: Parts): Pick<Mandates, 'find' | 'ofUsager' | 'ofOrganisation' | 'countOfOrganisation'> => ({
  countOfOrganisation: (id, now, name) => store.countOfOrganisation(transactions.auto, id, now, name),
  find: (id) => store.find(transactions.auto, id),
  ofUsager: (usagerId) => store.ofUsager(transactions.auto, usagerId),
  ofOrganisation: (organisationId, page) => store.ofOrganisation(transactions.auto, organisationId, page),
});
