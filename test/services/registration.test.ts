import fc from 'fast-check';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, toJwk } from '../../src/kernel/crypto.ts';
import { newId } from '../../src/kernel/ids.ts';
import { addressFault } from '../../src/services/address.ts';
import { isNeverDelegable } from '../../src/services/demarche.ts';
import { readRegistration } from '../../src/services/registration.ts';
import { assert, test } from '../support/check.ts';

const administrationId = newId('adm');
const privateKey = readPrivateKey(makePrivateKeyPem('es256'));
const jwk = { ...toJwk(publicKeyOf(privateKey)), kid: 'one', use: 'sig', alg: 'ES256' };
const standard = {
  id: 'allocations',
  name: 'Allocations de démonstration',
  administrationId,
  profile: 'standard',
  themes: ['famille', 'logement'],
  delegationSupported: true,
  demarches: [
    {
      code: 'allocations.aide-logement',
      labelFr: 'votre demande d’aide au logement',
      labelEn: 'your housing benefit request',
      themes: ['logement'],
      effect: 'declare',
    },
  ],
  redirectUris: ['https://allocations.example/retour'],
  backchannelLogoutUri: 'https://allocations.example/deconnexion',
  scopes: ['openid', 'given_name'],
};
const fapi = { ...standard, id: 'impots', profile: 'fapi2', themes: ['argent'], demarches: [], jwks: { keys: [jwk] } };

const faults = (input: unknown, allowLoopback = false): string[] => {
  const read = readRegistration(input, { allowLoopback });
  return 'faults' in read ? read.faults.map((fault) => `${fault.field} ${fault.code}`) : [];
};

test('a registration with nothing wrong is read with its defaults', () => {
  const read = readRegistration(standard, { allowLoopback: false });
  assert.ok(!('faults' in read));
  assert.equal(read.sector, 'allocations');
  assert.equal(read.tokenEndpointAuthMethod, 'client_secret_basic');
  assert.equal(read.backchannelLogoutSessionRequired, true);
  assert.deepEqual(read.scopes, ['given_name']);
  const other = readRegistration(fapi, { allowLoopback: false });
  assert.ok(!('faults' in other));
  assert.equal(other.tokenEndpointAuthMethod, 'private_key_jwt');
  assert.deepEqual(
    other.jwks?.keys.map((key) => Object.keys(key).sort()),
    [['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']],
  );
});

test('P3 redirect addresses: https, one exact spelling, no wildcard, fragment, user name, address in digits or local name', () => {
  for (const good of ['https://caf.example/retour', 'https://caf.example', 'https://caf.example/?a=b', 'https://caf.example:8443/x'])
    assert.equal(addressFault(good, false), undefined, good);
  const bad = [
    'http://caf.example/',
    'https://*.caf.example/',
    'https://caf.example/*',
    'https://caf.example/#',
    'https://caf.example/#x',
    'https://u@caf.example/',
    'https://u:p@caf.example/',
    'https://caf.example/a/../b',
    'HTTPS://caf.example/',
    'https://CAF.example/',
    'https://caf.example:443/',
    'https://caf.example\\x',
    'javascript:alert(1)',
    'data:text/html,x',
    'relais://x',
    '//caf.example/',
    '/x',
    '',
    'https://',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://10.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://localhost/',
    'https://caf/',
    'https://x.local/',
    'https://x.internal/',
    'https://caf.example./',
    ' https://caf.example/',
    'https://caf.example/\n',
    'https://caf.example/é',
    'https://169.254.169.254/latest/',
    'http://localhost/',
    `https://caf.example/${'a'.repeat(2001)}`,
    undefined,
    3,
  ];
  for (const address of bad) assert.ok(addressFault(address, false), String(address));
  for (const good of ['http://localhost:8403/retour', 'http://127.0.0.1:8403/x', 'https://caf.example/'])
    assert.equal(addressFault(good, true), undefined);
  for (const wrong of ['http://caf.example/', 'http://10.0.0.1/', 'http://localhost.caf.example/', 'ftp://localhost/'])
    assert.ok(addressFault(wrong, true), wrong);
});

