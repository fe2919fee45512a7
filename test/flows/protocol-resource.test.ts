import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import type { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import {
  actionEvent,
  basic,
  endOf,
  faults,
  get,
  inEachWorld,
  introspect,
  noted,
  post,
  redemption,
  report,
  sessionOf,
  signInAlone,
} from '../support/protocol.ts';
import { actFor, authorize, entriesOf, mandateByPages, redeem, signedInAidant, type TestService, type World } from '../support/world.ts';

/** Access tokens that an API checks alone (RFC 8707, RFC 9068): a minute, and everything else as with the others. */
inEachWorld(({ world, kind }) => {
  const API = 'https://api.lecture.example/v1';
  let aidant: Walker;
  let service: TestService;

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await world().service('lecture', { resources: [API, 'https://autre.lecture.example'], effect: 'read' });
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };

  const issuer = (): string => world().app.site.issuer;
  const ENDS: Readonly<Record<string, string>> = { resource: API };

  const code = async (scope = 'openid given_name dlg:logement', more: Readonly<Record<string, string>> = ENDS) => {
    const it = await ready();
    const request = await authorize(service, scope, more);
    const page = await actFor(aidant, service, request, 'Colette Martin', 'logement');
    const [found] = await it.sql('select id from delegated_session where ended_at is null order by opened_at desc, id limit 1');
    return { it, request, callback: page.url, session: String(found?.['id']) };
  };

  const ask = (request: Parameters<typeof redemption>[1], callback: URL, resource = API, origin = world().places.relais) =>
    post(`${origin}/oidc/token`, { ...redemption(service, request, callback), ...(resource ? { resource } : {}) }, { authorization: basic(service) });

  const opened = async (token: unknown) => {
    const jwks = createLocalJWKSet((await get(`${issuer()}/jwks`)).json as unknown as JSONWebKeySet);
    return (await jwtVerify(String(token), jwks, { issuer: issuer(), audience: API, typ: 'at+jwt' })).payload;
  };

  test('P13 a signed access token says who acts for whom, for one API and one minute, and opens nothing here', { database: kind }, async () => {
    const { it, request, callback, session } = await code();
    const issued = await entriesOf(it, 'token.issued');
    const answer = await ask(request, callback);
    assert.deepEqual([answer.status, answer.json['token_type'], answer.json['refresh_token']], [200, 'Bearer', undefined], answer.text);
    const token = String(answer.json['access_token']);
    const claims = await opened(token);
    assert.equal(decodeProtectedHeader(token).alg, 'ES256');
    const idToken = JSON.parse(Buffer.from(String(answer.json['id_token']).split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
    for (const claim of ['sub', 'act', 'acr', 'auth_time', 'authorization_details', 'journal'])
      assert.deepEqual(claims[claim], idToken[claim], claim);
    assert.deepEqual([claims['client_id'], claims['session'], claims['given_name']], [service.id, session, undefined]);
    assert.ok(Number(claims.exp) - Number(claims.iat) <= 60 && Number(answer.json['expires_in']) <= 60);
    assert.equal(await entriesOf(it, 'token.issued'), issued + 1);
    const [kept] = await it.sql(
      "select payload, expires_at <= now() + interval '61 seconds' soon from oidc_artefact where model = 'SignedAccessToken'",
    );
    assert.deepEqual([kept?.['soon'], JSON.stringify(kept?.['payload']).includes(token)], [true, false]);
    for (const held of [token, String(claims.jti)]) {
      assert.equal((await get(`${issuer()}/userinfo`, { authorization: `Bearer ${held}` })).status, 401);
      const told = await report(`${it.places.relais}/api/v1/actions`, actionEvent(service.id, session), { authorization: `Bearer ${held}` });
      assert.equal(told.status, 401);
    }
    const asked = await post(`${issuer()}/introspection`, { token }, { authorization: basic(service) });
    assert.deepEqual([asked.status, asked.json['error']], [400, 'unsupported_token_type']);
    assert.deepEqual(await introspect(service, String(claims.jti)), { active: false });
    const revoked = await post(`${issuer()}/revocation`, { token }, { authorization: basic(service) });
    assert.deepEqual([revoked.status, revoked.json['error']], [400, 'unsupported_token_type']);
    assert.equal(await endOf(it, session), 'live');
  });

  test('P13 whichever way the mandate is asked for, the signed token says the same; without a resource it is opaque', {
    database: kind,
  }, async () => {
    const members = (claims: Record<string, unknown>) => Object.keys(claims).sort().join();
    const byScope = await code();
    const first = await opened((await ask(byScope.request, byScope.callback)).json['access_token']);
    const details = JSON.stringify([{ type: 'urn:relais:mandate:1', actions: ['logement'] }]);
    const byDetails = await code('openid given_name', { ...ENDS, authorization_details: details });
    const second = await opened((await ask(byDetails.request, byDetails.callback)).json['access_token']);
    assert.equal(members(first), members(second));
    assert.deepEqual(
      [first.sub, (first['authorization_details'] as { actions: unknown }[])[0]?.actions],
      [second.sub, (second['authorization_details'] as { actions: unknown }[])[0]?.actions],
    );
    const without = await code();
    const opaque = await ask(without.request, without.callback, '');
    assert.equal(String(opaque.json['access_token']).includes('.'), false);
    assert.equal((await introspect(service, String(opaque.json['access_token']))).active, true);
  });

  test('P1 a code that gave a signed token is used up: again, it ends the session', { database: kind }, async () => {
    const { it, request, callback, session } = await code();
    const issued = await entriesOf(it, 'token.issued');
    assert.equal((await ask(request, callback)).status, 200);
    for (const resource of [API, '']) {
      const again = await ask(request, callback, resource);
      assert.deepEqual([again.status, again.json['error']], [400, 'invalid_grant'], again.text);
    }
    assert.equal(await endOf(it, session), 'code_replayed');
    assert.equal(await entriesOf(it, 'token.issued'), issued + 1);
    assert.deepEqual(
      await it.sql(
        "select 1 from oidc_artefact where model = 'SignedAccessToken' and payload->>'grantId' in (select grant_id from delegated_session where id = $1)",
        [session],
      ),
      [],
    );
  });

  test('M17 once the mandate is stopped no signed token is given, and none is written down', { database: kind }, async () => {
    const { it, request, callback, session } = await code();
    const issued = await entriesOf(it, 'token.issued');
    await it.sql(
      "update mandate set ended_at = now(), end_reason = 'revoked', ended_by = 'x' where id = (select mandate_id from delegated_session where id = $1)",
      [session],
    );
    const answer = await ask(request, callback);
    assert.deepEqual([answer.status, answer.json['error'], answer.json['access_token']], [400, 'invalid_grant', undefined], answer.text);
    assert.equal(await entriesOf(it, 'token.issued'), issued);
    await mandateByPages(it, aidant, 'colette', ['logement', 'famille']);
  });

  test('P18 an API that the service did not register is no target, however it is asked for', { database: kind }, async () => {
    const it = await ready();
    for (const resource of ['https://api.ailleurs.example', `${API}/`, `${API}?x`, 'urn:x', 'javascript:x', it.places.relais]) {
      const request = await authorize(service, 'openid dlg:logement', { resource });
      const to = new URL((await fetch(request.url, { redirect: 'manual' })).headers.get('location') ?? 'http://none.example');
      assert.deepEqual([to.searchParams.get('error'), to.searchParams.get('state')], ['invalid_target', request.state], resource);
    }
    const { request, callback } = await code();
    const issued = await entriesOf(it, 'token.issued');
    const other = await ask(request, callback, 'https://autre.lecture.example');
    assert.deepEqual([other.status, other.json['error']], [400, 'invalid_target'], 'registered, but not asked for at first');
    const own = await post(
      `${issuer()}/token`,
      { grant_type: 'client_credentials', scope: 'actions:write', resource: API },
      { authorization: basic(service) },
    );
    assert.deepEqual([own.status, own.json['error']], [400, 'invalid_target'], own.text);
    assert.equal(await entriesOf(it, 'token.issued'), issued);
    assert.equal((await ask(request, callback)).status, 200, 'the code still serves what it was for');
    assert.ok(noted(it, 'oauth_invalid_target') > 0);
  });

  test('P13 a person signed in alone gets a signed token without a second person in it', { database: kind }, async () => {
    const it = await ready();
    const request = await authorize(service, 'openid given_name', ENDS);
    const page = await signInAlone(request, service.redirectUri, 'colette');
    const issued = await entriesOf(it, 'token.issued');
    const claims = await opened((await ask(request, page.url)).json['access_token']);
    assert.deepEqual([claims['act'], claims['session'], claims['acr']], [undefined, undefined, undefined]);
    assert.equal(await entriesOf(it, 'token.issued'), issued + 1);
    assert.equal((await ask(request, page.url)).json['error'], 'invalid_grant');
  });

  if (kind === 'postgres')
    test('P1 of ten uses of one code at once on two instances, one gives a signed token, and the session ends', { database: kind }, async () => {
      const second = await world().secondInstance();
      const { it, request, callback, session } = await code();
      const issued = await entriesOf(it, 'token.issued');
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_each, i) => ask(request, callback, i % 3 ? API : '', i % 2 ? second.origin : it.places.relais)),
      );
      assert.ok(answers.filter(({ status }) => status === 200).length <= 1);
      assert.deepEqual(
        answers.filter(({ status }) => status >= 500),
        [],
      );
      assert.equal(await entriesOf(it, 'token.issued'), issued + 1);
      assert.equal(await endOf(it, session), 'code_replayed');
    });

  test('a code redeemed for userinfo is as before', { database: kind }, async () => {
    const { request, callback, session } = await code('openid given_name dlg:logement', {});
    const tokens = await redeem(service, request, callback);
    assert.equal(sessionOf(tokens.claims()), session);
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
