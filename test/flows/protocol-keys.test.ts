import { createServer, type Server } from 'node:http';
import { after, before } from 'node:test';
import { base64url, type CryptoKey, exportSPKI, generateKeyPair, importJWK, type JWK, type JWTPayload, SignJWT } from 'jose';
import * as client from 'openid-client';
import { randomUuid, sha256 } from '../../src/kernel/crypto.ts';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import {
  actionEvent,
  assertion,
  basic,
  dpopNonce,
  endOf,
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
  report,
  sessionOf,
} from '../support/protocol.ts';
import { actFor, authorize, delegatedTokens, entriesOf, mandateByPages, signedInAidant, type TestService, type World } from '../support/world.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Says who was asked for anything during the tests: nobody must be. */
const hits: string[] = [];
let trap: Server;
let trapOrigin = '';
before(async () => {
  trap = createServer((request, response) => {
    hits.push(request.url ?? '');
    response.end('{"keys":[]}');
  });
  await new Promise<void>((resolve) => trap.listen(0, 'localhost', resolve));
  const address = trap.address();
  trapOrigin = `http://localhost:${typeof address === 'object' && address ? address.port : 0}`;
});
after(() => new Promise<void>((resolve) => trap.close(() => resolve())));

const unsigned = (header: object, payload: object): string =>
  `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}.`;

const sign = (header: Record<string, unknown>, payload: JWTPayload, key: CryptoKey | Uint8Array): Promise<string> =>
  new SignJWT(payload).setProtectedHeader({ alg: 'ES256', ...header }).sign(key);

inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let service: TestService;
  let fapi: FapiService;
  let thief: Keys;

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await world().service('guichet-cles');
      fapi = await fapiService(world(), 'guichet-cles-fapi');
      thief = await makeKeys();
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };

  const issuer = (): string => world().app.site.issuer;

  /** Every way of signing a JWT that must not be believed. `known` is the public key that the verifier would use. */
  const forgeries = async (payload: JWTPayload, known: JWK, typ?: string): Promise<Record<string, string>> => {
    const publicKey = (await importJWK({ ...known }, known.alg ?? 'ES256')) as CryptoKey;
    const pem = await exportSPKI(await crypto.subtle.importKey('jwk', known as never, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']));
    void publicKey;
    const rsa = await generateKeyPair('RS256');
    const base = typ ? { typ } : {};
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text.padEnd(32, '\0'));
    const forged: Record<string, string> = {
      none: unsigned({ alg: 'none', ...base }, payload),
      None: unsigned({ alg: 'None', ...base }, payload),
      'none with the right kid': unsigned({ alg: 'none', kid: known.kid, ...base }, payload),
      'hs256 with the public key as JSON': await sign({ alg: 'HS256', kid: known.kid, ...base }, payload, bytes(JSON.stringify(known))),
      'hs256 with the public key as PEM': await sign({ alg: 'HS256', kid: known.kid, ...base }, payload, bytes(pem)),
      'hs256 with x': await sign({ alg: 'HS256', kid: known.kid, ...base }, payload, bytes(String(known.x))),
      'hs256 with nothing': await sign({ alg: 'HS256', ...base }, payload, new Uint8Array(32)),
      rs256: await sign({ alg: 'RS256', kid: known.kid, ...base }, payload, rsa.privateKey),
      jku: await sign({ jku: `${trapOrigin}/jku`, kid: thief.jwk.kid, ...base }, payload, thief.privateKey),
      x5u: await sign({ x5u: `${trapOrigin}/x5u`, kid: known.kid, ...base }, payload, thief.privateKey),
      'a key of its own': await sign({ jwk: { ...thief.jwk, use: undefined }, kid: known.kid, ...base }, payload, thief.privateKey),
      'crit that nobody knows': `${base64url.encode(JSON.stringify({ alg: 'ES256', kid: known.kid, crit: ['x'], x: 1, ...base }))}.${base64url.encode(JSON.stringify(payload))}.${'A'.repeat(86)}`,
      'no signature': `${(await sign({ kid: known.kid, ...base }, payload, thief.privateKey)).split('.').slice(0, 2).join('.')}.`,
      'zeros for a signature': `${(await sign({ kid: known.kid, ...base }, payload, thief.privateKey)).split('.').slice(0, 2).join('.')}.${'A'.repeat(86)}`,
    };
    for (const kid of ['../../../../dev/null', "x' or '1'='1", `${trapOrigin}/kid`, '', '__proto__', 'x\u0000y', 'k'.repeat(5000)])
      forged[`kid ${kid.slice(0, 20)}`] = await sign({ kid, ...base }, payload, thief.privateKey);
    return forged;
  };

  test('P8 P9 a service authenticates and proves with Ed25519, by the new name of the algorithm and by the old one', { database: kind }, async () => {
    const it = await ready();
    for (const alg of ['Ed25519', 'EdDSA', undefined]) {
      const made = await makeKeys('Ed25519');
      const { alg: _alg, ...jwk } = made.jwk;
      const keys = { ...made, jwk: alg === undefined ? jwk : { ...jwk, alg } };
      const service = await fapiService(it, `ed-${alg?.toLowerCase() ?? 'none'}`, { keys });
      const DPoP = client.getDPoPHandle(service.config, await client.randomDPoPKeyPair('Ed25519'));
      // The library signs by the new name; a key that is declared by the old one is for that alone (RFC 7517 §4.4).
      if (alg !== 'EdDSA') {
        const tokens = await client.clientCredentialsGrant(service.config, { scope: 'actions:write' }, { DPoP });
        assert.equal(tokens.token_type, 'dpop', `declared ${alg}`);
      }
      const url = `${issuer()}/token`;
      const nonce = await dpopNonce(it, fapi);
      for (const name of alg === undefined ? ['Ed25519', 'EdDSA'] : [alg]) {
        const now = Math.floor(Date.now() / 1000);
        const jwt = await sign(
          { alg: name, kid: String(jwk.kid) },
          { iss: service.id, sub: service.id, aud: issuer(), jti: randomUuid(), iat: now, exp: now + 60 },
          made.privateKey,
        );
        const answer = await post(
          url,
          {
            grant_type: 'client_credentials',
            scope: 'actions:write',
            client_id: service.id,
            client_assertion_type: ASSERTION_TYPE,
            client_assertion: jwt,
          },
          { dpop: await proof(service.dpop, { method: 'POST', url, nonce }) },
        );
        assert.equal(answer.status, 200, `declared ${alg}, signed ${name}: ${answer.text}`);
      }
    }
  });

  test('P8 a client assertion that its key did not sign is refused', { database: kind }, async () => {
    const it = await ready();
    const url = `${issuer()}/token`;
    const nonce = await dpopNonce(it, fapi);
    const now = Math.floor(Date.now() / 1000);
    const payload = () => ({ iss: fapi.id, sub: fapi.id, aud: issuer(), jti: randomUuid(), iat: now, exp: now + 60 });
    const before = await it.sql("select count(*)::int n from oidc_artefact where model = 'ClientCredentials'");
    for (const [name, jwt] of Object.entries(await forgeries(payload(), fapi.keys.jwk))) {
      const lines = noted(it);
      const answer = await post(
        url,
        { grant_type: 'client_credentials', scope: 'actions:write', ...(await assertion(it, fapi)), client_assertion: jwt },
        { dpop: await proof(fapi.dpop, { method: 'POST', url, nonce }) },
      );
      assert.ok([400, 401].includes(answer.status), `${name} ${answer.status} ${answer.text}`);
      assert.ok(['invalid_client', 'invalid_request'].includes(String(answer.json['error'])), name);
      assert.equal(noted(it), lines + 1, name);
    }
    // A service with a secret may not sign with it, nor with the hash that stands in its place.
    for (const secret of [service.secret, sha256(service.secret).toString('hex')]) {
      const jwt = await sign({ alg: 'HS256' }, { ...payload(), iss: service.id, sub: service.id }, new TextEncoder().encode(secret));
      const answer = await post(url, {
        grant_type: 'client_credentials',
        client_id: service.id,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: jwt,
      });
      assert.deepEqual([answer.status, answer.json['error']], [401, 'invalid_client']);
      const asSecret = await post(
        url,
        { grant_type: 'client_credentials' },
        { authorization: basic({ ...service, secret: sha256(service.secret).toString('hex') }) },
      );
      assert.equal(asSecret.status, 401, 'the stored hash is not the secret');
    }
    assert.deepEqual(await it.sql("select count(*)::int n from oidc_artefact where model = 'ClientCredentials'"), before);
    assert.deepEqual(hits, []);
  });

  test('P8 a DPoP proof that its key did not sign is refused, at the provider and at our API', { database: kind }, async () => {
    const it = await ready();
    const request = await push(fapi, 'openid dlg:logement');
    const page = await actFor(aidant, fapi, request, 'Colette Martin');
    const checks = { pkceCodeVerifier: request.verifier, expectedState: request.state, expectedNonce: request.nonce, idTokenExpected: true };
    const tokens = await client.authorizationCodeGrant(fapi.config, page.url, checks, undefined, { DPoP: fapi.handle });
    const token = tokens.access_token;
    const actions = `${it.places.relais}/api/v1/actions`;
    const userinfo = `${issuer()}/userinfo`;
    const { alg: _alg, use: _use, kid: _kid, ...bare } = fapi.dpop.jwk;
    const reported = await entriesOf(it, 'action.reported');
    const now = Math.floor(Date.now() / 1000);
    for (const [url, method] of [
      [userinfo, 'GET'],
      [actions, 'POST'],
    ] as const) {
      const payload = { htm: method, htu: url, iat: now, jti: randomUuid(), ath: sha256(token).toString('base64url') };
      const hmac = new Uint8Array(32).fill(7);
      const privateJwk = JSON.parse(JSON.stringify({ ...bare, d: 'A'.repeat(43) })) as JWK;
      const cases: Record<string, string> = {
        ...(await forgeries(payload, { ...fapi.dpop.jwk }, 'dpop+jwt')),
        'a symmetric key': await sign({ alg: 'HS256', typ: 'dpop+jwt', jwk: { kty: 'oct', k: base64url.encode(hmac) } }, payload, hmac),
        'our key in the header, another signature': await sign({ typ: 'dpop+jwt', jwk: bare }, payload, thief.privateKey),
        'a private key in the header': await sign({ typ: 'dpop+jwt', jwk: privateJwk }, payload, fapi.dpop.privateKey),
        'another type': await sign({ typ: 'jwt', jwk: bare }, payload, fapi.dpop.privateKey),
        'no type': await sign({ jwk: bare }, payload, fapi.dpop.privateKey),
        'no key': await sign({ typ: 'dpop+jwt' }, payload, fapi.dpop.privateKey),
        garbage: 'x.y.z',
        'two proofs': `${await sign({ typ: 'dpop+jwt', jwk: bare }, payload, fapi.dpop.privateKey)}, ${await sign({ typ: 'dpop+jwt', jwk: bare }, { ...payload, jti: randomUuid() }, fapi.dpop.privateKey)}`,
      };
      for (const [name, dpop] of Object.entries(cases)) {
        const lines = noted(it);
        const header = { authorization: `DPoP ${token}`, dpop };
        const answer = method === 'GET' ? await get(url, header) : await report(url, actionEvent(fapi.id, sessionOf(tokens.claims())), header);
        assert.ok([400, 401].includes(answer.status), `${name} at ${url}: ${answer.status} ${answer.text}`);
        assert.equal(noted(it), lines + 1, name);
      }
      const right = await proof(fapi.dpop, { method, url, token });
      const usual = method === 'GET' ? await get(url, { authorization: `DPoP ${token}`, dpop: right }) : undefined;
      if (usual) assert.ok([200, 401].includes(usual.status));
    }
    assert.equal(await entriesOf(it, 'action.reported'), reported);
    assert.deepEqual(hits, []);
  });

  test('P8 request objects are not believed, nor fetched', { database: kind }, async () => {
    const it = await ready();
    const opened = await entriesOf(it, 'session.opened');
    const metadata = (await get(`${issuer()}/.well-known/openid-configuration`)).json;
    assert.ok(metadata['request_uri_parameter_supported'] !== true && metadata['request_parameter_supported'] !== true);
    const payload = { iss: service.id, aud: issuer(), client_id: service.id, scope: 'openid dlg:famille', redirect_uri: 'https://evil.example/' };
    for (const [name, jwt] of Object.entries(await forgeries(payload, fapi.keys.jwk))) {
      const request = await authorize(service, 'openid dlg:logement', { request: jwt });
      const page = await aidant.open(request.url, undefined, 'http://localhost:9/');
      assert.ok(page.status < 500, name);
      assert.equal(page.url.searchParams.get('code'), null);
      assert.ok(!page.url.href.includes('evil'), name);
      assert.match(
        page.url.searchParams.get('error') ?? `page ${page.status}`,
        /^(request_not_supported|invalid_request|invalid_request_object|page 400)$/,
        name,
      );
    }
    for (const uri of [`${trapOrigin}/request`, 'https://evil.example/x', 'file:///etc/passwd']) {
      const request = await authorize(service, 'openid dlg:logement', { request_uri: uri });
      const page = await aidant.open(request.url, undefined, 'http://localhost:9/');
      assert.match(
        page.url.searchParams.get('error') ?? `page ${page.status}`,
        /^(request_uri_not_supported|invalid_request|invalid_request_uri|page 400)$/,
        uri,
      );
    }
    assert.equal(await entriesOf(it, 'session.opened'), opened);
    assert.deepEqual(hits, []);
  });

  test('P8 an id_token_hint that we did not sign says nothing', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const ours = ((await get(`${issuer()}/jwks`)).json['keys'] as JWK[]).find(({ alg }) => alg === 'ES256') as JWK;
    const payload = { ...(claims as unknown as JWTPayload) };
    const bye = `http://localhost:9/${service.id}/bye`;
    for (const [name, jwt] of Object.entries(await forgeries(payload, ours))) {
      const lines = noted(it);
      const out = new URL(`${issuer()}/session/end`);
      out.search = new URLSearchParams({ id_token_hint: jwt, post_logout_redirect_uri: bye }).toString();
      const page = await aidant.open(out, undefined, bye);
      assert.deepEqual([page.status, page.url.origin], [400, it.places.relais], name);
      assert.equal(noted(it), lines + 1, name);
      const request = await authorize(service, 'openid dlg:logement', { id_token_hint: jwt, prompt: 'none' });
      const back = await aidant.open(request.url, undefined, service.redirectUri);
      assert.ok(back.status < 500 && back.url.searchParams.get('code') === null, name);
      assert.match(back.url.searchParams.get('error') ?? '', /^(invalid_request|login_required)$/, name);
    }
    assert.equal(await endOf(it, sessionOf(claims)), 'live');
    const real = new URL(`${issuer()}/session/end`);
    real.search = new URLSearchParams({ id_token_hint: tokens.id_token ?? '', post_logout_redirect_uri: bye }).toString();
    assert.equal((await aidant.open(real, undefined, bye)).status, 200, 'the one that we did sign is accepted');
    const issuedWith = ((await get(`${issuer()}/.well-known/openid-configuration`)).json['id_token_signing_alg_values_supported'] as string[]).sort();
    assert.deepEqual(issuedWith, ['ES256', 'RS256']);
    assert.deepEqual(hits, []);
    void new Walker();
  });

  test('K4 the published keys hold nothing private', { database: kind }, async () => {
    await ready();
    const { keys } = (await get(`${issuer()}/jwks`)).json as { keys: JWK[] };
    assert.equal(keys.length, 2);
    for (const key of keys) for (const part of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']) assert.ok(!Object.hasOwn(key, part), part);
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
