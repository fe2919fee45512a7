import { hmacSha256, uuidFrom } from '../kernel/crypto.ts';
import type { AidantId, MandateId, OrganisationId, SessionId } from '../kernel/ids.ts';
import type { ConsentMethod } from '../mandates/mandate.ts';
import type { Theme } from '../organisations/theme.ts';
import type { Usager } from '../usagers/usager.ts';

/** A delegated session lasts this long at most (product.md); a mandate that ends sooner ends it sooner. */
export const SESSION_MINUTES = 30;

export type SessionEnd =
  | 'revoked'
  | 'renounced'
  | 'replaced'
  | 'expired'
  | 'other_person'
  | 'signed_out'
  | 'superseded'
  | 'suspended'
  | 'code_replayed'
  | 'time';

/** Level of assurance, lowest first. Nothing above `eidas2` is ever said (protocol.md, "Upstream"). */
export type Level = 'eidas1' | 'eidas2';
export const lowest = (a: Level, b: Level): Level => (a === 'eidas2' && b === 'eidas2' ? 'eidas2' : 'eidas1');
/** Says whether a session of this level is enough for a démarche. */
export const reaches = (level: Level, demarche: { readonly level?: Level }): boolean => demarche.level !== 'eidas2' || level === 'eidas2';

/** Everything that a token, userinfo or introspection says of a live delegated session. */
export interface DelegatedSession {
  readonly id: SessionId;
  readonly grantId: string;
  readonly mandateId: MandateId;
  /** Names the mandate for this service alone. */
  readonly identifier: string;
  readonly theme: Theme;
  readonly privileges: readonly string[];
  /** Démarches that it is held to; undefined: whatever the service does in the theme. */
  readonly demarches: readonly string[] | undefined;
  readonly aidantId: AidantId;
  readonly aidantName: string;
  readonly aidantAcr: Level;
  readonly aidantAmr: readonly string[];
  readonly authTime: Date;
  readonly acr: Level;
  readonly organisation: { readonly id: OrganisationId; readonly name: string; readonly siret: string };
  readonly usager: Usager;
  readonly serviceId: string;
  readonly serviceName: string;
  readonly administrationId: string;
  readonly consent: { readonly method: ConsentMethod; readonly acr: string; readonly at: Date };
  readonly mandateEndsAt: Date;
  readonly openedAt: Date;
  readonly expiresAt: Date;
  readonly openedEvent: string;
  /** Where `session.opened` stands in the journal, once it is sequenced. */
  readonly receipt: { readonly index: number; readonly leaf: string } | undefined;
}

/**
 * A name of something for one sector: base64url(HMAC-SHA-256(pairwise key, kind ‖ 0 ‖ sector ‖ 0 ‖ id)) (protocol.md). Two services that
 * compare theirs learn nothing (claim P19).
 */
export const pairwise = (key: Buffer, kind: 'sub' | 'act', sector: string, id: string): string =>
  hmacSha256(key, `${kind}\0${sector}\0${id}`).toString('base64url');

/** The mandate's identifier for one sector, as a UUID: the same each time, and unlike any other sector's. */
export const mandateIdentifier = (key: Buffer, sector: string, mandateId: string): string =>
  uuidFrom(hmacSha256(key, `mandate\0${sector}\0${mandateId}`));

/** The provider's account of a delegated session: never the mandate nor the session, so that services stay side by side. */
export const accountOf = (usagerId: string, aidantId: string, organisationId: string): string => `${usagerId}~${aidantId}~${organisationId}`;
export const isDelegatedAccount = (accountId: string): boolean => accountId.includes('~');
export const usagerOfAccount = (accountId: string): string => accountId.split('~')[0] ?? accountId;
