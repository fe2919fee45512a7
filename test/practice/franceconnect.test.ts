import { after, before } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import * as client from 'openid-client';
import type { Simulator } from '../../src/practice/federation.ts';
import { startFranceConnect } from '../../src/practice/franceconnect.ts';
import { franceConnectSub, PERSONS } from '../../src/practice/identities.ts';
import { assert, test } from '../support/check.ts';
import { Browser } from './browser.ts';
import { BYE, CLIENT, discover, franceConnectRequest, REDIRECT, redeem, SECRET, signIn } from './relying-party.ts';

let simulator: Simulator;
let config: client.Configuration;
before(async () => {
  simulator = await startFranceConnect({ port: 0, clients: [CLIENT, { ...CLIENT, id: 'other', scopes: ['openid', 'given_name'] }] });
  config = await discover(simulator.issuer);
});
after(() => simulator.close());

test('the contract is accepted: code, id_token with acr and nonce, signed userinfo with the pivot identity, no refresh token', async () => {
  const request = franceConnectRequest();
  const page = await signIn(config, request, { identity: 'colette' });
  assert.equal(page.url.searchParams.get('iss'), simulator.issuer);
  const tokens = await redeem(config, request, page);
  const claims = tokens.claims();
  assert.equal(claims?.sub, franceConnectSub('colette', 'relais'));
  assert.match(String(claims?.sub), /^[0-9a-f]{64}v1$/);
  assert.equal(claims?.['acr'], 'eidas1');
  assert.equal(claims?.['amr'], undefined, 'amr only on demand');
  assert.equal(tokens.refresh_token, undefined);
  assert.equal(tokens.expires_in, 60);
  assert.equal(decodeProtectedHeader(tokens.id_token ?? '').alg, 'ES256');
  assert.equal((claims?.exp ?? 0) - (claims?.iat ?? 0), 60);
  const response = await client.fetchProtectedResource(config, tokens.access_token, new URL(config.serverMetadata().userinfo_endpoint ?? ''), 'GET');
  assert.match(response.headers.get('content-type') ?? '', /^application\/jwt/);
  assert.equal(decodeJwt(await response.text()).iss, simulator.issuer);
  const person = await client.fetchUserInfo(config, tokens.access_token, claims?.sub ?? '');
  const { story, id, ...civil } = PERSONS[0] ?? assert.fail();
  assert.deepEqual({ ...civil }, Object.fromEntries(Object.keys(civil).map((name) => [name, person[name]])));
});

test('a code is used once, and another organisation sees another subject', async () => {
  const request = franceConnectRequest();
  const page = await signIn(config, request, { identity: 'jean' });
  await redeem(config, request, page);
  await assert.rejects(redeem(config, request, page), (error: client.ResponseBodyError) => error.error === 'invalid_grant');
  assert.notEqual(franceConnectSub('jean', 'relais'), franceConnectSub('jean', 'other'));
});

test('every parameter outside the whitelist, and every one missing, is refused on its own page', async () => {
  const verdict = async (change: Record<string, string | undefined>) => {
    const params: Record<string, string | undefined> = { ...franceConnectRequest(), response_type: 'code', client_id: CLIENT.id, ...change };
    const url = new URL(config.serverMetadata().authorization_endpoint ?? '');
    for (const [name, value] of Object.entries(params)) if (value !== undefined) url.searchParams.set(name, value);
    const response = await new Browser().ask(url);
    return { status: response.status, text: await response.text(), location: response.headers.get('location') };
  };
  const refused: Record<string, string | undefined>[] = [
    { code_challenge: 'x'.repeat(43), code_challenge_method: 'S256' },
    { max_age: '60' },
    { login_hint: 'a@b.example' },
    { response_mode: 'query' },
    { anything: 'x' },
    { prompt: 'none' },
    { nonce: 'x'.repeat(21) },
    { nonce: undefined },
    { state: undefined },
    { acr_values: undefined },
    { response_type: 'token' },
    { redirect_uri: `${REDIRECT}/` },
    { client_id: 'nobody' },
  ];
  for (const change of refused) {
    const answer = await verdict(change);
    assert.equal(answer.status, 400, JSON.stringify(change));
    assert.equal(answer.location, null);
    assert.match(answer.text, /Cette demande de connexion n’est pas acceptée/);
  }
  for (const accepted of [
    { prompt: 'login' },
    { prompt: 'consent' },
    { idp_hint: 'x' },
    { ui_locales: 'fr' },
    { claims: '{"id_token":{"rep_scope":null}}' },
  ])
    assert.equal((await verdict(accepted)).status, 303, JSON.stringify(accepted));
});

