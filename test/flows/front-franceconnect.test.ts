import { after } from 'node:test';
import { FRONT_SCOPES, type FrontAnswer, startFrontFranceConnect } from '../../src/practice/front-franceconnect.ts';
import { ensureService } from '../../src/practice/seed.ts';
import { confirmDelegation } from '../../src/practice/story.ts';
import { type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { endOf, faults, get, inEachWorld, post, stateOf } from '../support/protocol.ts';
import { authorize, entriesOf, mandateByPages, signedInAidant, type TestService, type World } from '../support/world.ts';

/** Profile `franceconnect`: each row of the contract of an identity provider of FranceConnect, which is our client here (federations.md §2.3). */
inEachWorld(({ world, kind }) => {
  type Front = Awaited<ReturnType<typeof startFrontFranceConnect>>;
  const BROWSER = 'b'.repeat(43);
  let front: Front;
  let secret = '';
  let aidant: Walker;
  let other: TestService;

  const start = async (alg: 'ES256' | 'RS256'): Promise<Front> => {
    const made = await startFrontFranceConnect({ port: 0, relaisIssuer: world().app.site.issuer, alg });
    secret = (await ensureService(world().app, made.metadata, 'Impôts de démonstration', false)) ?? '';
    made.useSecret(secret);
    world().advance(1_500);
    return made;
  };

  const ready = async (): Promise<World> => {
    if (!front) {
      front = await start('ES256');
      other = await world().service('guichet-autre');
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };
  after(() => front?.close());

  const issuer = (): string => world().app.site.issuer;

  /** The aidant's browser, sent by FranceConnect, through the sign-in that `prompt=login` asks for, up to the page of Relais or back there. */
  const arrive = async (ask: Parameters<Front['begin']>[1] = {}): Promise<{ page: Page; url: URL }> => {
    const it = await ready();
    aidant.cookies.set(`localhost ${front.cookie} /`, { value: `${front.cookie}=${BROWSER}`, path: '/', host: 'localhost' });
    const url = await front.begin(BROWSER, ask);
    const first = await aidant.open(url, undefined, front.callback);
    if (first.url.origin !== it.places.proconnect.replace(/\/$/, '')) return { page: first, url };
    const factor = await aidant.open(first.url, { identity: 'karim' });
    assert.equal(factor.url.pathname, '/connexion/code');
    return { page: await aidant.send('second-factor', { code: await it.code(it.places, 'Karim Benali') }, front.callback), url };
  };

  /** A whole sign-in, FranceConnect's checks included. */
  const signIn = async (ask: Parameters<Front['begin']>[1] = {}, theme = 'logement'): Promise<FrontAnswer> => {
    const { page } = await arrive(ask);
    const done = await confirmDelegation(aidant, page, 'Colette Martin', front.callback, theme);
    const shown = await aidant.open(done.url);
    assert.equal(shown.status, 200, textOf(shown));
    const answer = front.answers.at(-1);
    assert.ok(answer);
    return answer;
  };

  const sessionIn = (answer: FrontAnswer): string => String((answer.idToken['authorization_details'] as { session: string }[])[0]?.session);

  /** What came back instead of a code: the error, our issuer, and FranceConnect's own state. */
  const refusedWith = (page: Page, url: URL): (string | null)[] => {
    assert.ok(page.url.href.startsWith(front.callback), `${page.url.href} ${textOf(page).slice(0, 200)}`);
    const { searchParams } = page.url;
    assert.deepEqual([searchParams.get('state'), searchParams.get('iss'), searchParams.get('code')], [url.searchParams.get('state'), issuer(), null]);
    return [searchParams.get('error')];
  };

  test('P4 flow: a code, with exactly what FranceConnect sends, without PKCE; with PKCE as well; for nobody else without', {
    database: kind,
  }, async () => {
    const it = await ready();
    const url = await front.begin(BROWSER);
    const sent = ['acr_values', 'claims', 'client_id', 'nonce', 'prompt', 'redirect_uri', 'response_type', 'scope', 'state'];
    assert.deepEqual([...url.searchParams.keys()].sort(), sent);
    const answer = await signIn();
    assert.deepEqual(answer.idToken['rep_scope'], ['logement']);
    const with_ = await authorize(other, 'openid', { redirect_uri: front.callback });
    const challenge = { code_challenge: with_.url.searchParams.get('code_challenge') ?? '', code_challenge_method: 'S256' };
    const { page } = await arrive({ more: challenge });
    const done = await confirmDelegation(aidant, page, 'Colette Martin', front.callback, 'logement');
    const fields = {
      grant_type: 'authorization_code',
      code: done.url.searchParams.get('code') ?? '',
      redirect_uri: front.callback,
      client_id: 'franceconnect',
      client_secret: secret,
    };
    assert.deepEqual((await post(`${issuer()}/token`, fields)).json['error'], 'invalid_grant', 'a challenge that was sent is checked');
    assert.equal((await post(`${issuer()}/token`, { ...fields, code_verifier: with_.verifier })).status, 200);
    const without = (await authorize(other, 'openid dlg:logement')).url;
    for (const name of ['code_challenge', 'code_challenge_method']) without.searchParams.delete(name);
    const refused = await new Walker().open(without, undefined, other.redirectUri);
    assert.equal(refused.url.searchParams.get('error'), 'invalid_request');
    void it;
  });

  test('always delegated: FranceConnect gets somebody represented, or nobody', { database: kind }, async () => {
    const it = await ready();
    const { page } = await arrive();
    assert.match(page.url.pathname, /^\/interaction\//);
    assert.ok(textOf(page).includes('Colette Martin') && !page.url.href.startsWith(it.places.franceconnect));
    const plain = await new Walker().open(await front.begin(BROWSER, { more: { claims: '{"id_token":{"acr":null}}' } }));
    assert.equal(plain.url.origin, it.places.proconnect.replace(/\/$/, ''), 'an aidant signs in, never a usager alone');
  });

  for (const [name, scope] of Object.entries(FRONT_SCOPES))
    test(`P18 scopes of its ${name}: userinfo is JSON with the whole identity, and sub is that of the ID token`, { database: kind }, async () => {
      await ready();
      const { idToken, userinfo, accessToken } = await signIn({ scope });
      const whole = name === 'code';
      const raw = await get(`${issuer()}/userinfo`, { authorization: `Bearer ${accessToken}` });
      assert.match(raw.headers.get('content-type') ?? '', /^application\/json/);
      const civil = ['given_name', 'family_name', 'birthdate', 'gender', 'birthplace', 'birthcountry'];
      for (const claim of civil) assert.equal(typeof userinfo[claim], 'string', claim);
      assert.match(String(userinfo['birthdate']), /^\d{4}-\d{2}-\d{2}$/);
      assert.ok(['male', 'female'].includes(String(userinfo['gender'])) && /^\d{5}$/.test(String(userinfo['birthcountry'])));
      assert.deepEqual([userinfo['sub'], userinfo['family_name']], [idToken['sub'], 'Martin']);
      for (const claim of civil) assert.equal(idToken[claim], undefined, `${claim} is not in the ID token`);
      assert.equal(Object.hasOwn(userinfo, 'email'), Boolean(userinfo['email']), 'nobody has an empty address');
      assert.ok(whole || scope.includes('birthplace'));
    });

  test('scopes that mean nothing here are still ignored for every other service', { database: kind }, async () => {
    await ready();
    const request = await authorize(other, 'openid profile birth given_name dlg:logement', { prompt: 'none' });
    const page = await new Walker().open(request.url, undefined, other.redirectUri);
    assert.equal(page.url.searchParams.get('error'), 'login_required', 'not invalid_scope');
    const theirs = await new Walker().open(
      await front.begin(BROWSER, { scope: 'openid profile email birth dlg:logement' }),
      undefined,
      front.callback,
    );
    assert.equal(theirs.url.searchParams.get('error'), 'invalid_scope', 'FranceConnect has no scope of ours');
  });

  test('client authentication: the secret in the form, of 32 characters or more, and nothing without it', { database: kind }, async () => {
    await ready();
    assert.ok(secret.length >= 32);
    const { page } = await arrive();
    const done = await confirmDelegation(aidant, page, 'Colette Martin', front.callback, 'logement');
    const issued = await entriesOf(world(), 'token.issued');
    const fields = { grant_type: 'authorization_code', code: done.url.searchParams.get('code') ?? '', redirect_uri: front.callback };
    const basic = await post(`${issuer()}/token`, fields, { authorization: `Basic ${btoa(`franceconnect:${secret}x`)}` });
    const wrong = await post(`${issuer()}/token`, { ...fields, client_id: 'franceconnect', client_secret: `${secret}x` });
    assert.deepEqual([basic.json['error'], wrong.json['error']], ['invalid_client', 'invalid_client']);
    const own = await post(`${issuer()}/token`, {
      grant_type: 'client_credentials',
      scope: 'actions:write',
      client_id: 'franceconnect',
      client_secret: secret,
    });
    assert.equal(own.status, 400, 'it reports nothing, and has no token of its own');
    assert.equal(await entriesOf(world(), 'token.issued'), issued);
    const right = await post(`${issuer()}/token`, { ...fields, client_id: 'franceconnect', client_secret: secret });
    assert.deepEqual([right.status, right.json['refresh_token']], [200, undefined]);
  });

  test('ID token: sub, iss, aud, exp, iat, nonce, acr, rep_scope; the access token lives a minute', { database: kind }, async () => {
    const it = await ready();
    const { idToken, accessToken, expiresIn } = await signIn({ themes: ['famille', 'argent'] }, 'famille');
    assert.deepEqual([idToken['iss'], idToken['aud'], idToken['acr'], idToken['rep_scope']], [issuer(), 'franceconnect', 'eidas1', ['famille']]);
    for (const claim of ['sub', 'exp', 'iat', 'nonce', 'auth_time']) assert.ok(idToken[claim], claim);
    assert.equal((idToken['act'] as { sub?: string }).sub !== undefined, true, 'who is really there is said too');
    assert.ok(expiresIn !== undefined && expiresIn <= 60);
    it.advance(80_000); // a minute, and what the library allows for clocks
    assert.equal((await get(`${issuer()}/userinfo`, { authorization: `Bearer ${accessToken}` })).status, 401);
  });

  test('P24 a level above eidas1 is refused at once, with state', { database: kind }, async () => {
    await ready();
    for (const acr_values of ['eidas2', 'eidas3', 'urn:relais:acr:delegated:eidas1']) {
      const { page, url } = await arrive({ more: { acr_values } });
      assert.deepEqual(refusedWith(page, url), ['unmet_authentication_requirements'], acr_values);
    }
  });

  test('errors come back with state: a theme of nobody, nobody to represent, a gesture, a mandate stopped meanwhile', {
    database: kind,
  }, async () => {
    const it = await ready();
    const opened = await entriesOf(it, 'session.opened');
    const refusals = await entriesOf(it, 'session.refused');
    for (const themes of [['inconnu'], [], ['travail'], ['__proto__', 'dlg:famille']]) {
      const { page, url } = await arrive({ themes });
      assert.deepEqual(refusedWith(page, url), ['access_denied'], themes.join());
    }
    const left = await arrive();
    assert.match(left.page.url.pathname, /^\/interaction\//);
    assert.deepEqual(refusedWith(await aidant.send('abort', {}, front.callback), left.url), ['access_denied']);
    assert.equal(await entriesOf(it, 'session.refused'), refusals + 5, 'each of them is written down');
    await mandateByPages(it, aidant, 'jean', ['social']);
    const stopped = await arrive({ themes: ['social'] });
    const state = await stateOf(it, ['mandate', 'mandate_grant']);
    const person = /<input[^>]*name="person"[^>]*value="(man_[^"]+)"/.exec(stopped.page.html)?.[1];
    const chosen = person ? await aidant.send('pick-person', { person }) : stopped.page;
    assert.ok(chosen.html.includes('id="confirm"'), textOf(chosen).slice(0, 300));
    await it.sql(
      `update mandate set ended_at = now(), end_reason = 'revoked', ended_by = 'x'
        where id in (select mandate_id from mandate_grant where theme = 'social') and ended_at is null`,
    );
    const answered = await aidant.send('confirm', {}, front.callback);
    assert.deepEqual(refusedWith(answered, stopped.url), ['access_denied']);
    assert.equal(await stateOf(it, ['mandate', 'mandate_grant']), state);
    assert.equal(await entriesOf(it, 'session.opened'), opened);
  });

  test('S5 an answer with no state, another’s state or another’s code opens nothing at FranceConnect', { database: kind }, async () => {
    await ready();
    const codes = async (change: (url: URL) => void, walker = aidant) => {
      const { page } = await arrive();
      const done = await confirmDelegation(aidant, page, 'Colette Martin', front.callback, 'logement');
      change(done.url);
      const shown = await walker.open(done.url);
      return [shown.status, /Code : (\w{7})/.exec(textOf(shown))?.[1]];
    };
    const known = front.answers.length;
    assert.deepEqual(await codes((url) => url.searchParams.delete('state')), [400, 'Y020021']);
    assert.deepEqual(await codes((url) => url.searchParams.set('state', 'x')), [403, 'Y020022']);
    assert.deepEqual(await codes((url) => url.searchParams.delete('code')), [400, 'Y020025']);
    assert.deepEqual(await codes((url) => url.searchParams.set('code', 'x'.repeat(43))), [502, 'Y020026']);
    assert.deepEqual(await codes((url) => url.searchParams.delete('iss')), [502, 'Y020026']);
    assert.deepEqual(await codes(() => undefined, new Walker()), [403, 'Y020022'], 'the code of an attacker in the browser of another');
    assert.equal(front.answers.length, known);
  });

  test('prompt=login: the aidant signs in anew for each request, and auth_time says so', { database: kind }, async () => {
    const it = await ready();
    const first = await signIn();
    it.advance(120_000);
    const again = await aidant.open(await front.begin(BROWSER));
    assert.equal(again.url.origin, it.places.proconnect.replace(/\/$/, ''));
    const second = await signIn();
    assert.ok(Number(second.idToken['auth_time']) - Number(first.idToken['auth_time']) >= 120);
  });

  test('nothing is missing of what FranceConnect did: it reports no act', { database: kind }, async () => {
    const it = await ready();
    const session = sessionIn(await signIn());
    await it.app.site.sessions.end({ id: session as `dls_${string}` }, 'time');
    assert.deepEqual([...(await it.app.site.withoutReport([session]))], []);
    await it.sql("update service set profile = 'standard' where id = 'franceconnect'");
    assert.deepEqual([...(await it.app.site.withoutReport([session]))], [session], 'of another service it would be said');
    await it.sql("update service set profile = 'franceconnect' where id = 'franceconnect'");
  });

  test('P15 logout: the session ends, and the browser goes back with the state to the registered address', { database: kind }, async () => {
    const it = await ready();
    const session = sessionIn(await signIn());
    assert.equal(await endOf(it, session), 'live');
    const asked = await aidant.open(`${front.origin}/deconnexion`);
    const back = asked.html.includes('op.logoutForm') ? await aidant.send('op.logoutForm', { logout: 'yes' }) : asked;
    assert.deepEqual([back.url.origin, back.url.pathname, back.status], [front.origin, '/', 200]);
    assert.equal(await endOf(it, session), 'signed_out');
  });

  test('discovery and keys are found anew at each use; an ID token in RS256 is taken too', { database: kind }, async () => {
    await ready();
    const keys = (await get(`${issuer()}/jwks`)).json['keys'] as { alg: string; d?: string }[];
    assert.deepEqual([keys.map(({ alg }) => alg).sort(), keys.some((key) => 'd' in key)], [['ES256', 'RS256'], false]);
    await front.close();
    front = await start('RS256');
    const { rawIdToken } = await signIn();
    assert.equal((JSON.parse(Buffer.from(rawIdToken.split('.')[0] ?? '', 'base64url').toString()) as { alg: string }).alg, 'RS256');
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
