import { readdirSync, readFileSync } from 'node:fs';
import { request as send } from 'node:http';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose';
import * as client from 'openid-client';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, csrfOf } from '../support/acting.ts';
import { actionEvent, assertion, basic, dpopNonce, type FapiService, fapiService, proof, sessionOf } from '../support/protocol.ts';
import { routesOf } from '../support/routes.ts';
import { authorize, delegatedTokens, signedInAidant, type TestService, type World } from '../support/world.ts';

/** Requests that know what they speak of (claim P21): each begins as one that a service, a person or a program would send, and is then bent a little. */

type Pairs = readonly (readonly [string, string])[];

/** A request as it is before anything is bent. Of `form` and `json` one at most. */
interface Asked {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly query?: Pairs;
  readonly headers?: Pairs;
  readonly form?: Pairs;
  readonly json?: unknown;
  readonly type?: string;
  /** What counts once only (a proof, an assertion): made anew each time, before it is bent. */
  readonly once?: () => Promise<{ readonly headers: Pairs; readonly form: Pairs }>;
}

/** Who signs what can be bent under its signature: assertions by one key, proofs by the other. */
type Signers = Pick<FapiService, 'keys' | 'dpop'>;

interface Bend {
  readonly at: number;
  readonly how: (typeof HOWS)[number];
  readonly value: string;
}

const HOWS = ['replace', 'append', 'remove', 'twice', 'swap', 'deep', 'claim', 'header', 'cut', 'case'] as const;

/** What was found to matter once stays: a folder of texts, one a file. */
const CORPUS = join(import.meta.dirname, 'fuzz-corpus');
const corpus = readdirSync(CORPUS).map((file) => readFileSync(join(CORPUS, file), 'utf8'));

