import { equal, randomToken } from '../kernel/crypto.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type RegistrationFault, readRegistration } from './registration.ts';
import { differences, isOfOperateur } from './revision.ts';
import { asInput, stands } from './rotation.ts';
import { type FormerSecret, type Registration, registrationHash, type Service, secretHash } from './service.ts';
import type { Parts, Registered, ServiceRefusal, Services } from './services.ts';

type By = { readonly askedBy: string; readonly clientSecret?: string; readonly newSecret?: boolean; readonly formerUntil?: Date };
type WithSecret = { readonly registration: Registration; readonly clientSecret?: string };

/** Gives a secret to a registration that authenticates with one: the one it has, or one that is drawn, beside the former one for a time. */
const withSecret = (
  read: Registration,
  by: By,
  now: Date,
  before?: Pick<Registration, 'clientSecretHash' | 'formerSecret'>,
): WithSecret | ServiceRefusal => {
  if (read.tokenEndpointAuthMethod === 'private_key_jwt') return { registration: read };
  if (by.clientSecret !== undefined && by.clientSecret.length < 43) return { refused: 'client_secret_weak' };
  const kept = by.clientSecret === undefined && !by.newSecret ? before?.clientSecretHash : undefined;
  const beside = (former: FormerSecret | undefined) => (stands(former, now) ? { formerSecret: former } : {});
  if (kept !== undefined) return { registration: { ...read, clientSecretHash: kept, ...beside(before?.formerSecret) } };
  const clientSecret = by.clientSecret ?? randomToken(32);
  const former =
    before?.clientSecretHash && by.formerUntil ? { hash: before.clientSecretHash, exp: Math.floor(by.formerUntil.getTime() / 1000) } : undefined;
  return { registration: { ...read, clientSecretHash: secretHash(clientSecret), ...beside(former) }, clientSecret };
};

const read = (parts: Parts, input: unknown): { readonly registration: Registration } | ServiceRefusal => {
  const found = readRegistration(input, { allowLoopback: parts.allowLoopback });
  return 'faults' in found ? { refused: 'registration_invalid', faults: found.faults } : { registration: found };
};

/** What is in force of a service: nothing before its first approval. */
export const inForce = (service: Service): Service | undefined => (service.revision === undefined ? undefined : service);

/** Keeps the revision, writes its entry and asks for the second person. The service is held. */
const askFor = async (parts: Parts, tx: Transaction, { registration, clientSecret }: WithSecret, by: By): Promise<Registered | ServiceRefusal> => {
  const service = await parts.store.find(tx, registration.id);
  if (!service) return { refused: 'unknown_service' };
  const hash = registrationHash(registration);
  const changes = differences(inForce(service), registration);
  const approval = await parts.approvals.askIn(tx, { kind: 'service', subject: service.id, hash, askedBy: by.askedBy });
  const replaced = await parts.store.waiting(tx, service.id);
  const revision = await parts.store.ask(tx, { registration, askedBy: by.askedBy, at: parts.clock.now(), approvalId: approval.id });
  const about = { service: service.id, administration: service.administrationId, actor: by.askedBy };
  await parts.journal.record(
    tx,
    revision === 1
      ? { type: 'service.added', ...about, detail: { name: registration.name, profile: registration.profile, hash: hash.toString('hex') } }
      : {
          type: 'service.change-asked',
          ...about,
          detail: { name: service.name, hash: hash.toString('hex'), revision, changes: changes.map(({ what }) => what) },
        },
  );
  return {
    service,
    revision,
    differences: changes,
    approval,
    ...(replaced ? { replaced: { number: replaced.number, askedBy: replaced.askedBy } } : {}),
    ...(clientSecret === undefined ? {} : { clientSecret }),
  };
};

/** A token says for which API it is, and that API looks at nothing else: it is of one administration. */
export const resourceFaults = async (
  parts: Parts,
  tx: Transaction,
  { resources = [], administrationId }: Registration,
): Promise<RegistrationFault[]> => {
  if (!resources.length) return [];
  const taken = await parts.store.resourcesOfOthers(tx, resources, administrationId);
  return taken.map((each) => ({ field: `resources[${resources.indexOf(each)}]`, code: 'resource_of_another' }));
};

