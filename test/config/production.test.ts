import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { assert, test } from '../support/check.ts';
import { imports, isRelative, resolved, root, sources } from '../support/sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'relais-production-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** A process of production, with nothing in its environment but what is given. */
const start = (program: readonly string[], env: Readonly<Record<string, string>>) =>
  spawnSync(process.execPath, ['--import', 'tsx', ...program], {
    cwd: root,
    encoding: 'utf8',
    timeout: 30_000,
    env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...env },
  });

/** Everything that a file loads, by whatever kind of import, types set apart. */
const loadedBy = (entry: string): Set<string> => {
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    for (const made of imports.filter(({ source }) => source.path === path)) if (isRelative(made.target) && !made.typesOnly) visit(resolved(made));
  };
  visit(entry);
  return seen;
};

test('C5 what production loads holds no simulator, no test identity, no mirror service, and never makes a key', () => {
  const loaded = loadedBy('main.ts');
  assert.ok(loaded.size > 80 && loaded.has('app.ts') && loaded.has('provider/provider.ts'), `${loaded.size} files were followed`);
  assert.deepEqual(
    [...loaded].filter((path) => path.startsWith('practice/')),
    [],
  );
  const makers = sources
    .filter((source) => loaded.has(source.path) && /\bmakeMissingKeys\b|\bmakePrivateKeyPem\b/.test(source.bare))
    .map(({ path }) => path);
  assert.deepEqual(makers.sort(), ['config/keys.ts', 'kernel/crypto.ts'], 'they are declared there; nobody else names them');
  const identities = sources.filter((source) => loaded.has(source.path) && /\b(STAFF|PERSONS|franceConnectSub|Benali|Colette)\b/.test(source.code));
  assert.deepEqual(
    identities.map(({ path }) => path),
    [],
  );
  // Computed imports would escape the reading above.
  const computed = sources.filter((source) => loaded.has(source.path) && /\bimport\s*\(\s*[^'"\s]/.test(source.bare)).map(({ path }) => path);
  assert.deepEqual(computed, []);
});

test('C5 in production every module of the demonstration refuses to load, and so do its commands', { timeout: 120_000 }, () => {
  for (const module of ['identities.ts', 'proconnect.ts', 'franceconnect.ts', 'mirror.ts', 'demonstration.ts', 'walker.ts']) {
    const ran = start(['-e', `await import(${JSON.stringify(join(root, 'src/practice', module))})`], {});
    assert.notEqual(ran.status, 0, module);
    assert.match(ran.stderr, /practice_in_production/, module);
  }
  for (const program of ['src/practice/start.ts', 'src/practice/demo.ts', 'src/practice/check/main.ts']) {
    const place = join(folder, program.replaceAll('/', '-'));
    const ran = start([program], { RELAIS_VAR: join(place, 'var'), RELAIS_KEYS: join(place, 'keys') });
    assert.notEqual(ran.status, 0, program);
    assert.match(`${ran.stderr}${ran.stdout}`, /practice_in_production/, program);
    assert.throws(() => readdirSync(place), /ENOENT/, 'nothing was made');
  }
});

test('C5 the program of production without its settings ends with 3, names every one, and makes nothing', () => {
  const nothing = start(['src/main.ts'], {});
  assert.equal(nothing.status, 3, nothing.stderr);
  for (const name of [
    'RELAIS_PUBLIC_URL',
    'DATABASE_URL',
    'RELAIS_KEYS',
    'RELAIS_SIGNER_SOCKET',
    'RELAIS_SMTP_URL',
    'RELAIS_MAIL_FROM',
    'RELAIS_HELP_NUMBER',
    'PROCONNECT_ISSUER',
    'PROCONNECT_CLIENT_ID',
    'PROCONNECT_CLIENT_SECRET_FILE',
    'FRANCECONNECT_ISSUER',
    'FRANCECONNECT_CLIENT_ID',
    'FRANCECONNECT_CLIENT_SECRET_FILE',
  ])
    assert.match(nothing.stderr, new RegExp(`^${name} `, 'm'));
  assert.doesNotMatch(nothing.stderr, /\bat .*\.ts:\d/, 'a list to read, not a stack');

  const keys = join(folder, 'no-keys');
  mkdirSync(keys);
  const without = start(['src/main.ts'], { RELAIS_KEYS: keys, RELAIS_PUBLIC_URL: 'https://relais.example' });
  assert.equal(without.status, 3);
  assert.match(without.stderr, /op-es256.*missing/);
  assert.deepEqual(readdirSync(keys), [], 'no key was made in their place');
});
