import { type Aidants, createAidants } from '../aidants/aidants.ts';
import type { Deliver } from '../aidants/enrolment.ts';
import { createMeans, type Means } from '../aidants/means.ts';
import type { Told } from '../aidants/recovery.ts';
import { type Approvals, createApprovals } from '../approvals/approvals.ts';
import type { Keys } from '../config/keys.ts';
import type { WitnessingConfig } from '../config/witnessing.ts';
import { pairwise } from '../delegation/session.ts';
import { createHolds, type Holds } from '../journal/holds.ts';
import type { Journal } from '../journal/journal.ts';
import type { KeyStore } from '../journal/keys.ts';
import { createRetention, type Retention } from '../journal/retention.ts';
import type { RotateAnswer } from '../journal/signer.ts';
import type { Clock } from '../kernel/clock.ts';
import { readPrivateKey, sha256 } from '../kernel/crypto.ts';
import { createAttestations } from '../mandates/attestations.ts';
import { createEnding, type Endings, type EndSessions as EndMandateSessions, type TellEnd } from '../mandates/ending.ts';
import { createImports, type Imports } from '../mandates/imports.ts';
import type { EndSessions } from '../organisations/organisation.ts';
import { createOrganisations, type Organisations } from '../organisations/organisations.ts';
import { aidantStore, meansStore } from '../persistence/aidants.ts';
import { approvalStore } from '../persistence/approvals.ts';
import { attestationStore } from '../persistence/attestations.ts';
import type { Database } from '../persistence/database.ts';
import { createErasureStore } from '../persistence/erasures.ts';
import { holdStore } from '../persistence/holds.ts';
import { importStore } from '../persistence/imports.ts';
import { createKeyEraser } from '../persistence/journal-eraser.ts';
import { createEndingStore } from '../persistence/mandate-endings.ts';
import { createReadings } from '../persistence/mandate-readings.ts';
import { createMandateStore } from '../persistence/mandates.ts';
import { organisationStore } from '../persistence/organisations.ts';
import { createRetentionStore } from '../persistence/retention.ts';
import { reviewStore } from '../persistence/reviews.ts';
import { administrationStore, serviceStore } from '../persistence/services.ts';
import { signingKeyStore } from '../persistence/signing-keys.ts';
import { forgetExcluded } from '../persistence/streams.ts';
import { createUsagerStore } from '../persistence/usagers.ts';
import { createSigningKeys, type SigningKeys } from '../provider/signing.ts';
import { type Administrations, createAdministrations } from '../services/administrations.ts';
import { createServices, type Services } from '../services/services.ts';
import { createOutgoing } from '../signals/outgoing.ts';
import { createErasures, type Erasures } from '../usagers/erasures.ts';
import { createReviews, type Reviews, type TellIdentity } from '../usagers/reviews.ts';

/** The use cases that commands call. The application makes the same for its pages. */
export interface Domain {
  readonly journal: Journal;
  readonly organisations: Organisations;
  readonly aidants: Aidants;
  readonly means: Means;
  readonly approvals: Approvals;
  readonly administrations: Administrations;
  readonly services: Services;
  readonly endings: Endings;
  readonly imports: Imports;
  readonly erasures: Erasures;
  readonly reviews: Reviews;
  readonly retention: Retention;
  readonly holds: Holds;
  readonly signingKeys: SigningKeys;
}

/** Everything a command may use, made by the process that holds the database. */
export interface CommandContext {
  readonly mode: 'demonstration' | 'production';
  readonly publicUrl: string;
  readonly varFolder: string;
  /** Host part of the journal's origin. */
  readonly journalHost: string;
  /** Who watches the journal; left out where nobody does. */
  readonly witnessing?: WitnessingConfig | undefined;
  readonly database: Database;
  /** The database of keys, when they are apart. */
  readonly keyDatabase?: Database | undefined;
  readonly clock: Clock;
  /** Fails as `keys_missing`. */
  readonly keys: () => Keys;
  /** The keys of the journal's sealed parts. */
  readonly keyStore: () => Promise<KeyStore>;
  /** Fails when the database is not migrated. */
  readonly domain: () => Promise<Domain>;
  /** Writes the message that carries an enrolment link. Without it the link is printed. */
  readonly deliver?: Deliver;
  /** Asks the signer for its public key, where it is a process of its own and its key is not among ours. Fails as `signer_unreachable`. */
  readonly signerVkey?: (origin: string) => Promise<string>;
  /** Has the signer that runs begin a change of key; without it, the embedded journal's own is asked. Fails as `signer_unreachable`. */
  readonly rotateSigner?: (origin: string, fingerprint: string) => Promise<RotateAnswer>;
  /** The page that opens an enrolment link. */
  readonly enrolmentUrl: (token: string) => string;
}

