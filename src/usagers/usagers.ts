import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { sha256 } from '../kernel/crypto.ts';
import { newId, type OrganisationId, type UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Reviews } from './reviews.ts';
import { type CivilIdentity, drift, pivot, readIdentity, type Usager } from './usager.ts';

export interface UsagerStore {
  find(tx: Transaction, id: UsagerId): Promise<Usager | undefined>;
  /** The usager of an upstream identity: the pair (iss, sub), never one of them alone. */
  byIdentity(tx: Transaction, iss: string, sub: string): Promise<Usager | undefined>;
  /** Holds every other first sign-in of this identity until the transaction ends. */
  lockIdentity(tx: Transaction, iss: string, sub: string): Promise<void>;
  /** Usagers without any upstream identity, born that day: candidates for a link. */
  withoutIdentity(tx: Transaction, birthdate: string): Promise<Usager[]>;
  add(tx: Transaction, usager: Usager, now: Date): Promise<void>;
  link(tx: Transaction, id: UsagerId, iss: string, sub: string, now: Date): Promise<void>;
}

export interface Identified {
  readonly usager: Usager;
  readonly created: boolean;
}

export interface Usagers {
  find(id: UsagerId): Promise<Usager | undefined>;
  findByIdentity(iss: string, sub: string): Promise<Usager | undefined>;
  /**
   * Recognises the person behind an upstream identity, or makes an account. An identity whose civil
   * traits are no longer those that are known is refused, and kept apart, sealed: two opérateurs must look (claim U8, reviews.ts).
   * Exactly one usager without upstream identity and with the same complete pivot is linked; anything else is a separate account.
   * Leaves `usager.identified` or `usager.linked` in the same transaction.
   */
  identify(upstream: {
    iss: string;
    sub: string;
    acr: string;
    claims: Readonly<Record<string, unknown>>;
  }): Promise<Identified | { refused: 'identity_incomplete' | 'identity_drift' }>;
}

/** Where an identity that an organisation typed comes from: nothing proves it outside that organisation. */
const typedAt = (organisationId: OrganisationId): string => `urn:relais:paper:${organisationId}`;

const typedAs = (identity: CivilIdentity): string => sha256('relais/usager/typed/v1\n', pivot(identity)).toString('base64url');

/** The account that an organisation has typed for this identity, if any. */
export const typedAccount = (
  store: UsagerStore,
  tx: Transaction,
  organisationId: OrganisationId,
  identity: CivilIdentity,
): Promise<Usager | undefined> => store.byIdentity(tx, typedAt(organisationId), typedAs(identity));

/**
 * Finds or makes the account of a person whose identity an organisation typed, in the caller's transaction. The account is that organisation's alone:
 * the same person at another organisation, or behind FranceConnect, is another account, so that typing a name tells nothing of anybody, and no
 * sign-in is ever joined to what somebody typed.
 */
export const enterTyped = async (
  store: UsagerStore,
  tx: Transaction,
  organisationId: OrganisationId,
  identity: CivilIdentity,
  now: Date,
): Promise<Identified> => {
  const iss = typedAt(organisationId);
  const sub = typedAs(identity);
  await store.lockIdentity(tx, iss, sub);
  const known = await store.byIdentity(tx, iss, sub);
  if (known) return { usager: known, created: false };
  const usager: Usager = { ...identity, email: undefined, id: newId('usg') };
  await store.add(tx, usager, now);
  await store.link(tx, usager.id, iss, sub, now);
  return { usager, created: true };
};

export const createUsagers = (parts: {
  transactions: Transactions;
  store: UsagerStore;
  journal: Journal;
  clock: Clock;
  reviews: Pick<Reviews, 'keepIn'>;
}): Usagers => {
  const { transactions, store, journal, clock, reviews } = parts;

  const firstTime = async (tx: Transaction, iss: string, sub: string, identity: CivilIdentity): Promise<Identified & { linked: boolean }> => {
    const candidates = (await store.withoutIdentity(tx, identity.birthdate)).filter((usager) => pivot(usager) === pivot(identity));
    const [only] = candidates;
    if (only && candidates.length === 1) {
      await store.link(tx, only.id, iss, sub, clock.now());
      return { usager: only, created: false, linked: true };
    }
    const usager: Usager = { ...identity, id: newId('usg') };
    await store.add(tx, usager, clock.now());
    await store.link(tx, usager.id, iss, sub, clock.now());
    return { usager, created: true, linked: false };
  };

  return {
    find: (id) => store.find(transactions.auto, id),
    findByIdentity: (iss, sub) => store.byIdentity(transactions.auto, iss, sub),
    async identify({ iss, sub, acr, claims }) {
      const identity = readIdentity(claims);
      if ('refused' in identity) return identity;
      const identified = await transactions.run(async (tx): ReturnType<Usagers['identify']> => {
        await store.lockIdentity(tx, iss, sub);
        const known = await store.byIdentity(tx, iss, sub);
        const traits = known ? drift(known, identity) : [];
        if (known && traits.length) {
          await reviews.keepIn(tx, known.id, identity, traits);
          await journal.record(tx, { type: 'usager.drifted', usager: known.id, detail: { acr, traits } });
          return { refused: 'identity_drift' };
        }
        const found = known ? { usager: known, created: false, linked: false } : await firstTime(tx, iss, sub, identity);
        await journal.record(
          tx,
          found.linked
            ? { type: 'usager.linked', usager: found.usager.id, detail: { acr } }
            : { type: 'usager.identified', usager: found.usager.id, detail: { acr, created: found.created } },
        );
        return { usager: found.usager, created: found.created };
      });
      journal.nudge();
      return identified;
    },
  };
};
