import { signInStaff } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { basic, endOf, faults, get, inEachWorld, introspect, noted, post, redemption, sessionOf, signInAlone } from '../support/protocol.ts';
import {
  actFor,
  authorize,
  delegatedTokens,
  entriesOf,
  mandateByPages,
  redeem,
  signedInAidant,
  type TestService,
  type World,
} from '../support/world.ts';

inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let service: TestService;
  const token = (): string => `${world().app.site.issuer}/token`;

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await world().service('guichet-code');
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };

  /** A code that waits to be redeemed, and the session behind it. */
  const code = async () => {
    const it = await ready();
    const request = await authorize(service, 'openid given_name dlg:logement');
    const page = await actFor(aidant, service, request, 'Colette Martin');
    const [found] = await it.sql('select id from delegated_session where ended_at is null order by opened_at desc, id limit 1');
    return { it, request, callback: page.url, session: String(found?.['id']) };
  };

  const assertDead = async (it: World, accessToken: string): Promise<void> => {
    assert.deepEqual(await introspect(service, accessToken), { active: false });
    assert.equal((await get(`${it.app.site.issuer}/userinfo`, { authorization: `Bearer ${accessToken}` })).status, 401);
    const told = await post(
      `${it.places.relais}/api/v1/actions`,
      {},
      { authorization: `Bearer ${accessToken}`, 'content-type': 'application/cloudevents+json' },
    );
    assert.ok([400, 401].includes(told.status));
    const left = await it.sql(
      "select 1 from oidc_artefact where model in ('AccessToken', 'AuthorizationCode', 'Grant') and payload->>'accountId' like '%~%'",
    );
    assert.equal(left.length, 0);
  };

  for (const seconds of [0, 1, 30])
    test(`P1 a code redeemed again after ${seconds} s is refused, and everything it gave is dead`, { database: kind }, async () => {
      const { it, request, callback, session } = await code();
      const issued = await entriesOf(it, 'token.issued');
      const ended = await entriesOf(it, 'session.ended');
      const first = await redeem(service, request, callback);
      assert.equal(sessionOf(first.claims()), session);
      assert.equal((await introspect(service, first.access_token)).active, true);
      if (seconds) it.advance(seconds * 1000);
      const lines = noted(it);
      const second = await post(token(), redemption(service, request, callback), { authorization: basic(service) });
      assert.deepEqual([second.status, second.json['error']], [400, 'invalid_grant']);
      await assertDead(it, first.access_token);
      assert.equal(await endOf(it, session), 'code_replayed');
      assert.equal(await entriesOf(it, 'session.ended'), ended + 1);
      assert.equal(await entriesOf(it, 'token.issued'), issued + 1);
      assert.equal(noted(it, 'oauth_invalid_grant') > 0, true);
      assert.ok(noted(it) > lines);
      const third = await post(token(), redemption(service, request, callback), { authorization: basic(service) });
      assert.deepEqual([third.status, third.json['error']], [400, 'invalid_grant']);
    });

  test('P1 a code of a person signed in alone is single use as well', { database: kind }, async () => {
    const it = await ready();
    const request = await authorize(service, 'openid given_name');
    const page = await signInAlone(request, service.redirectUri, 'colette');
    const first = await redeem(service, request, page.url);
    assert.equal((await introspect(service, first.access_token)).active, true);
    const second = await post(token(), redemption(service, request, page.url), { authorization: basic(service) });
    assert.deepEqual([second.status, second.json['error']], [400, 'invalid_grant']);
    assert.deepEqual(await introspect(service, first.access_token), { active: false });
    assert.equal((await get(`${it.app.site.issuer}/userinfo`, { authorization: `Bearer ${first.access_token}` })).status, 401);
  });

  test('P2 a code lives sixty seconds', { database: kind }, async () => {
    const early = await code();
    early.it.advance(58_000);
    assert.ok((await redeem(service, early.request, early.callback)).access_token);
    const late = await code();
    const issued = await entriesOf(late.it, 'token.issued');
    late.it.advance(61_000);
    const lines = noted(late.it);
    const answer = await post(token(), redemption(service, late.request, late.callback), { authorization: basic(service) });
    assert.deepEqual([answer.status, answer.json['error']], [400, 'invalid_grant']);
    assert.equal(noted(late.it), lines + 1);
    assert.equal(await entriesOf(late.it, 'token.issued'), issued);
  });

  test('P12 another service cannot redeem a code, nor anyone with another service’s secret', { database: kind }, async () => {
    const other = await world().service('guichet-autre');
    const { it, request, callback } = await code();
    const issued = await entriesOf(it, 'token.issued');
    const lines = noted(it);
    for (const fields of [redemption(service, request, callback), { ...redemption(service, request, callback), redirect_uri: other.redirectUri }]) {
      const answer = await post(token(), fields, { authorization: basic(other) });
      assert.deepEqual([answer.status, answer.json['error']], [400, 'invalid_grant']);
    }
    assert.equal(noted(it), lines + 2);
    assert.ok(it.logged.some(({ line }) => line['code'] === 'oauth_invalid_grant' && line['service'] === 'guichet-autre'));
    assert.equal(await entriesOf(it, 'token.issued'), issued);
    const wrongSecret = await post(token(), redemption(service, request, callback), { authorization: basic({ ...service, secret: other.secret }) });
    assert.deepEqual([wrongSecret.status, wrongSecret.json['error']], [401, 'invalid_client']);
    assert.equal(await entriesOf(it, 'token.issued'), issued);
    assert.ok((await redeem(service, request, callback)).access_token, 'the owner of the code still has it');
  });

  test('P16 every answer to a form sends the browser on with 303, never with 307 or 308', { database: kind }, async () => {
    await ready();
    const seen: { status: number; method: string; path: string }[] = [];
    class Watching extends Walker {
      override async ask(...given: Parameters<Walker['ask']>): Promise<Response> {
        const response = await super.ask(...given);
        const url = new URL(given[0]);
        if (url.origin === world().places.relais && response.status >= 300 && response.status < 400)
          seen.push({ status: response.status, method: given[1] ? 'POST' : 'GET', path: url.pathname });
        return response;
      }
    }
    const walker = new Watching();
    await signInStaff(walker, world().places, 'karim', 'Karim Benali', '/connexion/proconnect?vers=/aidant', (places, who) =>
      world().code(places, who),
    );
    await mandateByPages(world(), walker, 'jean', ['social']);
    const { tokens } = await delegatedTokens(world(), walker, service, 'Colette Martin', 'openid dlg:logement dlg:famille', 'famille');
    const out = new URL(`${world().app.site.issuer}/session/end`);
    out.search = new URLSearchParams({
      id_token_hint: tokens.id_token ?? '',
      post_logout_redirect_uri: `http://localhost:9/${service.id}/bye`,
      state: 'x',
    }).toString();
    await walker.open(out);
    await walker.send('op.logoutForm', { logout: 'yes' }, `http://localhost:9/${service.id}/bye`);
    const posted = seen.filter(({ method }) => method === 'POST');
    assert.ok(posted.length >= 8, `only ${posted.length} forms were answered by a redirect`);
    assert.deepEqual(
      posted.filter(({ status }) => status !== 303),
      [],
    );
    assert.deepEqual(
      seen.filter(({ status }) => status === 307 || status === 308),
      [],
    );
    for (const path of ['/connexion/code', '/oidc/session/end/confirm'])
      assert.ok(
        posted.some((each) => each.path === path),
        path,
      );
  });

  if (kind === 'postgres')
    test('P1 of a hundred redemptions at once on two instances one gives a token, and it is dead', {
      database: kind,
      atLeast: 8,
    }, async () => {
      const second = await world().secondInstance();
      const instances = [token(), `${second.origin}/oidc/token`];
      for (let round = 0; round < 2; round++) {
        const { it, request, callback, session } = await code();
        const issued = await entriesOf(it, 'token.issued');
        const answers = await Promise.all(
          Array.from({ length: 100 }, (_each, i) =>
            post(instances[i % 2] ?? '', redemption(service, request, callback), { authorization: basic(service) }),
          ),
        );
        const won = answers.filter(({ status }) => status === 200);
        assert.equal(won.length, 1);
        const lost = answers.filter(({ status }) => status !== 200);
        assert.deepEqual([...new Set(lost.map(({ status, json }) => `${status} ${json['error']}`))], ['400 invalid_grant']);
        assert.equal(await entriesOf(it, 'token.issued'), issued + 1);
        for (const { json } of won) await assertDead(it, String(json['access_token']));
        const left = await it.sql(
          "select 1 from oidc_artefact where model in ('AccessToken', 'AuthorizationCode', 'Grant') and payload->>'accountId' like '%~%'",
        );
        assert.equal(left.length, 0);
        assert.equal(await endOf(it, session), 'code_replayed');
      }
    });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
