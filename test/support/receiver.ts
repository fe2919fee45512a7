import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { assert } from './check.ts';
import type { TestService, World } from './world.ts';

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the transmitter says; tests compare it
  readonly body: any;
}

/** A service's own token for its stream. */
export const streamToken = async (service: TestService, scope = 'ssf.manage'): Promise<string> =>
  (await client.clientCredentialsGrant(service.config, { scope })).access_token;

/** Asks the transmitter; an object goes as JSON, a text as it is. */
export const askSsf = async (world: World, method: string, path: string, token: string | undefined, body?: unknown): Promise<Answered> => {
  const answer = await fetch(path.startsWith('http') ? path : `${world.places.relais}${path}`, {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text ? JSON.parse(text) : undefined };
};

export interface Set_ extends JWTPayload {
  readonly sub_id: Readonly<Record<string, string>>;
  readonly events: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Verifies a SET as a receiver must: key, algorithm, type, issuer, audience, and what must not be in it. */
export const readSet = async (world: World, audience: string, set: string): Promise<Set_> => {
  const configuration = await askSsf(world, 'GET', '/.well-known/ssf-configuration', undefined);
  const jwks = (await askSsf(world, 'GET', configuration.body.jwks_uri, undefined)).body as JSONWebKeySet;
  const { payload } = await jwtVerify(set, createLocalJWKSet(jwks), {
    issuer: configuration.body.issuer,
    audience,
    typ: 'secevent+jwt',
    algorithms: ['RS256'],
    currentDate: new Date(Date.now()),
  });
  assert.equal(decodeProtectedHeader(set).kid, jwks.keys[0]?.kid);
  assert.deepEqual(
    [payload.sub, payload.exp, typeof payload.jti, typeof payload.iat, typeof payload['txn']],
    [undefined, undefined, 'string', 'number', 'string'],
  );
  assert.equal(Object.keys((payload as Set_).events).length, 1, 'one event');
  return payload as Set_;
};

/** An endpoint that takes SETs by push (RFC 8935). */
export const pushEndpoint = async () => {
  const received: { readonly set: string; readonly authorization: string | undefined; readonly type: string | undefined }[] = [];
  let status = 202;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      received.push({ set: body, authorization: request.headers.authorization, type: request.headers['content-type'] });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/events`,
    received,
    answer: (code: number) => {
      status = code;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};
