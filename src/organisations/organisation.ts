import type { AidantId, OrganisationId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Theme } from './theme.ts';

/** A structure to which mandates are given. Its mandates are usable only while it is `active`: every check reads this status. */
export interface Organisation {
  readonly id: OrganisationId;
  readonly name: string;
  /** 14 digits. */
  readonly siret: string;
  /** What it is habilitated for: no mandate of it may cover more. */
  readonly themes: readonly Theme[];
  readonly status: 'active' | 'suspended' | 'ended';
  readonly createdAt: Date;
}

/**
 * Ends the live delegated sessions of an organisation, of an aidant, of an aidant in one organisation, or at a service, in the caller's
 * transaction, and returns how many. The services concerned are told through the deliveries that it writes.
 */
export type EndSessions = (
  tx: Transaction,
  whose: { readonly organisationId?: OrganisationId; readonly aidantId?: AidantId; readonly serviceId?: string; readonly theme?: Theme },
  reason: 'suspended',
) => Promise<number>;

const luhn = (digits: string): number =>
  [...digits].reverse().reduce((sum, digit, i) => {
    const value = Number(digit) * (i % 2 === 0 ? 1 : 2);
    return sum + (value > 9 ? value - 9 : value);
  }, 0);

const plain = (digits: string): number => [...digits].reduce((sum, digit) => sum + Number(digit), 0);

/**
 * Reads a SIRET: 14 digits (spaces tolerated) whose Luhn sum is a multiple of 10. The offices of La Poste (SIREN 356000000) follow INSEE's
 * other rule: their plain sum is a multiple of 5.
 */
export const readSiret = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || value.length > 40) return undefined;
  const siret = value.replace(/\s/g, '');
  if (!/^[0-9]{14}$/.test(siret)) return undefined;
  if (luhn(siret) % 10 === 0) return siret;
  return siret.startsWith('356000000') && plain(siret) % 5 === 0 ? siret : undefined;
};
