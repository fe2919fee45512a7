import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { open, seal, sha256 } from '../kernel/crypto.ts';
import { type AidantId, type MandateId, newId, type OrganisationId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { firstName } from '../usagers/usager.ts';
import type { MandateStore } from './mandates.ts';
import type { PaperConsent, PaperConsentId } from './paper-consent.ts';
import type { PaperConsentStore } from './paper-consents.ts';
import { checkActor } from './policy.ts';
import { EXTENSIONS, kindOf, LARGEST_SCAN, MOST_SCANS, type ScanId, type ScanKind } from './scan.ts';

type Who = { readonly aidantId: AidantId; readonly organisationId: OrganisationId };

export interface StoredScan {
  readonly id: ScanId;
  readonly paperId: PaperConsentId;
  readonly kind: ScanKind;
  readonly size: number;
  readonly hash: Buffer;
  readonly box: Buffer;
  readonly addedBy: AidantId;
  readonly addedAt: Date;
}

export interface ScanStore {
  add(tx: Transaction, scan: StoredScan): Promise<void>;
  count(tx: Transaction, paperId: PaperConsentId): Promise<number>;
  newest(tx: Transaction, paperId: PaperConsentId): Promise<StoredScan | undefined>;
  /** The sheet of a mandate, if there is a copy of it. */
  ofMandate(tx: Transaction, id: MandateId): Promise<PaperConsentId | undefined>;
  /** Holds every other addition to this sheet until the transaction ends. */
  lock(tx: Transaction, paperId: PaperConsentId): Promise<void>;
}

export type ScanRefusal =
  | 'not_found'
  | 'aidant_suspended'
  | 'organisation_suspended'
  | 'scan_missing'
  | 'scan_too_large'
  | 'scan_kind'
  | 'scan_enough';

export interface Scans {
  /** Keeps a copy of a sheet that has not ended, sealed. */
  add(who: Who, paperId: PaperConsentId, bytes: Buffer): Promise<{ readonly added: ScanKind } | { readonly refused: ScanRefusal }>;
  count(paperId: PaperConsentId): Promise<number>;
  /** The newest copy, to an aidant of the organisation; each reading is an entry that the person sees. */
  read(who: Who, paperId: PaperConsentId): Promise<{ readonly bytes: Buffer; readonly name: string } | { readonly refused: 'not_found' }>;
  ofMandate(id: MandateId): Promise<PaperConsentId | undefined>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: ScanStore;
  readonly paperStore: Pick<PaperConsentStore, 'find'>;
  readonly mandateStore: Pick<MandateStore, 'actor'>;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Seals the copies: 32 bytes, not in the database. */
  readonly kek: Secret<Buffer>;
}

const boxOf = (id: ScanId): string => `relais/paper/scan/v1 ${id}`;

export const createScans = ({ transactions, store, paperStore, mandateStore, journal, clock, kek }: Parts): Scans => {
  /** The sheet, if it is one of the organisation that is selected. */
  const own = async (tx: Transaction, who: Who, id: PaperConsentId): Promise<PaperConsent | undefined> => {
    const paper = await paperStore.find(tx, id);
    return paper?.organisationId === who.organisationId ? paper : undefined;
  };

  return {
    async add(who, paperId, bytes) {
      const done = await transactions.run(async (tx): Promise<{ added: ScanKind } | { refused: ScanRefusal }> => {
        const paper = await own(tx, who, paperId);
        const actor = paper && (await mandateStore.actor(tx, who.aidantId, who.organisationId));
        if (!paper || !actor || paper.endedAt) return { refused: 'not_found' };
        const unable = checkActor(actor);
        if (unable) return { refused: unable === 'organisation_suspended' ? unable : 'aidant_suspended' };
        if (bytes.length === 0) return { refused: 'scan_missing' };
        if (bytes.length > LARGEST_SCAN) return { refused: 'scan_too_large' };
        const kind = kindOf(bytes);
        if (!kind) return { refused: 'scan_kind' };
        await store.lock(tx, paperId);
        if ((await store.count(tx, paperId)) >= MOST_SCANS) return { refused: 'scan_enough' };
        const id = newId('scn');
        const box = seal(kek.reveal(), bytes, boxOf(id));
        await store.add(tx, { id, paperId, kind, size: bytes.length, hash: sha256(bytes), box, addedBy: who.aidantId, addedAt: clock.now() });
        await journal.record(tx, {
          type: 'paper.copied',
          usager: paper.usagerId,
          aidant: who.aidantId,
          organisation: who.organisationId,
          detail: { reference: paper.reference, aidantName: firstName(actor.givenName), organisationName: actor.organisationName },
        });
        return { added: kind };
      });
      journal.nudge();
      return done;
    },
    count: (paperId) => store.count(transactions.auto, paperId),
    async read(who, paperId) {
      const done = await transactions.run(async (tx): Promise<{ bytes: Buffer; name: string } | { refused: 'not_found' }> => {
        const paper = await own(tx, who, paperId);
        const actor = paper && (await mandateStore.actor(tx, who.aidantId, who.organisationId));
        const scan = paper && (await store.newest(tx, paperId));
        if (!paper || !actor || !scan || checkActor(actor)) return { refused: 'not_found' };
        await journal.record(tx, {
          type: 'paper.copy-read',
          usager: paper.usagerId,
          aidant: who.aidantId,
          organisation: who.organisationId,
          detail: { reference: paper.reference, aidantName: firstName(actor.givenName), organisationName: actor.organisationName },
        });
        return { bytes: open(kek.reveal(), scan.box, boxOf(scan.id)), name: `${paper.reference}.${EXTENSIONS[scan.kind]}` };
      });
      journal.nudge();
      return done;
    },
    ofMandate: (id) => store.ofMandate(transactions.auto, id),
  };
};
