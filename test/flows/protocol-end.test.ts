import * as client from 'openid-client';
import { formOf, Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { actionEvent, endOf, faults, get, inEachWorld, introspect, noted, post, report, sessionOf, signInAlone } from '../support/protocol.ts';
import { authorize, delegatedTokens, entriesOf, mandateByPages, redeem, signedInAidant, type TestService, type World } from '../support/world.ts';

inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let service: TestService;
  let other: TestService;

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await world().service('guichet-fin');
      other = await world().service('guichet-cote');
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };

  const bye = (of: TestService): string => `http://localhost:9/${of.id}/bye`;
  const logoutUrl = (idToken: string, more: Record<string, string>): URL => {
    const url = new URL(`${world().app.site.issuer}/session/end`);
    url.search = new URLSearchParams({ id_token_hint: idToken, ...more }).toString();
    return url;
  };
  const queued = async (it: World, session: string): Promise<number> =>
    Number((await it.sql("select count(*)::int n from delivery where kind = 'logout' and session_id = $1", [session]))[0]?.['n']);

  /** A token that has ended is dead wherever it can be shown. */
  const assertEnded = async (it: World, token: string, session: string, reason: string, ended: number): Promise<void> => {
    assert.deepEqual(await introspect(service, token), { active: false });
    assert.equal((await get(`${it.app.site.issuer}/userinfo`, { authorization: `Bearer ${token}` })).status, 401);
    const told = await report(`${it.places.relais}/api/v1/actions`, actionEvent(service.id, session), { authorization: `Bearer ${token}` });
    assert.equal(told.status, 401);
    assert.equal(await endOf(it, session), reason);
    assert.equal(await entriesOf(it, 'session.ended'), ended + 1);
    assert.equal(await queued(it, session), 1, 'its service is told once, by back-channel logout');
  };

  test('P24 RP-initiated logout ends the delegated session and comes back with the state', { database: kind }, async () => {
    const it = await ready();
    const beside = await delegatedTokens(it, aidant, other, 'Colette Martin');
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const session = sessionOf(claims);
    const ended = await entriesOf(it, 'session.ended');
    const asked = await aidant.open(
      logoutUrl(tokens.id_token ?? '', { post_logout_redirect_uri: bye(service), state: 'st-1' }),
      undefined,
      bye(service),
    );
    assert.equal(asked.status, 200);
    assert.match(asked.headers.get('content-security-policy') ?? '', /form-action 'self' http:\/\/localhost:9/);
    assert.equal(await endOf(it, session), 'live', 'the page alone ends nothing');
    const done = await aidant.send('op.logoutForm', { logout: 'yes' }, bye(service));
    assert.equal(done.url.href, `${bye(service)}?state=st-1`);
    assert.deepEqual([await endOf(it, session), await queued(it, session)], ['signed_out', 1]);
    assert.deepEqual(await introspect(service, tokens.access_token), { active: false });
    assert.ok((await entriesOf(it, 'session.ended')) > ended);
    void beside;
    const again = await delegatedTokens(it, aidant, service, 'Colette Martin');
    assert.equal((await introspect(service, again.tokens.access_token)).active, true, 'the aidant is still signed in at Relais and may act again');
  });

  test('P24 RP-initiated logout answered by no ends the session of that service alone', { database: kind }, async () => {
    const it = await ready();
    const beside = await delegatedTokens(it, aidant, other, 'Colette Martin');
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const ended = await entriesOf(it, 'session.ended');
    await aidant.open(logoutUrl(tokens.id_token ?? '', { post_logout_redirect_uri: bye(service) }), undefined, bye(service));
    await aidant.send('op.logoutForm', {}, bye(service));
    await assertEnded(it, tokens.access_token, sessionOf(claims), 'signed_out', ended);
    assert.equal((await introspect(other, beside.tokens.access_token)).active, true);
    assert.equal(await endOf(it, sessionOf(beside.claims)), 'live');
  });

  test('P15 a logout never leads to an address that is not registered', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    for (const uri of ['https://evil.example/', `${bye(service)}/`, `${bye(service)}?x`, bye(other), 'javascript:alert(1)', '//evil.example']) {
      const lines = noted(it);
      const page = await aidant.open(logoutUrl(tokens.id_token ?? '', { post_logout_redirect_uri: uri }), undefined, 'https://evil.example');
      assert.equal(page.status, 400, uri);
      assert.equal(page.url.origin, it.places.relais);
      assert.equal(noted(it), lines + 1);
    }
    for (const hint of ['', 'x', `${tokens.id_token}x`]) {
      const page = await aidant.open(logoutUrl(hint, { post_logout_redirect_uri: 'https://evil.example/' }), undefined, 'https://evil.example');
      assert.ok(page.url.origin === it.places.relais && page.status < 500);
    }
    assert.equal(await endOf(it, sessionOf(claims)), 'live');
  });

  test('S1 a logout form of another site, or without its secret, ends nothing', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const page = await aidant.open(logoutUrl(tokens.id_token ?? '', { post_logout_redirect_uri: bye(service) }));
    const { action, fields } = formOf(page, 'op.logoutForm');
    for (const wrong of [{}, { xsrf: 'x' }, { xsrf: '' }]) {
      const response = await aidant.ask(action, { ...wrong, logout: 'yes' });
      assert.ok(response.status >= 400 && response.status < 500, `${response.status}`);
    }
    const stranger = await new Walker().ask(action, { ...fields, logout: 'yes' });
    assert.ok(stranger.status >= 400 && stranger.status < 500);
    assert.equal(await endOf(it, sessionOf(claims)), 'live');
  });

  test('P24 the revocation endpoint ends the delegated session, for its owner alone', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const session = sessionOf(claims);
    await client.tokenRevocation(other.config, tokens.access_token).catch(() => undefined);
    const bare = await post(`${it.app.site.issuer}/revocation`, { token: tokens.access_token });
    assert.ok(bare.status >= 400 && bare.status < 500);
    assert.equal(await endOf(it, session), 'live');
    const ended = await entriesOf(it, 'session.ended');
    await client.tokenRevocation(service.config, tokens.access_token);
    await assertEnded(it, tokens.access_token, session, 'signed_out', ended);
    await client.tokenRevocation(service.config, tokens.access_token);
    assert.equal(await entriesOf(it, 'session.ended'), ended + 1, 'once');
  });

  test('P24 a person who signed in alone ends her session the same two ways', { database: kind }, async () => {
    const it = await ready();
    const request = await authorize(service, 'openid given_name');
    const page = await signInAlone(request, service.redirectUri, 'colette');
    const tokens = await redeem(service, request, page.url);
    const delegated = await delegatedTokens(it, aidant, service, 'Colette Martin');
    await client.tokenRevocation(service.config, tokens.access_token);
    assert.deepEqual(await introspect(service, tokens.access_token), { active: false });
    assert.equal((await get(`${it.app.site.issuer}/userinfo`, { authorization: `Bearer ${tokens.access_token}` })).status, 401);
    assert.equal(await endOf(it, sessionOf(delegated.claims)), 'live', 'the aidant’s session for her is another');
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(
      faults(world()).filter((line) => (line as { event?: string }).event !== 'delivery'),
      [],
    );
  });
});
