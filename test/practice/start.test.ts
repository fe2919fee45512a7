import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { assert, test } from '../support/check.ts';

const root = resolve(import.meta.dirname, '../..');

test('npm start says how it is used when it is asked, and refuses what it does not know; neither makes anything', () => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-start-'));
  const start = (argument: string) =>
    spawnSync(process.execPath, ['--import', 'tsx', 'src/practice/start.ts', argument], {
      cwd: root,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], RELAIS_VAR: join(folder, 'var'), RELAIS_KEYS: join(folder, 'keys'), RELAIS_PORT: '0' },
      timeout: 60_000,
    });
  const help = start('--help');
  assert.equal(help.status, 0, help.stderr);
  assert.match(help.stdout, /^Usage : npm start\n.*RELAIS_PORT.*DATABASE_URL/s);
  const unknown = start('--porte');
  assert.deepEqual([unknown.status, unknown.stdout], [2, '']);
  assert.match(unknown.stderr, /^Argument inconnu : --porte\n/);
  assert.deepEqual(readdirSync(folder), []);
});
