import type { Transactions } from '../kernel/transaction.ts';
import type { Journal } from './journal.ts';

/** Says that the journal lives when nothing happens: whoever watches the log from outside sees silence apart from a log that stopped (journal.md §3.5.6). */
export interface Heartbeat {
  /** Writes an entry when this process leads and nothing was sequenced for `idleMs`. Says how many it wrote. Fails as `Journal.record` does. */
  beat(): Promise<number>;
}

export interface HeartbeatParts {
  readonly transactions: Transactions;
  readonly journal: Pick<Journal, 'record' | 'nudge'>;
  readonly sequencer: { leading(): boolean; onSequenced(listener: () => void): void };
  /** A minute by default. */
  readonly idleMs?: number;
  /** Milliseconds that pass, whatever the clock says: a clock that jumps is no silence. */
  readonly elapsed?: () => number;
}

/** Makes the heartbeat of one process. Only the one that leads the sequence writes: one entry a minute, however many instances run. */
export const createHeartbeat = (parts: HeartbeatParts): Heartbeat => {
  const { transactions, journal, sequencer, idleMs = 60_000, elapsed = () => performance.now() } = parts;
  let last = elapsed();
  sequencer.onSequenced(() => {
    last = elapsed();
  });
  return {
    async beat() {
      if (!sequencer.leading() || elapsed() - last < idleMs) return 0;
      last = elapsed();
      await transactions.run((tx) => journal.record(tx, { type: 'log.heartbeat', actor: 'system', detail: {} }));
      journal.nudge();
      return 1;
    },
  };
};
