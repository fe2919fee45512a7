import { after, before } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type * as client from 'openid-client';
import { fetchUserInfo } from 'openid-client';
import type { Fault } from '../../src/practice/faults.ts';
import type { Simulator } from '../../src/practice/federation.ts';
import { startProConnect } from '../../src/practice/proconnect.ts';
import { assert, test } from '../support/check.ts';
import { CLIENT, discover, proConnectRequest, REDIRECT, redeem, SECRET, signIn } from './relying-party.ts';

let simulator: Simulator;
let config: client.Configuration;
before(async () => {
  simulator = await startProConnect({ port: 0, clients: [CLIENT] });
  config = await discover(simulator.issuer);
});
after(() => simulator.close());

/** Redeems a code with no check at all, to look at what the fault really sends. */
const raw = async (fault: Fault, identity = 'karim') => {
  simulator.setFault(fault);
  const request = proConnectRequest();
  const page = await signIn(config, request, { identity });
  const response = await fetch(config.serverMetadata().token_endpoint ?? '', {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: page.url.searchParams.get('code') ?? '',
      redirect_uri: REDIRECT,
      client_id: CLIENT.id,
      client_secret: SECRET,
    }),
  });
  const body: unknown = await response.json();
  simulator.setFault(undefined);
  return typeof body === 'object' && body && 'id_token' in body ? String(body.id_token) : assert.fail();
};

const attempt = async (fault: Fault): Promise<unknown> => {
  simulator.setFault(fault);
  try {
    const request = proConnectRequest();
    const tokens = await redeem(config, request, await signIn(config, request, { identity: 'karim' }));
    await fetchUserInfo(config, tokens.access_token, tokens.claims()?.sub ?? '');
    return undefined;
  } catch (error) {
    return error;
  } finally {
    simulator.setFault(undefined);
  }
};

test('each forged answer differs from a true one in the member that its name says', async () => {
  const request = async (fault: Fault) => decodeJwt(await raw(fault));
  assert.match(String((await request('wrong-nonce'))['nonce']), /^another/);
  assert.equal((await request('wrong-aud')).aud, 'another-client');
  assert.match(String((await request('wrong-iss')).iss), /another-issuer/);
  assert.equal((await request('low-acr'))['acr'], 'eidas1');
  assert.equal((await request('no-acr'))['acr'], undefined);
  assert.ok(((await request('expired')).exp ?? 0) < Date.now() / 1000 - 3000);
  assert.equal(decodeProtectedHeader(await raw('hs256')).alg, 'HS256');
  assert.equal(JSON.parse(Buffer.from((await raw('none-alg')).split('.')[0] ?? '', 'base64url').toString()).alg, 'none');
  assert.equal(decodeJwt(await raw('ignore-mfa', 'sans-mfa'))['acr'], 'eidas1');
});

test('a relying party with every check on refuses each of them, and accepts again once the fault is gone', async () => {
  const refused: Fault[] = [
    'wrong-nonce',
    'wrong-aud',
    'wrong-iss',
    'wrong-callback-iss',
    'none-alg',
    'hs256',
    'bad-signature',
    'expired',
    'garbage',
    'http-500',
    'userinfo-sub',
    'userinfo-unsigned',
  ];
  for (const fault of refused) assert.ok((await attempt(fault)) instanceof Error, fault);
  simulator.setFault(undefined);
  const request = proConnectRequest();
  assert.ok((await redeem(config, request, await signIn(config, request, { identity: 'karim' }))).id_token);
});

test('hang: the token endpoint, userinfo or discovery never answers, and the simulator still closes', async () => {
  for (const fault of ['hang', 'hang-userinfo'] as const) {
    const started = Date.now();
    assert.ok((await attempt(fault)) instanceof Error, fault);
    assert.ok(Date.now() - started >= 1900, 'it was the relying party that gave up');
  }
  simulator.setFault('hang-discovery');
  await assert.rejects(discover(simulator.issuer));
  simulator.setFault(undefined);
});
