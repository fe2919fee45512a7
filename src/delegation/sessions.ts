import type { Queued } from '../journal/entry.ts';
import type { Journal } from '../journal/journal.ts';
import { CLOCKS_APART_MS, type Clock } from '../kernel/clock.ts';
import { randomToken, randomUuid } from '../kernel/crypto.ts';
import { type AidantId, type MandateId, newId, type OrganisationId, type SessionId, type UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { ConsentMethod } from '../mandates/mandate.ts';
import { covered, isHeld, type Narrowing } from '../mandates/narrowing.ts';
import { type Actor, type ActorRefusal, checkActor, grantable, habilitatedThemes } from '../mandates/policy.ts';
import type { Theme } from '../organisations/theme.ts';
import type { Demarche } from '../services/service.ts';
import { firstName, isSamePerson, type Usager } from '../usagers/usager.ts';
import { type Level, lowest, mandateIdentifier, reaches, SESSION_MINUTES, type SessionEnd } from './session.ts';

/** One person an aidant may act for at a service, now. */
export interface Candidate {
  readonly mandateId: MandateId;
  readonly usager: Usager;
  readonly usagerName: string;
  readonly themes: readonly Theme[];
  readonly narrowing: Narrowing;
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly consent: { readonly method: ConsentMethod; readonly acr: string; readonly at: Date };
  /** What this browser holds for other people now, when the query names the browser: it ends if this one is chosen. */
  readonly others: readonly { readonly usagerName: string; readonly serviceName: string }[];
}

/** What must be true together when a session opens, read under a lock that a revocation has to wait for. */
export interface OpeningFacts {
  readonly actor: Actor;
  readonly mandate: {
    readonly id: MandateId;
    readonly organisationId: OrganisationId;
    readonly ended: boolean;
    readonly startsAt: Date;
    readonly endsAt: Date;
    readonly consentAcr: string;
    readonly narrowing: Narrowing;
    /** One use was allowed, and was made: no session of it goes on here. */
    readonly used: boolean;
    /** The service's administration has stopped it at its services. */
    readonly barred: boolean;
  };
  readonly mandateThemes: readonly Theme[];
  readonly usager: Usager;
  readonly service: {
    readonly id: string;
    readonly name: string;
    readonly administrationId: string;
    readonly sector: string;
    readonly status: string;
    readonly delegationSupported: boolean;
    readonly themes: readonly Theme[];
    readonly minimumConsent: Level;
  };
  /** The service's démarches of the chosen theme. */
  readonly demarches: readonly Pick<Demarche, 'code' | 'effect' | 'level'>[];
}

export interface EndedSession {
  readonly id: SessionId;
  readonly usagerId: UsagerId;
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly mandateId: MandateId;
  readonly serviceId: string;
  readonly administrationId: string;
  readonly theme: Theme;
  readonly reason: SessionEnd;
  readonly reported: boolean;
  /** Of the entry that must say it. */
  readonly event: string;
  readonly aidantName: string;
  readonly organisationName: string;
  readonly serviceName: string;
}

/** Which live sessions to end, and by whom. Exactly the named members are compared. */
export interface Which {
  readonly id?: SessionId;
  readonly mandateId?: MandateId;
  readonly theme?: Theme;
  readonly organisationId?: OrganisationId;
  readonly aidantId?: AidantId;
  readonly webSession?: Buffer;
  readonly grantId?: string;
  readonly serviceId?: string;
  /** At the services of this administration. */
  readonly administrationId?: string;
  readonly exceptUsager?: UsagerId;
  readonly exceptOrganisation?: OrganisationId;
  /** Only those whose thirty minutes were over at this instant. */
  readonly expiredAt?: Date;
  /** With `exceptUsager`: that usager's own sessions at this service as well, whose reason is then `superseded`. */
  readonly andAtService?: string;
  /** Chooses none: somebody else than the person ends them, which services are told. */
  readonly byOther?: boolean;
}

export interface CandidateQuery {
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly serviceId: string;
  readonly asked: readonly Theme[] | undefined;
  /** A démarche that the service asked for. */
  readonly demarche?: string | undefined;
  readonly mandateId?: MandateId;
  readonly name?: string;
  readonly after?: MandateId;
  /** Names the browser whose sessions for others are to be read with it. */
  readonly webSession?: Buffer;
  /** When the aidant signed in: what was given for one use goes on after a newer sign-in. */
  readonly authTime: Date;
  readonly limit: number;
  readonly now: Date;
}

export interface SessionStore {
  candidates(tx: Transaction, query: CandidateQuery): Promise<Candidate[]>;
  /**
   * Holds the browser session until the transaction ends, and with it what must not stop meanwhile; `no_web_session` when the browser session has
   * ended, changed hands or selected another organisation.
   */
  holdOpening(tx: Transaction, asked: Beginning, now: Date): Promise<OpeningFacts | 'no_web_session' | 'not_found'>;
  /** Holds a mandate for one use until the transaction ends, with the session that goes on if there is one; `mandate_used` when its use is over. */
  holdOneUse(tx: Transaction, asked: Beginning, now: Date): Promise<Former | undefined | 'mandate_used'>;
  /** Writes a session and its entry in one statement. */
  add(tx: Transaction, session: NewSession, entry: Queued): Promise<void>;
  /**
   * Ends live sessions, deletes their artefacts and queues the notices to their services, in one statement. `continuedBy` names the session that
   * takes the place of the only one, in the same transaction.
   */
  end(tx: Transaction, which: Which, reason: SessionEnd, now: Date, continuedBy?: SessionId): Promise<EndedSession[]>;
  /** Gives what lives in one browser session to another of the same aidant. */
  pass(tx: Transaction, from: Buffer, to: Buffer): Promise<void>;
  live(tx: Transaction, webSession: Buffer, now: Date): Promise<LiveSession[]>;
  /** Holds a browser session until the transaction ends. */
  holdBrowser(tx: Transaction, webSession: Buffer): Promise<void>;
  /** Deletes what the provider gave to people, other than this one, who signed in alone in this browser. */
  endAlone(tx: Transaction, webSession: Buffer, exceptUsager: UsagerId): Promise<void>;
}

export interface LiveSession {
  readonly id: SessionId;
  readonly usagerId: UsagerId;
  readonly usagerName: string;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly theme: Theme;
  readonly expiresAt: Date;
}

export interface NewSession {
  readonly id: SessionId;
  readonly grantId: string;
  readonly webSession: Buffer;
  readonly mandateId: MandateId;
  readonly theme: Theme;
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly usagerId: UsagerId;
  readonly serviceId: string;
  readonly acr: Level;
  readonly aidantAcr: Level;
  readonly aidantAmr: readonly string[];
  readonly authTime: Date;
  readonly privileges: readonly string[];
  /** Démarches that it is held to; undefined: whatever the service does in the theme. */
  readonly demarches: readonly string[] | undefined;
  readonly singleUse: boolean;
  readonly identifier: string;
  readonly openedEvent: string;
  readonly openedAt: Date;
  readonly expiresAt: Date;
}

export type OpenRefusal =
  | ActorRefusal
  | 'not_found'
  | 'other_organisation_selected'
  | 'session_expired'
  | 'mandate_ended'
  | 'mandate_revoked'
  | 'service_disabled'
  | 'delegation_not_supported'
  | 'self_dealing'
  | 'demarche_not_covered'
  | 'mandate_used'
  | 'mandate_barred'
  | 'unmet_level';

export interface Opening {
  readonly webSession: Buffer;
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
  readonly aidantAcr: Level;
  readonly aidantAmr: readonly string[];
  readonly authTime: Date;
  readonly mandateId: MandateId;
  readonly theme: Theme;
  readonly serviceId: string;
  /** Themes that the service asked for; undefined when it named none. */
  readonly asked: readonly Theme[] | undefined;
  /** A démarche that it asked for. */
  readonly demarche?: string | undefined;
}

/** What says which session begins, and after which sign-in. */
export type Beginning = Pick<Opening, 'webSession' | 'aidantId' | 'organisationId' | 'mandateId' | 'serviceId' | 'theme' | 'authTime'>;

/** The live session of a mandate for one use that another continues. */
export interface Former {
  readonly id: SessionId;
  readonly expiresAt: Date;
}

export interface Sessions {
  candidates(query: Omit<CandidateQuery, 'now'>): Promise<Candidate[]>;
  live(webSession: Buffer): Promise<LiveSession[]>;
  /**
   * Opens a delegated session, after every check, ending in the same transaction what one browser may not hold beside it. `together` writes in that
   * transaction what must not exist without the session; it must ask nothing of another connection.
   */
  open(
    asked: Opening,
    together?: (tx: Transaction, session: NewSession) => Promise<void>,
  ): Promise<{ session: NewSession; ended: number } | { refused: OpenRefusal }>;
  /**
   * Somebody signs in alone in an aidant's browser: whoever was acted for there, unless it is that person, is no more. `together` writes in that
   * transaction what the person is given, under the same lock as an opening: of the two, the later one stands. Returns how many sessions ended.
   */
  alone(webSession: Buffer, usagerId: UsagerId, together: (tx: Transaction) => Promise<void>): Promise<number>;
  /** Ends sessions in a transaction of their own. */
  end(which: Which, reason: SessionEnd): Promise<EndedSession[]>;
  /** Ends sessions in the caller's transaction, each with its entry. */
  endIn(tx: Transaction, which: Which, reason: SessionEnd, now: Date): Promise<EndedSession[]>;
  /** An aidant signed in anew in the same browser, for the same organisation: what is open there goes on, in the caller's transaction. */
  passIn(tx: Transaction, from: Buffer, to: Buffer): Promise<void>;
}

const proofOf = (facts: OpeningFacts): Level => (facts.mandate.consentAcr === 'eidas2' ? 'eidas2' : 'eidas1');

/** The ordered checks of an opening: the first that does not hold is the answer. */
const checkOpening = (facts: OpeningFacts, asked: Opening, now: Date): OpenRefusal | undefined => {
  const { actor, mandate, service } = facts;
  const refused = checkActor(actor);
  if (refused) return refused;
  if (mandate.organisationId !== asked.organisationId) return 'not_found';
  if (mandate.ended) return 'mandate_revoked';
  if (mandate.endsAt <= now || mandate.startsAt.getTime() > now.getTime() + CLOCKS_APART_MS) return 'mandate_ended';
  if (service.status !== 'approved') return 'service_disabled';
  if (!service.delegationSupported) return 'delegation_not_supported';
  if (isSamePerson(facts.usager, actor)) return 'self_dealing';
  if (service.minimumConsent === 'eidas2' && lowest(proofOf(facts), asked.aidantAcr) !== 'eidas2') return 'unmet_level';
  const granted = grantable({ mandate: facts.mandateThemes, service: service.themes, aidant: habilitatedThemes(actor), asked: asked.asked });
  if (!granted.includes(asked.theme)) return 'theme_not_covered';
  if (mandate.barred) return 'mandate_barred';
  if (mandate.used) return 'mandate_used';
  if (!isBound(facts, asked) || allowedHere(facts, asked).length > 0) return undefined;
  return inMandate(facts, asked).length > 0 ? 'unmet_level' : 'demarche_not_covered';
};

/** The level of the session: the lesser of the person's proof and of the aidant's sign-in. */
const levelOf = (facts: OpeningFacts, asked: Opening): Level => lowest(proofOf(facts), asked.aidantAcr);

/** Says whether a session is held to some démarches: its mandate is, the service asked for one, or one asks for more than its level. */
const isBound = (facts: OpeningFacts, asked: Opening): boolean =>
  isHeld(facts.mandate.narrowing) || asked.demarche !== undefined || facts.demarches.some((each) => !reaches(levelOf(facts, asked), each));

/** Mandate ∩ service ∩ asked, in démarches (claim M7), whatever their level. */
const inMandate = (facts: OpeningFacts, asked: Opening): OpeningFacts['demarches'] =>
  covered(facts.mandate.narrowing, facts.demarches).filter(({ code }) => asked.demarche === undefined || code === asked.demarche);

/** The same, at the level of the session. */
const allowedHere = (facts: OpeningFacts, asked: Opening): OpeningFacts['demarches'] =>
  inMandate(facts, asked).filter((each) => reaches(levelOf(facts, asked), each));

export const createSessions = (parts: {
  transactions: Transactions;
  store: SessionStore;
  journal: Journal;
  clock: Clock;
  pairwiseKey: Buffer;
}): Sessions => {
  const { transactions, store, journal, clock, pairwiseKey } = parts;

  const endIn = async (tx: Transaction, which: Which, reason: SessionEnd, now: Date, continuedBy?: SessionId): Promise<EndedSession[]> => {
    const ended = await store.end(tx, which, reason, now, continuedBy);
    for (const session of ended)
      await journal.record(
        tx,
        {
          type: 'session.ended',
          usager: session.usagerId,
          aidant: session.aidantId,
          organisation: session.organisationId,
          mandate: session.mandateId,
          session: session.id,
          service: session.serviceId,
          administration: session.administrationId,
          theme: session.theme,
          detail: {
            reason: session.reason,
            reported: session.reported,
            aidantName: session.aidantName,
            organisationName: session.organisationName,
            serviceName: session.serviceName,
          },
        },
        session.event,
      );
    return ended;
  };

  const makeSession = (asked: Opening, facts: OpeningFacts, former: Former | undefined, now: Date): NewSession => {
    const allowed = allowedHere(facts, asked);
    const whole = Math.min(now.getTime() + SESSION_MINUTES * 60_000, facts.mandate.endsAt.getTime());
    const end = former ? Math.min(whole, former.expiresAt.getTime()) : whole;
    return {
      id: newId('dls'),
      grantId: randomToken(32),
      webSession: asked.webSession,
      mandateId: asked.mandateId,
      theme: asked.theme,
      aidantId: asked.aidantId,
      organisationId: asked.organisationId,
      usagerId: facts.usager.id,
      serviceId: asked.serviceId,
      acr: levelOf(facts, asked),
      aidantAcr: asked.aidantAcr,
      aidantAmr: asked.aidantAmr,
      authTime: asked.authTime,
      privileges: [...new Set(allowed.map(({ effect }) => effect))].sort(),
      demarches: isBound(facts, asked) ? allowed.map(({ code }) => code).sort() : undefined,
      singleUse: facts.mandate.narrowing.singleUse,
      identifier: mandateIdentifier(pairwiseKey, facts.service.sector, asked.mandateId),
      openedEvent: randomUuid(),
      openedAt: now,
      expiresAt: new Date(end),
    };
  };

  /** One person at a time in one browser, one session at a time in one service: what stood before ends here. */
  const clearTheWay = async (tx: Transaction, asked: Opening, facts: OpeningFacts, now: Date): Promise<number> => {
    await store.endAlone(tx, asked.webSession, facts.usager.id);
    return (await endIn(tx, { webSession: asked.webSession, exceptUsager: facts.usager.id, andAtService: asked.serviceId }, 'other_person', now))
      .length;
  };

  return {
    candidates: (query) => store.candidates(transactions.auto, { ...query, now: clock.now() }),
    live: (webSession) => store.live(transactions.auto, webSession, clock.now()),
    endIn: (tx, which, reason, now) => endIn(tx, which, reason, now),
    passIn: (tx, from, to) => store.pass(tx, from, to),
    async alone(webSession, usagerId, together) {
      const ended = await transactions.run(async (tx) => {
        await store.holdBrowser(tx, webSession);
        const others = await endIn(tx, { webSession, exceptUsager: usagerId }, 'other_person', clock.now());
        await together(tx);
        return others.length;
      });
      journal.nudge();
      return ended;
    },
    async end(which, reason) {
      const ended = await transactions.run((tx) => endIn(tx, which, reason, clock.now()));
      journal.nudge();
      return ended;
    },
    async open(asked, together) {
      const result = await transactions.run(async (tx): Promise<{ session: NewSession; ended: number } | { refused: OpenRefusal }> => {
        const now = clock.now();
        const refuse = async (refused: OpenRefusal, usager?: UsagerId, administration?: string): Promise<{ refused: OpenRefusal }> => {
          await journal.record(tx, {
            type: 'session.refused',
            aidant: asked.aidantId,
            organisation: asked.organisationId,
            service: asked.serviceId,
            administration,
            theme: asked.theme,
            outcome: 'refused',
            usager,
            detail: { reason: refused },
          });
          return { refused };
        };
        const facts = await store.holdOpening(tx, asked, now);
        if (facts === 'no_web_session') return refuse('other_organisation_selected');
        if (facts === 'not_found') return refuse('not_found');
        const refused = checkOpening(facts, asked, now);
        if (refused) return refuse(refused, refused === 'not_found' ? undefined : facts.usager.id, facts.service.administrationId);
        const former = facts.mandate.narrowing.singleUse ? await store.holdOneUse(tx, asked, now) : undefined;
        if (former === 'mandate_used') return refuse(former, facts.usager.id, facts.service.administrationId);
        const session = makeSession(asked, facts, former, now);
        const superseded = former ? await endIn(tx, { id: former.id }, 'superseded', now, session.id) : [];
        const ended = superseded.length + (await clearTheWay(tx, asked, facts, now));
        const entry = journal.seal(
          {
            type: 'session.opened',
            usager: session.usagerId,
            aidant: session.aidantId,
            organisation: session.organisationId,
            mandate: session.mandateId,
            session: session.id,
            service: session.serviceId,
            administration: facts.service.administrationId,
            theme: session.theme,
            detail: {
              privileges: session.privileges,
              ...(session.demarches ? { demarches: session.demarches } : {}),
              ...(former ? { continues: true } : {}),
              expiresAt: session.expiresAt.toISOString(),
              aidantName: firstName(facts.actor.givenName),
              organisationName: facts.actor.organisationName,
              serviceName: facts.service.name,
            },
          },
          session.openedEvent,
        );
        await store.add(tx, session, entry);
        await together?.(tx, session);
        return { session, ended };
      });
      journal.nudge();
      return result;
    },
  };
};
