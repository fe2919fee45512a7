import { AHEAD_MS } from '../journal/sequencer.ts';
import { Failure } from '../kernel/failure.ts';
import { type Database, type Dedicated, row, sqlState } from './database.ts';
import { dropForgedAhead, Halt, type Lead, runBatch, type Sequenced, type SequencerOptions, takeLead } from './journal-batch.ts';
import { sql } from './sql.ts';

/** The one process that turns waiting entries into leaves (journal.md §3.5): elected by an advisory lock, each batch one statement. */

export interface Sequencer {
  /** Says that something was committed. */
  nudge(): void;
  /** Waits until nothing that is committed now waits any more, whichever process leads. Fails as `journal_not_flushed` after `timeoutMs`. */
  flush(timeoutMs?: number): Promise<void>;
  stop(): Promise<void>;
  leading(): boolean;
  /** Rows that waited when last looked at, counted up to a little above the limit. */
  waiting(): number;
  /** Calls `listener` after each commit of this process's batches. */
  onSequenced(listener: (sequenced: readonly Sequenced[]) => void): void;
}

const STANDBY_MS = 500;
const COUNT_CEILING = 4200;

/** Sleeps until `wake` or the end of `ms`. */
const createBed = () => {
  let wake: (() => void) | undefined;
  return {
    wake: () => wake?.(),
    sleep: (ms: number): Promise<void> =>
      new Promise((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          wake = undefined;
          resolve();
        };
        const timer = setTimeout(done, ms);
        wake = done;
      }),
  };
};

/** Starts the sequencer: it leads as soon as no other process does, and goes on until `stop`. */
export const startSequencer = (given: SequencerOptions): Sequencer => {
  const options: Required<SequencerOptions> = { name: 'relais', batchSize: 512, clockApart: () => false, onAlarm: () => undefined, ...given };
  const { database, clock, batchSize, onAlarm } = options;
  const listeners: ((sequenced: readonly Sequenced[]) => void)[] = [];
  const bed = createBed();
  let connection: Dedicated | undefined;
  let lead: Lead | undefined;
  let [stopped, halted, nudged, ahead] = [false, false, false, false];
  let [backlog, countedAt, activeAt, faults] = [0, Number.NEGATIVE_INFINITY, 0, 0];

  const stepDown = async (): Promise<void> => {
    const left = connection;
    lead = undefined;
    connection = undefined;
    await left?.release().catch(() => undefined); // the advisory lock ends with the session
  };
  const count = async (everyMs: number): Promise<void> => {
    if (performance.now() - countedAt < everyMs) return;
    countedAt = performance.now();
    const found = await row<{ waiting: number; latest: Date | null }>(
      database.auto,
      sql`select count(*)::int as waiting, max(greatest(least(at, '9999-12-31'), '1970-01-01')) as latest
        from (select at from journal.queue limit ${COUNT_CEILING}) q`, // what is planted may say "infinity", which is no Date
    );
    backlog = found?.waiting ?? 0;
    // Compared with the time of the answer: on a busy machine the question may have waited longer than clocks may differ.
    const beyond = (found?.latest?.getTime() ?? 0) > clock.now().getTime() + AHEAD_MS;
    if (beyond && !ahead) onAlarm({ kind: 'entry_ahead' });
    ahead = beyond;
    if (ahead && lead && (await dropForgedAhead(lead, options))) countedAt = Number.NEGATIVE_INFINITY;
  };
  /** One turn: leads if nobody does, takes a batch, and says how long to sleep (0: not at all). */
  const turn = async (): Promise<number> => {
    if (connection && !connection.alive()) await stepDown();
    connection ??= await database.dedicated('relais_sequencer');
    lead ??= await takeLead(database.kind, connection, options.name);
    if (!lead) {
      await count(STANDBY_MS);
      return STANDBY_MS;
    }
    const told = nudged;
    nudged = false;
    const done = await runBatch(lead, options, (leaves) => {
      for (const listener of listeners) listener(leaves);
    });
    faults = 0;
    if (done === 'lost') {
      await stepDown();
      onAlarm({ kind: 'lost_lead' });
      return STANDBY_MS;
    }
    if (done && !told) activeAt = performance.now(); // found without being told: other processes write as well
    if (done < batchSize) backlog = 0;
    await count(done < batchSize ? 1000 : 100);
    if (done >= batchSize || nudged) return 0;
    return database.kind === 'pglite' ? 500 : performance.now() - activeAt < 1000 ? 5 : 50;
  };
  const loop = async (): Promise<void> => {
    while (!stopped) {
      try {
        if (halted) {
          // Nothing is sequenced any more, and what waits is still counted: beyond the limit nothing is promised (journal.md §3.5.6).
          await count(STANDBY_MS);
          await bed.sleep(STANDBY_MS);
          continue;
        }
        const pause = await turn();
        if (pause && !stopped && !(nudged && lead)) await bed.sleep(pause);
      } catch (error) {
        await stepDown();
        if (stopped) return;
        if (halted) {
          await bed.sleep(STANDBY_MS); // the database does not answer
          continue;
        }
        halted = error instanceof Halt;
        onAlarm(
          error instanceof Halt
            ? { kind: 'halted', reason: error.message }
            : { kind: 'fault', code: sqlState(error) ?? (error instanceof Failure ? error.code : 'unknown') },
        );
        await count(STANDBY_MS).catch(() => undefined); // what cannot be sequenced waits too
        if (!halted) await bed.sleep(Math.min(100 * 2 ** faults++, 5000));
      }
    }
    await stepDown();
  };
  const nudge = (): void => {
    nudged = true;
    if (lead) bed.wake(); // a process that does not lead has nothing to do
  };
  const ended = loop();
  return {
    nudge,
    leading: () => lead !== undefined,
    waiting: () => backlog,
    onSequenced: (listener) => void listeners.push(listener),
    flush: (timeoutMs = 10_000) => flushed(database, nudge, () => halted, timeoutMs),
    async stop() {
      stopped = true;
      bed.wake();
      await ended;
    },
  };
};

const flushed = async (database: Database, nudge: () => void, halted: () => boolean, timeoutMs: number): Promise<void> => {
  const until = performance.now() + timeoutMs;
  const last = await row<{ id: number | null }>(database.auto, sql`select max(id) as id from journal.queue`);
  for (let pause = 1; typeof last?.id === 'number'; pause = Math.min(pause * 2, 50)) {
    nudge();
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (!(await row(database.auto, sql`select id from journal.queue where id <= ${last.id} limit 1`))) return;
    if (halted()) throw new Failure('journal_not_flushed', 'the sequencer has halted');
    if (performance.now() > until) throw new Failure('journal_not_flushed', 'entries still wait');
  }
};
