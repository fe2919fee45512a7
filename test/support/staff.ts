import { createAidants } from '../../src/aidants/aidants.ts';
import { stepAt } from '../../src/aidants/code.ts';
import type { Invitation } from '../../src/aidants/enrolment.ts';
import { createMeans } from '../../src/aidants/means.ts';
import { createApprovals } from '../../src/approvals/approvals.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import { randomBytes, totp } from '../../src/kernel/crypto.ts';
import { Secret } from '../../src/kernel/secret.ts';
import type { EndSessions } from '../../src/organisations/organisation.ts';
import { createOrganisations } from '../../src/organisations/organisations.ts';
import { aidantStore, meansStore } from '../../src/persistence/aidants.ts';
import { approvalStore } from '../../src/persistence/approvals.ts';
import type { Database } from '../../src/persistence/database.ts';
import { createJournal, readOrigin } from '../../src/persistence/journal.ts';
import { openKeyStore } from '../../src/persistence/journal-keys.ts';
import { organisationStore } from '../../src/persistence/organisations.ts';
import { administrationStore, serviceStore } from '../../src/persistence/services.ts';
import { createAdministrations } from '../../src/services/administrations.ts';
import { createServices } from '../../src/services/services.ts';
import { createOutgoing } from '../../src/signals/outgoing.ts';

/** One key for every use of one test file, so that two instances open each other's boxes. */
export const totpKek = new Secret(randomBytes(32));
const journalKeys = { kek: randomBytes(32), mac: randomBytes(32) };

export interface House {
  readonly database: Database;
  readonly journal: ReturnType<typeof createJournal>;
  readonly organisations: ReturnType<typeof createOrganisations>;
  readonly aidants: ReturnType<typeof createAidants>;
  readonly means: ReturnType<typeof createMeans>;
  readonly approvals: ReturnType<typeof createApprovals>;
  readonly administrations: ReturnType<typeof createAdministrations>;
  readonly services: ReturnType<typeof createServices>;
}

/** Composes the domain of habilitation and services on a database, with the real journal (its queue). */
export const house = async (
  database: Database,
  clock: Clock,
  endSessions: EndSessions = async () => 0,
  outgoing = createOutgoing({ allowLoopback: true }),
): Promise<House> => {
  const journal = createJournal({
    transactions: database,
    keys: await openKeyStore({ database, kek: journalKeys.kek, clock }),
    macKey: journalKeys.mac,
    origin: await readOrigin(database, 'localhost'),
    writer: 'test',
    clock,
  });
  const common = { transactions: database, journal, clock };
  const aidants = createAidants({ ...common, store: aidantStore, means: meansStore, kek: totpKek, organisations: organisationStore, endSessions });
  const approvals = createApprovals({ ...common, store: approvalStore });
  return {
    database,
    journal,
    organisations: createOrganisations({ ...common, store: organisationStore, endSessions, endMandates: async () => 0 }),
    aidants,
    means: createMeans({ ...common, store: meansStore, kek: totpKek }),
    approvals,
    administrations: createAdministrations({ ...common, store: administrationStore, aidants }),
    services: createServices({
      ...common,
      store: serviceStore,
      administrations: administrationStore,
      approvals,
      endSessions,
      allowLoopback: true,
      refusesAddress: outgoing.refuses,
    }),
  };
};

/** Takes the value of an answer that must not be a refusal. */
export const granted = <T extends object>(answer: T): Exclude<T, { readonly refused: string }> => {
  if ('refused' in answer) throw new Error(`refused: ${String(answer.refused)}`);
  return answer as Exclude<T, { readonly refused: string }>; // what is left of T once the refusals are out
};

/** Plays the whole enrolment of an invitation and gives the seed. Moves nothing: the code used is that of the step before. */
export const enrol = async (it: House, invitation: Invitation, sub: string, clock: Clock): Promise<Buffer> => {
  const identity = { iss: 'https://proconnect.test', sub };
  const { seed } = granted(await it.aidants.beginEnrolment(invitation.token, identity));
  granted(await it.aidants.confirmEnrolment(invitation.token, identity, totp(seed, stepAt(clock.now()) - 1)));
  return seed;
};

/** The kinds of entries that wait in the journal's queue, in order. */
export const queued = async (database: Database): Promise<string[]> =>
  database.asOwner(async (query) => (await query('select type from journal.queue order by id')).map((found) => String(found['type'])));

/** The registration of a small service, as an opérateur gives it. */
export const allocations = (administrationId: string) => ({
  id: 'allocations',
  name: 'Allocations',
  administrationId,
  profile: 'standard',
  themes: ['famille'],
  delegationSupported: true,
  demarches: [{ code: 'allocations.paiements', labelFr: 'vos paiements', labelEn: 'your payments', themes: ['famille'], effect: 'read' }],
  redirectUris: ['https://allocations.example/retour'],
  scopes: ['given_name'],
});
