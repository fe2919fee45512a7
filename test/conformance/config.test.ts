import { after, before, describe } from 'node:test';
import { type JSONWebKeySet, jwtVerify } from 'jose';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { get } from '../support/protocol.ts';
import { openWorld, type World } from '../support/world.ts';
import { jwksOf } from './service.ts';

/** What the discovery modules of the plans assert of the metadata. Written from the specifications and from what the suite says its modules do. */

const [kind] = databases();
if (!kind) throw new Error('no database to test on');

describe(`on ${kind.kind}`, () => {
  let it: World;
  before(async () => {
    it = await openWorld(kind);
  });
  after(async () => it?.close());

  const discovery = async () => {
    const answer = await get(`${it.app.site.issuer}/.well-known/openid-configuration`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
    return answer.json;
  };

  /** A member that must be a list of distinct words, with at least these. */
  const assertList = (metadata: Readonly<Record<string, unknown>>, name: string, ...wanted: readonly string[]): readonly string[] => {
    const list = metadata[name];
    assert.ok(Array.isArray(list) && list.length > 0 && list.every((each) => typeof each === 'string') && new Set(list).size === list.length, name);
    for (const each of wanted) assert.ok(list.includes(each), `${name} ${each}`);
    return list as string[];
  };

  test('P22 oidcc-discovery-endpoint-verification: every required member, of the right type, on our own origin', {
    database: kind.kind,
  }, async () => {
    const metadata = await discovery();
    const issuer = it.app.site.issuer;
    assert.equal(metadata['issuer'], issuer);
    const origin = new URL(issuer);
    assert.deepEqual([origin.search, origin.hash, issuer.endsWith('/')], ['', '', false]);
    assertList(metadata, 'response_types_supported', 'code');
    assertList(metadata, 'subject_types_supported', 'pairwise');
    assertList(metadata, 'id_token_signing_alg_values_supported', 'RS256');
    assert.equal(metadata['userinfo_signing_alg_values_supported'], undefined, 'userinfo is JSON');
    assertList(metadata, 'grant_types_supported', 'authorization_code');
    assertList(metadata, 'claims_supported', 'sub');
    assertList(metadata, 'code_challenge_methods_supported', 'S256');
    for (const endpoint of ['token', 'introspection', 'revocation']) {
      assertList(metadata, `${endpoint}_endpoint_auth_methods_supported`, 'private_key_jwt');
      assertList(metadata, `${endpoint}_endpoint_auth_signing_alg_values_supported`, 'ES256', 'PS256', 'Ed25519');
    }
    for (const scope of assertList(metadata, 'scopes_supported', 'openid')) assert.match(scope, /^[\x21\x23-\x5b\x5d-\x7e]+$/, scope);
    for (const name of ['authorization_endpoint', 'token_endpoint', 'userinfo_endpoint', 'jwks_uri']) assert.ok(metadata[name], name);
    // The scheme is that of the public address, https in production (config refuses another): all of them are on that one origin.
    for (const [name, value] of Object.entries(metadata))
      if (/_endpoint$|_uri$/.test(name)) assert.ok(typeof value === 'string' && value.startsWith(`${origin.origin}/`), name);
    for (const [name, value] of Object.entries(metadata))
      if (/_supported$/.test(name)) assert.ok(Array.isArray(value) || typeof value === 'boolean', name);
    assert.deepEqual(
      [metadata['registration_endpoint'], metadata['request_uri_parameter_supported'], metadata['claims_parameter_supported']],
      [undefined, false, true],
    );
  });

  test('P22 oidcc-discovery-endpoint-verification: the key set has public keys alone, each with its own kid, use and algorithm', {
    database: kind.kind,
  }, async () => {
    const metadata = await discovery();
    const answer = await get(String(metadata['jwks_uri']));
    const { keys } = answer.json as unknown as JSONWebKeySet;
    assert.equal(answer.status, 200);
    assert.equal(new Set(keys.map(({ kid }) => kid)).size, keys.length);
    for (const key of keys) {
      assert.ok(key.kid && key.use === 'sig' && key.alg, JSON.stringify(key));
      for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']) assert.equal(Object.hasOwn(key, secret), false, secret);
      if (key.kty === 'RSA') assert.ok(Buffer.from(key.n ?? '', 'base64url').length >= 256, 'at least 2048 bits');
      if (key.kty === 'EC') assert.deepEqual([key.crv, Buffer.from(key.x ?? '', 'base64url').length], ['P-256', 32]);
    }
    for (const alg of metadata['id_token_signing_alg_values_supported'] as string[])
      assert.ok(
        keys.some((key) => key.alg === alg),
        alg,
      );
    await assert.rejects(jwtVerify('e30.e30.e30', await jwksOf(it)));
  });

  test('P22 fapi2-security-profile-final-discovery-end-point-verification: PAR, iss, S256, DPoP and private_key_jwt with strong algorithms', {
    database: kind.kind,
  }, async () => {
    const metadata = await discovery();
    const strong = (name: string): void => {
      assert.ok(
        assertList(metadata, name).some((alg) => ['PS256', 'ES256', 'EdDSA', 'Ed25519'].includes(alg)),
        name,
      );
    };
    for (const name of [
      'dpop_signing_alg_values_supported',
      'id_token_signing_alg_values_supported',
      'token_endpoint_auth_signing_alg_values_supported',
    ])
      strong(name);
    for (const name of ['dpop_signing_alg_values_supported', 'token_endpoint_auth_signing_alg_values_supported'])
      assert.ok(!assertList(metadata, name).some((alg) => /^(RS|HS)|^none$/.test(alg)), name);
    assertList(metadata, 'token_endpoint_auth_methods_supported', 'private_key_jwt');
    assert.deepEqual(metadata['code_challenge_methods_supported'], ['S256']);
    assert.deepEqual(
      [metadata['authorization_response_iss_parameter_supported'], metadata['pushed_authorization_request_endpoint']],
      [true, `${it.app.site.issuer}/par`],
    );
    assert.ok(['boolean', 'undefined'].includes(typeof metadata['require_pushed_authorization_requests']));
    assertList(metadata, 'scopes_supported', 'openid');
    assertList(metadata, 'response_types_supported', 'code');
  });
});
