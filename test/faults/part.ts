import type { Journal } from '../../src/journal/journal.ts';
import type { Verifier } from '../../src/journal/note.ts';
import { type Report, verify } from '../../src/journal/verify.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import type { Database } from '../../src/persistence/database.ts';
import { createJournal, readOrigin } from '../../src/persistence/journal.ts';
import { openKeyStore } from '../../src/persistence/journal-keys.ts';
import { type Sequencer, startSequencer } from '../../src/persistence/journal-sequencer.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';

/** Keys of a test's own journal, as text for a child's arguments. */
export interface PartKeys {
  readonly kek: string;
  readonly mac: string;
}

/** The journal part of an instance: what records and what sequences, on a database of its own connections. */
export const openPart = async (
  given: PartKeys & {
    readonly name: string;
    readonly database: Database;
    readonly clock: Clock;
    readonly onAlarm: (alarm: { kind: string }) => void;
  },
): Promise<{ journal: Journal; sequencer: Sequencer; origin: string }> => {
  const { database, clock, name, onAlarm } = given;
  const macKey = Buffer.from(given.mac, 'base64');
  const keys = await openKeyStore({ database, kek: Buffer.from(given.kek, 'base64'), clock });
  const origin = await readOrigin(database, 'example');
  const sequencer = startSequencer({ database, macKey, keys, clock, name, onAlarm });
  return { journal: createJournal({ transactions: database, keys, macKey, origin, writer: 'app', clock, sequencer }), sequencer, origin };
};

/** Verifies such a journal whole. */
export const verifyPart = async (
  given: PartKeys & {
    readonly database: Database;
    readonly origin: string;
    readonly trusted: readonly Verifier[];
    readonly stateFile?: string;
  },
): Promise<Report> => {
  const { database, origin, trusted, stateFile } = given;
  const store = await openKeyStore({ database, kek: Buffer.from(given.kek, 'base64'), clock: systemClock });
  return verify({
    source: journalSource(database),
    origin,
    trusted,
    keys: (asked) => store.load(database.auto, asked),
    ...(stateFile === undefined ? {} : { stateFile }),
  });
};
