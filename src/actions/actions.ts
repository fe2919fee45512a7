import { type Level, reaches } from '../delegation/session.ts';
import type { Entry } from '../journal/event.ts';
import type { Journal, Receipt } from '../journal/journal.ts';
import { canonical } from '../kernel/canonical.ts';
import { CLOCKS_APART_MS, type Clock } from '../kernel/clock.ts';
import { randomUuid, sha256 } from '../kernel/crypto.ts';
import { gathered } from '../kernel/gathered.ts';
import type { AidantId, MandateId, OrganisationId, SessionId, UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { covered, isHeld, type Narrowing } from '../mandates/narrowing.ts';
import type { Theme } from '../organisations/theme.ts';
import { type Demarche, demarcheOf } from '../services/service.ts';
import type { ActionEvent, Verb } from './action.ts';

/** The session that an act is reported under, alive or not. */
export interface ReportedSession {
  readonly id: SessionId;
  readonly serviceId: string;
  readonly administrationId: string;
  readonly usagerId: UsagerId;
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly mandateId: MandateId;
  readonly theme: Theme;
  readonly openedAt: Date;
  /** Level of the session, and when the aidant signed in. */
  readonly acr: Level;
  readonly authTime: Date;
  /** Something was reported of it before. */
  readonly reported: boolean;
  /** When it stopped, or will at the latest. */
  readonly endsAt: Date;
  readonly aidantName: string;
  readonly organisationName: string;
  readonly serviceName: string;
  readonly demarches: readonly Demarche[];
  /** Of its mandate: what holds it, and its themes, each until it was stopped. */
  readonly narrowing: Narrowing;
  readonly grants: readonly { readonly theme: Theme; readonly endedAt: Date | undefined }[];
  /** Codes that it is held to; undefined: whatever the service does in the theme. */
  readonly heldTo: readonly string[] | undefined;
}

export interface ActionStore {
  /** Reads the sessions that are this service's, each held so that none ends before this transaction does (claim M17). */
  holdSessions(tx: Transaction, asked: readonly { readonly id: SessionId; readonly serviceId: string }[]): Promise<ReportedSession[]>;
  /** Notes that the service has said something of these sessions: they are not « sans compte rendu ». */
  markReported(tx: Transaction, ids: readonly SessionId[], now: Date): Promise<void>;
  /** Claims event keys, answering in order: undefined the first time, otherwise what stands under the key. */
  claim(tx: Transaction, claims: readonly Claim[], now: Date): Promise<(Claimed | undefined)[]>;
}

export interface Claim {
  readonly serviceId: string;
  readonly source: string;
  readonly key: string;
  readonly hash: Buffer;
  readonly sessionId: SessionId;
  readonly eventId: string;
}

export interface Claimed {
  readonly hash: Buffer;
  readonly eventId: string;
}

export type ActionRefusal =
  | 'session_unknown'
  | 'session_too_old'
  | 'time_out_of_range'
  | 'demarche_unknown'
  | 'outside_mandate'
  | 'outside_session'
  | 'insufficient_authentication'
  | 'event_differs'
  | 'journal_unavailable';

/** What a démarche asks of the aidant's sign-in: a new session must have it (RFC 9470). */
export type StepUp = Pick<Demarche, 'level' | 'maxAge'>;

export type Outcome = { readonly receipt: Receipt } | { readonly refused: ActionRefusal; readonly receipt?: Receipt; readonly stepUp?: StepUp };

export interface Actions {
  /**
   * Records acts reported by a service, each with its own answer, in the order given. The same event again gives the same receipt. An act
   * outside the mandate, or of less than what its démarche asks of the sign-in, or of another démarche than the one asked for, is kept, shown to the
   * usager as what it is, and refused.
   */
  report(serviceId: string, events: readonly ActionEvent[]): Promise<Outcome[]>;
}

/** A session that ended longer ago than this takes no more reports. */
const LATE_HOURS = 24;

const check = (event: ActionEvent, session: ReportedSession, now: Date): ActionRefusal | undefined => {
  if (now.getTime() - session.endsAt.getTime() > LATE_HOURS * 3_600_000) return 'session_too_old';
  const latest = Math.min(now.getTime() + CLOCKS_APART_MS, session.endsAt.getTime());
  if (event.time.getTime() < session.openedAt.getTime() - CLOCKS_APART_MS || event.time.getTime() > latest) return 'time_out_of_range';
  const demarche = demarcheOf(session, event.demarche);
  if (!demarche) return 'demarche_unknown';
  if (!allowed(demarche, session, event.time)) return 'outside_mandate';
  if (!demarche.themes.includes(session.theme)) return 'outside_session';
  if (session.heldTo && demarche.effect === 'read' && !READING.includes(event.verb))
    return isHeld(session.narrowing) ? 'outside_mandate' : 'outside_session';
  // What the mandate allows is not said to be outside it: the sign-in is too weak, for something else that the service named, or too old.
  if (!reaches(session.acr, demarche)) return 'insufficient_authentication';
  if (!(session.heldTo?.includes(demarche.code) ?? true)) return 'outside_session';
  return isFresh(demarche, session, event.time) ? undefined : 'insufficient_authentication';
};

/** Says whether the mandate allowed a démarche when the act was done, in whichever of its themes. */
const allowed = (demarche: Demarche, { grants, narrowing }: ReportedSession, at: Date): boolean =>
  grants.some(({ theme, endedAt }) => demarche.themes.includes(theme) && (endedAt === undefined || at <= endedAt)) &&
  covered(narrowing, [demarche]).length > 0;

/** Says whether the aidant's sign-in was fresh enough for a démarche when the act was done. */
const isFresh = (demarche: Demarche, session: ReportedSession, at: Date): boolean =>
  demarche.maxAge === undefined || at.getTime() - session.authTime.getTime() <= demarche.maxAge * 1000;

/** Refused, and kept all the same: hiding it would serve the wrongdoer. */
const KEPT: ReadonlySet<ActionRefusal> = new Set(['outside_mandate', 'outside_session', 'insufficient_authentication']);

/** What may be said of a démarche that only reads, in a session held to it. */
const READING: readonly Verb[] = ['open', 'read', 'download'];

const hashOf = (event: ActionEvent): Buffer =>
  sha256(
    canonical({
      session: event.session,
      verb: event.verb,
      demarche: event.demarche,
      outcome: event.outcome,
      reference: event.reference,
      time: event.time.toISOString(),
    }),
  );

type Written = { eventId: string } | { refused: ActionRefusal; eventId?: string; stepUp?: StepUp };

/** One act on its way: what it is reported under, and what was found wrong before anything is written. */
interface Act {
  readonly serviceId: string;
  readonly event: ActionEvent;
  readonly session: ReportedSession | undefined;
  readonly refused: ActionRefusal | undefined;
  readonly hash: Buffer;
  readonly eventId: string;
}

/** The entry of an act that is kept. */
const reported = ({ serviceId, event, refused }: Act, session: ReportedSession): Entry => {
  const demarche = demarcheOf(session, event.demarche);
  return {
    type: 'action.reported',
    usager: session.usagerId,
    aidant: session.aidantId,
    organisation: session.organisationId,
    mandate: session.mandateId,
    session: session.id,
    service: serviceId,
    administration: session.administrationId,
    theme: session.theme,
    demarche: event.demarche,
    verb: event.verb,
    outcome: event.outcome,
    detail: {
      demarcheLabel: demarche?.labelFr ?? event.demarche,
      demarcheLabelEn: demarche?.labelEn ?? event.demarche,
      at: event.time.toISOString(),
      outsideMandate: refused === 'outside_mandate',
      ...(refused && refused !== 'outside_mandate' ? { signInAgain: true } : {}),
      aidantName: session.aidantName,
      organisationName: session.organisationName,
      serviceName: session.serviceName,
      ...(event.reference === undefined ? {} : { reference: event.reference }),
    },
  };
};

const refusal = ({ serviceId, session }: Act, reason: ActionRefusal): Entry => ({
  type: 'action.refused',
  service: serviceId,
  administration: session?.administrationId,
  session: session?.id,
  outcome: 'refused',
  detail: { reason },
});

/** What came of an act, and the entry to write for it, if any: the same event again writes nothing. */
const settle = (act: Act, before: Claimed | undefined): { written: Written; entry?: { entry: Entry; eventId?: string } } => {
  const { session, refused, hash, eventId } = act;
  const refuse = (why: ActionRefusal) => ({ written: { refused: why }, entry: { entry: refusal(act, why) } });
  if (!session) return refuse('session_unknown');
  if (refused && !KEPT.has(refused)) return refuse(refused);
  if (before && !before.hash.equals(hash)) return refuse('event_differs');
  const kept = before?.eventId ?? eventId;
  const stepUp = refused === 'insufficient_authentication' ? demarcheOf(session, act.event.demarche) : undefined;
  const written: Written = refused ? { refused, eventId: kept, ...(stepUp ? { stepUp } : {}) } : { eventId: kept };
  return before ? { written } : { written, entry: { entry: reported(act, session), eventId } };
};

/**
 * What is written: of the refusals that one request met for one reason, of one session or of none, a single entry that counts them. Whoever reports
 * what never was by the hundred does not fill the journal, which others need to stop a mandate.
 */
const gatherRefusals = (
  settled: readonly ReturnType<typeof settle>[],
  requests: readonly number[],
): NonNullable<ReturnType<typeof settle>['entry']>[] => {
  const several = new Map<string, { entry: Entry; count: number }>();
  const kept = settled.flatMap(({ entry }, i) => {
    if (entry?.entry.type !== 'action.refused') return entry ?? [];
    const named = JSON.stringify([requests[i], entry.entry.session, entry.entry.detail]);
    const before = several.get(named);
    several.set(named, { entry: entry.entry, count: (before?.count ?? 0) + 1 });
    return [];
  });
  return [...kept, ...[...several.values()].map(({ entry, count }) => ({ entry: counted(entry, count) }))];
};

const counted = (entry: Entry, count: number): Entry =>
  entry.type === 'action.refused' && count > 1 ? { ...entry, detail: { ...entry.detail, count } } : entry;

const isKept = ({ session, refused }: Act): boolean => session !== undefined && (refused === undefined || KEPT.has(refused));

/** Reports of so many acts, at most, are written together. */
const MOST_TOGETHER = 500;

interface Asked {
  readonly serviceId: string;
  readonly events: readonly ActionEvent[];
}

export const createActions = (parts: { transactions: Transactions; store: ActionStore; journal: Journal; clock: Clock }): Actions => {
  const { transactions, store, journal, clock } = parts;

  const write = async (tx: Transaction, asked: readonly Asked[]): Promise<Written[][]> => {
    const now = clock.now();
    const nameOf = (serviceId: string, id: SessionId): string => `${serviceId} ${id}`;
    const wanted = new Map(
      asked.flatMap(({ serviceId, events }) => events.map(({ session: id }) => [nameOf(serviceId, id), { id, serviceId }] as const)),
    );
    const held = await store.holdSessions(tx, [...wanted.values()]);
    const sessions = new Map(held.map((session) => [nameOf(session.serviceId, session.id), session]));
    const acts = asked.flatMap(({ serviceId, events }) =>
      events.map((event): Act => {
        const session = sessions.get(nameOf(serviceId, event.session));
        return { serviceId, event, session, refused: session && check(event, session, now), hash: hashOf(event), eventId: randomUuid() };
      }),
    );
    const kept = acts.filter(isKept);
    const claims = kept.map(
      ({ serviceId, event, hash, eventId }): Claim => ({ serviceId, source: event.source, key: event.id, hash, sessionId: event.session, eventId }),
    );
    const before = claims.length ? await store.claim(tx, claims, now) : [];
    const known = new Map(kept.map((act, i) => [act, before[i]]));
    const settled = acts.map((act) => settle(act, known.get(act)));
    const requests = asked.flatMap(({ events }, request) => events.map(() => request));
    await journal.recordAll(tx, gatherRefusals(settled, requests));
    // What was refused reports nothing.
    const told = acts.filter(({ session }, i) => session?.reported === false && settled[i]?.written.eventId !== undefined);
    if (told.length) await store.markReported(tx, [...new Set(told.map(({ event }) => event.session))].sort(), now);
    const answers = settled.map(({ written }) => written);
    return asked.map(({ events }) => answers.splice(0, events.length));
  };

  // Reports that arrive together commit together: what one commit costs, all of them share.
  const together = gathered<Asked, Written[]>(
    async (asked) => {
      const written = await transactions.run((tx) => write(tx, asked));
      journal.nudge();
      return written;
    },
    { atOnce: 3, most: MOST_TOGETHER, size: ({ events }) => events.length },
  );

  return {
    async report(serviceId, events) {
      const written = await together({ serviceId, events });
      return Promise.all(
        written.map(async (answer): Promise<Outcome> => {
          const receipt = answer.eventId === undefined ? undefined : await journal.receipt(answer.eventId, 5000);
          if ('refused' in answer) {
            const { refused, stepUp } = answer;
            return { refused, ...(receipt ? { receipt } : {}), ...(stepUp ? { stepUp } : {}) };
          }
          return receipt ? { receipt } : { refused: 'journal_unavailable' }; // recorded, not yet sequenced: the same event again gets its receipt
        }),
      );
    },
  };
};
