import {
  type AuthenticationResponseJSON,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { decodeAttestationObject } from '@simplewebauthn/server/helpers';
import { sha256 } from '../kernel/crypto.ts';
import type { StaffId } from '../kernel/ids.ts';

/** Passkeys (W3C Web Authentication Level 3): what is asked of a browser, and what its answer proves. Nothing here reads or writes a row. */

export const CHALLENGE_MS = 5 * 60_000;
export const MOST_PASSKEYS = 10;
const ALGORITHMS = [-8, -7, -257]; // EdDSA, ES256, RS256
const LONGEST = 20_000;

/** What a challenge is for: an answer to one is nothing for another. */
export type PasskeyPurpose = 'enrol' | 'sign-in' | 'step-up' | 'mandate';

export interface Passkey {
  readonly id: string;
  readonly credentialId: string;
  readonly name: string;
  readonly publicKey: Buffer;
  readonly counter: number;
  readonly transports: readonly string[];
  /** True when its maker may copy it to other devices of the same person. */
  readonly synced: boolean;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
}

/** Where passkeys are made for: the host of our public address is the relying party's id, the address without a path its origin. */
export interface Party {
  readonly rpId: string;
  readonly origin: string;
}

export const partyOf = (publicUrl: string): Party => ({ rpId: new URL(publicUrl).hostname, origin: new URL(publicUrl).origin });

/** Derives the 32 bytes of a challenge from its nonce and what it is bound to: the hash of the text to accept, or of the browser session. */
export const challengeOf = (purpose: PasskeyPurpose, nonce: Buffer, bound: Buffer): Buffer =>
  sha256('relais/passkey-challenge/v1\n', `${purpose}\n`, nonce, sha256(bound));

const text = (bytes: Buffer): string => bytes.toString('base64url');
const handleOf = (staffId: StaffId): string => text(Buffer.from(staffId));
const described = (key: Pick<Passkey, 'credentialId' | 'transports'>) => ({ type: 'public-key', id: key.credentialId, transports: key.transports });

/** Writes PublicKeyCredentialRequestOptionsJSON (§5.1.9): one of these keys, and the person verified. */
export const requestOptions = (party: Party, challenge: Buffer, keys: readonly Passkey[]): string =>
  JSON.stringify({
    challenge: text(challenge),
    rpId: party.rpId,
    timeout: CHALLENGE_MS,
    userVerification: 'required',
    allowCredentials: keys.map(described),
  });

/** Writes PublicKeyCredentialCreationOptionsJSON (§5.1.8): no attestation, the person verified, none of the keys they have. */
export const creationOptions = (
  party: Party,
  challenge: Buffer,
  holder: { readonly id: StaffId; readonly email: string; readonly name: string },
  keys: readonly Passkey[],
): string =>
  JSON.stringify({
    rp: { id: party.rpId, name: 'Relais' },
    user: { id: handleOf(holder.id), name: holder.email, displayName: holder.name },
    challenge: text(challenge),
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: 'public-key', alg })),
    timeout: CHALLENGE_MS,
    attestation: 'none',
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    excludeCredentials: keys.map(described),
  });

const member = (of: unknown, name: string): unknown =>
  typeof of === 'object' && of !== null && Object.hasOwn(of, name) ? (of as Record<string, unknown>)[name] : undefined;
const parsed = (value: string): unknown => {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
};

/** A browser's answer as it came: well-formed as far as finding what it answers, nothing proved. */
export interface Answer {
  readonly credentialId: string;
  readonly challenge: Buffer;
  readonly userHandle: string | undefined;
  readonly json: unknown;
}

/** Reads the JSON text of a PublicKeyCredential; undefined when it is none. */
export const readAnswer = (value: unknown): Answer | undefined => {
  if (typeof value !== 'string' || value.length > LONGEST) return undefined;
  const json = parsed(value);
  const credentialId = member(json, 'id');
  const response = member(json, 'response');
  const clientData = member(response, 'clientDataJSON');
  if (typeof credentialId !== 'string' || !/^[A-Za-z0-9_-]{1,1400}$/.test(credentialId) || typeof clientData !== 'string') return undefined;
  const challenge = member(parsed(Buffer.from(clientData, 'base64url').toString()), 'challenge');
  if (typeof challenge !== 'string' || !/^[A-Za-z0-9_-]{43}$/.test(challenge)) return undefined;
  const userHandle = member(response, 'userHandle');
  return { credentialId, challenge: Buffer.from(challenge, 'base64url'), userHandle: typeof userHandle === 'string' ? userHandle : undefined, json };
};

/** The library throws on what does not verify, and on what it cannot read: to us both are an answer that proves nothing. */
const orNothing = async <T>(work: () => Promise<T | undefined>): Promise<T | undefined> => {
  try {
    return await work();
  } catch {
    return undefined;
  }
};

/** No certificate is ever read: its path would name addresses to ask (§8.7, and self attestation of §8.2). */
const withoutCertificate = (json: unknown): boolean => {
  const object = member(member(json, 'response'), 'attestationObject');
  if (typeof object !== 'string') return false;
  const decoded = decodeAttestationObject(new Uint8Array(Buffer.from(object, 'base64url')));
  const fmt: unknown = decoded.get('fmt');
  return fmt === 'none' || (fmt === 'packed' && decoded.get('attStmt').get('x5c') === undefined);
};

export type NewPasskey = Pick<Passkey, 'credentialId' | 'publicKey' | 'counter' | 'transports' | 'synced'>;

/** Verifies a registration (§7.1). Undefined when it proves nothing. */
export const verifyNew = (party: Party, answer: Answer): Promise<NewPasskey | undefined> =>
  orNothing(async () => {
    if (!withoutCertificate(answer.json)) return undefined;
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response: answer.json as RegistrationResponseJSON, // the library checks each member that it reads
      expectedChallenge: text(answer.challenge),
      expectedOrigin: party.origin,
      expectedRPID: party.rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (!verified) return undefined;
    const { credential, credentialDeviceType } = registrationInfo;
    return {
      credentialId: credential.id,
      publicKey: Buffer.from(credential.publicKey),
      counter: credential.counter,
      transports: (credential.transports ?? []).map(String).filter((each) => /^[a-z-]{1,20}$/.test(each)),
      synced: credentialDeviceType === 'multiDevice',
    };
  });

/** Verifies an assertion (§7.2) but for the counter, which the caller compares. Gives the new counter; undefined when it proves nothing. */
export const verifyUse = (party: Party, staffId: StaffId, key: Passkey, answer: Answer): Promise<{ counter: number } | undefined> =>
  orNothing(async () => {
    if (answer.userHandle !== undefined && answer.userHandle !== handleOf(staffId)) return undefined;
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: answer.json as AuthenticationResponseJSON, // the library checks each member that it reads
      expectedChallenge: text(answer.challenge),
      expectedOrigin: party.origin,
      expectedRPID: party.rpId,
      requireUserVerification: true,
      credential: { id: key.credentialId, publicKey: new Uint8Array(key.publicKey), counter: 0 },
    });
    return verified ? { counter: authenticationInfo.newCounter } : undefined;
  });

/** Says whether a counter may follow another: later, or both zero, as of keys that do not count (§6.1.1). */
export const follows = (stored: number, given: number): boolean => given > stored || (given === 0 && stored === 0);