test('every fault of a registration is named at once', () => {
  assert.deepEqual(
    faults({
      id: 'X',
      name: 'Мairie',
      administrationId: 'x',
      profile: 'other',
      themes: [],
      redirectUris: [],
      scopes: ['address'],
      extra: 1,
      delegationSupported: 'yes',
    }),
    [
      'extra unknown_member',
      'id id_malformed',
      'name name_malformed',
      'administrationId administration_malformed',
      'profile profile_unknown',
      'sector sector_malformed',
      'themes themes_malformed',
      'delegationSupported boolean_malformed',
      'redirectUris redirect_missing',
      'jwks keys_missing',
      'scopes[0] scope_unknown',
    ],
  );
});

test('each rule of a registration refuses what breaks it', () => {
  const cases: [object, string][] = [
    [{ ...fapi, jwks: undefined }, 'jwks keys_missing'],
    [{ ...fapi, jwks: { keys: [] } }, 'jwks keys_malformed'],
    [{ ...fapi, jwks: { keys: [{ ...toJwk(privateKey) }] } }, 'jwks keys_private'],
    [{ ...fapi, jwks: { keys: [{ kty: 'oct', k: 'x' }] } }, 'jwks keys_private'],
    [{ ...fapi, jwks: { keys: [{ ...jwk, alg: 'RS256' }] } }, 'jwks keys_algorithm'],
    [{ ...fapi, jwks: { keys: [{ ...jwk, alg: 'none' }] } }, 'jwks keys_algorithm'],
    [{ ...fapi, jwks: { keys: [{ ...jwk, crv: 'P-384' }] } }, 'jwks keys_weak'],
    [{ ...fapi, jwks: { keys: [{ kty: 'RSA', n: 'AQAB', e: 'AQAB' }] } }, 'jwks keys_weak'],
    [{ ...fapi, jwks: { keys: [jwk, jwk] } }, 'jwks keys_malformed'],
    [{ ...fapi, jwks_uri: 'https://x.example/jwks' }, 'jwks_uri unknown_member'],
    [{ ...fapi, tokenEndpointAuthMethod: 'client_secret_basic' }, 'tokenEndpointAuthMethod auth_method_of_profile'],
    [{ ...fapi, idTokenSignedResponseAlg: 'RS256' }, 'idTokenSignedResponseAlg algorithm_unknown'],
    [{ ...standard, idTokenSignedResponseAlg: 'HS256' }, 'idTokenSignedResponseAlg algorithm_unknown'],
    [{ ...standard, idTokenSignedResponseAlg: 'none' }, 'idTokenSignedResponseAlg algorithm_unknown'],
    [{ ...standard, tokenEndpointAuthMethod: 'none' }, 'tokenEndpointAuthMethod auth_method_unknown'],
    [{ ...standard, tokenEndpointAuthMethod: 'private_key_jwt' }, 'jwks keys_missing'],
    [{ ...standard, backchannelLogoutSessionRequired: false }, 'backchannelLogoutSessionRequired logout_session_required'],
    [{ ...standard, delegationSupported: false }, 'demarches demarches_without_delegation'],
    [{ ...standard, initiateLoginUri: 'http://x' }, 'initiateLoginUri address_not_https'],
    [{ ...standard, redirectUris: ['https://a.example/*'] }, 'redirectUris[0] address_wildcard'],
    [{ ...standard, redirectUris: 'https://a.example/' }, 'redirectUris list_malformed'],
    [{ ...standard, scopes: ['openid', 'profile'] }, 'scopes[0] scope_unknown'],
    [{ ...standard, themes: ['tout'] }, 'themes themes_malformed'],
    [{ ...standard, resources: ['https://api.caf.example/v1'] }, 'resources resource_not_read'],
    [{ ...standard, demarches: [], resources: ['http://api.caf.example'] }, 'resources[0] address_not_https'],
    [{ ...standard, jwks: { keys: [{ kty: 'RSA', n: 'x', e: 'AQAB', alg: 'RS256' }] } }, 'jwks keys_algorithm'],
    [{ ...standard, profile: 'franceconnect' }, 'demarches not_of_profile'],
    [{ ...standard, profile: 'franceconnect', demarches: [], delegationSupported: false }, 'delegationSupported not_of_profile'],
    [
      { ...standard, profile: 'franceconnect', demarches: [], tokenEndpointAuthMethod: 'client_secret_basic' },
      'tokenEndpointAuthMethod auth_method_of_profile',
    ],
    [{ ...fapi, profile: 'franceconnect' }, 'tokenEndpointAuthMethod auth_method_of_profile'],
    [{ ...standard, profile: 'franceconnect', demarches: [], resources: ['https://api.caf.example'] }, 'resources not_of_profile'],
    [{ ...standard, minimumConsent: 'eidas3' }, 'minimumConsent consent_unknown'],
  ];
  for (const [input, expected] of cases) assert.ok(faults(input).includes(expected), `${expected} in ${faults(input).join(', ')}`);
});

