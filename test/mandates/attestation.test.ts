import { ed25519FromRaw, makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { groupsOf, isIntact, keyIdOf, newCode, readCode, type Sealed, sealedContent, sealWith } from '../../src/mandates/attestation.ts';
import { assert, test } from '../support/check.ts';

const key = readPrivateKey(makePrivateKeyPem('ed25519'));
const other = readPrivateKey(makePrivateKeyPem('ed25519'));
const trusted = new Map([[keyIdOf(publicKeyOf(key)), publicKeyOf(key)]]);
const at = new Date('2026-03-03T13:24:00.123Z');
const sealed: Sealed = {
  id: 'man_1',
  reference: 'M-7K3F-92QD',
  template: '2026-11',
  textHash: sha256('text'),
  draftId: 'dra_1',
  organisation: { id: 'org_1', name: 'Mairie de Thénac', siret: '21750001600019' },
  usager: {
    id: 'usg_1',
    givenName: 'Colette Marie',
    familyName: 'DURAND',
    preferredUsername: 'MARTIN',
    gender: 'female',
    birthdate: '1946-04-12',
    birthplace: '17415',
    birthcountry: '99100',
  },
  themes: ['logement', 'famille'],
  narrowing: { readOnly: false, singleUse: false },
  days: 31,
  startsAt: at,
  endsAt: new Date('2026-04-02T22:00:00Z'),
  consent: { method: 'franceconnect', acr: 'eidas1', at, evidence: sha256('id_token') },
  acceptance: { by: 'aid_1', givenName: 'Karim', familyName: 'Benali', at, means: 'totp' },
};

/** Every leaf of what is sealed, each changed alone. */
const changes = (value: unknown, path: readonly string[] = []): { path: string; changed: (of: unknown) => unknown }[] => {
  const set =
    (to: unknown) =>
    (of: unknown): unknown =>
      path.reduceRight<(before: unknown) => unknown>(
        (inner, name) => (before) => ({ ...(before as object), [name]: inner((before as Record<string, unknown>)[name]) }),
        () => to,
      )(of);
  const leaf = (to: unknown) => [{ path: path.join('.'), changed: set(to) }];
  if (typeof value === 'string') return leaf(`${value}x`);
  if (typeof value === 'number') return leaf(value + 1);
  if (value instanceof Date) return leaf(new Date(value.getTime() + 1));
  if (Buffer.isBuffer(value)) return leaf(Buffer.concat([value.subarray(1), Buffer.from([0])]));
  if (Array.isArray(value)) return leaf([...(value as unknown[]), 'social']);
  return Object.entries(value as object).flatMap(([name, member]) => changes(member, [...path, name]));
};

test('any field of a mandate that changes breaks its seal, and so does another key, another key’s name or another byte', () => {
  const { keyId, seal } = sealWith(key, sealed);
  assert.equal(seal.length, 64);
  assert.ok(isIntact(trusted, sealed, keyId, seal));
  assert.ok(isIntact(trusted, { ...sealed, themes: ['famille', 'logement'] }, keyId, seal), 'themes have no order');
  const all = changes(sealed);
  assert.ok(all.length >= 27, `${all.length} fields`);
  for (const { path, changed } of all) assert.equal(isIntact(trusted, changed(sealed) as Sealed, keyId, seal), false, path);
  for (let i = 0; i < 64; i++) {
    const bent = Buffer.from(seal);
    bent[i] = (bent[i] ?? 0) ^ 1;
    assert.equal(isIntact(trusted, sealed, keyId, bent), false, `byte ${i}`);
  }
  const foreign = sealWith(other, sealed);
  assert.equal(isIntact(trusted, sealed, foreign.keyId, foreign.seal), false, 'a key that is not trusted');
  assert.equal(isIntact(trusted, sealed, keyId, foreign.seal), false, 'under the name of one that is');
  const both = new Map([...trusted, [foreign.keyId, publicKeyOf(other)] as const]);
  assert.equal(isIntact(both, sealed, foreign.keyId, seal), false);
  assert.ok(isIntact(both, sealed, foreign.keyId, foreign.seal), 'a former key that is published still verifies');
});

test('a name of use that is missing is not an empty one, and no two fields run together', () => {
  const without = { ...sealed, usager: { ...sealed.usager, preferredUsername: undefined } };
  assert.notEqual(sealedContent(without), sealedContent({ ...sealed, usager: { ...sealed.usager, preferredUsername: '' } }));
  const moved = { ...sealed, usager: { ...sealed.usager, givenName: 'Colette', familyName: 'Marie DURAND' } };
  assert.notEqual(sealedContent(moved), sealedContent(sealed));
});

test('a key is named by its thumbprint (RFC 8037 appendix A.3)', () => {
  const raw = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
  assert.equal(keyIdOf(ed25519FromRaw(raw)), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
});

test('a code has 120 bits, no look-alikes, and is read as people type it; anything else is none', () => {
  const codes = Array.from({ length: 500 }, newCode);
  assert.equal(new Set(codes).size, 500);
  for (const code of codes) assert.match(code, /^[2-9A-HJ-NP-Z]{24}$/);
  assert.equal(new Set(codes.join('')).size, 32, 'every sign is drawn: five bits each');
  const [code = ''] = codes;
  assert.equal(groupsOf(code).length, 29);
  for (const typed of [
    code,
    groupsOf(code),
    groupsOf(code).toLowerCase(),
    ` ${code.slice(0, 8)} ${code.slice(8)}\n`,
    groupsOf(code).replaceAll('-', '–'),
  ])
    assert.equal(readCode(typed), code, typed);
  for (const typed of [
    '',
    'x',
    code.slice(1),
    `${code}2`,
    `${code.slice(1)}O`,
    `${code.slice(1)}1`,
    `${code.slice(1)}é`,
    "' or 1=1 --",
    '\u0000',
    code.repeat(100),
  ])
    assert.equal(readCode(typed), undefined, typed);
});
