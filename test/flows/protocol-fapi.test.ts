import * as client from 'openid-client';
import { randomUuid } from '../../src/kernel/crypto.ts';
import { type Page, Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import {
  type Answer,
  actionEvent,
  assertion,
  dpopNonce,
  type FapiService,
  fapiService,
  faults,
  get,
  inEachWorld,
  makeKeys,
  noted,
  post,
  proof,
  push,
  redemption,
  rejection,
  report,
  sessionOf,
} from '../support/protocol.ts';
import { actFor, authorize, entriesOf, mandateByPages, signedInAidant, type World } from '../support/world.ts';

inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let service: FapiService;
  let other: FapiService;

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await fapiService(world(), 'guichet-fapi');
      other = await fapiService(world(), 'guichet-fapi-autre');
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };

  const issuer = (): string => world().app.site.issuer;
  const tokenUrl = (): string => `${issuer()}/token`;

  const code = async () => {
    const it = await ready();
    const request = await push(service, 'openid given_name dlg:logement');
    const page: Page = await actFor(aidant, service, request, 'Colette Martin');
    return { it, request, callback: page.url };
  };

  const tokens = async () => {
    const { it, request, callback } = await code();
    const checks = { pkceCodeVerifier: request.verifier, expectedState: request.state, expectedNonce: request.nonce, idTokenExpected: true };
    const answer = await client.authorizationCodeGrant(service.config, callback, checks, undefined, { DPoP: service.handle });
    return { it, tokens: answer, session: sessionOf(answer.claims()) };
  };

  test('P24 a fapi2 service goes through PAR, its key, DPoP with our nonce, and is refused without any of them', { database: kind }, async () => {
    const { it, request, callback } = await code();
    const issued = await entriesOf(it, 'token.issued');
    const fields = redemption(service, request, callback);
    const url = tokenUrl();
    const nonce = await dpopNonce(it, service);
    assert.ok(nonce);
    const wrong: [string, () => Promise<Answer>, string][] = [
      [
        'no assertion',
        async () => post(url, { ...fields, client_id: service.id }, { dpop: await proof(service.dpop, { method: 'POST', url, nonce }) }),
        'invalid_client',
      ],
      ['no proof', async () => post(url, { ...fields, ...(await assertion(it, service)) }), 'invalid_dpop_proof|invalid_request|invalid_grant'],
      [
        'no nonce',
        async () => post(url, { ...fields, ...(await assertion(it, service)) }, { dpop: await proof(service.dpop, { method: 'POST', url }) }),
        'use_dpop_nonce',
      ],
      [
        'a nonce of nobody',
        async () =>
          post(
            url,
            { ...fields, ...(await assertion(it, service)) },
            { dpop: await proof(service.dpop, { method: 'POST', url, nonce: 'x'.repeat(43) }) },
          ),
        'use_dpop_nonce',
      ],
      [
        'another method',
        async () => post(url, { ...fields, ...(await assertion(it, service)) }, { dpop: await proof(service.dpop, { method: 'GET', url, nonce }) }),
        'invalid_dpop_proof',
      ],
      [
        'another address',
        async () =>
          post(url, { ...fields, ...(await assertion(it, service)) }, { dpop: await proof(service.dpop, { method: 'POST', url: `${url}x`, nonce }) }),
        'invalid_dpop_proof',
      ],
    ];
    for (const [name, ask, error] of wrong) {
      const lines = noted(it);
      const answer = await ask();
      assert.match(String(answer.json['error']), new RegExp(`^(${error})$`), `${name} ${answer.text}`);
      assert.ok(answer.status === 400 || answer.status === 401);
      assert.equal(noted(it), lines + 1, name);
    }
    assert.equal(await entriesOf(it, 'token.issued'), issued);
    const right = await post(
      url,
      { ...fields, ...(await assertion(it, service)) },
      { dpop: await proof(service.dpop, { method: 'POST', url, nonce }) },
    );
    assert.deepEqual([right.status, right.json['token_type'], right.json['refresh_token']], [200, 'DPoP', undefined]);
    assert.equal(await entriesOf(it, 'token.issued'), issued + 1);
  });

  test('P5 a direct request of a fapi2 service is refused, and a pushed one serves its owner once', { database: kind }, async () => {
    const it = await ready();
    const opened = await entriesOf(it, 'session.opened');
    const lines = noted(it);
    const direct = await authorize(service, 'openid dlg:logement');
    const page = await aidant.open(direct.url, undefined, service.redirectUri);
    assert.deepEqual([page.url.searchParams.get('code'), page.html.includes('id="confirm"')], [null, false]);
    if (page.url.href.startsWith(service.redirectUri)) {
      const { searchParams } = page.url;
      assert.deepEqual([searchParams.get('error'), searchParams.get('state'), searchParams.get('iss')], ['invalid_request', direct.state, issuer()]);
    } else assert.equal(page.status, 400);
    assert.equal(noted(it), lines + 1);
    const pushed = await push(service, 'openid given_name dlg:logement');
    const stolen = new URL(pushed.url);
    stolen.searchParams.set('client_id', other.id);
    assert.equal((await new Walker().open(stolen)).status, 400, 'another service’s request_uri');
    const done = await actFor(aidant, service, pushed, 'Colette Martin');
    assert.ok(done.url.searchParams.get('code'));
    const reused = await new Walker().open(pushed.url);
    assert.deepEqual([reused.status, reused.url.origin], [400, it.places.relais]);
    const late = await push(service, 'openid dlg:logement');
    it.advance(61_000);
    assert.equal((await new Walker().open(late.url)).status, 400, 'a request of a minute ago');
    for (const uri of ['urn:ietf:params:oauth:request_uri:unknown', 'https://evil.example/request', 'http://169.254.169.254/']) {
      const made = new URL(late.url);
      made.searchParams.set('request_uri', uri);
      const answer = await new Walker().open(made, undefined, service.redirectUri);
      assert.ok(answer.status < 500 && !answer.url.searchParams.get('code') && !answer.html.includes('id="confirm"'), uri);
    }
    assert.equal(await entriesOf(it, 'session.opened'), opened + 1);
  });

  test('P9 a client assertion is for us, of now, and used once', { database: kind }, async () => {
    const it = await ready();
    const url = tokenUrl();
    const nonce = await dpopNonce(it, service);
    const now = Math.floor(Date.now() / 1000);
    const ask = async (signed: Record<string, string>) =>
      post(
        url,
        { grant_type: 'client_credentials', scope: 'actions:write', ...signed },
        { dpop: await proof(service.dpop, { method: 'POST', url, nonce }) },
      );
    const jti = randomUuid();
    const once = await assertion(it, service, { payload: { jti } });
    assert.equal((await ask(once)).status, 200);
    const ahead = await assertion(it, service, { payload: { iat: now + 10, exp: now + 3610 } });
    assert.equal((await ask(ahead)).status, 200);
    const stranger = await makeKeys();
    const wrong: Record<string, Record<string, string>> = {
      'the same again': once,
      'the same jti': await assertion(it, service, { payload: { jti } }),
      'another audience': await assertion(it, service, { payload: { aud: 'https://another.example' } }),
      'no subject': await assertion(it, service, { payload: { sub: undefined as never } }),
      'another subject': await assertion(it, service, { payload: { sub: other.id } }),
      expired: await assertion(it, service, { payload: { iat: now - 600, exp: now - 300 } }),
      'begun in two minutes': await assertion(it, service, { payload: { iat: now + 120, exp: now + 180 } }),
      'an end in two hours': await assertion(it, service, { payload: { exp: now + 7200 } }),
      'an end that no date holds': await assertion(it, service, { payload: { exp: 9_223_372_036_854_776_000 } }),
      'another key': await assertion(it, service, { key: stranger.privateKey }),
      'another service’s key': await assertion(it, service, { key: other.keys.privateKey, header: { kid: other.keys.thumbprint } }),
      'no jti': await assertion(it, service, { payload: { jti: undefined as never } }),
    };
    const before = await it.sql("select count(*)::int n from oidc_artefact where model = 'ClientCredentials'");
    for (const [name, signed] of Object.entries(wrong)) {
      const lines = noted(it);
      const answer = await ask(signed);
      assert.match(`${answer.status} ${answer.json['error']}`, /^(401 invalid_client|400 invalid_request)$/, `${name} ${answer.text}`);
      assert.equal(noted(it), lines + 1, name);
    }
    assert.deepEqual(await it.sql("select count(*)::int n from oidc_artefact where model = 'ClientCredentials'"), before);
  });

  test('P10 a proof is accepted once, at the token endpoint, at userinfo and at the report', { database: kind }, async () => {
    const { it, tokens: held, session } = await tokens();
    const token = held.access_token;
    const actions = `${it.places.relais}/api/v1/actions`;
    const userinfo = `${issuer()}/userinfo`;
    const nonce = await dpopNonce(it, service);
    const [asked, read, told] = [
      await proof(service.dpop, { method: 'POST', url: tokenUrl(), nonce }),
      await proof(service.dpop, { method: 'GET', url: userinfo, token, nonce }),
      await proof(service.dpop, { method: 'POST', url: actions, token, nonce }),
    ];
    const grant = async () =>
      post(tokenUrl(), { grant_type: 'client_credentials', scope: 'actions:write', ...(await assertion(it, service)) }, { dpop: asked });
    assert.deepEqual([(await grant()).status, (await grant()).status], [200, 400]);
    const info = () => get(userinfo, { authorization: `DPoP ${token}`, dpop: read });
    assert.deepEqual([(await info()).status, (await info()).status], [200, 401]);
    const act = () => report(actions, actionEvent(service.id, session), { authorization: `DPoP ${token}`, dpop: told });
    const reported = await entriesOf(it, 'action.reported');
    const first = await act();
    assert.deepEqual([first.status, (await act()).status], [202, 401], first.text);
    assert.equal(await entriesOf(it, 'action.reported'), reported + 1);
    const now = Math.floor(Date.now() / 1000);
    for (const iat of [now - 600, now + 600, 0, -1]) {
      const old = await proof(service.dpop, { method: 'POST', url: actions, token, payload: { iat } });
      assert.equal(
        (await report(actions, actionEvent(service.id, session), { authorization: `DPoP ${token}`, dpop: old })).status,
        401,
        `iat ${iat}`,
      );
    }
    assert.equal(await entriesOf(it, 'action.reported'), reported + 1);
  });

  test('P20 a fapi2 service introspects and revokes with its key alone', { database: kind }, async () => {
    const { it, tokens: held } = await tokens();
    const stolen = await assertion(it, other);
    const asked = await post(`${issuer()}/introspection`, { token: held.access_token, ...stolen });
    assert.deepEqual([asked.status, asked.json], [200, { active: false }]);
    await rejection(client.tokenRevocation(other.config, held.access_token));
    assert.equal((await client.tokenIntrospection(service.config, held.access_token)).active, true);
    await client.tokenRevocation(service.config, held.access_token);
    assert.deepEqual(await client.tokenIntrospection(service.config, held.access_token), { active: false });
  });

  if (kind === 'postgres')
    test('P10 of ten uses of one proof at once on two instances, one is accepted', { database: kind }, async () => {
      const second = await world().secondInstance();
      const { it, tokens: held, session } = await tokens();
      const token = held.access_token;
      const places = [it.places.relais, second.origin];
      const ten = <T>(ask: (origin: string) => Promise<T>): Promise<T[]> =>
        Promise.all(Array.from({ length: 10 }, (_each, i) => ask(places[i % 2] ?? '')));
      const accepted = (answers: Answer[]): number => answers.filter(({ status }) => status < 300).length;
      const nonce = await dpopNonce(it, service);
      for (let round = 0; round < 3; round++) {
        const asked = await proof(service.dpop, { method: 'POST', url: tokenUrl(), nonce });
        const assertions = await Promise.all(Array.from({ length: 10 }, () => assertion(it, service)));
        const granted = await ten((origin) =>
          post(`${origin}/oidc/token`, { grant_type: 'client_credentials', scope: 'actions:write', ...(assertions.pop() ?? {}) }, { dpop: asked }),
        );
        assert.equal(accepted(granted), 1, granted.map(({ status, text }) => `${status} ${text.slice(0, 80)}`).join('\n'));
        const read = await proof(service.dpop, { method: 'GET', url: `${issuer()}/userinfo`, token, nonce });
        const infos = await ten((origin) => get(`${origin}/oidc/userinfo`, { authorization: `DPoP ${token}`, dpop: read }));
        assert.equal(accepted(infos), 1);
        const reported = await entriesOf(it, 'action.reported');
        const told = await proof(service.dpop, { method: 'POST', url: `${it.places.relais}/api/v1/actions`, token });
        const acts = await ten((origin) =>
          report(`${origin}/api/v1/actions`, actionEvent(service.id, session), { authorization: `DPoP ${token}`, dpop: told }),
        );
        assert.equal(accepted(acts), 1);
        assert.equal(await entriesOf(it, 'action.reported'), reported + 1);
        assert.deepEqual(
          [...granted, ...infos, ...acts].filter(({ status }) => status >= 500),
          [],
        );
      }
    });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
