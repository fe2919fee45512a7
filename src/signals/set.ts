import { importJWK, SignJWT } from 'jose';
import { pairwise, type SessionEnd } from '../delegation/session.ts';
import { seconds } from '../kernel/clock.ts';
import { Failure } from '../kernel/failure.ts';
import type { Secret } from '../kernel/secret.ts';
import { type KeySource, named, publicSet, type SigningKey, usableKeys } from '../provider/key-set.ts';
import { EVENTS, REASONS, type StreamEvent, VERIFICATION } from './events.ts';

/** What a Security Event Token says. */
export type SetFacts = {
  readonly id: string;
  readonly streamId: string;
  readonly serviceId: string;
  readonly at: Date;
} & (
  | { readonly event: 'verification'; readonly state: string | undefined }
  | {
      readonly event: StreamEvent;
      readonly sector: string;
      readonly usagerId: string;
      readonly session: string;
      readonly identifier: string;
      readonly theme: string;
      readonly reason: SessionEnd;
      /** Ended by somebody else than the person: an opérateur, an administration, or who wrote down a death, a guardianship, the end of a structure. */
      readonly byOther: boolean;
    }
);

/** How many signed SETs an instance remembers, of about a kilobyte. */
const MOST_MADE = 5_000;

export interface SetIssuer {
  /**
   * Signs one SET (RFC 8417) with the key that is in force when it leaves: the same facts give the same bytes while the key is the same, so that a second
   * try is the first one again. Fails as `signing_key_missing`.
   */
  sign(facts: SetFacts): Promise<string>;
  /** The subject's hash-free value, as tokens of that service name her. */
  subject(sector: string, usagerId: string): string;
  /** None when every key that is here was revoked. */
  jwks(): { readonly keys: readonly object[] };
  /** Reads the keys and their times again; true when they have changed. Fails as `signing_key_missing`: nothing is signed until another is there. */
  refreshKeys(): Promise<boolean>;
}

/**
 * Makes SETs: RS256 with a key of their own (CAEP interoperability profile §2.6), `typ` secevent+jwt, one event each, `sub_id` and never `sub` nor
 * `exp` (SSF 1.0 §4.1.4). The subject is pairwise, as in tokens; what ends is the session that the event names, not other sessions of that person.
 */
export const createSetIssuer = async (parts: {
  readonly issuer: string;
  readonly opIssuer: string;
  readonly signing: KeySource;
  readonly pairwiseKey: Secret<Buffer>;
}): Promise<SetIssuer> => {
  let keys: readonly SigningKey[] = [];
  const refreshKeys = async (): Promise<boolean> => {
    const before = named(keys);
    try {
      keys = await usableKeys(parts.signing);
    } catch (error) {
      if (error instanceof Failure && error.code === 'signing_key_missing') keys = [];
      throw error;
    }
    return named(keys) !== before;
  };
  await refreshKeys().catch((error: unknown) => {
    // Without a key streams wait, and nothing else does.
    if (!(error instanceof Failure && error.code === 'signing_key_missing')) throw error;
  });
  const subject = (sector: string, usagerId: string): string => pairwise(parts.pairwiseKey.reveal(), 'sub', sector, usagerId);

  const eventOf = (facts: SetFacts): object => {
    if (facts.event === 'verification') return { [VERIFICATION]: facts.state === undefined ? {} : { state: facts.state } };
    const { by, fr, en } = REASONS[facts.reason];
    const common = {
      event_timestamp: seconds(facts.at),
      initiating_entity: facts.byOther && facts.reason === 'revoked' ? 'admin' : by,
      reason_admin: { fr, en },
      session: facts.session,
    };
    return {
      [EVENTS[facts.event]]:
        facts.event === 'session-revoked'
          ? common
          : {
              ...common,
              identifier: `urn:uuid:${facts.identifier}`,
              theme: facts.theme,
              reason: facts.reason === 'revoked' ? 'stopped' : facts.reason,
            },
    };
  };

  const make = async (facts: SetFacts, key: SigningKey): Promise<string> =>
    new SignJWT({
      sub_id:
        facts.event === 'verification'
          ? { format: 'opaque', id: facts.streamId }
          : { format: 'iss_sub', iss: parts.opIssuer, sub: subject(facts.sector, facts.usagerId) },
      txn: facts.event === 'verification' ? facts.id : facts.session,
      events: eventOf(facts),
    })
      .setProtectedHeader({ alg: 'RS256', kid: key.kid, typ: 'secevent+jwt' })
      .setIssuer(parts.issuer)
      .setAudience(facts.serviceId)
      .setIssuedAt(seconds(facts.at))
      .setJti(facts.id)
      .sign(await importJWK(key));

  /** By key and `jti`, oldest first: whoever polls all day for what it does not take has each signed once. */
  const made = new Map<string, Promise<string>>();

  return {
    subject,
    refreshKeys,
    jwks: () => publicSet(keys),
    async sign(facts) {
      const [key] = keys;
      if (!key) throw new Failure('signing_key_missing', 'ssf-rs256');
      const name = `${key.kid} ${facts.id}`;
      const before = made.get(name);
      if (before) return before;
      const set = make(facts, key);
      made.set(name, set);
      set.catch(() => made.delete(name));
      for (const [oldest] of made) {
        if (made.size <= MOST_MADE) break;
        made.delete(oldest);
      }
      return set;
    },
  };
};
