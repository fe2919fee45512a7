import { after, before, describe } from 'node:test';
import { exportJWK, type JWTPayload } from 'jose';
import { randomUuid } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { type Answer, assertion, dpopNonce, type FapiService, fapiService, faults, get, type Keys, makeKeys, proof } from '../support/protocol.ts';
import { entriesOf, openWorld, type World } from '../support/world.ts';
import { type Asking, assertTokens, codeOf, pushed, tampered, tokenFor, tokens } from './fapi.ts';
import { assertErrorAnswer, assertUserinfo } from './service.ts';

/** `fapi2-security-profile-final-test-plan`: what its modules assert of the token endpoint, of DPoP and of a protected resource (userinfo). */

const [kind] = databases();
if (!kind) throw new Error('no database to test on');

describe(`on ${kind.kind}`, () => {
  let it: World;
  let service: FapiService;
  let other: FapiService;

  before(async () => {
    it = await openWorld(kind);
    service = await fapiService(it, 'plan-jetons');
    other = await fapiService(it, 'plan-jetons-autre');
  });
  after(async () => it?.close());

  const module = (name: string, says: string, body: () => Promise<void>): void => {
    test(`P22 ${name}: ${says}`, { database: kind.kind }, body);
  };

  const now = (): number => Math.floor(Date.now() / 1000);
  const userinfo = (): string => `${it.app.site.issuer}/userinfo`;

  interface Reading {
    readonly payload?: JWTPayload;
    readonly header?: Record<string, unknown>;
    readonly keys?: Keys;
    readonly url?: string;
    readonly method?: string;
    readonly scheme?: string;
    readonly name?: string;
    readonly change?: (jws: string) => string | null;
  }

  const read = async (token: string, how: Reading = {}): Promise<Answer> => {
    const jws = await proof(how.keys ?? service.dpop, {
      method: how.method ?? 'GET',
      url: how.url ?? userinfo(),
      token,
      nonce: await dpopNonce(it, service),
      ...(how.payload ? { payload: how.payload } : {}),
      ...(how.header ? { header: how.header } : {}),
    });
    const dpop = how.change ? how.change(jws) : jws;
    return get(userinfo(), { authorization: `${how.scheme ?? 'DPoP'} ${token}`, ...(dpop === null ? {} : { [how.name ?? 'dpop']: dpop }) });
  };

  /** The token endpoint refuses a code that is good, gives nothing, and says why. */
  const refusesCode = async (how: Asking, errors: readonly string[], more: Parameters<typeof pushed>[2] = {}, of = service): Promise<void> => {
    const request = await pushed(it, service, more);
    const code = await codeOf(it, service, request);
    const issued = await entriesOf(it, 'token.issued');
    const answer = await tokenFor(it, of, request, code, { ...how, fields: { redirect_uri: service.redirectUri, ...how.fields } });
    assertErrorAnswer(answer, answer.json['error'] === 'invalid_client' ? 401 : 400, ...errors);
    assert.equal(await entriesOf(it, 'token.issued'), issued);
  };

  module(
    'fapi2-security-profile-final-test-claims-parameter-identity-claims',
    'standard claims by name, those of the registration and no other',
    async () => {
      const asked = Object.fromEntries(['given_name', 'family_name', 'email', 'birthdate', 'gender', 'sub'].map((name) => [name, null]));
      const { token, claims } = await tokens(it, service, { scope: 'openid', claims: JSON.stringify({ id_token: asked, userinfo: asked }) });
      const answer = await read(token);
      assertUserinfo(answer, claims.sub);
      assert.deepEqual(Object.keys(answer.json).sort(), ['family_name', 'given_name', 'sub']);
      assert.deepEqual([claims['given_name'], claims['email'], claims['birthdate']], ['Colette', undefined, undefined]);
    },
  );

  module('fapi2-security-profile-final-access-token-type-header-case-sensitivity', 'the scheme is read in any case', async () => {
    const { token, claims } = await tokens(it, service);
    for (const scheme of ['DPoP', 'dpop', 'DPOP', 'dPoP']) assertUserinfo(await read(token, { scheme }), claims.sub);
  });

  module('fapi2-security-profile-final-check-dpop-proof-nbf-exp', 'a proof that says nbf now and exp in five minutes is good at both', async () => {
    const times = () => ({ nbf: now(), exp: now() + 300 });
    const { token, claims } = await tokens(it, service, {}, { payload: times() });
    assertUserinfo(await read(token, { payload: times() }), claims.sub);
  });

  for (const [name, delta] of Object.entries({
    'fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-before-succeeds': -10,
    'fapi2-security-profile-final-ensure-dpopproof-with-iat-10seconds-after-succeeds': 10,
  }))
    module(name, 'a clock ten seconds off is good at both', async () => {
      const { token, claims } = await tokens(it, service, {}, { payload: { iat: now() + delta } });
      assertUserinfo(await read(token, { payload: { iat: now() + delta } }), claims.sub);
    });

  const parProof = async (keys: Keys): Promise<string> =>
    proof(keys, { method: 'POST', url: `${it.app.site.issuer}/par`, nonce: await dpopNonce(it, service) });

  module(
    'fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt',
    'a code asked for with one key is not given to another',
    async () => {
      const request = await pushed(it, service, {}, { dpop: await parProof(service.dpop) });
      const code = await codeOf(it, service, request);
      const issued = await entriesOf(it, 'token.issued');
      const answer = await tokenFor(it, service, request, code, { keys: other.dpop });
      assertErrorAnswer(answer, 400, 'invalid_grant', 'invalid_request', 'invalid_dpop_proof');
      assert.equal(await entriesOf(it, 'token.issued'), issued);
    },
  );

  module('fapi2-security-profile-final-ensure-token-endpoint-fails-with-mismatched-dpop-jkt', 'nor when dpop_jkt named another', () =>
    refusesCode({}, ['invalid_grant', 'invalid_request', 'invalid_dpop_proof'], { dpop_jkt: other.dpop.thumbprint }),
  );

  module(
    'fapi2-security-profile-final-ensure-dpopproof-at-par-endpoint-binding-success',
    'the key of the proof at PAR redeems the code',
    async () => {
      assert.ok((await tokens(it, service, {}, {}, { dpop: await parProof(service.dpop) })).token);
    },
  );

  module('fapi2-security-profile-final-ensure-dpop-auth-code-binding-success', 'the key that dpop_jkt names redeems the code', async () => {
    assert.ok((await tokens(it, service, { dpop_jkt: service.dpop.thumbprint })).token);
  });

  module(
    'fapi2-security-profile-final-ensure-client-id-in-token-endpoint',
    'the assertion of another client, signed with this one’s key',
    async () => {
      const wrong = await assertion(it, other, { key: service.keys.privateKey, header: { kid: service.keys.thumbprint } });
      await refusesCode({ assertion: wrong }, ['invalid_client', 'invalid_grant']);
    },
  );

  module('fapi2-security-profile-final-ensure-holder-of-key-required', 'no proof, no token', () =>
    refusesCode({ dpop: null }, ['invalid_request', 'invalid_grant', 'invalid_dpop_proof']),
  );

  module('fapi2-security-profile-final-ensure-authorization-code-is-bound-to-client', 'invalid_grant for another client', () =>
    refusesCode({}, ['invalid_grant'], {}, other),
  );

  module('fapi2-security-profile-final-attempt-reuse-authorization-code-after-one-second', 'invalid_grant, and the first token is dead', async () => {
    const { request, code, token } = await tokens(it, service);
    assert.equal((await read(token)).status, 200);
    await new Promise((resume) => setTimeout(resume, 1000));
    assertErrorAnswer(await tokenFor(it, service, request, code), 400, 'invalid_grant');
    assert.equal((await read(token)).status, 401);
  });

  module('fapi2-security-profile-final-ensure-signed-client-assertion-with-RS256-fails', 'invalid_client', async () => {
    const rsa = await makeKeys('RS256');
    const signed = await assertion(it, service, { header: { alg: 'RS256', kid: rsa.thumbprint }, key: rsa.privateKey });
    await refusesCode({ assertion: signed }, ['invalid_client']);
  });

  module('fapi2-security-profile-final-ensure-client-assertion-in-token-endpoint', 'client_id alone is nobody', () =>
    refusesCode({ assertion: { client_id: service.id } }, ['invalid_client', 'invalid_request']),
  );

  for (const [name, payload] of Object.entries<() => Record<string, unknown>>({
    'fapi2-security-profile-final-ensure-client-assertion-with-exp-is-5-minutes-in-past-fails': () => ({ iat: now() - 360, exp: now() - 300 }),
    'fapi2-security-profile-final-ensure-client-assertion-with-wrong-aud-fails': () => ({ aud: 'https://another.example/oidc' }),
    'fapi2-security-profile-final-ensure-client-assertion-with-no-sub-fails': () => ({ sub: undefined }),
  }))
    module(name, 'invalid_client', async () =>
      refusesCode({ assertion: await assertion(it, service, { payload: payload() as JWTPayload }) }, ['invalid_client', 'invalid_request']),
    );

  module('fapi2-security-profile-final-ensure-pkce-code-verifier-required', 'invalid_grant', () =>
    refusesCode({ fields: { code_verifier: null } }, ['invalid_grant']),
  );

  module('fapi2-security-profile-final-incorrect-pkce-code-verifier-rejected', 'invalid_grant', () =>
    refusesCode({ fields: { code_verifier: 'v'.repeat(64) } }, ['invalid_grant']),
  );

  module('fapi2-security-profile-final-refresh-token', 'none is given, and the grant is refused', async () => {
    const { request, answer } = await tokens(it, service, { scope: 'openid offline_access', prompt: 'consent' });
    assert.ok(!String(answer.json['scope']).includes('offline'));
    const asked = await tokenFor(it, service, request, '', { fields: { grant_type: 'refresh_token', refresh_token: 'x'.repeat(43), code: null } });
    assertErrorAnswer(asked, 400, 'unsupported_grant_type', 'unauthorized_client');
  });

  module('fapi2-security-profile-final-dpop-negative-tests', 'every proof that is not right is refused, and the token goes on working', async () => {
    const { token, claims } = await tokens(it, service);
    const stranger = await makeKeys();
    const secret = await exportJWK(service.dpop.privateKey);
    const without = (name: string) => ({ payload: { [name]: undefined as never } });
    const refused: Record<string, Reading> = {
      'two proofs': { change: (jws) => `${jws}, ${jws}` },
      'not a JWT': { change: (jws) => jws.replaceAll('.', '') },
      'no typ': { header: { typ: undefined } },
      'another typ': { header: { typ: 'jwt' } },
      'no alg': { change: (jws) => tampered(jws, ({ alg: _alg, ...rest }) => rest) },
      'alg none': { change: (jws) => tampered(jws, (header) => ({ ...header, alg: 'none' }), false) },
      'no jwk': { header: { jwk: undefined } },
      'a private jwk': { header: { jwk: secret } },
      'no jti': without('jti'),
      'no htm': without('htm'),
      'no htu': without('htu'),
      'no iat': without('iat'),
      'no ath': without('ath'),
      'another ath': { payload: { ath: 'x'.repeat(43) } },
      'a signature that is none': { change: (jws) => `${jws.slice(0, -8)}AAAAAAAA` },
      'another method': { method: 'PUT' },
      'another address': { url: `${it.app.site.issuer}/autre` },
      'another key': { keys: stranger },
      'no proof': { change: () => null },
      'no proof, as a bearer': { change: () => null, scheme: 'Bearer' },
    };
    for (const [name, how] of Object.entries(refused)) {
      const { status, headers, text } = await read(token, how);
      assert.ok(status === 400 || status === 401, `${name} ${status} ${text}`);
      if (status === 401) assert.match(headers.get('www-authenticate') ?? '', /^DPoP /, name);
    }
    const accepted: Record<string, Reading> = {
      'the header in capitals': { name: 'DPOP' },
      'an address with query and fragment': { url: `${userinfo()}?a=b#c` },
      'more in header and claims': { header: { more: 'x' }, payload: { more: { a: 1 } } },
      'an hour ago, with our nonce': { payload: { iat: now() - 3600 } },
      'an hour ahead, with our nonce': { payload: { iat: now() + 3600 } },
      'scheme and host in capitals': { url: userinfo().replace('http://localhost', 'HTTP://LOCALHOST') },
    };
    for (const [name, how] of Object.entries(accepted)) {
      const { status, text } = await read(token, how);
      assert.equal(status, 200, `${name} ${text}`);
    }
    const jti = randomUuid();
    assert.deepEqual([(await read(token, { payload: { jti } })).status, (await read(token, { payload: { jti } })).status], [200, 401]);
    assertUserinfo(await read(token), claims.sub);
  });

  // Last: it moves time.
  module('fapi2-security-profile-final-ensure-token-endpoint-fails-with-expired-auth-code', 'invalid_grant after 62 seconds', async () => {
    const request = await pushed(it, service);
    const code = await codeOf(it, service, request);
    it.advance(62_000);
    assertErrorAnswer(await tokenFor(it, service, request, code), 400, 'invalid_grant');
    const again = await pushed(it, service);
    await assertTokens(it, service, again, await tokenFor(it, service, again, await codeOf(it, service, again)));
  });

  test('no fault of ours was logged meanwhile', { database: kind.kind }, () => {
    assert.deepEqual(faults(it), []);
  });
});
