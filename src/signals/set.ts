import { calculateJwkThumbprint, type JWK, SignJWT } from 'jose';
import { pairwise, type SessionEnd } from '../delegation/session.ts';
import { seconds } from '../kernel/clock.ts';
import { publicKeyOf, readPrivateKey, toJwk } from '../kernel/crypto.ts';
import type { Secret } from '../kernel/secret.ts';
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
    }
);

export interface SetIssuer {
  /** Signs one SET (RFC 8417): the same facts give the same bytes, so that a second try is the first one again. */
  sign(facts: SetFacts): Promise<string>;
  /** The subject's hash-free value, as tokens of that service name her. */
  subject(sector: string, usagerId: string): string;
  readonly jwks: { readonly keys: readonly JWK[] };
}

/**
 * Makes SETs: RS256 with a key of their own (CAEP interoperability profile §2.6), `typ` secevent+jwt, one event each, `sub_id` and never `sub` nor
 * `exp` (SSF 1.0 §4.1.4). The subject is pairwise, as in tokens; what ends is the session that the event names, not other sessions of that person.
 */
export const createSetIssuer = async (parts: {
  readonly issuer: string;
  readonly opIssuer: string;
  readonly key: Secret;
  readonly pairwiseKey: Secret<Buffer>;
}): Promise<SetIssuer> => {
  const key = readPrivateKey(parts.key.reveal());
  const jwk = toJwk(publicKeyOf(key)) as JWK;
  const kid = (await calculateJwkThumbprint(jwk)).slice(0, 16);
  const subject = (sector: string, usagerId: string): string => pairwise(parts.pairwiseKey.reveal(), 'sub', sector, usagerId);

  const eventOf = (facts: SetFacts): object => {
    if (facts.event === 'verification') return { [VERIFICATION]: facts.state === undefined ? {} : { state: facts.state } };
    const { by, fr, en } = REASONS[facts.reason];
    const common = { event_timestamp: seconds(facts.at), initiating_entity: by, reason_admin: { fr, en }, session: facts.session };
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

  return {
    subject,
    jwks: { keys: [{ ...jwk, kid, alg: 'RS256', use: 'sig' }] },
    sign: (facts) =>
      new SignJWT({
        sub_id:
          facts.event === 'verification'
            ? { format: 'opaque', id: facts.streamId }
            : { format: 'iss_sub', iss: parts.opIssuer, sub: subject(facts.sector, facts.usagerId) },
        txn: facts.event === 'verification' ? facts.id : facts.session,
        events: eventOf(facts),
      })
        .setProtectedHeader({ alg: 'RS256', kid, typ: 'secevent+jwt' })
        .setIssuer(parts.issuer)
        .setAudience(facts.serviceId)
        .setIssuedAt(seconds(facts.at))
        .setJti(facts.id)
        .sign(key),
  };
};
