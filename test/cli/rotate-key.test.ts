import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stepAt } from '../../src/aidants/code.ts';
import { EXIT, readInput } from '../../src/cli/command.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { keysMake } from '../../src/cli/keys.ts';
import { openContext } from '../../src/cli/open.ts';
import { runHere } from '../../src/cli/run.ts';
import type { Settings } from '../../src/cli/settings.ts';
import { makeMissingKeys } from '../../src/config/keys.ts';
import { openNote, readVkey } from '../../src/journal/note.ts';
import { makePrivateKeyPem, totp } from '../../src/kernel/crypto.ts';
import type { Database } from '../../src/persistence/database.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { assert, test } from '../support/check.ts';
import { granted } from '../support/staff.ts';

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
  const session = async (
    work: (run: Run, done: (...args: string[]) => Promise<string>, database: Database, context: CommandContext) => Promise<void>,
  ): Promise<void> => {
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
      await work(run, done, opened.context.database, opened.context);
    } finally {
      await opened.close();
    }
  };
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  const codes = new Map<string, () => string>();
  await session(async (_, done) => {
    await done('migrate');
    await done('administration', 'add', '--name', 'Allocations');
  });
  /** The flags that prove an opérateur, who is made and enrolled at the first call. Each code is used once. */
  const as = async (name: string, context: CommandContext, done: (...args: string[]) => Promise<string>): Promise<string[]> => {
    const email = `${name}@x.example`;
    if (!codes.has(name)) {
      const made = JSON.parse(await done('operator', 'add', '--given-name', name, '--family-name', 'Test', '--email', email, '--json')) as {
        link: string;
      };
      const token = made.link.split('/').at(-1) ?? '';
      const { aidants } = await context.domain();
      const identity = { iss: 'https://proconnect.test', sub: name };
      const { seed } = granted(await aidants.beginEnrolment(token, identity));
      const code = (): string => {
        t.mock.timers.setTime(Date.now() + 30_000);
        return totp(seed, stepAt(new Date()));
      };
      granted(await aidants.confirmEnrolment(token, identity, code()));
      codes.set(name, code);
    }
    return ['--as', email, '--code', codes.get(name)?.() ?? ''];
  };

  let keys = { former: '', vkey: '' };
  const next = join(keysFolder, 'journal-ed25519-next.pem');
  const entered = async (database: Database): Promise<unknown> =>
    (
      await database.asOwner((query) =>
        query(
          "select (select count(*)::int from journal.queue where type = 'key.rotated') + (select count(*)::int from journal.projection where type = 'key.rotated') as n",
        ),
      )
    )[0]?.['n'];
  await session(async (run, done, database, context) => {
    const input = readInput(keysMake, ['--next', '--folder', keysFolder]);
    assert.ok(!('fault' in input));
    const made: string[] = [];
    const make = () =>
      keysMake.run(input, { out: (line) => void made.push(line), err: () => undefined, ask: async () => undefined, read: async () => '' });
    assert.deepEqual([await make(), await make()], [EXIT.done, EXIT.done]);
    assert.match(made.join('\n'), /Made in .*journal-ed25519-next\n.*[0-9a-f]{64}\n.*has a journal-ed25519-next\.pem already/);
    assert.equal(statSync(next).mode & 0o777, 0o600);
    const fingerprint = /[0-9a-f]{64}/.exec(made.join())?.[0] ?? '';
    assert.match((await run('journal', 'rotate-key')).err, /fingerprint_malformed/);
    assert.match((await run('journal', 'rotate-key', '--next', fingerprint)).err, /no_operateur/, 'nobody replaces the key without saying who');
    const signer = () => readFileSync(join(settings.varFolder, 'signer', readdirSync(join(settings.varFolder, 'signer'))[0] ?? ''), 'utf8');
    const before = signer();
    const ask = async (of: string): Promise<string> =>
      (JSON.parse(await done('journal', 'rotate-key', '--next', of, '--json', ...(await as('alice', context, done)))) as { approval: string })
        .approval;
    const approval = await ask(fingerprint);
    const alone = await run('journal', 'rotate-key', '--approve', approval, ...(await as('alice', context, done)));
    assert.match(alone.err, /same_person/);
    assert.deepEqual([signer(), await entered(database)], [before, 0], 'one opérateur changes nothing');
    renameSync(next, `${next}.away`);
    const missing = await run('journal', 'rotate-key', '--approve', approval, ...(await as('marc', context, done)));
    assert.match(missing.err, /^next_key_missing: journal-ed25519-next\.pem is missing/);
    writeFileSync(next, makePrivateKeyPem('ed25519'));
    const other = await run('approvals', 'approve', approval, ...(await as('marc', context, done)));
    assert.match(other.err, /^next_key_differs: /, 'another key than the one that two agreed on');
    assert.deepEqual([signer(), await entered(database)], [before, 0]);
    renameSync(`${next}.away`, next);
  });
  await session(async (_, done, database, context) => {
    const [{ id: approval }] = (await database.asOwner((query) => query("select id from approval where kind = 'key-rotation'"))) as [{ id: string }];
    const go = async (...more: string[]): Promise<string> =>
      done('journal', 'rotate-key', '--approve', String(approval), ...(await as('marc', context, done)), ...more);
    keys = JSON.parse(await go('--json')) as typeof keys;
    assert.notEqual(keys.former, keys.vkey);
    assert.match(await go(), /Give it to the witnesses/, 'asked again before its entry is in the log, the same change');
    assert.equal(await entered(database), 1);
  });
  await session(async (_, done, database) => {
    const { lastNote = '' } = await journalSource(database).overview();
    assert.equal(openNote(lastNote, [readVkey(keys.former), readVkey(keys.vkey)]).by.length, 2, 'the checkpoint that shows the change');
    assert.equal((await journalSource(database).rotations()).length, 1);
    await done('administration', 'add', '--name', 'Impôts');
  });
  await session(async (_, done) => {
    for (const key of [[], ['--vkey', keys.former], ['--vkey', keys.vkey]])
      assert.match(await done('journal', 'verify', ...key), /The journal holds/);
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
