import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT, readInput } from '../../src/cli/command.ts';
import { keysMake } from '../../src/cli/keys.ts';
import { openContext } from '../../src/cli/open.ts';
import { runHere } from '../../src/cli/run.ts';
import type { Settings } from '../../src/cli/settings.ts';
import { makeMissingKeys } from '../../src/config/keys.ts';
import { openNote, readVkey } from '../../src/journal/note.ts';
import type { Database } from '../../src/persistence/database.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { assert, test } from '../support/check.ts';

test('K6 relais journal rotate-key, on the embedded journal from its first entry to the new file in place', { database: 'pglite' }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-rotate-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const keysFolder = join(folder, 'keys');
  makeMissingKeys(keysFolder);
  const settings: Settings = {
    mode: 'demonstration',
    publicUrl: 'http://localhost:8400',
    databaseUrl: undefined,
    varFolder: join(folder, 'var'),
    keysFolder,
    journalHost: 'localhost',
    signerSocket: undefined,
  };
  type Run = (...args: string[]) => Promise<{ exit: number; out: string; err: string }>;
  /** Commands as the program runs them; at the end, all that waited is put in sequence and sealed. */
  const session = async (work: (run: Run, done: (...args: string[]) => Promise<string>, database: Database) => Promise<void>): Promise<void> => {
    const opened = await openContext(settings);
    const run: Run = async (...args) => {
      const [out, err]: [string[], string[]] = [[], []];
      const io = {
        out: (line: string) => void out.push(line),
        err: (line: string) => void err.push(line),
        ask: async () => undefined,
        read: async () => '',
      };
      return { exit: await runHere(args, opened.context, io), out: out.join('\n'), err: err.join('\n') };
    };
    const done = async (...args: string[]): Promise<string> => {
      const { exit, out, err } = await run(...args);
      assert.equal(exit, EXIT.done, `${args.join(' ')}: ${err}`);
      return out;
    };
    try {
      await work(run, done, opened.context.database);
    } finally {
      await opened.close();
    }
  };
  await session(async (_, done) => {
    await done('migrate');
    await done('administration', 'add', '--name', 'Allocations');
  });

  let keys = { former: '', vkey: '' };
  const next = join(keysFolder, 'journal-ed25519-next.pem');
  await session(async (run, done) => {
    const refused = await run('journal', 'rotate-key');
    assert.equal(refused.exit, EXIT.refused);
    assert.match(refused.err, /^next_key_missing: journal-ed25519-next\.pem is missing/);
    const input = readInput(keysMake, ['--next', '--folder', keysFolder]);
    assert.ok(!('fault' in input));
    const made: string[] = [];
    const make = () =>
      keysMake.run(input, { out: (line) => void made.push(line), err: () => undefined, ask: async () => undefined, read: async () => '' });
    assert.deepEqual([await make(), await make()], [EXIT.done, EXIT.done]);
    assert.match(made.join('\n'), /Made in .*journal-ed25519-next\n.*has a journal-ed25519-next\.pem already/);
    assert.equal(statSync(next).mode & 0o777, 0o600);
    keys = JSON.parse(await done('journal', 'rotate-key', '--json')) as typeof keys;
    assert.notEqual(keys.former, keys.vkey);
    assert.match(await done('journal', 'rotate-key'), /Give it to the witnesses/, 'asked again before its entry is in the log, the same change');
  });
  await session(async (_, done, database) => {
    const { lastNote = '' } = await journalSource(database).overview();
    assert.equal(openNote(lastNote, [readVkey(keys.former), readVkey(keys.vkey)]).by.length, 2, 'the checkpoint that shows the change');
    assert.equal((await journalSource(database).rotations()).length, 1);
    await done('administration', 'add', '--name', 'Impôts');
  });
  await session(async (run, done) => {
    for (const key of [[], ['--vkey', keys.former], ['--vkey', keys.vkey]])
      assert.match(await done('journal', 'verify', ...key), /The journal holds/);
    assert.match((await run('journal', 'rotate-key')).err, /next_key_missing/, 'the same key does not follow itself');
  });
  renameSync(next, join(keysFolder, 'journal-ed25519.pem'));
  await session(async (_, done) => {
    await done('administration', 'add', '--name', 'Retraites');
  });
  await session(async (_, done) => {
    assert.match(await done('journal', 'verify'), /The journal holds/);
    assert.match(await done('keys', 'list'), /journal-ed25519 .*(?:same|not kept)/);
  });
});