const values = fc.oneof(
  fc.constantFrom(...corpus),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.integer().map(String),
  fc.double().map(String),
  fc.json({ maxDepth: 4 }),
  fc.nat(9000).map((length) => 'a'.repeat(length)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
);
const bends = fc.array(fc.record<Bend>({ at: fc.nat(60), how: fc.constantFrom(...HOWS), value: values }), { maxLength: 4 });

/** Everything of a request that can be bent, as one list of names and texts, and how to put it back. */
const bentPairs = (pairs: Pairs, bend: Bend): Pairs => {
  if (!pairs.length) return [[bend.value.slice(0, 40), bend.value]];
  const i = bend.at % pairs.length;
  const [name, value] = pairs[i] as readonly [string, string];
  const others = pairs.filter((_, k) => k !== i);
  switch (bend.how) {
    case 'remove':
      return others;
    case 'twice':
      return [...pairs, [name, bend.value]];
    case 'append':
      return [...others, [name, value + bend.value]];
    case 'cut':
      return [...others, [name, value.slice(0, bend.value.length)]];
    case 'case':
      return [...others, [name.toUpperCase(), value.toLowerCase()]];
    case 'swap':
      return [...others, [name, (pairs[(i + 1) % pairs.length] as readonly [string, string])[1]]];
    case 'deep':
      return [...others, [`${name}[${bend.value.slice(0, 10)}]`, value]];
    default:
      return [...others, [name, bend.value]];
  }
};

const bentJson = (json: unknown, bend: Bend): unknown => {
  if (typeof json !== 'object' || json === null) return bend.value;
  const entries = Object.entries(json);
  if (!entries.length) return bend.how === 'deep' ? [[json]] : { [bend.value.slice(0, 20)]: bend.value };
  const [key = '', inner] = entries[bend.at % entries.length] ?? [];
  const others = Object.fromEntries(entries.filter(([name]) => name !== key));
  const value = ((): unknown => {
    switch (bend.how) {
      case 'replace':
        return bend.value;
      case 'append':
        return `${inner}${bend.value}`;
      case 'twice':
        return [inner, inner];
      case 'cut':
        return String(inner).slice(0, bend.value.length);
      case 'case':
        return Number.parseFloat(bend.value);
      case 'swap':
        return json;
      default:
        return bentJson(inner, { ...bend, at: Math.floor(bend.at / entries.length) });
    }
  })();
  const bent = bend.how === 'remove' ? others : { ...others, [key]: value };
  return Array.isArray(json) ? Object.values(bent) : bent;
};

/** A token whose claim or header is another, signed by its own key again: it passes the signature, and only then is looked at. */
const bentToken = async (token: string, bend: Bend, signers: Signers): Promise<string> => {
  try {
    const [payload, header] = [decodeJwt(token), decodeProtectedHeader(token)];
    const signer = header.typ === 'dpop+jwt' ? signers.dpop : signers.keys;
    const into = bend.how === 'claim' ? payload : (header as Record<string, unknown>);
    const names = [...Object.keys(into), 'nbf', 'crit', 'jwk', 'aud', 'b64'];
    const name = names[bend.at % names.length] ?? 'aud';
    const worth: unknown = /^-?\d+$/.test(bend.value)
      ? Number(bend.value)
      : bend.value.startsWith('[') || bend.value.startsWith('{')
        ? JSON.parse(bend.value)
        : bend.value;
    into[name] = worth;
    return await new SignJWT(payload).setProtectedHeader({ ...header, alg: 'ES256' }).sign(signer.privateKey);
  } catch {
    return `${token}.${bend.value}`;
  }
};

const isToken = (text: string): boolean => /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(text);

const bent = async (asked: Asked, by: readonly Bend[], signers: Signers): Promise<Asked> => {
  let it = { ...asked, ...(await asked.once?.()) };
  for (const bend of by) {
    if (bend.how === 'claim' || bend.how === 'header') {
      const again = async (pairs: Pairs): Promise<Pairs> =>
        Promise.all(pairs.map(async ([name, value]) => [name, isToken(value) ? await bentToken(value, bend, signers) : value] as const));
      it = { ...it, ...(it.form ? { form: await again(it.form) } : {}), headers: await again(it.headers ?? []) };
      continue;
    }
    const places = [
      'query',
      ...(it.headers?.length ? ['headers'] : []),
      ...(it.form ? ['form', 'form'] : []),
      ...(it.json === undefined ? [] : ['json', 'json']),
      'path',
      'type',
    ];
    const place = places[bend.at % places.length];
    const inside = { ...bend, at: Math.floor(bend.at / places.length) };
    if (place === 'query') it = { ...it, query: bentPairs(it.query ?? [], inside) };
    else if (place === 'headers') it = { ...it, headers: bentPairs(it.headers ?? [], inside) };
    else if (place === 'form') it = { ...it, form: bentPairs(it.form ?? [], inside) };
    else if (place === 'json') it = { ...it, json: bentJson(it.json, inside) };
    else if (place === 'type') it = { ...it, type: bend.how === 'remove' ? 'text/plain' : bend.value };
    else
      it = {
        ...it,
        path:
          bend.how === 'cut'
            ? it.path.slice(0, -1 - (inside.at % 5))
            : `${it.path.replace(/[^/]*$/, '')}${encodeURIComponent(bend.value.toWellFormed())}`,
      };
  }
  return it;
};

/** Sends it, and gives the status and how long it took. A request that HTTP itself cannot carry is not sent: 0. */
const sent = (origin: string, { method, path, query, headers, form, json, type }: Asked): Promise<{ status: number; ms: number }> =>
  new Promise((done) => {
    const began = performance.now();
    const body = form
      ? new URLSearchParams(form.map(([name, value]): [string, string] => [name, value.toWellFormed()])).toString()
      : json === undefined
        ? ''
        : JSON.stringify(json);
    const asked = query?.length ? `?${new URLSearchParams(query.map(([name, value]): [string, string] => [name, value.toWellFormed()]))}` : '';
    let request: ReturnType<typeof send> | undefined;
    try {
      const asking = send(`${origin}${path}${asked}`, { method, agent: false, timeout: 20_000 }, (response) => {
        response.resume();
        response.on('end', () => done({ status: response.statusCode ?? 599, ms: performance.now() - began }));
        response.on('error', () => done({ status: 0, ms: performance.now() - began }));
      });
      request = asking;
      for (const [name, value] of headers ?? []) asking.setHeader(name, value);
      if (body) asking.setHeader('content-type', type ?? (form ? 'application/x-www-form-urlencoded' : 'application/json'));
      asking.on('timeout', () => asking.destroy(Object.assign(new Error('no answer'), { hung: true })));
      asking.on('error', (error: Error & { hung?: boolean }) => done({ status: error.hung ? 599 : 0, ms: performance.now() - began }));
      asking.end(body);
    } catch {
      request?.on('error', () => undefined).destroy();
      done({ status: 0, ms: 0 });
    }
  });

/** What a house of its own is asked, with what is alive now. */
const askedOf = async (world: World): Promise<{ requests: () => readonly Asked[]; renew(): Promise<void>; signers: Signers }> => {
  const service: TestService = await world.service('bent');
  const fapi = await fapiService(world, 'bent-fapi');
  const aidant = await signedInAidant(world);
  const usager = new Walker();
  await signInUsager(usager, world.places, 'colette');
  let requests: readonly Asked[] = [];

  const renew = async (): Promise<void> => {
    const home = new URL('/aidant', world.places.relais);
    if ((await aidant.ask(home)).status !== 200) Object.assign(aidant, await signedInAidant(world));
    if ((await usager.ask(new URL('/usager', world.places.relais))).status !== 200) await signInUsager(usager, world.places, 'colette');
    const mandate = await agreed(world, 'colette', ['logement']);
    const { tokens, claims, request, callback } = await delegatedTokens(world, aidant, service, 'Colette Martin');
    const own = (await client.clientCredentialsGrant(service.config, { scope: 'actions:write' })).access_token;
    const csrf = await csrfOf(world, aidant);
    const authorization = basic(service);
    const nonce = await dpopNonce(world, fapi);
    const signed = (url: string, form: Pairs) => async () => ({
      headers: [['dpop', await proof(fapi.dpop, { method: 'POST', url, nonce })]] as Pairs,
      form: [...form, ...Object.entries(await assertion(world, fapi))],
    });
    const token = `${world.app.site.issuer}/token`;
    const asked = await authorize(service, 'openid given_name dlg:logement', {
      claims: JSON.stringify({ id_token: { acr: { values: ['eidas1'] } } }),
      acr_values: 'eidas1',
      max_age: '600',
      ui_locales: 'fr',
    });
    const detail = JSON.stringify([{ type: 'urn:relais:mandate', theme: 'logement' }]);
    const params: Pairs = [...asked.url.searchParams];
    const event = actionEvent(service.id, sessionOf(claims));
    const cookie = (walker: Walker): Pairs => [['cookie', walker.cookieHeader(home)]];
    const bearer: Pairs = [['authorization', `Bearer ${tokens.access_token}`]];
    const pages = routesOf(world)
      .filter(({ method, path }) => method !== 'HEAD' && !path.startsWith('/assets') && !/deconnexion|sortie/.test(path))
      .flatMap(({ method, path }): Asked[] => {
        const to = path.replaceAll(/:[^/]+|\*/g, mandate.id);
        const [form, origin] = [
          [
            ['_csrf', csrf],
            ['reason', 'parce que'],
          ] as Pairs,
          [['origin', world.places.relais]] as Pairs,
        ];
        return [aidant, usager].map((walker) => ({
          name: `${method} ${path}`,
          method,
          path: to,
          headers: [...cookie(walker), ...(method === 'GET' ? [] : origin)],
          ...(method === 'GET' ? {} : { form }),
        }));
      });
    const api: Asked[] = [
      { name: 'auth', method: 'GET', path: '/oidc/auth', query: params },
      { name: 'auth detail', method: 'GET', path: '/oidc/auth', query: [...params, ['authorization_details', detail], ['resource', 'urn:x']] },
      { name: 'auth form', method: 'POST', path: '/oidc/auth', form: params },
      { name: 'par', method: 'POST', path: '/oidc/par', headers: [['authorization', authorization]], form: params },
      {
        name: 'par fapi',
        method: 'POST',
        path: '/oidc/par',
        once: signed(
          `${world.app.site.issuer}/par`,
          params.filter(([name]) => name !== 'client_id'),
        ),
      },
      {
        name: 'token',
        method: 'POST',
        path: '/oidc/token',
        headers: [['authorization', authorization]],
        form: [
          ['grant_type', 'authorization_code'],
          ['code', callback.searchParams.get('code') ?? ''],
          ['redirect_uri', service.redirectUri],
          ['code_verifier', request.verifier],
        ],
      },
      {
        name: 'token fapi',
        method: 'POST',
        path: '/oidc/token',
        once: signed(token, [
          ['grant_type', 'client_credentials'],
          ['scope', 'actions:write'],
        ]),
      },
      {
        name: 'introspection',
        method: 'POST',
        path: '/oidc/introspection',
        headers: [
          ['authorization', authorization],
          ['accept', 'application/token-introspection+jwt'],
        ],
        form: [
          ['token', tokens.access_token],
          ['token_type_hint', 'access_token'],
        ],
      },
      {
        name: 'revocation',
        method: 'POST',
        path: '/oidc/revocation',
        headers: [['authorization', authorization]],
        form: [['token', 'x'.repeat(43)]],
      },
      { name: 'userinfo', method: 'GET', path: '/oidc/userinfo', headers: bearer },
      {
        name: 'end',
        method: 'GET',
        path: '/oidc/session/end',
        query: [
          ['id_token_hint', tokens.id_token ?? ''],
          ['post_logout_redirect_uri', `http://localhost:9/${service.id}/bye`],
          ['state', 'x'],
        ],
      },
      { name: 'act', method: 'POST', path: '/api/v1/actions', headers: bearer, json: event, type: 'application/cloudevents+json' },
      {
        name: 'acts',
        method: 'POST',
        path: '/api/v1/actions',
        headers: [['authorization', `Bearer ${own}`]],
        json: [event, event],
        type: 'application/cloudevents-batch+json',
      },
      {
        name: 'validity',
        method: 'GET',
        path: `/api/v1/mandates/${mandate.reference}/validity`,
        query: [
          ['theme', 'logement'],
          ['at', new Date().toISOString()],
        ],
        headers: [['authorization', `Bearer ${own}`]],
      },
      {
        name: 'journal',
        method: 'GET',
        path: '/api/v1/journal/me',
        query: [
          ['limit', '3'],
          ['before', '90'],
          ['from', '2026-01-01'],
        ],
        headers: cookie(usager),
      },
      { name: 'proof', method: 'GET', path: '/api/v1/journal/proof/3', query: [['size', '60']] },
      {
        name: 'consistency',
        method: 'GET',
        path: '/api/v1/journal/consistency',
        query: [
          ['from', '3'],
          ['to', '60'],
        ],
      },
      { name: 'tile', method: 'GET', path: '/log/tile/0/000' },
      {
        name: 'reply',
        method: 'POST',
        path: '/api/v1/sms/replies',
        headers: [['relais-signature', `t=1,v1=${'0'.repeat(64)}`]],
        json: { from: '+33600000001', text: 'OUI', reference: 'x' },
      },
      {
        name: 'stream',
        method: 'POST',
        path: '/ssf/stream',
        headers: [['authorization', `Bearer ${own}`]],
        json: { delivery: { method: 'urn:ietf:rfc:8936' }, events_requested: ['x'] },
      },
      { name: 'verify', method: 'POST', path: '/ssf/verify', headers: [['authorization', `Bearer ${own}`]], json: { stream_id: 'x', state: 'y' } },
      {
        name: 'subjects',
        method: 'POST',
        path: '/ssf/subjects/add',
        headers: [['authorization', `Bearer ${own}`]],
        json: { stream_id: 'x', subject: { format: 'iss_sub', iss: 'i', sub: 's' } },
      },
      {
        name: 'poll',
        method: 'POST',
        path: '/ssf/poll/x',
        headers: [['authorization', `Bearer ${own}`]],
        json: { maxEvents: 1, returnImmediately: true, ack: ['a'], setErrs: { b: { err: 'x', description: 'y' } } },
      },
    ];
    // As often what programs say as what pages hold, though pages are many.
    requests = [...Array.from({ length: Math.ceil(pages.length / api.length) }, () => api).flat(), ...pages];
  };
  await renew();
  return { requests: () => requests, renew, signers: fapi };
};

export interface FuzzReport {
  readonly sent: number;
  readonly byClass: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  /** Resident memory after a tenth of the requests, and at the end, each after a collection, MiB. */
  readonly memory: readonly [number, number];
  readonly seed: number;
}

/** Sends `count` bent requests, twenty at a time. Fails on the first 5xx or on one that takes `hangMs`, with the seed and the request as it was sent. */
export const fuzz = async (world: World, options: { count: number; hangMs: number; seed?: number }): Promise<FuzzReport> => {
  const { count, hangMs, seed = Date.now() & 0x7fffffff } = options;
  const { requests, renew, signers } = await askedOf(world);
  const byClass: Record<string, number> = {};
  let [done, slowestMs, early] = [0, 0, 0];
  const faults = () => world.logged.filter(({ level }) => level === 'error');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const memory = (): number => {
    collect(); // what nobody holds any more is not memory that grows
    return Math.round(process.memoryUsage.rss() / 1_048_576);
  };
  const one = fc.record({ which: fc.nat(), by: bends });
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 20, maxLength: 20 }), async (batch) => {
      if (done % 4000 === 0 && done) {
        world.advance(61_000); // the limits of a minute are not what is looked for
        await renew();
        world.logged.splice(0, world.logged.length, ...faults()); // what a million requests log is not the memory of Relais
      }
      const answers = await Promise.all(
        batch.map(async ({ which, by }) => {
          const asked = await bent(requests()[which % requests().length] as Asked, by, signers);
          return { asked, ...(await sent(world.places.relais, asked)) };
        }),
      );
      done += batch.length;
      if (!early && done >= count / 10) early = memory();
      for (const { asked, status, ms } of answers) {
        const kind = `${Math.floor(status / 100)}xx`;
        byClass[kind] = (byClass[kind] ?? 0) + 1;
        slowestMs = Math.max(slowestMs, ms);
        if (status >= 500) throw new Error(`${status} ${JSON.stringify(asked).slice(0, 3000)}\n${JSON.stringify(faults().slice(-3)).slice(0, 2000)}`);
        if (ms > hangMs) throw new Error(`${Math.round(ms)} ms ${JSON.stringify(asked).slice(0, 3000)}`);
      }
    }),
    { numRuns: Math.ceil(count / 20), seed, endOnFailure: true },
  );
  return { sent: done, byClass, slowestMs: Math.round(slowestMs), memory: [early, memory()], seed };
};