export const add = (parts: Parts, input: unknown, by: By): Promise<Registered | ServiceRefusal> =>
  parts.transactions.run(async (tx) => {
    const asked = read(parts, input);
    if ('refused' in asked) return asked;
    const made = withSecret(asked.registration, by, parts.clock.now());
    if ('refused' in made) return made;
    const { registration } = made;
    if (!(await parts.administrations.find(tx, registration.administrationId))) return { refused: 'unknown_administration' };
    if (await parts.store.sectorBelongsToAnother(tx, registration.sector, registration.administrationId)) return { refused: 'sector_taken' };
    const faults = await resourceFaults(parts, tx, registration);
    if (faults.length) return { refused: 'registration_invalid', faults };
    if (!(await parts.store.insert(tx, registration, parts.clock.now()))) return { refused: 'service_known' };
    return askFor(parts, tx, made, by);
  });

/** A code keeps its meaning: its effect stays, and one that left does not come back. */
const codeFaults = async (parts: Parts, tx: Transaction, registration: Registration): Promise<RegistrationFault[]> => {
  const codes = await parts.store.codes(tx, registration.id);
  return registration.demarches.flatMap(({ code, effect }, i): RegistrationFault[] => {
    const known = codes.find((each) => each.code === code);
    if (!known || (!known.retired && known.effect === effect)) return [];
    return [{ field: `demarches[${i}]`, code: known.retired ? 'demarche_code_retired' : 'demarche_effect_changed' }];
  });
};

const changeFaults = async (parts: Parts, tx: Transaction, asked: Registration): Promise<RegistrationFault[]> => [
  ...(await codeFaults(parts, tx, asked)),
  ...(await resourceFaults(parts, tx, asked)),
];

export const change = (parts: Parts, input: unknown, by: By): Promise<Registered | ServiceRefusal> =>
  parts.transactions.run(async (tx) => {
    const asked = read(parts, input);
    if ('refused' in asked) return asked;
    const before = await parts.store.lock(tx, asked.registration.id);
    if (!before) return { refused: 'unknown_service' };
    const same = (['profile', 'sector', 'administrationId', 'minimumConsent'] as const).every(
      (member) => before[member] === asked.registration[member],
    );
    if (!same) return { refused: 'immutable' };
    const made = withSecret(asked.registration, by, parts.clock.now(), before);
    if ('refused' in made) return made;
    const faults = await changeFaults(parts, tx, made.registration);
    if (faults.length) return { refused: 'registration_invalid', faults };
    return askFor(parts, tx, made, by);
  });

export const amend = (parts: Parts, id: string, to: Parameters<Services['amend']>[1], askedBy: string): Promise<Registered | ServiceRefusal> =>
  parts.transactions.run(async (tx) => {
    const inForce = await parts.store.lock(tx, id);
    if (!inForce) return { refused: 'unknown_service' };
    if (inForce.status === 'disabled') return { refused: 'already_disabled' };
    const waits = await parts.store.waiting(tx, id);
    if (waits && isOfOperateur(waits)) return { refused: 'change_waits' };
    const from = waits?.registration ?? inForce;
    const asked = read(parts, { ...asInput(from), ...to(from, inForce) });
    if ('refused' in asked) return asked;
    const made = withSecret(asked.registration, { askedBy }, parts.clock.now(), from);
    if ('refused' in made) return made;
    const faults = await changeFaults(parts, tx, made.registration);
    if (faults.length) return { refused: 'registration_invalid', faults };
    if (equal(registrationHash(made.registration), registrationHash(from))) return { refused: 'nothing_changed' };
    return askFor(parts, tx, made, { askedBy });
  });

/** Asks the network, outside every transaction, where the address that will be called leads today; each call asks again. */
export const screened = async (
  parts: Parts,
  input: unknown,
  work: () => Promise<Registered | ServiceRefusal>,
): Promise<Registered | ServiceRefusal> => {
  const found = readRegistration(input, { allowLoopback: parts.allowLoopback });
  const address = 'faults' in found ? undefined : found.backchannelLogoutUri;
  if (address !== undefined && (await parts.refusesAddress(new URL(address))))
    return { refused: 'registration_invalid', faults: [{ field: 'backchannelLogoutUri', code: 'address_host' }] };
  return work();
};
