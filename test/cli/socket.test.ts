import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Io } from '../../src/cli/command.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { openContext } from '../../src/cli/open.ts';
import { type Settings, socketPath } from '../../src/cli/settings.ts';
import { sendCommand, startCommandServer } from '../../src/cli/socket.ts';
import { makeMissingKeys } from '../../src/config/keys.ts';
import { assert, test } from '../support/check.ts';

const temporary = (t: TestContext): Settings => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  makeMissingKeys(join(folder, 'keys'));
  return {
    mode: 'demonstration',
    publicUrl: 'http://localhost:8400',
    databaseUrl: undefined,
    varFolder: join(folder, 'var'),
    keysFolder: join(folder, 'keys'),
    journalHost: 'localhost',
    signerSocket: undefined,
  };
};

/** Runs the real program in a process of its own. */
const relais = (settings: Settings, ...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve, reject) => {
    const { NODE_ENV: _, DATABASE_URL: __, ...environment } = process.env;
    const child = spawn(process.execPath, ['--import', 'tsx', new URL('../../src/cli/main.ts', import.meta.url).pathname, ...args], {
      env: { ...environment, RELAIS_VAR: settings.varFolder, RELAIS_KEYS: settings.keysFolder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said.out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.err += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? -1, ...said }));
  });

const silent = (over: Partial<Io> = {}): Io & { lines: string[] } => {
  const lines: string[] = [];
  return {
    lines,
    out: (line) => void lines.push(line),
    err: (line) => void lines.push(`! ${line}`),
    ask: async () => undefined,
    read: async () => '',
    ...over,
  };
};

test('nobody holds the folder: the command opens it itself, seals what it wrote, and a changed row is named', { database: 'pglite' }, async (t) => {
  const settings = temporary(t);
  const before = await relais(settings, 'organisation', 'list');
  assert.equal(before.code, 3);
  assert.match(before.err, /run `relais migrate`/);
  assert.equal((await relais(settings, 'migrate')).code, 0);
  const added = await relais(
    settings,
    'organisation',
    'add',
    '--name',
    'Mairie de Thénac',
    '--siret',
    '21750001600019',
    '--theme',
    'famille',
    '--json',
  );
  assert.equal(added.code, 0, added.err);
  assert.match(String((JSON.parse(added.out) as { id: string }).id), /^org_/);
  const good = await relais(settings, 'journal', 'verify', '--json');
  assert.equal(good.code, 0, good.out + good.err);
  assert.deepEqual((({ ok, size, sealed }) => ({ ok, size, sealed }))(JSON.parse(good.out) as { ok: boolean; size: number; sealed: number }), {
    ok: true,
    size: 1,
    sealed: 1,
  });
  assert.equal((await relais(settings, 'db', 'sql', 'alter table journal.leaf disable trigger all')).code, 0);
  assert.equal(
    (
      await relais(
        settings,
        'db',
        'sql',
        "update journal.leaf set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), 'habilitated', 'suspended'), 'UTF8') where idx = 0",
      )
    ).code,
    0,
  );
  const bad = await relais(settings, 'journal', 'verify');
  assert.equal(bad.code, 4, bad.out + bad.err);
  assert.match(bad.err, /leaf_altered at 0: entry 0/);
});

test('a process holds the folder: the command goes over the socket and the holder runs the same function', { database: 'pglite' }, async (t) => {
  const settings = temporary(t);
  const opened = await openContext(settings);
  await whileHeld(settings, opened.context).finally(opened.close);
});

const whileHeld = async (settings: Settings, context: CommandContext): Promise<void> => {
  const path = socketPath(settings.varFolder);
  const locked = await relais(settings, 'organisation', 'list');
  assert.equal(locked.code, 3);
  assert.match(locked.err, /folder_in_use: .* is in use by process/);
  assert.match((await relais(settings, 'doctor')).out, /FAIL {2}database .*folder_in_use|FAIL {2}database .*is in use by process/);

  writeFileSync(path, ''); // left by a dead process
  const server = await startCommandServer(path, context);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(settings.varFolder).mode & 0o777, 0o700);
  assert.equal(await sendCommand(path, ['migrate'], silent()), 0);
  const added = await relais(settings, 'organisation', 'add', '--name', 'Mairie', '--siret', '21750001600019', '--theme', 'famille');
  assert.equal(added.code, 0, added.err);
  assert.equal((await (await context.domain()).organisations.list())[0]?.name, 'Mairie'); // it is in the holder's own database
  assert.match((await relais(settings, 'organisation', 'list')).out, /21750001600019 +Mairie/);
  const again = silent();
  assert.equal(await sendCommand(path, ['organisation', 'add', '--name', 'Mairie', '--siret', '21750001600019', '--theme', 'famille'], again), 1);
  assert.match(again.lines.join('\n'), /! refused: siret_known/);
  assert.equal(await sendCommand(path, ['organisation', 'nothing'], silent()), 2);

  // Two at once; a file is read where the command was typed; a question is asked there too.
  const both = await Promise.all([1, 2].map(() => sendCommand(path, ['organisation', 'list', '--json'], silent())));
  assert.deepEqual(both, [0, 0]);
  const asked: string[] = [];
  const io = silent({
    read: async (name) => {
      asked.push(name);
      return '{"id":"x"}';
    },
    ask: async (question) => {
      asked.push(question);
      return '000000';
    },
  });
  assert.equal(await sendCommand(path, ['service', 'add', '--file', 'mine.json', '--as', 'x@x.example'], io), 1);
  assert.deepEqual(asked, ['mine.json']);
  assert.equal(await sendCommand(path, ['demo'], silent()), 2);

  // Whatever else arrives on the socket changes nothing and stops nothing.
  for (const garbage of ['\n', 'not json\n', '{"args":"x"}\n', '{"args":[1]}\n', '[]\n', '{"args":["organisation",'])
    await new Promise<void>((resolve) => {
      const socket = connect(path, () => socket.end(garbage));
      socket.on('close', () => resolve()).resume();
    });
  assert.equal(await sendCommand(path, ['organisation', 'list'], silent()), 0);
  await server.close();
  assert.equal(await sendCommand(path, ['organisation', 'list'], silent()), undefined);
  assert.ok(!existsSync(path));
};
