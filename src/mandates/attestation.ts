import { parisDay, parisIso } from '../kernel/calendar.ts';
import { canonical } from '../kernel/canonical.ts';
import { type PrivateKey, type PublicKey, publicKeyOf, randomBelow, rawEd25519, sha256, signEd25519, verifyEd25519 } from '../kernel/crypto.ts';
import type { AidantId, DraftId, MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Theme } from '../organisations/theme.ts';
import type { CivilIdentity } from '../usagers/usager.ts';
import type { ConsentMethod } from './mandate.ts';
import { type Narrowing, narrowingContent } from './narrowing.ts';

/**
 * Everything that a mandate is, but for its end: what the seal holds. Names that may lawfully change later (of the organisation, of the aidant, the
 * person's name in use) are those of the day of the signatures; the rest is read where it stands, so that a changed row no longer fits the seal.
 */
export interface Sealed {
  readonly id: MandateId;
  readonly reference: string;
  readonly template: string;
  readonly textHash: Buffer;
  readonly draftId: DraftId;
  readonly organisation: { readonly id: OrganisationId; readonly name: string; readonly siret: string };
  readonly usager: Omit<CivilIdentity, 'email'> & { readonly id: UsagerId };
  readonly themes: readonly Theme[];
  readonly days: number;
  readonly narrowing: Narrowing;
  readonly startsAt: Date;
  readonly endsAt: Date;
  readonly consent: { readonly method: ConsentMethod; readonly acr: string; readonly at: Date; readonly evidence: Buffer };
  readonly acceptance: {
    readonly by: AidantId;
    readonly givenName: string;
    readonly familyName: string;
    readonly at: Date;
    readonly means: string;
  };
}

/** Writes what is sealed: canonical JSON (RFC 8785). Instants are UTC to the millisecond, days and the end are those of Paris, hashes base64url. */
export const sealedContent = (sealed: Sealed): string => {
  const { organisation, usager, consent, acceptance } = sealed;
  return canonical({
    mandate: sealed.id,
    reference: sealed.reference,
    template: sealed.template,
    text_hash: sealed.textHash.toString('base64url'),
    draft: sealed.draftId,
    organisation: { id: organisation.id, name: organisation.name, siret: organisation.siret },
    usager: {
      id: usager.id,
      given_name: usager.givenName,
      family_name: usager.familyName,
      preferred_username: usager.preferredUsername,
      gender: usager.gender,
      birthdate: usager.birthdate,
      birthplace: usager.birthplace,
      birthcountry: usager.birthcountry,
    },
    themes: [...sealed.themes].sort(),
    days: sealed.days,
    ...narrowingContent(sealed.narrowing),
    first_day: parisDay(sealed.startsAt),
    starts_at: sealed.startsAt.toISOString(),
    ends_at: parisIso(sealed.endsAt),
    ends_at_utc: sealed.endsAt.toISOString(),
    consent: { method: consent.method, acr: consent.acr, at: consent.at.toISOString(), evidence: consent.evidence.toString('base64url') },
    acceptance: {
      by: acceptance.by,
      given_name: acceptance.givenName,
      family_name: acceptance.familyName,
      at: acceptance.at.toISOString(),
      means: acceptance.means,
    },
  });
};

/** The names that may change later, of one mandate: what its attestation keeps. */
export const namesOf = ({ organisation, usager, acceptance }: Sealed): string =>
  canonical({
    organisation: organisation.name,
    preferred_username: usager.preferredUsername,
    accepted_given_name: acceptance.givenName,
    accepted_family_name: acceptance.familyName,
  });

/** Puts the names of the day of the signatures in the place of those of now. `names` is what `namesOf` wrote. */
export const withNames = (sealed: Sealed, names: string): Sealed => {
  // Only `namesOf` writes what is in the box, and the box opens only when nobody else did.
  const kept = JSON.parse(names) as { organisation: string; preferred_username?: string; accepted_given_name: string; accepted_family_name: string };
  return {
    ...sealed,
    organisation: { ...sealed.organisation, name: kept.organisation },
    usager: { ...sealed.usager, preferredUsername: kept.preferred_username },
    acceptance: { ...sealed.acceptance, givenName: kept.accepted_given_name, familyName: kept.accepted_family_name },
  };
};

/** A public key as it is published: RFC 8037 section 2, with what is known of its time. */
export interface AttestationJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  readonly x: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'EdDSA';
  /** First day of use, last day of use (`YYYY-MM-DD`, Paris), where they are known. */
  readonly since?: string;
  readonly until?: string;
}

/** Names a public key: its thumbprint (RFC 7638, RFC 8037 appendix A.3). */
export const keyIdOf = (key: PublicKey): string =>
  sha256(canonical({ crv: 'Ed25519', kty: 'OKP', x: rawEd25519(key).toString('base64url') })).toString('base64url');

export const jwkOf = (key: PublicKey): AttestationJwk => ({
  kty: 'OKP',
  crv: 'Ed25519',
  x: rawEd25519(key).toString('base64url'),
  kid: keyIdOf(key),
  use: 'sig',
  alg: 'EdDSA',
});

/** The key's name is part of what is signed: a seal cannot be presented as that of another key. */
const message = (keyId: string, sealed: Sealed): string => `relais/mandate/attestation/v1\n${keyId}\n${sealedContent(sealed)}`;

/** Seals with Ed25519 (RFC 8032): 64 bytes. */
export const sealWith = (key: PrivateKey, sealed: Sealed): { keyId: string; seal: Buffer } => {
  const keyId = keyIdOf(publicKeyOf(key));
  return { keyId, seal: signEd25519(key, message(keyId, sealed)) };
};

/** Says whether a seal is that of a trusted key over exactly this. A key that is not trusted is no seal. */
export const isIntact = (trusted: ReadonlyMap<string, PublicKey>, sealed: Sealed, keyId: string, seal: Uint8Array): boolean => {
  const key = trusted.get(keyId);
  return key !== undefined && verifyEd25519(key, message(keyId, sealed), seal);
};

/** 32 signs without look-alikes: 5 bits each. */
const SIGNS = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const LENGTH = 24;

/** Draws the code of a paper: 24 signs, 120 bits. */
export const newCode = (): string => Array.from({ length: LENGTH }, () => SIGNS[randomBelow(SIGNS.length)]).join('');

/** Reads a code as people type it: groups, dashes, small letters. Undefined when it cannot be one. */
export const readCode = (typed: string): string | undefined => {
  const code = typed
    .slice(0, 200)
    .toUpperCase()
    .replace(/[\s\u2010-\u2015-]/g, '');
  return code.length === LENGTH && [...code].every((sign) => SIGNS.includes(sign)) ? code : undefined;
};

/** Writes a code in six groups of four, as the paper shows it. */
export const groupsOf = (code: string): string => (code.match(/.{4}/g) ?? []).join('-');
