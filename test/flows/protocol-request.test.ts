import * as client from 'openid-client';
import { signInStaff } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { basic, faults, get, inEachWorld, introspect, noted, post, redemption, rejection, stateOf } from '../support/protocol.ts';
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

inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let service: TestService;

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await world().service('guichet-demande');
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };

  const issuer = (): string => world().app.site.issuer;

  /** Sends a request as a browser would and reads the answer that the service would receive, or our own page. */
  const answer = async (request: Request, walker = new Walker()) => {
    const page = await walker.open(request.url, undefined, 'http://localhost:9/');
    const back = page.url.host === 'localhost:9';
    return { page, back, params: back ? page.url.searchParams : new URLSearchParams() };
  };

  /** What the service must find in an error that comes back to it: the code, its state and our issuer (RFC 6749 §4.1.2.1, RFC 9207). */
  const assertError = async (request: Request, error: string, walker?: Walker): Promise<void> => {
    const { params, page } = await answer(request, walker);
    assert.deepEqual(
      [params.get('error'), params.get('state'), params.get('iss'), params.get('code')],
      [error, request.state, issuer(), null],
      `${page.url.href} ${textOf(page).slice(0, 200)}`,
    );
  };

  /** Forty ways in which an address is almost the registered one. */
  const mutations = (uri: string): string[] => {
    const path = new URL(uri).pathname;
    const origin = new URL(uri).origin;
    return [
      `${uri}/`,
      `${uri}//`,
      `${uri}?`,
      `${uri}?x=1`,
      `${uri}#`,
      `${uri}#x`,
      `${uri}%2f`,
      `${uri}%20`,
      `${uri};x`,
      `${uri}/..`,
      `${uri}/../retour`,
      `${uri}/.`,
      `${uri}.evil.example`,
      `${uri}%00`,
      `${uri}\\`,
      `${uri}\t`,
      ` ${uri}`,
      `${uri} `,
      `${origin}${path.toUpperCase()}`,
      `${origin}/${path}`,
      `${origin}/.${path}`,
      `${origin}/x/..${path}`,
      `${origin}${path.replace('retour', 'r%65tour')}`,
      `${origin}${path.replace('/retour', '%2Fretour')}`,
      `${origin}${path.slice(0, -1)}`,
      origin,
      `${origin}/`,
      `${origin}/autre/retour`,
      uri.replace('localhost', 'LOCALHOST'),
      uri.replace('localhost', '127.0.0.1'),
      uri.replace('localhost', '[::1]'),
      uri.replace('localhost', 'evil.localhost'),
      uri.replace('localhost', 'localhost.evil.example'),
      uri.replace('localhost', 'user@localhost'),
      uri.replace('localhost', 'localhost@evil.example'),
      uri.replace(':9/', ':99/'),
      uri.replace(':9/', '/'),
      uri.replace('http:', 'https:'),
      uri.replace('http:', 'javascript:'),
      'https://evil.example/',
      '//evil.example/',
      '',
    ];
  };

  test('P3 forty mutations of the redirect address never leave our host, whichever way they come', { database: kind }, async () => {
    const it = await ready();
    const before = await stateOf(it);
    const interactions = async () => (await it.sql("select count(*)::int n from oidc_artefact where model = 'Interaction'"))[0]?.['n'];
    const open = await interactions();
    const all = mutations(service.redirectUri);
    assert.ok(new Set(all).size >= 40 && !all.includes(service.redirectUri));
    for (const uri of all) {
      const request = await authorize(service, 'openid dlg:logement');
      request.url.searchParams.set('redirect_uri', uri);
      const lines = noted(it);
      const direct = await fetch(request.url, { redirect: 'manual', headers: { accept: 'text/html' } });
      assert.deepEqual([direct.status, direct.headers.get('location')], [400, null], uri);
      assert.equal(noted(it), lines + 1, uri);
      const pushed = await post(`${issuer()}/par`, request.url.searchParams, { authorization: basic(service) });
      assert.deepEqual([pushed.status, pushed.json['request_uri']], [400, undefined], uri);
    }
    assert.equal(await interactions(), open);
    assert.equal(await stateOf(it), before);
  });

  test('P3 the redirect address is compared again when the code is redeemed', { database: kind }, async () => {
    const it = await ready();
    const request = await authorize(service, 'openid dlg:logement');
    const page = await actFor(aidant, service, request, 'Colette Martin');
    const issued = await entriesOf(it, 'token.issued');
    for (const uri of [`${service.redirectUri}/`, `${service.redirectUri}?x`, service.redirectUri.toUpperCase()]) {
      const refused = await post(
        `${issuer()}/token`,
        { ...redemption(service, request, page.url), redirect_uri: uri },
        { authorization: basic(service) },
      );
      assert.deepEqual([refused.status, refused.json['error']], [400, 'invalid_grant']);
    }
    assert.equal(await entriesOf(it, 'token.issued'), issued);
  });

  test('P4 without PKCE S256 there is no request and no token', { database: kind }, async () => {
    const it = await ready();
    const cases: Record<string, Record<string, string | null>> = {
      none: { code_challenge: null, code_challenge_method: null },
      plain: { code_challenge_method: 'plain' },
      'no method': { code_challenge_method: null },
      's256 in small letters': { code_challenge_method: 's256' },
      'a method without a challenge': { code_challenge: null },
      'an empty challenge': { code_challenge: '' },
      'a short challenge': { code_challenge: 'abc' },
      'a challenge with other letters': { code_challenge: `${'a'.repeat(42)}=` },
    };
    for (const [name, changes] of Object.entries(cases)) {
      const request = await authorize(service, 'openid dlg:logement');
      for (const [key, value] of Object.entries(changes))
        value === null ? request.url.searchParams.delete(key) : request.url.searchParams.set(key, value);
      const lines = noted(it);
      await assertError(request, 'invalid_request');
      assert.equal(noted(it), lines + 1, name);
      const pushed = await post(`${issuer()}/par`, request.url.searchParams, { authorization: basic(service) });
      assert.deepEqual([pushed.status, pushed.json['error']], [400, 'invalid_request'], name);
    }
    const issued = await entriesOf(it, 'token.issued');
    const request = await authorize(service, 'openid dlg:logement');
    const page = await actFor(aidant, service, request, 'Colette Martin');
    const { code_verifier: _right, ...without } = redemption(service, request, page.url);
    const challenge = await client.calculatePKCECodeChallenge(request.verifier);
    for (const verifier of [undefined, '', client.randomPKCECodeVerifier(), challenge, request.verifier.slice(0, -1), `${request.verifier}a`]) {
      const lines = noted(it);
      const refused = await post(`${issuer()}/token`, verifier === undefined ? without : { ...without, code_verifier: verifier }, {
        authorization: basic(service),
      });
      assert.equal(refused.status, 400);
      assert.ok(['invalid_grant', 'invalid_request'].includes(String(refused.json['error'])));
      assert.equal(noted(it), lines + 1);
    }
    assert.equal(await entriesOf(it, 'token.issued'), issued);
  });

  test('P7 every authorization response carries our issuer, and openid-client refuses another one or none', { database: kind }, async () => {
    const it = await ready();
    const request = await authorize(service, 'openid dlg:logement');
    const page = await actFor(aidant, service, request, 'Colette Martin');
    assert.equal(page.url.searchParams.get('iss'), issuer());
    for (const iss of ['https://another.example/oidc', `${issuer()}/`, it.places.franceconnect, undefined]) {
      const forged = new URL(page.url);
      if (iss === undefined) forged.searchParams.delete('iss');
      else forged.searchParams.set('iss', iss);
      assert.match((await rejection(redeem(service, request, forged))).code ?? '', /OAUTH_INVALID_RESPONSE/);
    }
    assert.ok((await redeem(service, request, page.url)).access_token, 'none of the refused ones reached the token endpoint');
    const refused = await authorize(service, 'openid dlg:logement', { prompt: 'none' });
    await assertError(refused, 'login_required', aidant);
    const metadata = (await get(`${issuer()}/.well-known/openid-configuration`)).json;
    assert.equal(metadata['authorization_response_iss_parameter_supported'], true);
    assert.equal(metadata['issuer'], issuer());
  });

  test('P11 only a code is ever given', { database: kind }, async () => {
    const it = await ready();
    const types = ['token', 'id_token', 'id_token token', 'code id_token', 'code token', 'code id_token token', 'none', 'CODE'];
    for (const type of types) {
      const request = await authorize(service, 'openid dlg:logement', { response_type: type });
      const lines = noted(it);
      const response = await fetch(request.url, { redirect: 'manual', headers: { accept: 'text/html' } });
      const to = response.headers.get('location') ?? '';
      assert.ok(!/access_token|id_token=|code=/.test(to), to);
      const params = new URLSearchParams(to.replace(/^[^?#]*[?#]/, ''));
      assert.equal(params.get('error'), 'unsupported_response_type', `${type}: ${to} ${response.status}`);
      assert.deepEqual([params.get('state'), params.get('iss')], [request.state, issuer()]);
      assert.equal(noted(it), lines + 1);
    }
    for (const mode of ['fragment', 'form_post', 'web_message', 'jwt']) {
      const { page } = await answer(await authorize(service, 'openid dlg:logement', { response_mode: mode, prompt: 'none' }));
      assert.ok(page.status < 500 && !/[?#&]code=/.test(page.url.href), `${mode} ${page.status} ${page.url.href} ${textOf(page).slice(0, 200)}`);
    }
    const metadata = (await get(`${issuer()}/.well-known/openid-configuration`)).json;
    assert.deepEqual(metadata['response_types_supported'], ['code']);
    assert.ok(!(metadata['grant_types_supported'] as string[]).some((type) => /implicit|password|refresh|device|ciba|exchange/.test(type)));
  });

  test('P18 scopes and claims beyond the registration are refused or dropped', { database: kind }, async () => {
    const it = await ready();
    const lines = noted(it);
    for (const scope of [
      'openid email dlg:logement',
      'openid birthdate dlg:logement',
      'openid identite_pivot',
      'openid dlg:argent',
      'openid dlg:inconnu',
      'openid dlg:*',
    ])
      await (async () => {
        const { params, page, back } = await answer(await authorize(service, scope), aidant);
        if (back) assert.equal(params.get('error'), 'invalid_scope', scope);
        else assert.ok(!textOf(page).includes('Vous allez agir') || !scope.includes('argent'), scope);
      })();
    assert.ok(noted(it) > lines);
    const claims = JSON.stringify({
      id_token: {
        email: null,
        birthdate: { essential: true },
        act: { value: 'x' },
        authorization_details: null,
        rep_scope: null,
      },
      userinfo: {
        email: { essential: true },
        birthdate: null,
        gender: null,
        birthplace: null,
        address: null,
        authorization_details: null,
        given_name: null,
      },
    });
    const bare = JSON.stringify({
      id_token: { email: null, birthdate: { essential: true }, rep_scope: null },
      userinfo: { email: { essential: true }, gender: null, address: null, given_name: null },
    });
    for (const asked of [bare, claims]) {
      const request = await authorize(service, 'openid dlg:logement', { claims: asked });
      const page = await actFor(aidant, service, request, 'Colette Martin');
      const tokens = await redeem(service, request, page.url);
      const sub = tokens.claims()?.sub ?? '';
      const info = await client.fetchUserInfo(service.config, tokens.access_token, sub);
      const checked = await introspect(service, tokens.access_token);
      for (const name of ['email', 'birthdate', 'gender', 'birthplace', 'birthcountry', 'address', 'rep_scope'])
        assert.deepEqual([tokens.claims()?.[name], info[name], checked[name]], [undefined, undefined, undefined], name);
      assert.equal(info['given_name'], 'Colette');
      assert.equal(typeof tokens.claims()?.['act'], 'object');
    }
    const other = await authorize(service, 'openid dlg:logement', { claims: JSON.stringify({ id_token: { sub: { value: 'somebody-else' } } }) });
    const answered = (await actFor(aidant, service, other, 'Colette Martin')).url.searchParams;
    assert.equal(answered.get('code'), null, 'no code for a person who was not asked for');
    assert.equal(answered.get('error'), 'login_required');
    const { claims: usual } = await delegatedTokens(it, aidant, service, 'Colette Martin', 'openid given_name dlg:logement');
    const [detail] = (usual?.['authorization_details'] ?? []) as { actions: string[] }[];
    assert.deepEqual(detail?.actions, ['logement']);
  });

  test('P18 a mandate is never wider than asked, whatever the details say', { database: kind }, async () => {
    await ready();
    const type = 'urn:relais:mandate:1';
    for (const details of [
      [{ type, actions: ['argent'] }],
      [{ type, actions: ['*'] }],
      [{ type, actions: [] }],
      [{ type, privileges: ['change'] }],
      [{ type, identifier: 'urn:uuid:00000000-0000-4000-8000-000000000000' }],
      [{ type: 'urn:relais:mandate:2' }],
      [{ type: 'payment_initiation', actions: ['logement'] }],
      'not json',
      { type },
    ]) {
      const request = await authorize(service, 'openid', { authorization_details: typeof details === 'string' ? details : JSON.stringify(details) });
      const { params, back, page } = await answer(request, aidant);
      if (back) assert.match(params.get('error') ?? '', /^invalid_(authorization_details|request)$/, JSON.stringify(details));
      else assert.ok(!page.html.includes('id="confirm"'), JSON.stringify(details));
    }
  });

  test('P17 offline_access gives no refresh token', { database: kind }, async () => {
    const it = await ready();
    for (const more of [{}, { prompt: 'consent' }]) {
      const request = await authorize(service, 'openid offline_access dlg:logement', more);
      const page = await actFor(aidant, service, request, 'Colette Martin');
      const raw = await post(`${issuer()}/token`, redemption(service, request, page.url), { authorization: basic(service) });
      assert.equal(raw.status, 200);
      assert.equal(raw.json['refresh_token'], undefined);
      assert.ok(!String(raw.json['scope']).includes('offline'));
    }
    assert.equal((await it.sql("select 1 from oidc_artefact where model = 'RefreshToken'")).length, 0);
    const asked = await post(`${issuer()}/token`, { grant_type: 'refresh_token', refresh_token: 'x'.repeat(43) }, { authorization: basic(service) });
    assert.equal(asked.status, 400);
  });

  test('P24 prompt=none is always login_required when a person must be chosen', { database: kind }, async () => {
    const it = await ready();
    await delegatedTokens(it, aidant, service, 'Colette Martin');
    const opened = await entriesOf(it, 'session.opened');
    for (const scope of ['openid dlg:logement', 'openid'])
      for (const walker of [aidant, new Walker()]) {
        const lines = noted(it);
        await assertError(await authorize(service, scope, { prompt: 'none' }), 'login_required', walker);
        assert.equal(noted(it), lines + 1);
      }
    assert.equal(await entriesOf(it, 'session.opened'), opened);
  });

  test('P24 prompt=login and max_age are compared with the aidant’s real sign-in', { database: kind }, async () => {
    const it = await ready();
    const walker = await signedInAidant(it);
    it.advance(120_000);
    const at = async (more: Record<string, string>) => {
      const request = await authorize(service, 'openid dlg:logement', more);
      return { request, page: await walker.open(request.url, undefined, service.redirectUri) };
    };
    for (const more of [{ prompt: 'login' }, { max_age: '60' }, { max_age: '0' }] as Record<string, string>[])
      assert.equal((await at(more)).page.url.origin, it.places.proconnect.replace(/\/$/, ''), JSON.stringify(more));
    assert.equal((await at({ max_age: '3600' })).page.url.origin, it.places.relais);
    const { request } = await at({ max_age: '60' });
    const uid = /\/interaction\/[^?]+/.exec((await walker.open(request.url)).url.pathname)?.[0];
    assert.ok(uid);
    // The browser goes through ProConnect and the second factor again, and only then may confirm.
    const again = await authorize(service, 'openid dlg:logement', { max_age: '60' });
    const first = await walker.open(again.url);
    const factor = await walker.open(first.url, { identity: 'karim' });
    assert.equal(factor.url.pathname, '/connexion/code');
    const back = await walker.send('second-factor', { code: await it.code(it.places, 'Karim Benali') });
    assert.match(back.url.pathname, /^\/interaction\//);
    const { confirmDelegation } = await import('../../src/practice/story.ts');
    const done = await confirmDelegation(walker, back, 'Colette Martin', service.redirectUri);
    const tokens = await redeem(service, again, done.url);
    assert.ok(Date.now() / 1000 - Number(tokens.claims()?.auth_time) <= 60, 'auth_time is that of the second sign-in');
  });

  test('P24 auth_time is the aidant’s real sign-in, not the moment of the confirmation', { database: kind }, async () => {
    const it = await ready();
    const walker = new Walker();
    await signInStaff(walker, it.places, 'karim', 'Karim Benali', '/connexion/proconnect?vers=/aidant', (places, who) => it.code(places, who));
    const signedIn = Math.floor(Date.now() / 1000);
    it.advance(300_000);
    const { claims } = await delegatedTokens(it, walker, service, 'Colette Martin');
    assert.ok(Math.abs(Number(claims?.auth_time) - signedIn) <= 2);
    assert.equal((claims?.['act'] as { auth_time?: number } | undefined)?.auth_time, claims?.auth_time);
  });

  test('P24 a level that cannot be met ends with unmet_authentication_requirements, state and iss', { database: kind }, async () => {
    const it = await ready();
    const walker = await signedInAidant(it);
    const essential = (...values: string[]) => JSON.stringify({ id_token: { acr: { essential: true, values } } });
    const cases: [string, Record<string, string>][] = [
      ['openid dlg:logement', { acr_values: 'urn:relais:acr:delegated:eidas2' }],
      ['openid dlg:logement', { acr_values: 'eidas1' }],
      ['openid dlg:logement', { claims: essential('urn:relais:acr:delegated:eidas2') }],
      ['openid dlg:logement', { claims: essential('eidas1', 'eidas2') }],
      ['openid dlg:logement', { claims: JSON.stringify({ id_token: { acr: { essential: true, value: 'eidas1' } } }) }],
      ['openid', { acr_values: 'urn:relais:acr:delegated:eidas1' }],
      ['openid', { acr_values: 'eidas3' }],
      ['openid', { claims: essential('urn:relais:acr:delegated:eidas1') }],
    ];
    const opened = await entriesOf(it, 'session.opened');
    for (const [scope, more] of cases) {
      const [refused, lines] = [await entriesOf(it, 'session.refused'), noted(it)];
      const request = await authorize(service, scope, more);
      let page = await walker.open(request.url, undefined, service.redirectUri);
      if (page.html.includes('id="pick-person"') || page.html.includes('id="confirm"'))
        page = await actFor(walker, service, request, 'Colette Martin');
      const params = page.url.searchParams;
      assert.deepEqual(
        [params.get('error'), params.get('state'), params.get('iss'), params.get('code')],
        ['unmet_authentication_requirements', request.state, issuer(), null],
        `${scope} ${JSON.stringify(more)} ${page.url.href} ${textOf(page).slice(0, 200)}`,
      );
      assert.deepEqual([await entriesOf(it, 'session.refused'), noted(it)], [refused + 1, lines]);
    }
    assert.equal(await entriesOf(it, 'session.opened'), opened);
    const { claims } = await delegatedTokens(it, walker, service, 'Colette Martin');
    assert.equal(claims?.['acr'], 'urn:relais:acr:delegated:eidas1');
    for (const more of [
      { acr_values: 'eidas1 urn:relais:acr:delegated:eidas1' },
      { claims: JSON.stringify({ id_token: { acr: { values: ['eidas1'] } } }) },
    ] as Record<string, string>[]) {
      const request = await authorize(service, 'openid dlg:logement', more);
      const page = await actFor(walker, service, request, 'Colette Martin');
      assert.equal((await redeem(service, request, page.url)).claims()?.['acr'], 'urn:relais:acr:delegated:eidas1');
    }
  });

  test('P24 a service that does not know of delegation gets access_denied, whoever is in front', { database: kind }, async () => {
    const it = await ready();
    const unaware = await it.service('guichet-ignorant', { delegation: false });
    const opened = await entriesOf(it, 'session.opened');
    for (const [scope, more] of [
      ['openid dlg:logement', {}],
      ['openid', { authorization_details: JSON.stringify([{ type: 'urn:relais:mandate:1', actions: ['logement'] }]) }],
    ] as [string, Record<string, string>][])
      for (const walker of [aidant, new Walker()]) {
        const before = { refused: await entriesOf(it, 'session.refused'), lines: noted(it) };
        const request = await authorize(unaware, scope, more);
        await assertError(request, 'access_denied', walker);
        assert.deepEqual([(await entriesOf(it, 'session.refused')) - before.refused, noted(it) - before.lines], [1, 0]);
      }
    assert.equal(await entriesOf(it, 'session.opened'), opened);
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