test('errors that return carry state and iss: a level that is not offered, a scope that is not granted, a refusal by the person', async () => {
  const back = async (change: Record<string, string>, answer: Record<string, string>) => {
    const request = { ...franceConnectRequest(), ...change };
    const { url } = await signIn(config, request, answer);
    assert.equal(url.searchParams.get('state'), request.state);
    assert.equal(url.searchParams.get('iss'), simulator.issuer);
    return url.searchParams.get('error');
  };
  assert.equal(await back({ acr_values: 'eidas9' }, {}), 'invalid_acr');
  assert.equal(await back({ acr_values: 'eidas1 eidas2' }, {}), 'invalid_acr');
  assert.equal(await back({}, { abort: 'oui' }), 'access_denied');
  const { url } = await signIn(config, { ...franceConnectRequest(), client_id: 'other', scope: 'openid email' }, {});
  assert.equal(url.searchParams.get('error'), 'invalid_scope');
});

test('amr is given on demand', async () => {
  const request = { ...franceConnectRequest(), claims: JSON.stringify({ id_token: { amr: { essential: true } } }) };
  const tokens = await redeem(config, request, await signIn(config, request, { identity: 'colette' }));
  assert.deepEqual(tokens.claims()?.['amr'], ['pwd']);
});

test('a typed identifier and a typed civil status both sign in; a wrong one says what to correct', async () => {
  const request = franceConnectRequest();
  const tokens = await redeem(config, request, await signIn(config, request, { identifiant: 'Colette' }));
  assert.equal(tokens.claims()?.sub, franceConnectSub('colette', 'relais'));

  const typed = {
    saisie: 'oui',
    given_name: 'Zoé',
    family_name: 'Durand',
    birthdate: '1950-01-02',
    gender: 'female',
    birthplace: '17444',
    birthcountry: '99100',
  };
  const subjects = [];
  for (let i = 0; i < 2; i++) {
    const again = franceConnectRequest();
    const given = await redeem(config, again, await signIn(config, again, typed));
    subjects.push(given.claims()?.sub);
    const person = await client.fetchUserInfo(config, given.access_token, given.claims()?.sub ?? '');
    assert.equal(person.family_name, 'Durand');
  }
  assert.equal(subjects[0], subjects[1]);

  const wrong = await signIn(config, franceConnectRequest(), { ...typed, birthdate: 'hier' });
  assert.equal(wrong.status, 422);
  assert.match(wrong.html, /Écrivez une date comme 1946-04-12/);
  assert.match((await signIn(config, franceConnectRequest(), { identifiant: 'personne' })).html, /Aucune identité de test ne porte ce nom/);
});

test('logout is immediate, asks nothing, brings state back and ends the session', async () => {
  const browser = new Browser();
  const request = franceConnectRequest();
  const tokens = await redeem(config, request, await signIn(config, request, { identity: 'colette' }, browser));
  const silent = await browser.open(client.buildAuthorizationUrl(config, franceConnectRequest()));
  assert.ok(silent.url.searchParams.get('code'), 'the session answers alone before the logout');
  const url = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? '', state: 'the-state', post_logout_redirect_uri: BYE });
  const response = await browser.ask(url);
  assert.equal(response.status, 302);
  assert.equal(response.headers.get('location'), `${BYE}?state=the-state`);
  const after = await browser.open(client.buildAuthorizationUrl(config, franceConnectRequest()));
  assert.match(after.url.pathname, /^\/interaction\//, 'an identity is asked again');
  // Without a session either, it answers at once.
  assert.equal((await new Browser().ask(url)).headers.get('location'), `${BYE}?state=the-state`);
});

test('logout without the hint, without state, or towards an unknown address is refused', async () => {
  const request = franceConnectRequest();
  const tokens = await redeem(config, request, await signIn(config, request, { identity: 'colette' }));
  const full = { id_token_hint: tokens.id_token ?? '', state: 's', post_logout_redirect_uri: BYE };
  const end = async (params: Record<string, string>) => {
    const url = new URL(config.serverMetadata().end_session_endpoint ?? '');
    url.search = new URLSearchParams(params).toString();
    return (await new Browser().ask(url)).status;
  };
  const { id_token_hint: _hint, ...noHint } = full;
  const { state: _state, ...noState } = full;
  assert.equal(await end(noHint), 400);
  assert.equal(await end(noState), 400);
  assert.equal(await end({ ...full, post_logout_redirect_uri: 'http://localhost:9/elsewhere' }), 400);
  assert.equal(await end({ ...full, id_token_hint: 'x.y.z' }), 400);
});

test('the token endpoint refuses a wrong secret', async () => {
  const request = franceConnectRequest();
  const page = await signIn(config, request, { identity: 'colette' });
  const response = await fetch(config.serverMetadata().token_endpoint ?? '', {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: page.url.searchParams.get('code') ?? '',
      redirect_uri: REDIRECT,
      client_id: CLIENT.id,
      client_secret: `${SECRET}x`,
    }),
  });
  assert.equal(response.status, 401);
});

test('a stale sign-in page says so', async () => {
  const page = await new Browser().open(`${simulator.origin}/interaction/unknown`);
  assert.equal(page.status, 400);
  assert.match(page.html, /Cette page de connexion n’est plus valable/);
});
