import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { demonstrationSettings, productionConfig } from '../../src/config/environment.ts';
import { makeMissingKeys, readKeys } from '../../src/config/keys.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { assert, test } from '../support/check.ts';

const folder = mkdtempSync(join(tmpdir(), 'relais-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const keys = join(folder, 'keys');
const secret = join(folder, 'secret');
writeFileSync(secret, `${'s'.repeat(40)}\n`);

const complete = {
  NODE_ENV: 'production',
  RELAIS_PUBLIC_URL: 'https://relais.example/',
  DATABASE_URL: 'postgres://relais@db/relais',
  RELAIS_KEYS: keys,
  RELAIS_SIGNER_SOCKET: '/run/relais/signer.sock',
  RELAIS_SMTP_URL: 'smtps://mail.example',
  RELAIS_MAIL_FROM: 'relais@relais.example',
  RELAIS_HELP_NUMBER: '01 23 45 67 89',
  PROCONNECT_ISSUER: 'https://proconnect.example/api/v2',
  PROCONNECT_CLIENT_ID: 'relais',
  PROCONNECT_CLIENT_SECRET_FILE: secret,
  FRANCECONNECT_ISSUER: 'https://franceconnect.example/api/v2',
  FRANCECONNECT_CLIENT_ID: 'relais',
  FRANCECONNECT_CLIENT_SECRET_FILE: secret,
};
const REQUIRED = Object.keys(complete).filter((name) => name !== 'NODE_ENV');

/** The faults that a production start names, one a line. */
const faultsOf = (env: Record<string, string | undefined>): string[] => {
  try {
    productionConfig(env);
  } catch (error) {
    assert.ok(error instanceof Failure);
    assert.equal(error.code, 'configuration');
    return (error.detail ?? '').split('\n');
  }
  return [];
};
const named = (env: Record<string, string | undefined>, name: string): void => {
  const faults = faultsOf(env);
  assert.equal(faults.length, 1, `one fault expected, found: ${faults.join(' | ') || 'none'}`);
  assert.ok(faults[0]?.startsWith(name), `${name} expected, found: ${faults[0]}`);
};

test('the demonstration makes its keys once, each 0600, and reads them back', () => {
  const made = makeMissingKeys(keys);
  assert.ok(made.includes('op-es256') && made.includes('cookies'));
  assert.deepEqual(makeMissingKeys(keys), []);
  const read = readKeys(keys);
  assert.equal(read.raw('cookies').reveal().length, 32);
  assert.match(read.fingerprint('journal-ed25519'), /^[0-9a-f]{64}$/);
  assert.equal(statSync(join(keys, 'cookies')).mode & 0o777, 0o600);
  assert.equal(statSync(keys).mode & 0o777, 0o700);
});

test('C5 in production an empty environment refuses to start and names every missing setting at once', () => {
  const faults = faultsOf({ NODE_ENV: 'production' });
  for (const name of REQUIRED)
    assert.ok(
      faults.some((fault) => fault.startsWith(`${name} is missing`)),
      name,
    );
  assert.equal(faults.length, REQUIRED.length);
});

test('C5 a folder of translations is optional; one that is missing, or holds a file that cannot be read, refuses the start and names the line', () => {
  assert.deepEqual(productionConfig(complete).translations, []);
  const folderOf = join(folder, 'translations');
  named({ ...complete, RELAIS_TRANSLATIONS: folderOf }, `RELAIS_TRANSLATIONS: ${folderOf} cannot be read`);
  mkdirSync(folderOf);
  writeFileSync(join(folderOf, 'README.md'), '# Not a translation');
  writeFileSync(join(folderOf, '2026-11.pt-BR.md'), '---\nlang: pt-BR\ndir: ltr\nname: Português\n---\n## O que autorizo\n');
  assert.deepEqual(
    productionConfig({ ...complete, RELAIS_TRANSLATIONS: folderOf }).translations.map(({ lang, html }) => [lang, html.trim()]),
    [['pt-BR', '<h2>O que autorizo</h2>']],
  );
  writeFileSync(join(folderOf, '2026-11.fa.md'), '---\nlang: fa\ndir: droite\nname: فارسی\n---\nمتن\n');
  named({ ...complete, RELAIS_TRANSLATIONS: folderOf }, 'RELAIS_TRANSLATIONS: 2026-11.fa.md, line 3: must be ltr or rtl');
});

test('C5 each setting alone, missing or empty, refuses the start and is named', () => {
  for (const name of REQUIRED) {
    named({ ...complete, [name]: undefined }, name);
    named({ ...complete, [name]: '' }, name);
  }
});

test('C5 an issuer or a public address on http is refused', () => {
  for (const name of ['RELAIS_PUBLIC_URL', 'PROCONNECT_ISSUER', 'FRANCECONNECT_ISSUER'])
    for (const value of ['http://localhost:8401', 'http://relais.example', 'relais.example', '//relais.example', 'HTTP://relais.example'])
      named({ ...complete, [name]: value }, name);
  named({ ...complete, RELAIS_PUBLIC_URL: 'https://relais.example/broker' }, 'RELAIS_PUBLIC_URL');
});

test('C5 values of the demonstration are refused in production: embedded database, weak or unreadable secret, no mail server', () => {
  named({ ...complete, DATABASE_URL: 'var/' }, 'DATABASE_URL');
  named({ ...complete, RELAIS_SMTP_URL: 'http://localhost:8406' }, 'RELAIS_SMTP_URL');
  named({ ...complete, PORT: '70000' }, 'PORT');
  const weak = join(folder, 'weak');
  writeFileSync(weak, 'demonstration-secret');
  for (const name of ['PROCONNECT_CLIENT_SECRET_FILE', 'FRANCECONNECT_CLIENT_SECRET_FILE']) {
    named({ ...complete, [name]: weak }, name);
    named({ ...complete, [name]: join(folder, 'absent') }, name);
  }
});

test('C5 missing or malformed keys are all named, and production makes none', () => {
  const empty = mkdtempSync(join(folder, 'no-keys-'));
  const [fault, ...others] = faultsOf({ ...complete, RELAIS_KEYS: empty });
  assert.equal(others.length, 0);
  for (const name of [
    'op-es256.pem',
    'op-rs256.pem',
    'attestation-ed25519.pem',
    'journal-mac',
    'payload-kek',
    'totp-kek',
    'pairwise',
    'cookies',
    'dpop-nonce',
  ])
    assert.ok(fault?.includes(name), name);
  assert.ok(!fault?.includes('journal-ed25519'), 'the key of the journal is the signer’s');
  const bad = join(folder, 'bad-keys');
  makeMissingKeys(bad);
  writeFileSync(join(bad, 'cookies'), 'too short');
  writeFileSync(join(bad, 'op-es256.pem'), 'not a key');
  const [malformed] = faultsOf({ ...complete, RELAIS_KEYS: bad });
  assert.ok(malformed?.includes('cookies') && malformed.includes('op-es256'));
});

test('C5 former keys of attestations are read when their file is there, and a malformed file is named', () => {
  const folderOf = (name: string, text?: string): string => {
    const made = join(folder, name);
    makeMissingKeys(made);
    if (text !== undefined) writeFileSync(join(made, 'attestation-former.json'), text);
    return made;
  };
  assert.deepEqual(readKeys(folderOf('no-former')).formerAttestation, []);
  const key = { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32, 9).toString('base64url') };
  const read = readKeys(folderOf('former', JSON.stringify({ keys: [{ ...key, until: '2026-11-22' }, key] }))).formerAttestation;
  assert.deepEqual(
    read.map(({ until }) => until),
    ['2026-11-22', undefined],
  );
  const bad = [
    '',
    '{}',
    '[]',
    'null',
    '{"keys":[{}]}',
    '{"keys":[null]}',
    JSON.stringify({ keys: [{ ...key, x: 'AA' }] }),
    JSON.stringify({ keys: [{ ...key, crv: 'P-256' }] }),
  ];
  for (const [i, text] of bad.entries())
    assert.throws(() => readKeys(folderOf(`bad-former-${i}`, text)), /attestation-former\.json: not a JWK set/, text);
});

test('the key of the journal may be the signer’s alone: then it is not asked for, and whatever needs it says who holds it', () => {
  const apart = join(folder, 'signer-apart');
  makeMissingKeys(apart);
  rmSync(join(apart, 'journal-ed25519.pem'));
  assert.throws(() => readKeys(apart), /journal-ed25519\.pem: missing/);
  const read = readKeys(apart, { signerApart: true });
  assert.deepEqual([read.has('journal-ed25519'), read.has('pairwise')], [false, true]);
  assert.throws(() => read.pem('journal-ed25519'), /journal-ed25519\.pem: missing; the signer holds it/);
  assert.throws(() => read.fingerprint('journal-ed25519'), /the signer holds it/);
  assert.equal(productionConfig({ ...complete, RELAIS_KEYS: apart }).keys.has('journal-ed25519'), false);
});

test('C5 no fault quotes a secret', () => {
  const short = join(folder, 'short');
  writeFileSync(short, 'canary-1f09');
  chmodSync(short, 0o600);
  const faults = faultsOf({ ...complete, PROCONNECT_CLIENT_SECRET_FILE: short, RELAIS_PUBLIC_URL: 'http://x' });
  assert.equal(faults.length, 2);
  assert.ok(!faults.join().includes('canary'));
});

test('C5 a complete production configuration starts, frozen, with none of the demonstration', () => {
  const config = productionConfig(complete);
  assert.equal(config.mode, 'production');
  assert.equal(config.publicUrl, 'https://relais.example');
  assert.equal(config.issuer, 'https://relais.example/oidc');
  assert.equal(config.allowLoopback, false);
  assert.equal(config.proconnect.clientSecret.reveal(), 's'.repeat(40));
  assert.deepEqual(config.trustedProxies, []);
  assert.ok(Object.isFrozen(config));
  assert.ok(!JSON.stringify(config).includes('ssss'));
});

test('several processes that start on one empty folder make each key once: none fails, and none reads half a key', async () => {
  const shared = join(folder, 'shared');
  const ready = join(folder, 'ready'); // all of them at once, whichever was loaded first
  mkdirSync(ready);
  const program = `
    const { makeMissingKeys, readKeys } = await import('./src/config/keys.ts');
    const { readdirSync, writeFileSync } = await import('node:fs');
    writeFileSync(process.argv[2] + '/' + process.pid, '');
    while (readdirSync(process.argv[2]).length < 3);
    const made = makeMissingKeys(process.argv[1]);
    console.log(JSON.stringify([made, readKeys(process.argv[1]).fingerprint('ssf-rs256')]));`;
  const start = async () =>
    JSON.parse(
      (await promisify(execFile)(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, shared, ready], { timeout: 60_000 }))
        .stdout,
    ) as [string[], string];
  const ended = await Promise.all([start(), start(), start()]);
  const made = ended.flatMap(([names]) => names);
  assert.equal(new Set(made).size, made.length, 'one process makes a key, and the others read it');
  assert.equal(new Set(ended.map(([, fingerprint]) => fingerprint)).size, 1);
  const files = readdirSync(shared);
  assert.equal(files.length, made.length, `and nothing else is left: ${files}`);
  for (const file of files) assert.equal(statSync(join(shared, file)).mode & 0o777, 0o600, file);
});

test('the demonstration needs no setting', () => {
  const settings = demonstrationSettings({});
  assert.deepEqual(settings, {
    databaseUrl: undefined,
    varFolder: 'var',
    keysFolder: 'keys',
    port: 8400,
    logLevel: 'warn',
    mirrorsFile: undefined,
    production: false,
  });
});

test('C5 the time stamping authority is an address and its certificates, both or none', () => {
  assert.deepEqual(faultsOf(complete), []);
  named({ ...complete, RELAIS_TSA_URL: 'https://tsa.example' }, 'RELAIS_TSA_URL and RELAIS_TSA_CA go together');
  named({ ...complete, RELAIS_TSA_CA: secret }, 'RELAIS_TSA_URL and RELAIS_TSA_CA go together');
  named({ ...complete, RELAIS_TSA_URL: 'https://tsa.example', RELAIS_TSA_CA: secret }, 'RELAIS_TSA_CA: expected at least one PEM certificate');
  named({ ...complete, RELAIS_TSA_URL: 'https://tsa.example', RELAIS_TSA_CA: '/nowhere' }, 'RELAIS_TSA_CA: /nowhere cannot be read');
});
