import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '../../src/journal/event.ts';
import type { Journal } from '../../src/journal/journal.ts';
import type { KeyStore } from '../../src/journal/keys.ts';
import { type Verifier, verifierOf } from '../../src/journal/note.ts';
import type { Rotator, SignerClient } from '../../src/journal/signer.ts';
import { startSignerWorker } from '../../src/journal/signer-client.ts';
import { type Report, verify } from '../../src/journal/verify.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, readPrivateKey } from '../../src/kernel/crypto.ts';
import type { Database } from '../../src/persistence/database.ts';
import { createJournal, readOrigin } from '../../src/persistence/journal.ts';
import type { SequencerAlarm } from '../../src/persistence/journal-batch.ts';
import { type KeyAlarm, openKeyStore } from '../../src/persistence/journal-keys.ts';
import { type Sealing, startSealing } from '../../src/persistence/journal-sealing.ts';
import { type Sequencer, startSequencer } from '../../src/persistence/journal-sequencer.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import type { DatabaseKind } from '../support/database.ts';

/** A whole journal on a database of its own: sequencer, signer in a thread, sealing on demand. */
export interface Kit {
  readonly database: Database;
  readonly url: string | undefined;
  readonly folder: string;
  readonly origin: string;
  readonly journal: Journal;
  readonly sequencer: Sequencer;
  readonly sealing: Sealing;
  /** Its next key is looked for in `next.pem` of the folder. */
  readonly signer: SignerClient & Rotator;
  readonly privateKeyPem: string;
  readonly keys: { readonly kek: Buffer; readonly mac: Buffer; readonly store: KeyStore };
  readonly trusted: readonly Verifier[];
  readonly alarms: (SequencerAlarm | KeyAlarm)[];
  /** Records entries in one transaction, sequences and seals them. */
  write(count: number, from?: number): Promise<string[]>;
  verify(options?: { withoutKey?: boolean; withoutState?: boolean }): Promise<Report>;
  /** Keeps a copy of the journal's tables, and puts it back. */
  keep(): Promise<void>;
  restore(): Promise<void>;
  /** Runs SQL as the database's superuser, with the append-only triggers off: what an attacker does. */
  tamper(...statements: [string, unknown[]?][]): Promise<void>;
}

export const entryOf = (i: number): Entry => ({
  type: 'session.refused',
  usager: `usg_${i % 3}`,
  service: 'impots',
  outcome: 'refused',
  detail: { reason: `reason ${i}` },
});

const TABLES = ['leaf', 'tile', 'payload', 'receipt', 'projection', 'checkpoint'];

/** `t` is told what to undo at its end. */
export const startKit = async (t: { after(undo: () => Promise<void>): void }, kind: DatabaseKind, clock: Clock = systemClock): Promise<Kit> => {
  const { database, url, drop } = await kind.fresh();
  const folder = mkdtempSync(join(tmpdir(), 'relais-journal-'));
  const kek = randomBytes(32);
  const alarms: Kit['alarms'] = [];
  const onAlarm = (alarm: SequencerAlarm | KeyAlarm): void => void alarms.push(alarm);
  const keys = { kek, mac: randomBytes(32), store: await openKeyStore({ database, kek, clock, onAlarm }) };
  const privateKeyPem = makePrivateKeyPem('ed25519');
  const origin = await readOrigin(database, 'example');
  const trusted = [verifierOf(origin, publicKeyOf(readPrivateKey(privateKeyPem)))];
  const sequencer = startSequencer({ database, macKey: keys.mac, keys: keys.store, clock, onAlarm });
  const signer = startSignerWorker({ folder: join(folder, 'signer'), privateKeyPem, nextKeyFile: join(folder, 'next.pem'), origin });
  const sealing = startSealing({ database, sequencer, signer, clock, everyMs: 3_600_000 });
  const journal = createJournal({ transactions: database, keys: keys.store, macKey: keys.mac, origin, writer: 'app', clock, sequencer });
  const tamper = (statements: [string, unknown[]?][]): Promise<void> =>
    database.asOwner(async (query) => {
      for (const table of TABLES) await query(`alter table journal.${table} disable trigger all`);
      for (const [text, values] of statements) await query(text, values);
      for (const table of TABLES) await query(`alter table journal.${table} enable always trigger append_only`);
    });
  t.after(async () => {
    await sealing.stop();
    await sequencer.stop();
    await signer.close();
    await drop();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    database,
    url,
    folder,
    origin,
    journal,
    sequencer,
    sealing,
    signer,
    privateKeyPem,
    keys,
    trusted,
    alarms,
    async write(count, from = 0) {
      const ids: string[] = [];
      await database.run(async (tx) => {
        for (let i = from; i < from + count; i++) ids.push(await journal.record(tx, entryOf(i)));
      });
      await sequencer.flush();
      await sealing.seal();
      return ids;
    },
    verify: ({ withoutKey, withoutState } = {}) =>
      verify({
        source: journalSource(database),
        origin,
        trusted,
        ...(withoutKey ? {} : { keys: (asked) => keys.store.load(database.auto, asked) }),
        ...(withoutState ? {} : { stateFile: join(folder, 'seen') }),
      }),
    keep: () =>
      database.asOwner(async (query) => {
        await query('create schema kept');
        for (const table of [...TABLES, 'head']) await query(`create table kept.${table} as table journal.${table}`);
      }),
    restore: () =>
      tamper(
        [...TABLES, 'head'].flatMap((table): [string][] => [
          [`delete from journal.${table}`],
          [`insert into journal.${table} select * from kept.${table}`],
        ]),
      ),
    tamper: (...statements) => tamper(statements),
  };
};
