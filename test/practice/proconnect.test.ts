import { after, before } from 'node:test';
import * as client from 'openid-client';
import type { Simulator } from '../../src/practice/federation.ts';
import { STAFF } from '../../src/practice/identities.ts';
import { startProConnect } from '../../src/practice/proconnect.ts';
import { assert, test } from '../support/check.ts';
import { Browser } from './browser.ts';
import { BYE, CLIENT, discover, MFA, proConnectRequest, REDIRECT, redeem, signIn } from './relying-party.ts';

let simulator: Simulator;
let config: client.Configuration;
before(async () => {
  simulator = await startProConnect({ port: 0, clients: [CLIENT] });
  config = await discover(simulator.issuer);
});
after(() => simulator.close());

const withoutClaims = (): Record<string, string> => {
  const { claims: _claims, ...request } = proConnectRequest();
  return request;
};

test('the contract is accepted with PKCE S256: acr at the level demanded, amr as asked, professional identity, refresh token', async () => {
  const verifier = client.randomPKCECodeVerifier();
  const request = { ...proConnectRequest(), code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' };
  const page = await signIn(config, request, { identity: 'karim' });
  assert.equal(page.url.searchParams.get('iss'), simulator.issuer);
  await assert.rejects(redeem(config, request, page, client.randomPKCECodeVerifier()));
  const again = await signIn(config, request, { identity: 'karim' });
  const tokens = await redeem(config, request, again, verifier);
  const karim = STAFF[0] ?? assert.fail();
  assert.equal(tokens.claims()?.sub, karim.sub);
  assert.equal(tokens.claims()?.['acr'], 'eidas2');
  assert.deepEqual(tokens.claims()?.['amr'], ['pwd', 'otp', 'mfa']);
  assert.ok(tokens.refresh_token);
  const person = await client.fetchUserInfo(config, tokens.access_token, karim.sub);
  for (const name of ['given_name', 'usual_name', 'email', 'uid', 'siret', 'idp_id', 'organization_label'] as const)
    assert.equal(person[name], karim[name]);
  assert.deepEqual(person['roles'], karim.roles);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token ?? '');
  assert.equal(refreshed.claims()?.sub, karim.sub);
});

test('amr stays out of the id_token when it is not asked; acr stands in it always', async () => {
  const request = withoutClaims();
  const tokens = await redeem(config, request, await signIn(config, request, { identity: 'courriel' }));
  assert.equal(tokens.claims()?.['amr'], undefined);
  assert.equal(tokens.claims()?.['acr'], 'eidas1-mfa');
});

test('a level demanded as essential is enforced by exact membership: otherwise access_denied, with state and iss', async () => {
  const request = proConnectRequest();
  const { url } = await signIn(config, request, { identity: 'sans-mfa' });
  assert.equal(url.searchParams.get('error'), 'access_denied');
  assert.equal(url.searchParams.get('state'), request['state']);
  assert.equal(url.searchParams.get('iss'), simulator.issuer);
  const only = { ...proConnectRequest(), claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['eidas3'] } } }) };
  assert.equal((await signIn(config, only, { identity: 'karim' })).url.searchParams.get('error'), 'access_denied');
  const voluntary = { ...withoutClaims(), acr_values: 'eidas2' };
  const tokens = await redeem(config, voluntary, await signIn(config, voluntary, { identity: 'sans-mfa' }));
  assert.equal(tokens.claims()?.['acr'], 'eidas1', 'acr_values is voluntary only');
});

test('unknown parameters are tolerated; state is not optional; login_hint is an address', async () => {
  const request = { ...proConnectRequest(), max_age: '1', anything: 'x', response_mode: 'fragment', siret_hint: '0'.repeat(14) };
  const page = await signIn(config, request, { identity: 'karim' });
  assert.ok(page.url.searchParams.get('code'), 'response_mode is ignored: the code comes in the query');
  const url = (change: Record<string, string>) => {
    const built = client.buildAuthorizationUrl(config, { ...proConnectRequest(), ...change });
    if (change['state'] === '') built.searchParams.delete('state');
    return built;
  };
  assert.equal((await new Browser().ask(url({ state: '' }))).status, 400);
  assert.equal((await new Browser().ask(url({ login_hint: 'karim' }))).status, 400);
  assert.equal((await new Browser().ask(url({ redirect_uri: `${REDIRECT}/` }))).status, 400);
});

test('prompt=none answers login_required without a session, and silently with one', async () => {
  const browser = new Browser();
  const none = () => client.buildAuthorizationUrl(config, { ...proConnectRequest(), prompt: 'none' });
  assert.equal((await browser.open(none())).url.searchParams.get('error'), 'login_required');
  await signIn(config, proConnectRequest(), { identity: 'courriel' }, browser);
  assert.ok((await browser.open(none())).url.searchParams.get('code'));
});

test('eidas2 always proves itself again: no session answers for it', async () => {
  const browser = new Browser();
  await signIn(config, proConnectRequest(), { identity: 'karim' }, browser);
  const page = await browser.open(client.buildAuthorizationUrl(config, proConnectRequest()));
  assert.match(page.url.pathname, /^\/interaction\//);
});

test('a session below the level demanded is not reused', async () => {
  const browser = new Browser();
  const weak = withoutClaims();
  await signIn(config, weak, { identity: 'sans-mfa' }, browser);
  assert.match((await browser.open(client.buildAuthorizationUrl(config, proConnectRequest()))).url.pathname, /^\/interaction\//);
  assert.ok((await browser.open(client.buildAuthorizationUrl(config, withoutClaims()))).url.searchParams.get('code'));
});

test('logout is immediate and brings state back; client_id may stand for the hint', async () => {
  const browser = new Browser();
  const request = proConnectRequest();
  const tokens = await redeem(config, request, await signIn(config, request, { identity: 'courriel' }, browser));
  const hinted = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token ?? '', state: 's1', post_logout_redirect_uri: BYE });
  assert.equal((await browser.ask(hinted)).headers.get('location'), `${BYE}?state=s1`);
  assert.match((await browser.open(client.buildAuthorizationUrl(config, proConnectRequest()))).url.pathname, /^\/interaction\//);
  const named = client.buildEndSessionUrl(config, { state: 's2', post_logout_redirect_uri: BYE });
  assert.equal((await browser.ask(named)).headers.get('location'), `${BYE}?state=s2`);
});

test('a typed e-mail and a typed professional identity sign in', async () => {
  const request = proConnectRequest();
  const nora = await redeem(config, request, await signIn(config, request, { identifiant: 'nora@demonstration.example' }));
  assert.equal(nora.claims()?.sub, STAFF.find(({ id }) => id === 'nora')?.sub);
  const other = proConnectRequest();
  const typed = { saisie: 'oui', email: 'Zoe@demonstration.example', given_name: 'Zoé', usual_name: 'Durand', siret: '21170444000018' };
  const zoe = await redeem(config, other, await signIn(config, other, typed));
  assert.match(String(zoe.claims()?.sub), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('every staff subject is a distinct uuid, and the levels are those of the federation', () => {
  assert.equal(new Set(STAFF.map(({ sub }) => sub)).size, STAFF.length);
  for (const { acr } of STAFF) assert.ok(['eidas1', ...MFA].includes(acr));
});
