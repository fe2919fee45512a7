import { type DelegatedSession, pairwise } from '../delegation/session.ts';
import { parisDay, parisIso } from '../kernel/calendar.ts';
import { seconds } from '../kernel/clock.ts';
import type { Usager } from '../usagers/usager.ts';
import { delegatedAcr, MANDATE_TYPE, SIRET_ISSUER } from './names.ts';

/** The civil identity as claims. Which of them a service receives is decided by its registered scopes, not here. */
export const identityClaims = (usager: Usager): Record<string, unknown> => ({
  given_name: usager.givenName,
  family_name: usager.familyName,
  birthdate: usager.birthdate,
  gender: usager.gender,
  birthplace: usager.birthplace,
  birthcountry: usager.birthcountry,
  ...(usager.preferredUsername ? { preferred_username: usager.preferredUsername } : {}),
  ...(usager.email ? { email: usager.email } : {}),
});

export interface Naming {
  readonly issuer: string;
  readonly sector: string;
  readonly key: Buffer;
  /** Origin of the journal. */
  readonly origin: string;
}

/** Who is really there (RFC 8693 §4.1): the aidant as a pseudonym of this sector, and inside, the organisation by SIRET. */
export const actClaim = (session: DelegatedSession, naming: Naming): Record<string, unknown> => ({
  iss: naming.issuer,
  sub: pairwise(naming.key, 'act', naming.sector, session.aidantId),
  acr: session.aidantAcr,
  amr: [...session.aidantAmr],
  auth_time: seconds(session.authTime),
  act: { iss: SIRET_ISSUER, sub: session.organisation.siret },
});

/** Under what: the one mandate detail that a delegated session is granted (RFC 9396), never what was asked. */
export const mandateDetail = (session: DelegatedSession): { type: string; [member: string]: unknown } => ({
  type: MANDATE_TYPE,
  identifier: `urn:uuid:${session.identifier}`,
  session: session.id,
  actions: [session.theme],
  privileges: [...session.privileges],
  ...(session.demarches ? { demarches: [...session.demarches] } : {}),
  organisation: { siret: session.organisation.siret, name: session.organisation.name },
  consent: { method: session.consent.method, acr: session.consent.acr, at: parisDay(session.consent.at) },
  valid_to: parisIso(session.mandateEndsAt),
});

/** The receipt of `session.opened`: evidence, in the service's hands, that the session was logged before it existed. */
export const journalClaim = (session: DelegatedSession, naming: Naming): Record<string, unknown> | undefined =>
  session.receipt && { origin: naming.origin, index: session.receipt.index, leaf: session.receipt.leaf };

/** Members that an access token carries beside the library's own, hence its introspection too. */
export const tokenClaims = (session: DelegatedSession, naming: Naming): Record<string, unknown> => ({
  acr: delegatedAcr(session.acr),
  auth_time: seconds(session.authTime),
  act: actClaim(session, naming),
  session: session.id,
  journal: journalClaim(session, naming),
});

/** Every claim of a delegated session, before the library keeps what the scopes allow. */
export const delegatedClaims = (session: DelegatedSession, naming: Naming): Record<string, unknown> => ({
  ...identityClaims(session.usager),
  act: actClaim(session, naming),
  authorization_details: [mandateDetail(session)],
  journal: journalClaim(session, naming),
});
