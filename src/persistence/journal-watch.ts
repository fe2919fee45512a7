import type { Journal } from '../journal/journal.ts';
import type { Transactions } from '../kernel/transaction.ts';
import { row } from './database.ts';
import { sql } from './sql.ts';

/** An entry was committed and is nowhere any more: its row was removed before it was sequenced. */
export interface LossAlarm {
  readonly kind: 'entry_lost';
  readonly eventId: string;
}

/** Both tables in one statement, hence at one instant: an entry that moves from one to the other is in either. */
const isNowhere = async (transactions: Transactions, eventId: string): Promise<boolean> =>
  (
    await row<{ nowhere: boolean }>(
      transactions.auto,
      sql`select not exists (select 1 from journal.queue where event_id = ${eventId}) and not exists (select 1 from journal.receipt where event_id = ${eventId}) as nowhere`,
    )
  )?.nowhere === true;

/**
 * The same journal, which says so when a receipt never comes because the entry's row is gone (journal.md §4, 20). Whoever waited is refused
 * either way: this tells a slow sequencer from somebody who deletes.
 */
export const watchReceipts = (journal: Journal, transactions: Transactions, onAlarm: (alarm: LossAlarm) => void): Journal => ({
  ...journal,
  async receipt(eventId, timeoutMs) {
    const receipt = await journal.receipt(eventId, timeoutMs);
    if (!receipt && (await isNowhere(transactions, eventId).catch(() => false))) onAlarm({ kind: 'entry_lost', eventId });
    return receipt;
  },
});
