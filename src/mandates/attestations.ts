import { parisDay } from '../kernel/calendar.ts';
import type { Clock } from '../kernel/clock.ts';
import { open, type PrivateKey, type PublicKey, publicKeyOf, seal } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import type { MandateId, UsagerId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Theme } from '../organisations/theme.ts';
import { type AttestationJwk, isIntact, jwkOf, keyIdOf, namesOf, newCode, readCode, type Sealed, sealWith, withNames } from './attestation.ts';
import type { ConsentMethod } from './mandate.ts';
import type { Narrowing } from './narrowing.ts';

/** How a mandate stands now: what the seal does not hold, since it changes. */
export interface Standing {
  readonly endedAt: Date | undefined;
  /** Themes that have not ended alone. */
  readonly themes: readonly Theme[];
  /** False while the organisation is suspended, and once it has ended. */
  readonly organisationActive: boolean;
}

export interface StoredAttestation {
  readonly code: string;
  readonly keyId: string;
  readonly seal: Buffer;
  /** The names of that day, in a box bound to the mandate. */
  readonly namesBox: Buffer;
  /** As the rows stand, with the names of now. */
  readonly sealed: Sealed;
  readonly standing: Standing;
}

export interface AttestationStore {
  /** What is to be sealed, as its rows stand in this transaction, with the names of now. Undefined for an unknown mandate. */
  toSeal(tx: Transaction, id: MandateId): Promise<Sealed | undefined>;
  /** Fails on a second attestation of a mandate and on a code that exists. */
  add(tx: Transaction, attestation: Omit<StoredAttestation, 'standing'>): Promise<void>;
  find(tx: Transaction, id: MandateId): Promise<StoredAttestation | undefined>;
  /** Those of every mandate that a person had. */
  ofUsager(tx: Transaction, usagerId: UsagerId): Promise<StoredAttestation[]>;
  /** Replaces the seal of a mandate whose person is erased. The database refuses any other. */
  replace(tx: Transaction, id: MandateId, sealed: Pick<StoredAttestation, 'keyId' | 'seal' | 'namesBox'>): Promise<void>;
  /** By the unique index alone. */
  byCode(tx: Transaction, code: string): Promise<StoredAttestation | undefined>;
  /** Remembers that a key seals from now on; one that is known keeps its date. */
  rememberKey(tx: Transaction, keyId: string, now: Date): Promise<void>;
  keys(tx: Transaction): Promise<{ keyId: string; since: Date }[]>;
}

/** What the public page says of a code: nothing of the person, nothing of the aidant. */
export type Verdict =
  | {
      readonly kind: 'valid';
      readonly reference: string;
      readonly organisation: { readonly name: string; readonly siret: string };
      readonly themes: readonly Theme[];
      readonly narrowing: Narrowing;
      readonly startsAt: Date;
      readonly endsAt: Date;
      readonly method: ConsentMethod;
      readonly organisationActive: boolean;
    }
  | {
      readonly kind: 'ended';
      readonly reference: string;
      readonly organisation: { readonly name: string; readonly siret: string };
      readonly at: Date;
    }
  | { readonly kind: 'altered' };

export interface Attestation {
  readonly code: string;
  readonly sealed: Sealed;
  readonly intact: boolean;
  readonly endedAt: Date | undefined;
  /** Themes that have not ended; all of them once the mandate has. */
  readonly themes: readonly Theme[];
}

/** A former key, that no longer seals: old paper still verifies with it. */
export interface FormerKey {
  readonly key: PublicKey;
  readonly until: string | undefined;
}

export interface Attestations {
  /** Seals a mandate in the transaction that makes it. */
  issue(tx: Transaction, id: MandateId): Promise<void>;
  /**
   * Runs `erase`, which takes a person's identity out of the tables, and seals again without it what fitted its seal before: whoever checks the code of
   * an old paper still learns that this mandate existed and has ended.
   */
  forget(tx: Transaction, usagerId: UsagerId, erase: () => Promise<void>): Promise<void>;
  /** The attestation of a mandate, to whoever may read the mandate: the caller has checked that. */
  find(id: MandateId): Promise<Attestation | undefined>;
  /** What a code proves. A malformed one asks the database as an unknown one does, and is answered alike. */
  verify(typed: string): Promise<Verdict | undefined>;
  /** Every key that old and new paper verifies with, the one in use first. */
  publicKeys(): Promise<AttestationJwk[]>;
  /** Remembers the key in use. Fails as `key_differs` when this database holds seals of a key that is neither in use nor among the former ones. */
  start(): Promise<void>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: AttestationStore;
  readonly clock: Clock;
  readonly key: PrivateKey;
  /** Opens the boxes of names: 32 bytes. */
  readonly kek: Secret<Buffer>;
  readonly former: readonly FormerKey[];
}

