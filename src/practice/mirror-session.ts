import './guard.ts';
import type { JWTPayload } from 'jose';
import { randomToken } from '../kernel/crypto.ts';

/** Who is really there, and under what, as the id_token says. */
export interface Acting {
  /** Pseudonym of the aidant at this service: nobody's name. */
  readonly aidant: string;
  readonly organisation: string;
  /** Identifier of the delegated session, which each report names. */
  readonly session: string;
  /** Of the mandate, at this service. */
  readonly identifier: string;
  readonly themes: readonly string[];
  readonly privileges: readonly string[];
  /** Codes of the catalogue that it is held to; undefined: no such limit. */
  readonly demarches: readonly string[] | undefined;
}

/** What came of a form that was sent. */
export type Outcome =
  | { readonly kind: 'done'; readonly reference: string; readonly at: Date; readonly report: Report }
  | { readonly kind: 'inactive' }
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'stale' };

/** What Relais asks of the sign-in for a démarche (RFC 9470 §3); `maxAge` in seconds. */
export interface StepUp {
  readonly acrValues?: string;
  readonly maxAge?: number;
}

/** What came of telling Relais. `pending`: it will be said again. `stale`: a new sign-in first. `none`: somebody acting for herself reports nothing. */
export type Report =
  | { readonly kind: 'receipt'; readonly index: number }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'pending' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'none' };

/** A session of the service itself, in memory, named by a random cookie. */
export interface Session {
  readonly id: string;
  readonly csrf: string;
  readonly sub: string;
  readonly sid: string | undefined;
  readonly person: { readonly name: string; readonly birthdate: string };
  readonly acting: Acting | undefined;
  readonly idToken: string;
  readonly accessToken: string;
  readonly expiresAt: number;
  /** Démarches opened so far, each reported once. */
  readonly opened: Map<string, Report>;
  /** Forms sent so far, by their one-time name: the same form twice is one act. */
  readonly sent: Map<string, Promise<Outcome>>;
  /** Set when Relais said that it is over; the next page says it to the aidant. */
  ended: { readonly at: Date; readonly how: 'told' | 'inactive' } | undefined;
}

/** Makes the store of a service's sessions. */
export const createSessions = () => {
  const sessions = new Map<string, Session>();
  const end = (matches: (session: Session) => boolean, how: 'told' | 'inactive'): number => {
    let count = 0;
    for (const session of sessions.values())
      if (!session.ended && matches(session)) {
        session.ended = { at: new Date(), how };
        count++;
      }
    return count;
  };
  return {
    open: (values: Omit<Session, 'id' | 'csrf' | 'opened' | 'sent' | 'ended'>): Session => {
      for (const [id, old] of sessions) if (old.expiresAt < Date.now() - 3_600_000) sessions.delete(id);
      const session: Session = { ...values, id: randomToken(), csrf: randomToken(), opened: new Map(), sent: new Map(), ended: undefined };
      sessions.set(session.id, session);
      return session;
    },
    find: (id: string | undefined): Session | undefined => (id === undefined ? undefined : sessions.get(id)),
    remove: (id: string): void => {
      sessions.delete(id);
    },
    /** Ends what a logout token names: one session by `sid`, or all those of `sub`. */
    endByToken: ({ sid, sub }: { readonly sid?: string | undefined; readonly sub?: string | undefined }): number =>
      end((session) => (sid !== undefined ? session.sid === sid : session.sub === sub), 'told'),
    endOne: (session: Session): void => {
      end((one) => one === session, 'inactive');
    },
  };
};

export type Sessions = ReturnType<typeof createSessions>;

const DELEGATED = 'urn:relais:acr:delegated:';
/** Reads an object out of what may be anything; an empty one otherwise. */
export const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
const texts = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []);

/**
 * Reads who acts from an id_token already verified, in order: an actor where one was asked and nowhere else, the delegated class,
 * the mandate's detail, themes among those asked.
 */
export const readActing = (claims: JWTPayload, asked: readonly string[]): Acting | undefined | { readonly refused: string } => {
  const act = record(claims['act']);
  const delegated = String(claims['acr'] ?? '').startsWith(DELEGATED);
  if (!asked.length) return claims['act'] === undefined && !delegated ? undefined : { refused: 'unexpected_actor' };
  if (typeof act['sub'] !== 'string') return { refused: 'actor_missing' };
  if (!delegated) return { refused: 'acr_not_delegated' };
  const details: readonly unknown[] = Array.isArray(claims['authorization_details']) ? claims['authorization_details'] : [];
  const detail = record(details.find((one) => record(one)['type'] === 'urn:relais:mandate:1'));
  const name = record(detail['organisation'])['name'];
  const themes = texts(detail['actions']);
  if (typeof detail['session'] !== 'string' || typeof detail['identifier'] !== 'string' || typeof name !== 'string')
    return { refused: 'mandate_missing' };
  if (!themes.length || !themes.every((theme) => asked.includes(theme))) return { refused: 'theme_not_asked' };
  return {
    aidant: act['sub'],
    organisation: name,
    session: detail['session'],
    identifier: detail['identifier'],
    themes,
    privileges: texts(detail['privileges']),
    demarches: detail['demarches'] === undefined ? undefined : texts(detail['demarches']),
  };
};
