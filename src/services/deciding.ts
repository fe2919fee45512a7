import { equal } from '../kernel/crypto.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { inForce, resourceFaults } from './asking.ts';
import { differences, themesCut } from './revision.ts';
import { stands } from './rotation.ts';
import { type Registration, registrationHash, type Service } from './service.ts';
import type { Parts, Services, Waiting } from './services.ts';

export const withdraw = (parts: Parts, id: string, actor: string): ReturnType<Services['withdraw']> =>
  parts.transactions.run(async (tx) => {
    const service = await parts.store.lock(tx, id);
    if (!service) return { refused: 'unknown_service' };
    const waits = await parts.store.waiting(tx, id);
    if (!waits || !inForce(service)) return { refused: 'not_pending' };
    await parts.store.withdraw(tx, id, parts.clock.now());
    await parts.journal.record(tx, {
      type: 'service.change-withdrawn',
      service: id,
      administration: service.administrationId,
      actor,
      detail: { name: service.name, revision: waits.number },
    });
    return { service };
  });

/** Ends the sessions that what comes into force does not allow. */
const endCut = async (parts: Parts, tx: Transaction, before: Service, after: Registration): Promise<void> => {
  for (const theme of themesCut(before, after)) await parts.endSessions(tx, { serviceId: before.id, theme }, 'suspended');
};

export const approveIn = async (parts: Parts, tx: Transaction, id: string, approvedBy: string, seen?: Buffer): ReturnType<Services['approveIn']> => {
  const before = await parts.store.lock(tx, id);
  if (!before) return { refused: 'unknown_service' };
  const revision = await parts.store.waiting(tx, id);
  if (!revision) return { refused: 'not_pending' };
  if (revision.approvalId === undefined) return { refused: 'nothing_to_approve' };
  const hash = registrationHash(revision.registration); // of what is stored now, not of what was asked
  if (seen && !equal(seen, hash)) return { refused: 'hash_differs' };
  const faults = await resourceFaults(parts, tx, revision.registration); // another may have come first
  if (faults.length) return { refused: 'registration_invalid', faults };
  const given = await parts.approvals.approveIn(tx, revision.approvalId, approvedBy, hash);
  if ('refused' in given) return given;
  await parts.store.enforce(tx, revision, parts.clock.now());
  await endCut(parts, tx, before, revision.registration);
  await parts.journal.record(tx, {
    type: 'service.approved',
    service: id,
    administration: before.administrationId,
    actor: approvedBy,
    detail: { name: revision.registration.name, hash: hash.toString('hex'), revision: revision.number },
  });
  const service = await parts.store.find(tx, id);
  return service ? { service } : { refused: 'unknown_service' };
};

export const disable = (parts: Parts, id: string, actor: string): ReturnType<Services['disable']> =>
  parts.transactions.run(async (tx) => {
    const before = await parts.store.lock(tx, id);
    if (!before) return { refused: 'unknown_service' };
    if (before.status === 'disabled' || !(await parts.store.setStatus(tx, id, before.status, 'disabled'))) return { refused: 'already_disabled' };
    await parts.store.withdraw(tx, id, parts.clock.now());
    const sessions = await parts.endSessions(tx, { serviceId: id }, 'suspended');
    await parts.journal.record(tx, {
      type: 'service.disabled',
      service: id,
      administration: before.administrationId,
      actor,
      detail: { name: before.name, sessions },
    });
    return { service: { ...before, status: 'disabled', version: before.version + 1 }, sessions };
  });

export const endSecret = (parts: Parts, id: string, actor: string): ReturnType<Services['endSecret']> =>
  parts.transactions.run(async (tx) => {
    const service = await parts.store.lock(tx, id);
    if (!service) return { refused: 'unknown_service' };
    if (!stands(service.formerSecret, parts.clock.now())) return { refused: 'no_former_secret' };
    await parts.store.endSecret(tx, id, service.formerSecret.hash);
    await parts.journal.record(tx, {
      type: 'service.secret-ended',
      service: id,
      administration: service.administrationId,
      actor,
      detail: { name: service.name },
    });
    return { service };
  });

export const waiting = async (parts: Parts, id: string): Promise<Waiting | undefined> => {
  const tx = parts.transactions.auto;
  const [revision, service] = [await parts.store.waiting(tx, id), await parts.store.find(tx, id)];
  if (!revision || !service) return undefined;
  return { revision, hash: registrationHash(revision.registration), differences: differences(inForce(service), revision.registration) };
};
