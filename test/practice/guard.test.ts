import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { franceConnectSub, PERSONS, STAFF, typedPerson, typedStaff } from '../../src/practice/identities.ts';
import { practiceSecrets } from '../../src/practice/keep.ts';
import { practicePorts } from '../../src/practice/ports.ts';
import { assert, test } from '../support/check.ts';

const folder = new URL('../../src/practice/', import.meta.url);

test('no module of practice loads in production, and each imports the guard first', () => {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name) && name !== 'guard.ts');
  for (const name of files) assert.match(readFileSync(new URL(name, folder), 'utf8'), /^import '\.{1,2}\/guard\.ts';/, name);
  const load = (mode: string) =>
    spawnSync(process.execPath, ['--import', 'tsx', '-e', `await import('${new URL('identities.ts', folder).href}')`], {
      env: { ...process.env, NODE_ENV: mode },
      encoding: 'utf8',
    });
  const production = load('production');
  assert.notEqual(production.status, 0);
  assert.match(production.stderr, /practice_in_production/);
  assert.equal(load('').status, 0);
});

test('identities are distinct, and what is typed twice is one account', () => {
  assert.equal(new Set([...STAFF, ...PERSONS].map(({ id }) => id)).size, STAFF.length + PERSONS.length);
  assert.equal(new Set(STAFF.map(({ email }) => email)).size, STAFF.length);
  const luhn = (digits: string) =>
    [...digits].reverse().reduce((sum, digit, at) => sum + [...String(Number(digit) * (1 + (at % 2)))].reduce((a, b) => a + Number(b), 0), 0) % 10;
  for (const { siret } of STAFF) assert.equal(luhn(siret), 0, siret);
  const karim = PERSONS.find(({ id }) => id === 'un-aidant');
  assert.equal(karim?.family_name, STAFF.find(({ id }) => id === 'karim')?.usual_name);
  const civil = {
    given_name: 'Zoé',
    family_name: 'Durand',
    birthdate: '1950-01-02',
    gender: 'female' as const,
    birthplace: '17444',
    birthcountry: '99100',
  };
  assert.equal(typedPerson(civil).id, typedPerson(civil).id);
  assert.notEqual(typedPerson(civil).id, typedPerson({ ...civil, birthdate: '1950-01-03' }).id);
  const typed = { given_name: 'Zoé', usual_name: 'Durand', email: 'Zoe@x.example', siret: '21170444000018' };
  assert.equal(typedStaff(typed).sub, typedStaff({ ...typed, email: 'zoe@x.example' }).sub);
  assert.equal(franceConnectSub('colette', 'relais').length, 66);
});

test('secrets are made once, found again, and readable by their owner only', () => {
  const place = mkdtempSync(join(tmpdir(), 'practice-'));
  try {
    const first = practiceSecrets(join(place, 'practice'));
    assert.equal(first.allowances, undefined);
    first.saveAllowances('drawn-by-relais');
    const second = practiceSecrets(join(place, 'practice'));
    assert.equal(second.proconnect, first.proconnect);
    assert.equal(second.taxesKeyPem, first.taxesKeyPem.trim());
    assert.equal(second.allowances, 'drawn-by-relais');
    for (const name of readdirSync(join(place, 'practice'))) assert.equal(statSync(join(place, 'practice', name)).mode & 0o777, 0o600, name);
  } finally {
    rmSync(place, { recursive: true });
  }
});

test('each program has its own port, or any when the base is 0', () => {
  assert.deepEqual(practicePorts(), {
    relais: 8400,
    proconnect: 8401,
    franceconnect: 8402,
    allowances: 8403,
    taxes: 8404,
    messages: 8405,
    sms: 8406,
    witness1: 8407,
    witness2: 8408,
    front: 8409,
  });
  assert.equal(new Set(Object.values(practicePorts(0))).size, 1);
});
