import type { Clock } from '../kernel/clock.ts';
import { totp } from '../kernel/crypto.ts';
import type { StaffId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transactions } from '../kernel/transaction.ts';
import { STEP_MS, stepAt, WINDOW } from './code.ts';
import { openSeed } from './means.ts';
import type { MeansStore } from './store.ts';

export interface NextCode {
  readonly code: string;
  /** From when Relais accepts it: in the past, unless the codes of the window are all used. */
  readonly from: Date;
  readonly until: Date;
}

/**
 * Makes the reader of each test identity's next unused code, for the demonstration's message page. It defeats the second factor, so
 * only `practice` may be given it: production never makes one.
 */
export const createNextUnusedCode =
  (parts: { readonly transactions: Transactions; readonly store: MeansStore; readonly clock: Clock; readonly kek: Secret<Buffer> }) =>
  async (staffId: StaffId): Promise<NextCode | undefined> => {
    const factor = await parts.store.read(parts.transactions.auto, staffId);
    if (!factor?.confirmedAt) return undefined;
    const step = Math.max(factor.lastStep + 1, stepAt(parts.clock.now()));
    return {
      code: totp(openSeed(parts.kek, staffId, factor.seedBox), step),
      from: new Date((step - WINDOW) * STEP_MS),
      until: new Date((step + WINDOW + 1) * STEP_MS),
    };
  };