/** Binds a box of names to its mandate. */
const boxOf = (id: MandateId): string => `relais/attestation/names/v1 ${id}`;

/** No code: the alphabet has no `0`. */
const NO_CODE = '0'.repeat(24);

export const createAttestations = ({ transactions, store, clock, key, kek, former }: Parts): Attestations => {
  const current = publicKeyOf(key);
  const trusted = new Map([current, ...former.map((each) => each.key)].map((each) => [keyIdOf(each), each] as const));

  /** What was sealed, when the rows, the names and the seal still fit; undefined otherwise. */
  const intact = (found: StoredAttestation): Sealed | undefined => {
    try {
      const sealed = withNames(found.sealed, open(kek.reveal(), found.namesBox, boxOf(found.sealed.id)).toString());
      return isIntact(trusted, sealed, found.keyId, found.seal) ? sealed : undefined;
    } catch (error) {
      if (error instanceof Failure && error.code === 'box_does_not_open') return undefined;
      throw error;
    }
  };

  const verdictOf = (found: StoredAttestation): Verdict => {
    const { standing } = found;
    const sealed = intact(found);
    if (!sealed) return { kind: 'altered' };
    const shared = { reference: sealed.reference, organisation: { name: sealed.organisation.name, siret: sealed.organisation.siret } };
    const at = standing.endedAt ?? (sealed.endsAt <= clock.now() ? sealed.endsAt : undefined);
    if (at) return { kind: 'ended', ...shared, at };
    return {
      kind: 'valid',
      ...shared,
      themes: standing.themes,
      narrowing: sealed.narrowing,
      startsAt: sealed.startsAt,
      endsAt: sealed.endsAt,
      method: sealed.consent.method,
      organisationActive: standing.organisationActive,
    };
  };

  return {
    async issue(tx, id) {
      const sealed = await store.toSeal(tx, id);
      if (!sealed) throw new Failure('not_found', `no mandate ${id} to seal`);
      const namesBox = seal(kek.reveal(), namesOf(sealed), boxOf(id));
      await store.add(tx, { code: newCode(), ...sealWith(key, sealed), namesBox, sealed });
    },
    async forget(tx, usagerId, erase) {
      const before = (await store.ofUsager(tx, usagerId)).flatMap((found) => intact(found) ?? []);
      await erase();
      for (const sealed of before) {
        const rows = await store.toSeal(tx, sealed.id);
        if (!rows) continue;
        const bare = { ...sealed, usager: rows.usager };
        await store.replace(tx, sealed.id, { ...sealWith(key, bare), namesBox: seal(kek.reveal(), namesOf(bare), boxOf(sealed.id)) });
      }
    },
    async find(id) {
      const found = await store.find(transactions.auto, id);
      if (!found) return undefined;
      const { standing } = found;
      const kept = intact(found);
      const sealed = kept ?? found.sealed;
      return {
        code: found.code,
        sealed,
        themes: standing.endedAt ? sealed.themes : standing.themes,
        intact: kept !== undefined,
        endedAt: standing.endedAt ?? (sealed.endsAt <= clock.now() ? sealed.endsAt : undefined),
      };
    },
    async verify(typed) {
      const found = await store.byCode(transactions.auto, readCode(typed) ?? NO_CODE);
      return found && verdictOf(found);
    },
    async publicKeys() {
      const since = new Map((await store.keys(transactions.auto)).map((each) => [each.keyId, parisDay(each.since)]));
      const published = (one: PublicKey, until: string | undefined): AttestationJwk => {
        const jwk = jwkOf(one);
        const from = since.get(jwk.kid);
        return { ...jwk, ...(from ? { since: from } : {}), ...(until ? { until } : {}) };
      };
      return [published(current, undefined), ...former.map((each) => published(each.key, each.until))];
    },
    async start() {
      await store.rememberKey(transactions.auto, keyIdOf(current), clock.now());
      const unknown = (await store.keys(transactions.auto)).find((each) => !trusted.has(each.keyId));
      if (unknown)
        throw new Failure(
          'key_differs',
          `attestations were sealed with key ${unknown.keyId}: mount the former attestation-ed25519.pem, or put its public key into attestation-former.json`,
        );
    },
  };
};
