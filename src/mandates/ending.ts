import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import type { AidantId, MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { readReason } from '../organisations/name.ts';
import type { Theme } from '../organisations/theme.ts';
import { firstName } from '../usagers/usager.ts';
import type { EndReason, Mandate } from './mandate.ts';
import { type Actor, type ActorRefusal, checkActor } from './policy.ts';

/** Ends delegated sessions in the caller's transaction, with their tokens, their entries and the notices to their services. `byOther`: than the person. */
export type EndSessions = (
  tx: Transaction,
  which: { readonly mandateId: MandateId; readonly theme?: Theme; readonly administrationId?: string; readonly byOther?: boolean },
  reason: 'revoked' | 'renounced' | 'replaced' | 'expired',
  now: Date,
) => Promise<{ readonly ended: number }>;

/** Why no mandate may name a person any more. */
export type Protection = 'death' | 'guardianship';

/** How a person stopped when it was not from her own space: by a word from her phone, with the code of her paper, or on paper that an aidant received. */
export type Through =
  | { readonly by: 'sms' | 'letter' }
  | { readonly by: 'paper'; readonly aidantId: AidantId; readonly aidantName: string; readonly structure: string };

/** Tells the other party of an end, in the transaction that ends: the person on an independent channel, the organisation by mail to its référents. */
export type TellEnd = (
  tx: Transaction,
  news: { readonly mandate: Mandate; readonly by: 'usager' | 'organisation' | 'other'; readonly through?: Through['by']; readonly reason: EndReason },
) => Promise<void>;

export interface EndingStore {
  actor(tx: Transaction, aidantId: AidantId, organisationId: OrganisationId): Promise<(Actor & { readonly referent: boolean }) | undefined>;
  find(tx: Transaction, id: MandateId): Promise<Mandate | undefined>;
  /** Holds a mandate until the transaction ends: whoever opens a session under it is done, or waits and finds it ended. */
  hold(tx: Transaction, id: MandateId): Promise<void>;
  /**
   * Ends the active grants of a mandate, or the one of `theme`; the mandate ends with its last one. Undefined when nothing was active (somebody was
   * faster, or the theme is not in it). `event`: of the entry that must say it.
   */
  end(
    tx: Transaction,
    id: MandateId,
    reason: EndReason,
    by: string,
    now: Date,
    theme: Theme | undefined,
  ): Promise<{ readonly themes: Theme[]; readonly left: Theme[]; readonly event: string } | undefined>;
  /** Closes what the person has consented to and nobody has accepted yet, and the sheets that wait for their witness: no mandate comes of them. */
  closeDraftsOf(tx: Transaction, usagerId: UsagerId, now: Date): Promise<void>;
  /** Mandates whose time is over and whose rows do not say so yet. */
  overdue(tx: Transaction, now: Date, limit: number): Promise<MandateId[]>;
  /** Mandates that have not ended, held in the order of their ids until the transaction ends. */
  holdLive(tx: Transaction, whose: { readonly usagerId: UsagerId } | { readonly organisationId: OrganisationId }): Promise<Mandate[]>;
  /** Notes that no mandate may name this person any more; false when that was noted before, undefined when nobody has this id. */
  protect(tx: Transaction, id: UsagerId, protection: Protection, now: Date): Promise<boolean | undefined>;
}

interface Who {
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
}

/** What came of it: the mandate as it stands, and whether it had ended (or its theme had) before. */
export interface Ended {
  readonly mandate: Mandate;
  readonly again: boolean;
  /** The event of the journal that is the receipt; absent when it had ended before. */
  readonly event?: string;
}

/** Who may end a mandate, or one theme of it (product.md, "Revocation"; claims M18, M19, M21). An end is immediate and cannot be undone. */
export interface Endings {
  /** Somebody else's mandate is `not_found`; what has ended already is given back as it is. */
  revokeByUsager(usagerId: UsagerId, id: MandateId, theme?: Theme): Promise<Ended | { refused: 'not_found' }>;
  /** An aidant of the organisation gives it up; a référent may do so too, and the entry says it. */
  renounce(who: Who, id: MandateId, theme?: Theme): Promise<Ended | { refused: 'not_found' | ActorRefusal }>;
  /** The opérateur, with a reason that the usager reads. `actor` is theirs. */
  endByOperateur(
    id: MandateId,
    by: { readonly reason: string; readonly actor: string },
    theme?: Theme,
  ): Promise<Ended | { refused: 'not_found' | 'reason_malformed' }>;
  /** A person has died, or is under guardianship: every mandate ends now, and none can be made (claim M12). `again`: it was known. */
  endOfPerson(usagerId: UsagerId, protection: Protection, actor: string): Promise<{ ended: number; again: boolean } | { refused: 'unknown_usager' }>;
  /** A theme of a mandate that its person stops with another decision of hers, in the caller's transaction. */
  revokeIn(tx: Transaction, mandate: Mandate, theme: Theme): Promise<void>;
  /** A mandate that its person stops by other ways than her space, in the caller's transaction. */
  stopIn(tx: Transaction, mandate: Mandate, through: Through): Promise<Ended>;
  /** Every mandate that a person has, and every draft that she has consented to or may have signed. Returns how many mandates ended. */
  stopAllIn(tx: Transaction, usagerId: UsagerId, through: Through): Promise<number>;
  /** Ends every mandate of an organisation that is itself ended, in the caller's transaction. */
  endOfOrganisation(tx: Transaction, organisationId: OrganisationId): Promise<number>;
  /** Writes down the end of mandates whose time is over. Returns how many. */
  expireOverdue(): Promise<number>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: EndingStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly endSessions: EndSessions;
  readonly tellEnd?: TellEnd;
}

const OVERDUE_AT_ONCE = 200;

/** Makes the ways in which mandates end. Row, grants, sessions, tokens, notices and entry stand or fall together. */
export const createEnding = ({ transactions, store, journal, clock, endSessions, tellEnd }: Parts): Endings => {
  const parties = (mandate: Mandate) => ({ usager: mandate.usagerId, organisation: mandate.organisationId, mandate: mandate.id });

  /** Ends a mandate that is held, or one theme of it, at an instant read once it is held: no session opens later than its mandate ended. */
  const close = async (
    tx: Transaction,
    mandate: Mandate,
    reason: EndReason,
    by: string,
    theme?: Theme,
  ): Promise<{ closed: { themes: Theme[]; left: Theme[]; sessions: number }; event: string } | undefined> => {
    const now = clock.now();
    const ended = await store.end(tx, mandate.id, reason, by, now, theme);
    if (!ended) return undefined;
    const sessionEnd = reason === 'renounced' || reason === 'expired' || reason === 'replaced' ? reason : 'revoked';
    const which = { mandateId: mandate.id, ...(theme ? { theme } : {}), byOther: !by.startsWith('usager') };
    const { ended: sessions } = await endSessions(tx, which, sessionEnd, now);
    return { closed: { themes: ended.themes, left: ended.left, sessions }, event: ended.event };
  };

  const after = async (tx: Transaction, mandate: Mandate, event?: string): Promise<Ended> => ({
    mandate: (await store.find(tx, mandate.id)) ?? mandate,
    again: event === undefined,
    ...(event === undefined ? {} : { event }),
  });

  const revoke = async (
    tx: Transaction,
    mandate: Mandate,
    by: string,
    theme: Theme | undefined,
    more: { readonly motive?: string; readonly through?: Through } = {},
  ): Promise<Ended> => {
    const { motive, through } = more;
    await store.hold(tx, mandate.id);
    const done = await close(tx, mandate, 'revoked', through ? `${by} ${through.by}` : by, theme);
    if (!done) return after(tx, mandate);
    await journal.record(
      tx,
      {
        type: 'mandate.revoked',
        ...parties(mandate),
        ...(through?.by === 'paper' ? { actor: through.aidantId } : {}),
        detail: {
          by,
          ...done.closed,
          organisationName: mandate.organisationName,
          ...(motive === undefined ? {} : { reason: motive }),
          ...(through ? { through: through.by } : {}),
          ...(through?.by === 'paper' ? { receivedBy: through.aidantName, receivedAt: through.structure } : {}),
        },
      },
      done.event,
    );
    await tellEnd?.(tx, { mandate, by: by === 'usager' ? by : 'other', ...(through ? { through: through.by } : {}), reason: 'revoked' });
    return after(tx, mandate, done.event);
  };

  /** Ends what a fact has ended, whoever told it. */
  const endAll = async (tx: Transaction, mandates: readonly Mandate[], reason: EndReason, by: string): Promise<number> => {
    let count = 0;
    for (const mandate of mandates) {
      const done = await close(tx, mandate, reason, by);
      if (!done) continue;
      count++;
      if (reason !== 'expired') await tellEnd?.(tx, { mandate, by: 'other', reason });
      await journal.record(
        tx,
        {
          type: 'mandate.ended',
          ...parties(mandate),
          detail: { reason, themes: done.closed.themes, organisationName: mandate.organisationName },
        },
        done.event,
      );
    }
    return count;
  };

  const committed = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const result = await transactions.run(work);
    journal.nudge();
    return result;
  };

  return {
    revokeByUsager: (usagerId, id, theme) =>
      committed(async (tx) => {
        const mandate = await store.find(tx, id);
        return mandate?.usagerId === usagerId ? revoke(tx, mandate, 'usager', theme) : { refused: 'not_found' as const };
      }),
    renounce: (who, id, theme) =>
      committed(async (tx) => {
        const actor = await store.actor(tx, who.aidantId, who.organisationId);
        const mandate = await store.find(tx, id);
        if (!actor || mandate?.organisationId !== who.organisationId) return { refused: 'not_found' as const };
        const refused = checkActor(actor);
        if (refused) return { refused };
        await store.hold(tx, id);
        const done = await close(tx, mandate, 'renounced', `${actor.referent ? 'referent' : 'aidant'} ${who.aidantId}`, theme);
        if (!done) return after(tx, mandate);
        await journal.record(
          tx,
          {
            type: 'mandate.renounced',
            ...parties(mandate),
            aidant: who.aidantId,
            detail: { ...done.closed, organisationName: mandate.organisationName, aidantName: firstName(actor.givenName) },
          },
          done.event,
        );
        await tellEnd?.(tx, { mandate, by: 'organisation', reason: 'renounced' });
        return after(tx, mandate, done.event);
      }),
    async endByOperateur(id, by, theme) {
      const reason = readReason(by.reason);
      if (reason === undefined) return { refused: 'reason_malformed' };
      return committed(async (tx) => {
        const mandate = await store.find(tx, id);
        return mandate ? revoke(tx, mandate, by.actor, theme, { motive: reason }) : { refused: 'not_found' as const };
      });
    },
    endOfPerson: (usagerId, protection, actor) =>
      committed(async (tx) => {
        const noted = await store.protect(tx, usagerId, protection, clock.now());
        if (noted === undefined) return { refused: 'unknown_usager' as const };
        if (noted) await journal.record(tx, { type: 'usager.protected', usager: usagerId, actor, detail: { protection } });
        return { ended: await endAll(tx, await store.holdLive(tx, { usagerId }), protection, actor), again: !noted };
      }),
    revokeIn: async (tx, mandate, theme) => {
      await revoke(tx, mandate, 'usager', theme);
    },
    stopIn: (tx, mandate, through) => revoke(tx, mandate, 'usager', undefined, { through }),
    async stopAllIn(tx, usagerId, through) {
      // Drafts first: an acceptance under way holds its draft, and its mandate is among the live ones once it has let go.
      await store.closeDraftsOf(tx, usagerId, clock.now());
      let count = 0;
      for (const mandate of await store.holdLive(tx, { usagerId }))
        if (!(await revoke(tx, mandate, 'usager', undefined, { through })).again && mandate.endsAt > clock.now()) count++;
      return count;
    },
    endOfOrganisation: async (tx, organisationId) => endAll(tx, await store.holdLive(tx, { organisationId }), 'organisation_ended', 'system'),
    async expireOverdue() {
      const due = await store.overdue(transactions.auto, clock.now(), OVERDUE_AT_ONCE);
      for (const id of due)
        await transactions.run(async (tx) => {
          const mandate = await store.find(tx, id);
          if (mandate) await endAll(tx, [mandate], 'expired', 'system');
        });
      if (due.length) journal.nudge();
      return due.length;
    },
  };
};