/** Most commands seal nothing: the key is read by the first that does. */
const lazily = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

/** Composes the domain of habilitation and services. */
export const createDomain = (parts: {
  readonly database: Database;
  /** Where the journal's keys are; the same database if left out. */
  readonly keyDatabase?: Database | undefined;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly keys: Keys;
  readonly endSessions: EndSessions;
  readonly endMandateSessions: EndMandateSessions;
  readonly allowLoopback: boolean;
  readonly told?: Told;
  readonly tellEnd?: TellEnd;
  readonly tellIdentity?: TellIdentity;
}): Domain => {
  const { database, journal, clock, endSessions } = parts;
  const common = { transactions: database, journal, clock };
  const keyEraser = createKeyEraser(parts.keyDatabase ?? database);
  const kek = parts.keys.raw('totp-kek');
  const aidants = createAidants({ ...common, store: aidantStore, means: meansStore, kek, organisations: organisationStore, endSessions });
  const approvals = createApprovals({ ...common, store: approvalStore });
  const endings = createEnding({
    ...common,
    store: { ...createEndingStore(), find: createReadings().find },
    endSessions: parts.endMandateSessions,
    ...(parts.tellEnd ? { tellEnd: parts.tellEnd } : {}),
  });
  const attestations = lazily(() =>
    createAttestations({
      ...common,
      store: attestationStore,
      key: readPrivateKey(parts.keys.pem('attestation-ed25519').reveal()),
      kek: parts.keys.raw('payload-kek'),
      former: parts.keys.formerAttestation,
    }),
  );
  return {
    journal,
    endings,
    imports: createImports({
      ...common,
      store: importStore,
      usagerStore: createUsagerStore(),
      mandateStore: createMandateStore(),
      approvals,
      attest: async (tx, id) => attestations().issue(tx, id),
      prepare: async () => attestations().start(),
    }),
    erasures: createErasures({
      ...common,
      store: createErasureStore(database),
      approvals,
      keys: keyEraser,
      forget: async (tx, usagerId, erase) => {
        await forgetExcluded(tx, (sector) => sha256(pairwise(parts.keys.raw('pairwise').reveal(), 'sub', sector, usagerId)));
        await attestations().forget(tx, usagerId, erase);
      },
    }),
    reviews: createReviews({
      ...common,
      store: reviewStore,
      usagers: createUsagerStore(),
      approvals,
      kek: () => parts.keys.raw('payload-kek'),
      tell: parts.tellIdentity,
    }),
    retention: createRetention({ ...common, store: createRetentionStore(database), keys: keyEraser }),
    holds: createHolds({ ...common, store: holdStore }),
    signingKeys: createSigningKeys({ ...common, store: signingKeyStore, endSessions }),
    organisations: createOrganisations({ ...common, store: organisationStore, endSessions, endMandates: endings.endOfOrganisation }),
    aidants,
    means: createMeans({ ...common, store: meansStore, kek, ...(parts.told ? { told: parts.told } : {}) }),
    approvals,
    administrations: createAdministrations({ ...common, store: administrationStore, aidants }),
    services: createServices({
      ...common,
      store: serviceStore,
      administrations: administrationStore,
      approvals,
      endSessions,
      allowLoopback: parts.allowLoopback,
      refusesAddress: createOutgoing({ allowLoopback: parts.allowLoopback }).refuses,
    }),
  };
};
