import { after, before, describe } from 'node:test';
import * as client from 'openid-client';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { basic, faults, get, post } from '../support/protocol.ts';
import { authorize, entriesOf, openWorld, type Request, type World } from '../support/world.ts';
import {
  arrive,
  assertErrorAnswer,
  assertErrorResponse,
  assertIdToken,
  assertUserinfo,
  type Mode,
  type Reached,
  reachedService,
  redeemed,
  responseOf,
} from './service.ts';

/**
 * What the modules of the plan `oidcc-basic-certification-test-plan` assert, and again those of `oidcc-formpost-basic-certification-test-plan`, where
 * the response comes as a form. Written from the specifications and from what the suite says its modules do; every request has PKCE
 * (docs/divergences.md).
 */
export const basicPlan = (mode: Mode): void => {
  const suffix = mode === 'form_post' ? ', by form_post' : '';
  const kind = databases()[0];
  if (!kind) throw new Error('no database to test on');
  describe(`on ${kind.kind}`, () => {
    let it: World;
    let service: Reached;
    let byPost: Reached;
    let signedRs256: Reached;

    before(async () => {
      it = await openWorld(kind);
      service = await reachedService(it, 'plan-basic');
      byPost = await reachedService(it, 'plan-post', { method: 'client_secret_post' });
      signedRs256 = await reachedService(it, 'plan-rs256', { alg: 'RS256' });
    });
    after(async () => {
      for (const each of [service, byPost, signedRs256]) await each?.close();
      await it?.close();
    });

    const issuer = (): string => it.app.site.issuer;
    const metadata = async () => (await get(`${issuer()}/.well-known/openid-configuration`)).json;

    const ask = (more: Readonly<Record<string, string>> = {}, of = service, scope = 'openid given_name'): Promise<Request> =>
      authorize(of, scope, { ...(mode === 'form_post' ? { response_mode: 'form_post' } : {}), ...more });

    /** A person signs in alone: asserts everything that the plan asserts of a response, an answer and an id_token. */
    const flow = async (
      more: Readonly<Record<string, string>> = {},
      { walker = new Walker(), of = service, scope = 'openid given_name' }: { walker?: Walker; of?: Reached; scope?: string } = {},
    ) => {
      const request = await ask(more, of, scope);
      const page = await arrive(walker, request.url);
      const tokens = await redeemed(it, of, request, responseOf(of, mode), { post: of === byPost, ...(of === signedRs256 ? { alg: 'RS256' } : {}) });
      return { request, walker, asked: page.asked, ...tokens };
    };

    /** A request that must end with an error at the service. */
    const refused = async (more: Readonly<Record<string, string>>, errors: readonly string[], walker = new Walker()): Promise<void> => {
      const issued = await entriesOf(it, 'token.issued');
      const arrivals = service.arrivals.length;
      const request = await ask(more);
      await arrive(walker, request.url);
      assert.equal(service.arrivals.length, arrivals + 1);
      assertErrorResponse(it, responseOf(service, mode), request.state, errors);
      assert.equal(await entriesOf(it, 'token.issued'), issued);
    };

    const userinfo = (token: string) => get(`${issuer()}/userinfo`, { authorization: `Bearer ${token}` });

    const module = (name: string, says: string, body: () => Promise<void>): void => {
      test(`P22 ${name}: ${says}${suffix}`, { database: kind.kind }, body);
    };

    module('oidcc-server', 'a code, a bearer token and an id_token of the person; without PKCE nothing', async () => {
      const state = 'S'.repeat(128);
      const issued = await entriesOf(it, 'token.issued');
      const request = await ask({ state });
      await arrive(new Walker(), request.url);
      const { claims, accessToken } = await redeemed(it, service, { ...request, state }, responseOf(service, mode));
      assert.equal(await entriesOf(it, 'token.issued'), issued + 1);
      assertUserinfo(await userinfo(accessToken), claims.sub);
      const bare = await ask();
      for (const name of ['code_challenge', 'code_challenge_method']) bare.url.searchParams.delete(name);
      await arrive(new Walker(), bare.url);
      assertErrorResponse(it, responseOf(service, mode), bare.state, ['invalid_request']);
    });

    module('oidcc-response-type-missing', 'the service is told invalid_request or unsupported_response_type', async () => {
      const request = await ask();
      request.url.searchParams.delete('response_type');
      await arrive(new Walker(), request.url);
      assertErrorResponse(it, responseOf(service, mode), request.state, ['invalid_request', 'unsupported_response_type']);
    });

    module('oidcc-idtoken-signature', 'RS256 with the kid of a published key, for a service that registered it', async () => {
      assert.ok(((await metadata())['id_token_signing_alg_values_supported'] as string[]).includes('RS256'));
      await flow({}, { of: signedRs256 });
    });

    module('oidcc-idtoken-unsigned', '“none” is not offered', async () => {
      const offered = await metadata();
      for (const [name, values] of Object.entries(offered))
        if (/_alg_values_supported$/.test(name)) assert.ok(!(values as string[]).includes('none'), name);
    });

    module('oidcc-userinfo-get', 'JSON with the sub of the id_token', async () => {
      const { accessToken, claims } = await flow();
      const answer = await userinfo(accessToken);
      assertUserinfo(answer, claims.sub);
      assert.equal(answer.json['given_name'], 'Colette');
    });

    module('oidcc-userinfo-post-header', 'the same by POST with the token in the header', async () => {
      const { accessToken, claims } = await flow();
      assertUserinfo(await post(`${issuer()}/userinfo`, {}, { authorization: `Bearer ${accessToken}` }), claims.sub);
    });

    module('oidcc-userinfo-post-body', 'the same by POST with the token in the body', async () => {
      const { accessToken, claims } = await flow();
      assertUserinfo(await post(`${issuer()}/userinfo`, { access_token: accessToken }), claims.sub);
    });

    module('oidcc-ensure-request-without-nonce-succeeds-for-code-flow', 'an id_token without nonce', async () => {
      const request = await ask();
      request.url.searchParams.delete('nonce');
      await arrive(new Walker(), request.url);
      const { claims } = await redeemed(it, service, request, responseOf(service, mode), { nonce: false });
      assert.ok(!Object.hasOwn(claims, 'nonce'));
    });

    for (const name of ['oidcc-scope-profile', 'oidcc-scope-address', 'oidcc-scope-phone'])
      module(name, 'the scope is not among those offered, and asking for it changes nothing', async () => {
        const scope = name.slice('oidcc-scope-'.length);
        assert.ok(!((await metadata())['scopes_supported'] as string[]).includes(scope));
        const { accessToken, answer } = await flow({}, { scope: `openid ${scope}` });
        assert.ok(!String(answer.json['scope']).includes(scope));
        assert.deepEqual(Object.keys((await userinfo(accessToken)).json), ['sub']);
      });

    module('oidcc-scope-email', 'the address of the person, at userinfo, and her token names the scope', async () => {
      assert.ok(((await metadata())['scopes_supported'] as string[]).includes('email'));
      const { accessToken, answer } = await flow({}, { scope: 'openid email' });
      assert.deepEqual(String(answer.json['scope']).split(' ').sort(), ['email', 'openid']);
      assert.match(String((await userinfo(accessToken)).json['email']), /@/);
    });

    module('oidcc-scope-all', 'all of them at once succeed, with the claims of those that exist', async () => {
      const { accessToken } = await flow({}, { scope: 'openid profile email address phone' });
      assert.deepEqual(Object.keys((await userinfo(accessToken)).json).sort(), ['email', 'sub']);
    });

    module('oidcc-ensure-other-scope-order-succeeds', 'openid may come last', async () => {
      const { accessToken, claims } = await flow({}, { scope: 'email given_name openid' });
      const { json } = await userinfo(accessToken);
      assert.deepEqual([json['sub'], json['given_name']], [claims.sub, 'Colette']);
    });

    for (const [name, more] of Object.entries({
      'oidcc-display-page': { display: 'page' },
      'oidcc-display-popup': { display: 'popup' },
      'oidcc-ensure-request-with-unknown-parameter-succeeds': { extra: 'foobar' },
      'oidcc-login-hint': { login_hint: 'buffy@localhost' },
      'oidcc-ui-locales': { ui_locales: 'se' },
      'oidcc-claims-locales': { claims_locales: 'se' },
    }))
      module(name, 'no error', async () => {
        const { claims } = await flow(more);
        assert.ok(claims.sub);
      });

    module('oidcc-prompt-login', 'she signs in again, and auth_time is later', async () => {
      const first = await flow({ max_age: '15000' });
      it.advance(2_000);
      const second = await flow({ prompt: 'login' }, { walker: first.walker });
      assert.deepEqual([second.asked, second.claims.sub], [true, first.claims.sub]);
      assert.ok(Number(second.claims['auth_time']) > Number(first.claims['auth_time']));
    });

    module('oidcc-prompt-none-not-logged-in', 'login_required', () => refused({ prompt: 'none' }, ['login_required']));

    module('oidcc-prompt-none-logged-in', 'by design login_required: a person is chosen for each request', async () => {
      const { walker } = await flow();
      await refused({ prompt: 'none' }, ['login_required'], walker);
    });

    module('oidcc-id-token-hint', 'by design login_required without a page; with one, the hinted person passes and another does not', async () => {
      const { walker, idToken, claims } = await flow();
      await refused({ prompt: 'none', id_token_hint: idToken }, ['login_required'], walker);
      const again = await flow({ id_token_hint: idToken }, { walker });
      assert.equal(again.claims.sub, claims.sub);
      const request = await ask({ id_token_hint: idToken });
      const arrivals = service.arrivals.length;
      await arrive(new Walker(), request.url, 'michel');
      const answered = service.arrivals.slice(arrivals).map(({ query, body }) => query.get('code') ?? body.get('code'));
      assert.deepEqual(
        answered.filter((code) => code !== null),
        [],
        'no code about another person',
      );
    });

    module('oidcc-max-age-1', 'two seconds later she signs in again; auth_time is there, later and recent', async () => {
      const first = await flow();
      it.advance(2_000);
      const second = await flow({ max_age: '1' }, { walker: first.walker });
      assert.deepEqual([second.asked, second.claims.sub], [true, first.claims.sub]);
      const at = Number(second.claims['auth_time']);
      assert.ok(at > Number(first.claims['auth_time'] ?? 0) && Date.now() / 1000 - at <= 2);
    });

    module('oidcc-max-age-10000', 'auth_time is in both; by design she is asked both times, so that the second is the later', async () => {
      const first = await flow({ max_age: '15000' });
      it.advance(1_000);
      const second = await flow({ max_age: '10000' }, { walker: first.walker });
      assert.deepEqual([second.asked, second.claims.sub], [true, first.claims.sub]);
      assert.ok(Number.isInteger(first.claims['auth_time']) && Number(second.claims['auth_time']) >= Number(first.claims['auth_time']));
    });

    module(
      'oidcc-ensure-request-with-acr-values-succeeds',
      'every class that is offered may be asked for at once, and the one reached is said',
      async () => {
        const offered = (await metadata())['acr_values_supported'] as string[];
        const { claims } = await flow({ acr_values: offered.join(' ') });
        assert.ok(offered.includes(String(claims['acr'])));
      },
    );

    module('oidcc-codereuse', 'invalid_grant at the second use', async () => {
      const { fields } = await flow();
      const issued = await entriesOf(it, 'token.issued');
      assertErrorAnswer(await post(`${issuer()}/token`, fields, { authorization: basic(service) }), 400, 'invalid_grant');
      assert.equal(await entriesOf(it, 'token.issued'), issued);
    });

    module('oidcc-codereuse-30seconds', 'invalid_grant thirty seconds later, and the first token is dead', async () => {
      const { fields, accessToken } = await flow();
      it.advance(30_000);
      assert.equal((await userinfo(accessToken)).status, 200);
      assertErrorAnswer(await post(`${issuer()}/token`, fields, { authorization: basic(service) }), 400, 'invalid_grant');
      assert.equal((await userinfo(accessToken)).status, 401);
    });

    module('oidcc-ensure-registered-redirect-uri', 'a page of ours, and nobody is sent anywhere', async () => {
      const arrivals = service.arrivals.length;
      const page = await arrive(new Walker(), (await ask({ redirect_uri: `${service.redirectUri}/abcDEF` })).url);
      assert.deepEqual([page.status, page.url.origin, service.arrivals.length], [400, it.places.relais, arrivals]);
      assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
    });

    module('oidcc-ensure-post-request-succeeds', 'a request that a form posts goes on as one that a link opens', async () => {
      const request = await ask();
      const walker = new Walker();
      const posted = await walker.open(new URL(`${issuer()}/auth`), Object.fromEntries(request.url.searchParams));
      const page = await walker.open(posted.url, { identity: 'colette' });
      if (page.html.includes('id="op.callbackForm"')) await walker.send('op.callbackForm');
      await redeemed(it, service, request, responseOf(service, mode));
    });

    module('oidcc-server-client-secret-post', 'the same with the secret in the body', async () => {
      const { accessToken, claims } = await flow({}, { of: byPost });
      assertUserinfo(await userinfo(accessToken), claims.sub);
    });

    const UNSIGNED = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"scope":"openid"}').toString('base64url')}.`;

    module('oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported', 'rejected, and nothing is fetched', async () => {
      assert.equal((await metadata())['request_uri_parameter_supported'], false);
      const fetched = service.arrivals.length;
      const request = await ask({ request_uri: `${service.origin}/request.jwt` });
      const page = await arrive(new Walker(), request.url);
      const came = service.arrivals.slice(fetched);
      assert.ok(!came.some(({ path }) => path === '/request.jwt'));
      if (came.length) assertErrorResponse(it, responseOf(service, mode), request.state, ['request_uri_not_supported', 'invalid_request']);
      else assert.deepEqual([page.status, page.url.origin], [400, it.places.relais]);
    });

    module('oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported', 'request_not_supported', async () => {
      assert.notEqual((await metadata())['request_parameter_supported'], true);
      await refused({ request: UNSIGNED }, ['request_not_supported']);
    });

    module('oidcc-ensure-request-object-with-redirect-uri', 'with an address outside that is not registered, a page of ours', async () => {
      const arrivals = service.arrivals.length;
      const page = await arrive(new Walker(), (await ask({ request: UNSIGNED, redirect_uri: `${service.origin}/ailleurs` })).url);
      assert.deepEqual([page.status, page.url.origin, service.arrivals.length], [400, it.places.relais, arrivals]);
    });

    module('oidcc-claims-essential', 'a claim that does not exist here may be essential: no error, and it is in neither answer', async () => {
      assert.ok(!((await metadata())['claims_supported'] as string[]).includes('name'));
      const { accessToken, claims } = await flow({ claims: JSON.stringify({ userinfo: { name: { essential: true } } }) });
      assert.deepEqual([claims['name'], (await userinfo(accessToken)).json['name']], [undefined, undefined]);
    });

    module('oidcc-refresh-token', 'none is offered, none is given', async () => {
      assert.ok(!((await metadata())['grant_types_supported'] as string[]).includes('refresh_token'));
      const { answer } = await flow({ prompt: 'consent' }, { scope: 'openid offline_access' });
      assert.ok(!String(answer.json['scope']).includes('offline_access'));
    });

    module('oidcc-ensure-request-with-valid-pkce-succeeds', 'and with a wrong verifier the code gives nothing', async () => {
      const request = await ask();
      await arrive(new Walker(), request.url);
      const params = responseOf(service, mode);
      const wrong = { grant_type: 'authorization_code', code: params.get('code') ?? '', redirect_uri: service.redirectUri };
      const verifier = client.randomPKCECodeVerifier();
      assertErrorAnswer(
        await post(`${issuer()}/token`, { ...wrong, code_verifier: verifier }, { authorization: basic(service) }),
        400,
        'invalid_grant',
      );
      const { answer } = await redeemed(it, service, request, params);
      await assertIdToken(it, answer.json['id_token'], { audience: service.id, nonce: request.nonce });
    });

    test('no fault of ours was logged meanwhile', { database: kind.kind }, () => {
      assert.deepEqual(
        faults(it).filter((line) => (line as { event?: string }).event !== 'delivery'),
        [],
      );
    });
  });
};
