import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import { isId, newId, type OrganisationId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { readName, readReason } from './name.ts';
import { type EndSessions, type Organisation, readSiret } from './organisation.ts';
import { readThemes } from './theme.ts';

export interface OrganisationStore {
  /** Writes a new organisation; false, and nothing written, when its SIRET is already there. */
  insert(tx: Transaction, organisation: Organisation): Promise<boolean>;
  find(tx: Transaction, id: OrganisationId): Promise<Organisation | undefined>;
  findBySiret(tx: Transaction, siret: string): Promise<Organisation | undefined>;
  list(tx: Transaction): Promise<Organisation[]>;
  /** Goes from `active` to `suspended`; false when it was not active: of two at once, one wins. */
  suspend(tx: Transaction, id: OrganisationId): Promise<boolean>;
  /** Goes to `ended` from anything else; false when it had ended. */
  end(tx: Transaction, id: OrganisationId): Promise<boolean>;
}

export type OrganisationRefusal =
  | 'name_malformed'
  | 'siret_malformed'
  | 'themes_malformed'
  | 'siret_known'
  | 'unknown_organisation'
  | 'reason_malformed'
  | 'not_active';

export interface NewOrganisation {
  readonly name: string;
  readonly siret: string;
  readonly themes: readonly string[];
  /** Who decided: an opérateur's id, or `cli`. */
  readonly actor: string;
}

export interface Organisations {
  /** Habilitates an organisation for themes. */
  add(asked: NewOrganisation): Promise<{ readonly organisation: Organisation } | { readonly refused: OrganisationRefusal }>;
  /** Suspends an organisation: its live delegated sessions end now, its mandates can no longer be used, its history stays. */
  suspend(
    id: string,
    by: { readonly reason: string; readonly actor: string },
  ): Promise<{ readonly organisation: Organisation; readonly sessions: number } | { readonly refused: OrganisationRefusal }>;
  /** Ends an organisation's habilitation for good: what it had open stops now, and its mandates end. */
  end(
    id: string,
    by: { readonly reason: string; readonly actor: string },
  ): Promise<{ readonly organisation: Organisation; readonly mandates: number } | { readonly refused: OrganisationRefusal }>;
  /** Finds an organisation by its id or its SIRET. */
  find(idOrSiret: string): Promise<Organisation | undefined>;
  list(): Promise<Organisation[]>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: OrganisationStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly endSessions: EndSessions;
  /** Ends the mandates of an organisation in the caller's transaction, and says how many. */
  readonly endMandates: (tx: Transaction, id: OrganisationId) => Promise<number>;
}

const parse = (asked: NewOrganisation): Pick<Organisation, 'name' | 'siret' | 'themes'> | { readonly refused: OrganisationRefusal } => {
  const name = readName(asked.name);
  if (name === undefined) return { refused: 'name_malformed' };
  const siret = readSiret(asked.siret);
  if (siret === undefined) return { refused: 'siret_malformed' };
  const themes = readThemes(asked.themes);
  return themes?.length ? { name, siret, themes } : { refused: 'themes_malformed' };
};

const add = async (parts: Parts, asked: NewOrganisation): ReturnType<Organisations['add']> => {
  const parsed = parse(asked);
  if ('refused' in parsed) return parsed;
  const result = await parts.transactions.run(async (tx) => {
    const organisation: Organisation = { id: newId('org'), ...parsed, status: 'active', createdAt: parts.clock.now() };
    if (!(await parts.store.insert(tx, organisation))) return { refused: 'siret_known' } as const;
    await parts.journal.record(tx, {
      type: 'organisation.habilitated',
      organisation: organisation.id,
      actor: asked.actor,
      detail: { name: organisation.name, themes: organisation.themes },
    });
    return { organisation };
  });
  parts.journal.nudge();
  return result;
};

const suspend = async (parts: Parts, id: string, by: { reason: string; actor: string }): ReturnType<Organisations['suspend']> => {
  const reason = readReason(by.reason);
  if (reason === undefined) return { refused: 'reason_malformed' };
  if (!isId('org', id)) return { refused: 'unknown_organisation' };
  const result = await parts.transactions.run(async (tx) => {
    const organisation = await parts.store.find(tx, id);
    if (!organisation) return { refused: 'unknown_organisation' } as const;
    if (!(await parts.store.suspend(tx, id))) return { refused: 'not_active' } as const;
    const sessions = await parts.endSessions(tx, { organisationId: id }, 'suspended');
    await parts.journal.record(tx, { type: 'organisation.suspended', organisation: id, actor: by.actor, detail: { reason } });
    return { organisation: { ...organisation, status: 'suspended' as const }, sessions };
  });
  parts.journal.nudge();
  return result;
};

const end = async (parts: Parts, id: string, by: { reason: string; actor: string }): ReturnType<Organisations['end']> => {
  const reason = readReason(by.reason);
  if (reason === undefined) return { refused: 'reason_malformed' };
  if (!isId('org', id)) return { refused: 'unknown_organisation' };
  const result = await parts.transactions.run(async (tx) => {
    const organisation = await parts.store.find(tx, id);
    if (!organisation) return { refused: 'unknown_organisation' } as const;
    if (!(await parts.store.end(tx, id))) return { refused: 'not_active' } as const;
    await parts.endSessions(tx, { organisationId: id }, 'suspended');
    const mandates = await parts.endMandates(tx, id);
    await parts.journal.record(tx, { type: 'organisation.ended', organisation: id, actor: by.actor, detail: { reason, mandates } });
    return { organisation: { ...organisation, status: 'ended' as const }, mandates };
  });
  parts.journal.nudge();
  return result;
};

/** Makes the use cases of organisations. */
export const createOrganisations = (parts: Parts): Organisations => ({
  add: (asked) => add(parts, asked),
  suspend: (id, by) => suspend(parts, id, by),
  end: (id, by) => end(parts, id, by),
  find: async (idOrSiret) => {
    if (isId('org', idOrSiret)) return parts.store.find(parts.transactions.auto, idOrSiret);
    const siret = readSiret(idOrSiret);
    return siret === undefined ? undefined : parts.store.findBySiret(parts.transactions.auto, siret);
  },
  list: () => parts.store.list(parts.transactions.auto),
});
