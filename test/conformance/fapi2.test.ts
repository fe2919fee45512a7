import { after, before, describe } from 'node:test';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { assertion, dpopNonce, type FapiService, fapiService, faults, proof } from '../support/protocol.ts';
import { authorize, entriesOf, mandateByPages, openWorld, signedInAidant, type World } from '../support/world.ts';
import { assertPushed, codeOf, pushed, signedIn, tokenFor, tokens } from './fapi.ts';
import { assertErrorAnswer, assertErrorResponse } from './service.ts';

/** `fapi2-security-profile-final-test-plan`: discovery apart, what its modules assert of pushed requests and of the authorization endpoint. */

const [kind] = databases();
if (!kind) throw new Error('no database to test on');

describe(`on ${kind.kind}`, () => {
  let it: World;
  let service: FapiService;
  let other: FapiService;

  before(async () => {
    it = await openWorld(kind);
    service = await fapiService(it, 'plan-fapi');
    other = await fapiService(it, 'plan-fapi-autre', { query: '?dummy1=lorem&dummy2=ipsum' });
  });
  after(async () => it?.close());

  const module = (name: string, says: string, body: () => Promise<void>): void => {
    test(`P22 ${name}: ${says}`, { database: kind.kind }, body);
  };

  const now = (): number => Math.floor(Date.now() / 1000);
  const parUrl = (): string => `${it.app.site.issuer}/par`;
  const kept = async () => (await it.sql("select count(*)::int n from oidc_artefact where model = 'PushedAuthorizationRequest'"))[0]?.['n'];

  /** PAR refuses, and keeps nothing. */
  const parRefuses = async (
    errors: readonly string[],
    ...given: Parameters<typeof pushed> extends [unknown, unknown, ...infer Rest] ? Rest : never
  ) => {
    const before = await kept();
    const { answer } = await pushed(it, service, ...given);
    assertErrorAnswer(answer, answer.status === 401 ? 401 : 400, ...errors);
    assert.equal(await kept(), before);
  };

  module(
    'fapi2-security-profile-final-happy-flow',
    'two clients, each with its own keys, one with a query in its address; one person with two names',
    async () => {
      const first = await tokens(it, service);
      const second = await tokens(it, other);
      assert.notEqual(first.claims.sub, second.claims.sub);
    },
  );

  module(
    'fapi2-security-profile-final-user-rejects-authentication',
    'access_denied with a state of 128 characters, alone and as an aidant',
    async () => {
      const state = 'S'.repeat(128);
      const [refused, issued] = [await entriesOf(it, 'session.refused'), await entriesOf(it, 'token.issued')];
      const request = await pushed(it, service, { state });
      const walker = new Walker();
      const page = await walker.open(request.url, undefined, service.redirectUri);
      const back = await walker.open(page.url, { abort: 'oui' }, service.redirectUri);
      assertErrorResponse(it, back.url.searchParams, state, ['access_denied']);
      assert.deepEqual([await entriesOf(it, 'session.refused'), await entriesOf(it, 'token.issued')], [refused + 1, issued]);
      const stranger = await new Walker().open(page.url, { abort: 'oui' }, service.redirectUri);
      assert.ok(!stranger.url.href.startsWith(service.redirectUri) && stranger.status < 500, 'nobody answers it in her place');
      const aidant = await signedInAidant(it);
      await mandateByPages(it, aidant, 'colette', ['logement', 'famille']);
      const opened = await entriesOf(it, 'session.opened');
      await aidant.open((await pushed(it, service, { state, scope: 'openid dlg:logement' })).url, undefined, service.redirectUri);
      assertErrorResponse(it, (await aidant.send('abort', {}, service.redirectUri)).url.searchParams, state, ['access_denied']);
      assert.equal(await entriesOf(it, 'session.opened'), opened);
    },
  );

  for (const [name, more] of Object.entries({
    'fapi2-security-profile-final-ensure-authorization-request-without-state-success': { state: null },
    'fapi2-security-profile-final-ensure-authorization-request-without-nonce-success': { nonce: null },
    'fapi2-security-profile-final-ensure-authorization-request-with-64-char-nonce-success': { nonce: 'n'.repeat(64) },
    'fapi2-security-profile-final-ensure-authorization-request-with-long-nonce': { nonce: 'n'.repeat(384) },
    'fapi2-security-profile-final-ensure-authorization-request-with-long-state': { state: 's'.repeat(384) },
    'fapi2-security-profile-final-ensure-other-scope-order-succeeds': { scope: 'given_name openid' },
  }))
    module(name, 'tokens, with state and nonce as they were sent', async () => {
      const { claims } = await tokens(it, service, more);
      assert.ok(claims.sub);
    });

  for (const [name, outside] of Object.entries({
    'fapi2-security-profile-final-ensure-different-nonce-inside-and-outside-request-object': { nonce: 'outside' },
    'fapi2-security-profile-final-ensure-different-state-inside-and-outside-request-object': { state: 'outside' },
  }))
    module(name, 'what stands beside request_uri in the address counts for nothing', async () => {
      const request = await pushed(it, service);
      for (const [key, value] of Object.entries(outside)) request.url.searchParams.set(key, value);
      const code = await codeOf(it, service, request);
      const { status, json } = await tokenFor(it, service, request, code);
      assert.deepEqual([status, typeof json['id_token']], [200, 'string']);
    });

  module('fapi2-security-profile-final-state-only-outside-request-object-not-used', 'no state comes back', async () => {
    const request = await pushed(it, service, { state: null });
    request.url.searchParams.set('state', 'outside');
    assert.ok(await codeOf(it, service, request));
  });

  module('fapi2-security-profile-final-par-without-duplicate-parameters', 'client_id and request_uri are enough', async () => {
    const request = await pushed(it, service);
    assert.deepEqual([...request.url.searchParams.keys()], ['client_id', 'request_uri']);
    assert.ok(await codeOf(it, service, request));
  });

  module('fapi2-security-profile-final-ensure-request-object-without-redirect-uri-fails', 'PAR answers invalid_request', () =>
    parRefuses(['invalid_request'], { redirect_uri: null }),
  );
  module('fapi2-security-profile-final-ensure-redirect-uri-in-authorization-request', 'PAR answers invalid_request', () =>
    parRefuses(['invalid_request'], { redirect_uri: null }),
  );
  module('fapi2-security-profile-final-plain-fapi-tolerate-unregistered-redirect-uri', 'PAR answers invalid_request', () =>
    parRefuses(['invalid_request'], { redirect_uri: `${service.redirectUri}/abcDEF` }),
  );
  module('fapi2-security-profile-final-ensure-response-type-code-idtoken-fails', 'PAR answers unsupported_response_type', () =>
    parRefuses(['unsupported_response_type'], { response_type: 'code id_token' }),
  );
  module('fapi2-security-profile-final-ensure-response-type-token-fails', 'PAR answers unsupported_response_type', () =>
    parRefuses(['unsupported_response_type'], { response_type: 'token' }),
  );
  module('fapi2-security-profile-final-par-ensure-pkce-required', 'PAR answers invalid_request', () =>
    parRefuses(['invalid_request'], { code_challenge: null, code_challenge_method: null }),
  );
  module('fapi2-security-profile-final-par-plain-pkce-rejected', 'PAR answers invalid_request', () =>
    parRefuses(['invalid_request'], { code_challenge: 'v'.repeat(64), code_challenge_method: 'plain' }),
  );
  module('fapi2-security-profile-final-par-authorization-request-containing-request_uri-form-param', 'PAR answers invalid_request', () =>
    parRefuses(['invalid_request', 'invalid_request_object', 'request_uri_not_supported'], { request_uri: 'urn:ietf:params:oauth:request_uri:x' }),
  );

  module('fapi2-security-profile-final-par-attempt-invalid-http-method', 'PUT is no way to push', async () => {
    const before = await kept();
    const body = new URLSearchParams(await assertion(it, service));
    const answer = await fetch(parUrl(), { method: 'PUT', body });
    assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
    assert.equal(await kept(), before);
  });

  module(
    'fapi2-security-profile-final-ensure-unsigned-authorization-request-without-using-par-fails',
    'invalid_request, and no page to sign in',
    async () => {
      const request = await authorize(service, 'openid given_name');
      const { params, at, status } = await signedIn(service, request.url);
      if (params.size) assertErrorResponse(it, params, request.state, ['invalid_request']);
      else assert.deepEqual([status, at.origin], [400, it.places.relais]);
    },
  );

  module('fapi2-security-profile-final-par-ensure-reused-request-uri-prior-to-auth-completion-succeeds', 'opened twice, answered once', async () => {
    const request = await pushed(it, service);
    const first = await new Walker().open(request.url, undefined, service.redirectUri);
    assert.match(first.url.pathname, /\/interaction\//);
    const code = await codeOf(it, service, request);
    assert.equal((await tokenFor(it, service, request, code)).status, 200);
  });

  module('fapi2-security-profile-final-par-attempt-reuse-request_uri', 'once answered, it leads nowhere', async () => {
    const { request } = await tokens(it, service);
    const again = await signedIn(service, request.url);
    if (again.params.size) assert.deepEqual([again.params.get('error'), again.params.get('code')], ['invalid_request_uri', null]);
    else assert.deepEqual([again.status, again.at.origin], [400, it.places.relais]);
  });

  module('fapi2-security-profile-final-par-attempt-to-use-request_uri-for-different-client', 'a page of ours, without redirect', async () => {
    const request = await pushed(it, service);
    const stolen = new URL(request.url);
    stolen.searchParams.set('client_id', other.id);
    const { status, at, params } = await signedIn(other, stolen);
    assert.deepEqual([status, at.origin, params.size], [400, it.places.relais, 0]);
    assert.ok(await codeOf(it, service, request), 'it still serves its owner');
  });

  for (const [name, payload] of Object.entries({
    'fapi2-security-profile-final-par-test-array-as-audience-fails': () => ({ aud: [it.app.site.issuer, 'https://another.example'] }),
    'fapi2-security-profile-final-par-test-par-endpoint-url-as-audience-fails': () => ({ aud: parUrl() }),
    'fapi2-security-profile-final-par-test-token-endpoint-url-as-audience-fails': () => ({ aud: `${it.app.site.issuer}/token` }),
    'fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails': () => ({
      iat: now() + 70,
      nbf: now() + 70,
      exp: now() + 130,
    }),
  }))
    module(name, 'PAR answers invalid_client', async () =>
      parRefuses(['invalid_client', 'invalid_request'], {}, { assertion: await assertion(it, service, { payload: payload() }) }),
    );

  module(
    'fapi2-security-profile-final-par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted',
    'a clock may be a little fast',
    async () => {
      assertPushed(
        await pushed(it, service, {}, { assertion: await assertion(it, service, { payload: { iat: now() + 8, nbf: now() + 8, exp: now() + 68 } }) }),
      );
    },
  );

  module('fapi2-security-profile-final-ensure-mismatched-dpop-jkt-fails', 'PAR refuses a dpop_jkt that is not its proof’s', async () => {
    const dpop = await proof(service.dpop, { method: 'POST', url: parUrl(), nonce: await dpopNonce(it, service) });
    await parRefuses(['invalid_dpop_proof', 'invalid_request'], { dpop_jkt: other.dpop.thumbprint }, { dpop });
  });

  // Last: it moves time.
  module('fapi2-security-profile-final-par-attempt-to-use-expired-request_uri', 'a page of ours, without redirect', async () => {
    const request = await pushed(it, service);
    it.advance((Number(request.answer.json['expires_in']) + 1) * 1000);
    const { status, at, params } = await signedIn(service, request.url);
    assert.deepEqual([status, at.origin, params.size], [400, it.places.relais, 0]);
  });

  test('no fault of ours was logged meanwhile', { database: kind.kind }, () => {
    assert.deepEqual(faults(it), []);
  });
});
