import { createLocalJWKSet, generateKeyPair, type JSONWebKeySet, jwtVerify } from 'jose';
import { randomUuid } from '../../src/kernel/crypto.ts';
import { formOf, Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import {
  assertion,
  basic,
  dpopNonce,
  type FapiService,
  fapiService,
  faults,
  get,
  inEachWorld,
  type Keys,
  makeKeys,
  noted,
  post,
  proof,
  push,
  redemption,
  sessionOf,
} from '../support/protocol.ts';
import {
  actFor,
  authorize,
  delegatedTokens,
  entriesOf,
  mandateByPages,
  type Request,
  redeem,
  signedInAidant,
  type TestService,
  type World,
} from '../support/world.ts';

/** The assertions of the FAPI 2.0 plan that concern a provider and that protocol-fapi.test.ts does not hold, and what answers look like. */
inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let service: FapiService;
  let plain: TestService;

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await fapiService(world(), 'guichet-profil');
      plain = await world().service('guichet-simple');
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };

  const issuer = (): string => world().app.site.issuer;
  const tokenUrl = (): string => `${issuer()}/token`;
  const now = (): number => Math.floor(Date.now() / 1000);

  /** A request pushed by hand, with exactly these parameters beside those that are always there. */
  const pushed = async (
    it: World,
    more: Readonly<Record<string, string>>,
    dpop?: string,
  ): Promise<{ url: URL; verifier: string; status: number; error: unknown }> => {
    const { verifier, url } = await authorize(service, 'openid dlg:logement');
    const fields = Object.fromEntries([...url.searchParams].filter(([name]) => name !== 'state' && name !== 'nonce'));
    const answer = await post(`${issuer()}/par`, { ...fields, ...more, ...(await assertion(it, service)) }, dpop ? { dpop } : {});
    const to = new URL(`${issuer()}/auth`);
    to.search = new URLSearchParams({ client_id: service.id, request_uri: String(answer.json['request_uri']) }).toString();
    return { url: to, verifier, status: answer.status, error: answer.json['error'] };
  };

  const redeemed = async (it: World, callback: URL, verifier: string, keys = service.dpop, payload: Readonly<Record<string, unknown>> = {}) => {
    const fields = redemption(service, { verifier } as Request, callback);
    const nonce = await dpopNonce(it, service);
    return post(
      tokenUrl(),
      { ...fields, ...(await assertion(it, service)) },
      { dpop: await proof(keys, { method: 'POST', url: tokenUrl(), nonce, payload }) },
    );
  };

  const claimsOf = (token: unknown): Record<string, unknown> =>
    JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;

  test('P6 state and nonce come back exactly as they were sent, however long, and not at all when they were not', { database: kind }, async () => {
    const it = await ready();
    const long = 'é~ +&=%2F"<b>漢'.repeat(40);
    const cases: Record<string, { state?: string; nonce?: string }> = {
      'of sixty-four characters': { state: 'a'.repeat(64), nonce: 'b'.repeat(64) },
      'long, with every kind of character': { state: long, nonce: `${long}-` },
      'no state': { nonce: randomUuid() },
      'no nonce': { state: randomUuid() },
    };
    for (const [name, sent] of Object.entries(cases)) {
      const request = await pushed(it, sent as Record<string, string>);
      assert.equal(request.status, 201, name);
      const { url } = await actFor(aidant, service, { ...request, state: '', nonce: '' }, 'Colette Martin');
      assert.deepEqual([url.searchParams.get('state'), url.searchParams.get('iss')], [sent.state ?? null, issuer()], name);
      assert.equal(url.searchParams.has('state'), sent.state !== undefined, name);
      const answer = await redeemed(it, url, request.verifier);
      const claims = claimsOf(answer.json['id_token']);
      assert.deepEqual([answer.status, claims['nonce']], [200, sent.nonce], name);
      assert.equal(Object.hasOwn(claims, 'nonce'), sent.nonce !== undefined, name);
    }
    const refused = await authorize(plain, 'openid dlg:logement', { prompt: 'none', state: long });
    const back = await new Walker().open(refused.url, undefined, plain.redirectUri);
    assert.deepEqual([back.url.searchParams.get('error'), back.url.searchParams.get('state')], ['login_required', long]);
  });

  test('P10 a request bound to a key gives its code to that key alone', { database: kind }, async () => {
    const it = await ready();
    const stranger = await makeKeys();
    const par = `${issuer()}/par`;
    const nonce = await dpopNonce(it, service);
    const own = await proof(service.dpop, { method: 'POST', url: par, nonce });
    const crossed = await pushed(it, { dpop_jkt: stranger.thumbprint }, own);
    assert.match(`${crossed.status} ${crossed.error}`, /^400 invalid_(dpop_proof|request)$/);
    const bound = {
      'by dpop_jkt': await pushed(it, { dpop_jkt: service.dpop.thumbprint }),
      'by the proof at PAR': await pushed(it, {}, await proof(service.dpop, { method: 'POST', url: par, nonce })),
      'by both': await pushed(it, { dpop_jkt: service.dpop.thumbprint }, await proof(service.dpop, { method: 'POST', url: par, nonce })),
    };
    for (const [name, request] of Object.entries(bound)) {
      assert.equal(request.status, 201, name);
      const { url } = await actFor(aidant, service, { ...request, state: '', nonce: '' }, 'Colette Martin');
      const issued = await entriesOf(it, 'token.issued');
      const stolen = await redeemed(it, url, request.verifier, stranger);
      assert.deepEqual([stolen.status, stolen.json['error']], [400, 'invalid_grant'], `${name} ${stolen.text}`);
      assert.equal(await entriesOf(it, 'token.issued'), issued, name);
      const right = await redeemed(it, url, request.verifier);
      assert.deepEqual([right.status, right.json['token_type']], [200, 'DPoP'], `${name} ${right.text}`);
      assert.equal(await entriesOf(it, 'token.issued'), issued + 1, name);
    }
  });

  test('P10 a proof of ten seconds ago or ahead is of now; one that says it is over, or not yet, is refused', { database: kind }, async () => {
    const it = await ready();
    const ask = async (payload: Readonly<Record<string, unknown>>) => {
      const nonce = await dpopNonce(it, service);
      return post(
        tokenUrl(),
        { grant_type: 'client_credentials', scope: 'actions:write', ...(await assertion(it, service)) },
        { dpop: await proof(service.dpop, { method: 'POST', url: tokenUrl(), nonce, payload }) },
      );
    };
    const kept = async () => it.sql("select count(*)::int n from oidc_artefact where model = 'ClientCredentials'");
    for (const payload of [{ iat: now() - 10 }, { iat: now() + 10 }, { exp: now() + 60, nbf: now() - 10 }])
      assert.equal((await ask(payload)).status, 200);
    const before = await kept();
    for (const payload of [{ exp: now() - 60 }, { nbf: now() + 300 }, { iat: 'now' }, { iat: undefined }, { jti: undefined }]) {
      const answer = await ask(payload);
      assert.deepEqual([answer.status, answer.json['error']], [400, 'invalid_dpop_proof'], JSON.stringify(payload));
    }
    assert.deepEqual(await kept(), before);
  });

  test('P10 the scheme of a bound token is read in any case, and bearer is none of it', { database: kind }, async () => {
    const it = await ready();
    const request = await push(service, 'openid given_name dlg:logement');
    const { url } = await actFor(aidant, service, request, 'Colette Martin');
    const token = String((await redeemed(it, url, request.verifier)).json['access_token']);
    const userinfo = `${issuer()}/userinfo`;
    const statuses: number[] = [];
    for (const scheme of ['DPoP', 'dpop', 'DPOP', 'Bearer', 'bearer']) {
      const nonce = await dpopNonce(it, service);
      const held = await proof(service.dpop, { method: 'GET', url: userinfo, token, nonce });
      statuses.push((await get(userinfo, { authorization: `${scheme} ${token}`, dpop: held })).status);
    }
    assert.deepEqual(statuses, [200, 200, 200, 400, 400]);
    assert.equal((await get(userinfo, { authorization: `Bearer ${token}` })).status, 401);
  });

  test('P5 a pushed request may be opened again until it is answered, and only PAR by POST takes one', { database: kind }, async () => {
    const it = await ready();
    const opened = await entriesOf(it, 'session.opened');
    const request = await push(service, 'openid dlg:logement');
    const first = await new Walker().open(request.url, undefined, service.redirectUri);
    assert.deepEqual([first.status, first.url.pathname.startsWith('/oidc')], [200, false]);
    const done = await actFor(aidant, service, request, 'Colette Martin');
    assert.ok(done.url.searchParams.get('code'));
    const late = await new Walker().open(request.url, undefined, service.redirectUri);
    assert.deepEqual([late.status, late.url.searchParams.get('code')], [400, null]);
    assert.equal(await entriesOf(it, 'session.opened'), opened + 1);
    const kept = async () => it.sql("select count(*)::int n from oidc_artefact where model = 'PushedAuthorizationRequest'");
    const before = await kept();
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await fetch(`${issuer()}/par`, { method, redirect: 'manual' });
      assert.ok(answer.status === 404 || answer.status === 405, `${method} ${answer.status}`);
    }
    const nested = await pushed(it, { request_uri: request.url.searchParams.get('request_uri') ?? '' });
    assert.match(`${nested.status} ${nested.error}`, /^400 (invalid_request|request_uri_not_supported)$/);
    assert.deepEqual(await kept(), before);
  });

  test('P9 an assertion signed with RS256 is refused, even with a registered RSA key', { database: kind }, async () => {
    const it = await ready();
    const pair = await generateKeyPair('RS256', { extractable: true, modulusLength: 2048 });
    const rsa = await makeKeys('PS256');
    await it.sql("update service set metadata = jsonb_set(metadata, '{jwks,keys}', (metadata->'jwks'->'keys') || $1::jsonb) where id = $2", [
      JSON.stringify([{ ...rsa.jwk, alg: undefined }]),
      service.id,
    ]);
    it.advance(1_500);
    const ask = async (alg: string, key: Keys['privateKey']) =>
      post(
        tokenUrl(),
        {
          grant_type: 'client_credentials',
          scope: 'actions:write',
          ...(await assertion(it, service, { header: { alg, kid: rsa.thumbprint }, key })),
        },
        { dpop: await proof(service.dpop, { method: 'POST', url: tokenUrl(), nonce: await dpopNonce(it, service) }) },
      );
    assert.equal((await ask('PS256', rsa.privateKey)).status, 200);
    const pkcs8 = await crypto.subtle.exportKey('pkcs8', rsa.privateKey);
    const same = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, false, ['sign']);
    for (const key of [same, pair.privateKey]) {
      const answer = await ask('RS256', key);
      assert.deepEqual([answer.status, answer.json['error']], [401, 'invalid_client'], answer.text);
    }
  });

  test('P20 introspection is signed for whoever accepts it, and says the same; an inactive answer is written down', { database: kind }, async () => {
    const it = await ready();
    const jwks = createLocalJWKSet((await get(`${issuer()}/jwks`)).json as unknown as JSONWebKeySet);
    const { tokens } = await delegatedTokens(it, aidant, plain, 'Colette Martin');
    const ask = (accept: string, token = tokens.access_token) =>
      post(`${issuer()}/introspection`, { token }, { authorization: basic(plain), accept });
    const usual = await ask('*/*');
    assert.match(usual.headers.get('content-type') ?? '', /^application\/json/);
    const answer = await ask('application/token-introspection+jwt');
    assert.match(answer.headers.get('content-type') ?? '', /^application\/token-introspection\+jwt/);
    const { payload, protectedHeader } = await jwtVerify(answer.text, jwks, { issuer: issuer(), audience: plain.id, typ: 'token-introspection+jwt' });
    assert.deepEqual(payload['token_introspection'], usual.json);
    assert.equal(usual.json['active'], true);
    assert.deepEqual([protectedHeader.alg, payload['sub'], payload.exp], ['ES256', undefined, undefined]);
    const inactive = await entriesOf(it, 'token.inactive');
    const gone = await ask('application/token-introspection+jwt', 'x'.repeat(43));
    assert.deepEqual((await jwtVerify(gone.text, jwks, { audience: plain.id })).payload['token_introspection'], { active: false });
    assert.equal(await entriesOf(it, 'token.inactive'), inactive + 1);
    const metadata = (await get(`${issuer()}/.well-known/openid-configuration`)).json;
    assert.deepEqual(metadata['introspection_signing_alg_values_supported'], ['ES256', 'RS256']);
  });

  test('P11 a code asked for by form_post is posted by a gesture, without a script, to the registered address alone', {
    database: kind,
  }, async () => {
    const it = await ready();
    const request = await authorize(plain, 'openid given_name dlg:logement', { response_mode: 'form_post' });
    const page = await actFor(aidant, plain, request, 'Colette Martin');
    const form = formOf(page, 'op.callbackForm');
    assert.deepEqual([page.status, form.action.href, page.html.includes('<script')], [200, plain.redirectUri, false]);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.ok(policy.includes(`form-action 'self' ${new URL(plain.redirectUri).origin}`) && policy.includes("default-src 'none'"), policy);
    assert.deepEqual([form.fields['state'], form.fields['iss'], form.fields['error']], [request.state, issuer(), undefined]);
    const callback = new URL(plain.redirectUri);
    callback.search = new URLSearchParams(form.fields).toString();
    const tokens = await redeem(plain, request, callback);
    assert.ok(sessionOf(tokens.claims()).startsWith('dls_'));
    const silent = await authorize(plain, 'openid', { response_mode: 'form_post', prompt: 'none', state: '"><script>x</script>' });
    const refused = await new Walker().open(silent.url);
    const { fields, action } = formOf(refused, 'op.callbackForm');
    assert.deepEqual([fields['error'], fields['state'], action.href], ['login_required', '"><script>x</script>', plain.redirectUri]);
    assert.ok(!refused.html.includes('<script>x'));
    const elsewhere = await authorize(plain, 'openid', { response_mode: 'form_post', redirect_uri: 'https://evil.example/' });
    const evil = await new Walker().open(elsewhere.url);
    assert.deepEqual([evil.status, evil.html.includes('op.callbackForm')], [400, false]);
    void it;
  });

  test('P16 a request that a form posts is asked again as a GET', { database: kind }, async () => {
    await ready();
    const request = await authorize(plain, 'openid dlg:logement');
    const posted = await post(`${issuer()}/auth`, request.url.searchParams, { origin: 'https://service.example', 'sec-fetch-site': 'cross-site' });
    assert.deepEqual([posted.status, posted.headers.get('location')], [303, request.url.href]);
    const page = await actFor(aidant, plain, { ...request, url: new URL(posted.headers.get('location') ?? '') }, 'Colette Martin');
    const { id_token } = await redeem(plain, request, page.url);
    const out = { id_token_hint: id_token ?? '', state: 'é&x', post_logout_redirect_uri: `http://localhost:9/${plain.id}/bye` };
    const leaving = await post(`${issuer()}/session/end`, out);
    const to = new URL(leaving.headers.get('location') ?? '');
    assert.deepEqual([leaving.status, to.pathname, Object.fromEntries(to.searchParams)], [303, '/oidc/session/end', out]);
    const lines = noted(world());
    const large = await post(`${issuer()}/auth`, { state: 'x'.repeat(9_000) });
    assert.deepEqual([large.status, large.headers.get('location')], [413, null]);
    const twice = await post(`${issuer()}/auth`, new URLSearchParams([...request.url.searchParams, ['state', 'again']]));
    assert.deepEqual(new URL(twice.headers.get('location') ?? '').searchParams.getAll('state'), [request.state, 'again']);
    assert.ok(noted(world()) > lines);
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