test('acts of disposal never enter a catalogue; a démarche stays within its service', () => {
  const [demarche] = standard.demarches;
  const withOne = (change: object) => faults({ ...standard, demarches: [{ ...demarche, ...change }] });
  for (const label of [
    'Faire un virement',
    'Vendre un véhicule',
    'Changer de compte bancaire',
    'Modifier votre RIB',
    'Céder un bien',
    'bank transfer',
    'Sell a car',
    'VIREMENT',
  ])
    assert.ok(isNeverDelegable(label), label);
  for (const label of [
    'votre demande d’aide au logement',
    'votre attestation',
    'l’événement familial',
    'votre tribunal',
    'vos congés',
    'your housing benefit request',
  ])
    assert.ok(!isNeverDelegable(label), label);
  assert.deepEqual(withOne({ labelFr: 'un virement' }), ['demarches[0] demarche_never_delegable']);
  assert.deepEqual(withOne({ labelEn: 'a bank transfer' }), ['demarches[0] demarche_never_delegable']);
  assert.deepEqual(withOne({ code: 'allocations.rib' }), ['demarches[0] demarche_never_delegable']);
  assert.deepEqual(withOne({ code: 'impots.avis' }), ['demarches[0] demarche_code']);
  assert.deepEqual(withOne({ code: 'allocations.a.b' }), ['demarches[0] demarche_code']);
  assert.deepEqual(withOne({ themes: ['argent'] }), ['demarches[0] demarche_themes']);
  assert.deepEqual(withOne({ effect: 'everything' }), ['demarches[0] demarche_effect']);
  assert.deepEqual(withOne({ labelFr: 'x\u202e' }), ['demarches[0] demarche_label']);
  assert.deepEqual(withOne({ more: 1 }), ['demarches[0] demarche_malformed']);
  assert.deepEqual(faults({ ...standard, demarches: [demarche, demarche] }), ['demarches[1] demarche_repeated']);
});

test('I5 whatever JSON arrives is read or refused, and pollutes nothing', () => {
  assert.ok(faults(JSON.parse('{"__proto__":{"id":"x"},"constructor":1}')).includes('__proto__ unknown_member'));
  const members = fc.record(
    Object.fromEntries(
      [...Object.keys(standard), 'jwks', 'sector', '__proto__'].map((key) => [
        key,
        fc.oneof(fc.jsonValue(), fc.constant((standard as Record<string, unknown>)[key])),
      ]),
    ),
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), members), (input) => {
      readRegistration(input, { allowLoopback: true });
      return true;
    }),
    { numRuns: 500 },
  );
  assert.equal(({} as Record<string, unknown>)['id'], undefined);
});
