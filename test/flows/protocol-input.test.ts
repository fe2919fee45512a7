import { request as ask, type IncomingHttpHeaders } from 'node:http';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import * as client from 'openid-client';
import { prepareMandate, signInStaff, signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import {
  actionEvent,
  basic,
  endOf,
  type FapiService,
  fapiService,
  faults,
  inEachWorld,
  post,
  proof,
  push,
  redemption,
  report,
  sessionOf,
  stateOf,
} from '../support/protocol.ts';
import { actFor, authorize, delegatedTokens, entriesOf, mandateByPages, signedInAidant, type TestService, type World } from '../support/world.ts';

/** What tools of the kind of sqlmap send, and what a database may stumble over. */
const EVERYTHING = [
  "'",
  '"',
  "' or '1'='1",
  "') or ('1'='1",
  "'; drop table mandate; --",
  "'; update mandate set ended_at = now(), end_reason = 'revoked'; --",
  '1; select pg_sleep(9)--',
  "' || pg_sleep(9) || '",
  "x' and (select 1 from pg_sleep(9))::text = '1",
  "' union select null, version(), null --",
  "' and 1 = cast((select version()) as int) --",
  "'; copy (select 1) to program 'id' --",
  '\\',
  "\\'; select 1 --",
  '$1',
  '$$; select 1; $$',
  '%',
  '_%_',
  '\u0000',
  'x\u0000y',
  '\ud800',
  '\uffff',
  '9223372036854775808',
  '-1',
  '1e309',
  'NaN',
  '{}',
  '{"a":1}',
  "id' desc; --",
  '../../../etc/passwd',
] as const;

const nightly = process.env['RELAIS_TEST_NIGHTLY'] !== undefined;
/** All of them on every parameter is for the night: by day, every second one, and the worst ones on each parameter alone. */
const CORPUS = EVERYTHING.filter((value, i) => nightly || i % 2 === 0 || value.includes('\u0000'));
const SHARP = nightly ? EVERYTHING : ["' || pg_sleep(9) || '", '\u0000'];

inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let usager: Walker;
  let agent: Walker;
  let service: TestService;
  let fapi: FapiService;
  let mandate = '';

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await world().service('guichet-saisie');
      fapi = await fapiService(world(), 'guichet-saisie-fapi');
      aidant = await signedInAidant(world());
      mandate = await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
      await world().app.site.mandates.expireOverdue(); // what a job would do meanwhile
      usager = new Walker();
      await signInUsager(usager, world().places, 'colette');
      agent = new Walker();
      await signInStaff(agent, world().places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (places, who) =>
        world().code(places, who),
      );
    }
    return world();
  };

  const issuer = (): string => world().app.site.issuer;
  const slow: string[] = [];
  const broken: string[] = [];

  /** Sends one request and notes what must never happen. */
  const watch = async (name: string, send: () => Promise<{ status: number; body?: unknown }>): Promise<number> => {
    const began = performance.now();
    const { status } = await send();
    if (status >= 500) broken.push(`${status} ${name}`);
    if (performance.now() - began > 6000) slow.push(name);
    return status;
  };

  const csrf = async (walker: Walker, path: string): Promise<string> =>
    /name="_csrf" value="([^"]+)"/.exec((await walker.open(`${world().places.relais}${path}`)).html)?.[1] ?? '';

  const settle = async (it: World, before: string, except: readonly string[] = []): Promise<void> => {
    assert.deepEqual([broken.splice(0), slow.splice(0)], [[], []]);
    assert.equal(await stateOf(it, except), before);
    assert.deepEqual(faults(it), []);
  };

  /** Every page with parameters in its address: who opens it, its path (`*` is a parameter), its query. */
  const pages = async (): Promise<[Walker, string, string[]][]> => {
    const request = await authorize(service, 'openid given_name dlg:logement dlg:famille');
    const interaction = (await aidant.open(request.url)).url.pathname;
    assert.match(interaction, /^\/interaction\//);
    const draft = (await prepareMandate(aidant, world().places, { person: 'jean', themes: ['social'], days: '31' })).url.pathname.replace(
      /\/signer$/,
      '',
    );
    assert.match(draft, /^\/aidant\/mandats\/brouillon\/dra_/);
    return [
      [new Walker(), '/', ['lang']],
      [new Walker(), '/*', ['lang']],
      [new Walker(), '/connexion/proconnect', ['vers']],
      [new Walker(), '/connexion/proconnect/retour', ['state', 'code', 'iss', 'error', 'error_description', 'session_state']],
      [new Walker(), '/connexion/franceconnect/retour', ['state', 'code', 'iss', 'error', 'error_description']],
      [usager, '/connexion/franceconnect/sortie', ['state']],
      [new Walker(), '/connexion/proconnect/sortie', ['state']],
      [new Walker(), '/inscription/*', ['lang']],
      [aidant, '/aidant', ['q', 'apres', 'filtre', 'lang', 'etat', 'page']],
      [aidant, '/aidant/structures', ['vers']],
      [aidant, '/aidant/mandats/nouveau', ['themes', 'days', 'lang']],
      [aidant, '/aidant/mandats/nouveau/duree', ['themes', 'days']],
      [aidant, '/aidant/mandats/*', []],
      [aidant, '/aidant/mandats/*/cree', []],
      [aidant, '/aidant/mandats/brouillon/*', []],
      [aidant, `${draft}/refus`, ['motif']],
      [aidant, `${draft}/signer`, ['lang']],
      [aidant, `${draft}/texte`, ['lang']],
      [aidant, `/aidant/agir/*/${service.id}`, ['theme', 'thematique']],
      [aidant, `/aidant/agir/${mandate}/*`, ['theme', 'thematique']],
      [aidant, interaction, ['personne', 'thematique', 'q', 'apres', 'choisir', 'lang']],
      [aidant, '/interaction/*', ['personne']],
      [aidant, '/interaction/*/suite', []],
      [usager, '/usager', ['apres', 'avant', 'q', 'page', 'lang', 'verbe', 'service']],
      [usager, '/usager/entrees/*', []],
      [usager, '/usager/entrees/*/preuve', []],
      [agent, '/administration/entrees/*/preuve', []],
      [usager, '/usager/mandats/*', []],
      [usager, '/usager/mandats/*/arreter', []],
      [usager, '/usager/mandats/*/arrete', ['a']],
      [agent, '/administration', ['reason', 'service', 'lang', 'before']],
      [new Walker(), '/verifier', ['index', 'leaf']],
      [new Walker(), '/log/*', []],
      [new Walker(), '/log/tile/*', []],
      [new Walker(), '/api/v1/journal/proof/*', ['size']],
      [new Walker(), '/api/v1/journal/consistency', ['from', 'to']],
      [new Walker(), '/api/v1/*', []],
    ];
  };

  /** Lone surrogates cannot be written in an address: they go as the bytes that some clients send for them. */
  const escaped = (text: string): string =>
    text
      .replaceAll('\ud800', '\uE000')
      .split('')
      .map((c) => encodeURIComponent(c))
      .join('')
      .replaceAll('%EE%80%80', '%ED%A0%80');
  const address = (path: string, query: Record<string, string>): string =>
    `${world().places.relais}${path}?${Object.entries(query)
      .map(([name, value]) => `${name}=${escaped(value)}`)
      .join('&')}`;

  test('I1 nothing written in the address of a page reaches the database as anything but a value', { database: kind }, async () => {
    const it = await ready();
    const all = await pages();
    const before = await stateOf(it);
    for (const [walker, path, names] of all) {
      const send = (value: string, on: readonly string[]) =>
        watch(`${path} ${JSON.stringify(value)} in ${on.join()}`, () =>
          walker.ask(address(path.replaceAll('*', escaped(value)), Object.fromEntries(on.map((name) => [name, value])))),
        );
      for (const value of path.includes('*') || names.length ? CORPUS : []) await send(value, names);
      if (names.length > 1) for (const name of names) for (const value of SHARP) await send(value, [name]);
    }
    await settle(it, before);
  });

  test('I1 nothing typed in a form does either, audit filters included', { database: kind }, async () => {
    const it = await ready();
    const request = await authorize(service, 'openid dlg:logement dlg:famille');
    const interaction = (await aidant.open(request.url)).url.pathname;
    const forms: [Walker, string, string[], string][] = [
      [aidant, '/aidant/mandats/nouveau', ['themes'], await csrf(aidant, '/aidant')],
      [aidant, '/aidant/mandats/nouveau/duree', ['themes', 'days'], await csrf(aidant, '/aidant')],
      [aidant, '/aidant/mandats/brouillon/*/consentement', ['x'], await csrf(aidant, '/aidant')],
      [aidant, '/aidant/mandats/brouillon/*/abandon', ['x'], await csrf(aidant, '/aidant')],
      [aidant, '/aidant/mandats/brouillon/*/signer', ['code', 'said_aloud', 'hash'], await csrf(aidant, '/aidant')],
      [aidant, '/aidant/structures', ['organisation', 'vers'], await csrf(aidant, '/aidant')],
      [aidant, '/aidant/sessions/*/arreter', ['x'], await csrf(aidant, '/aidant')],
      [aidant, `${interaction}/personne`, ['person'], await csrf(aidant, '/aidant')],
      [aidant, `${interaction}/thematique`, ['person', 'theme'], await csrf(aidant, '/aidant')],
      [aidant, `${interaction}/confirmer`, ['person', 'theme', 'organisation'], await csrf(aidant, '/aidant')],
      [aidant, '/interaction/*/confirmer', ['person', 'theme', 'organisation'], await csrf(aidant, '/aidant')],
      [usager, '/usager/mandats/*/arreter', ['reason', 'confirm'], await csrf(usager, '/usager')],
      [new Walker(), '/inscription/*', ['_csrf'], ''],
      [new Walker(), '/inscription/*/code', ['code', '_csrf'], ''],
      [new Walker(), '/connexion/code', ['code', '_csrf'], ''],
      [
        agent,
        '/administration/journal',
        ['reason', 'from', 'to', 'service', 'theme', 'demarche', 'outcome', 'session', 'before', 'sort', 'order'],
        await csrf(agent, '/administration'),
      ],
    ];
    const before = await stateOf(it);
    const filters = new Set(['service', 'theme', 'demarche', 'outcome', 'before']);
    for (const [walker, path, names, token] of forms) {
      const reason = path.startsWith('/administration') ? { reason: 'contrôle du dossier 2026-11' } : {};
      const send = (value: string, on: readonly string[]) =>
        watch(`POST ${path} ${JSON.stringify(value)} in ${on.join()}`, async () => {
          const fields = { ...(on.length > 3 ? {} : reason), _csrf: token, ...Object.fromEntries(on.map((name) => [name, value])) };
          const response = await walker.ask(`${world().places.relais}${path.replaceAll('*', escaped(value))}`, fields);
          const text = await response.text();
          if (on.length === 1 && (on[0] === 'demarche' || on[0] === 'outcome')) assert.ok(!text.includes('dls_'), `${on[0]} ${value} found entries`);
          return response;
        });
      for (const value of CORPUS) await send(value, names);
      if (names.length > 1) for (const name of names) for (const value of filters.has(name) ? CORPUS : SHARP) await send(value, [name]);
    }
    await settle(it, before);
  });

  test('I1 nothing sent to the provider or to the report does either', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const counted = ['action', 'delegated_session']; // well-formed events are recorded, as they should
    const before = await stateOf(it, counted);
    const issued = await entriesOf(it, 'token.issued');
    const own = { authorization: basic(service) };
    const endpoints: [string, string[], Record<string, string>][] = [
      [
        '/oidc/auth',
        [
          'client_id',
          'redirect_uri',
          'scope',
          'state',
          'nonce',
          'response_type',
          'code_challenge',
          'prompt',
          'max_age',
          'claims',
          'acr_values',
          'login_hint',
          'id_token_hint',
          'ui_locales',
          'request_uri',
          'authorization_details',
          'resource',
          'dpop_jkt',
        ],
        {},
      ],
      ['/oidc/par', ['client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'claims', 'authorization_details', 'request_uri', 'dpop_jkt'], own],
      [
        '/oidc/token',
        [
          'grant_type',
          'code',
          'redirect_uri',
          'code_verifier',
          'client_id',
          'client_secret',
          'client_assertion',
          'client_assertion_type',
          'scope',
          'resource',
        ],
        own,
      ],
      ['/oidc/introspection', ['token', 'token_type_hint', 'client_id'], own],
      ['/oidc/revocation', ['token', 'token_type_hint', 'client_id'], own],
      ['/oidc/session/end', ['id_token_hint', 'post_logout_redirect_uri', 'state', 'client_id', 'logout_hint'], {}],
      ['/oidc/session/end/confirm', ['xsrf', 'logout'], {}],
    ];
    const relais = world().places.relais;
    const usual = redemption(service, await authorize(service, 'openid'), new URL('http://localhost:9/?code=x'));
    for (const [path, names, headers] of endpoints) {
      const bearable: Record<string, string> =
        path === '/oidc/token'
          ? usual
          : path === '/oidc/auth' || path === '/oidc/par'
            ? Object.fromEntries((await authorize(service, 'openid dlg:logement')).url.searchParams)
            : { token: 'x' };
      for (const name of names)
        for (const value of SHARP)
          await watch(`POST ${path} ${name} ${JSON.stringify(value)}`, () => post(`${relais}${path}`, { ...bearable, [name]: value }, headers));
      for (const name of names)
        for (const value of SHARP)
          await watch(`GET ${path} ${name} ${JSON.stringify(value)}`, () =>
            fetch(address(path, { ...bearable, [name]: value }), { redirect: 'manual' }),
          );
    }
    const event = actionEvent(service.id, sessionOf(claims));
    const bearer = { authorization: `Bearer ${tokens.access_token}` };
    for (const value of CORPUS) {
      for (const name of ['id', 'source', 'time', 'type', 'specversion', 'datacontenttype', 'data'])
        await watch(`event ${name} ${JSON.stringify(value)}`, () =>
          report(`${relais}/api/v1/actions`, { ...event, id: `x${value}`, source: value, [name]: value }, bearer),
        );
      for (const name of ['session', 'verb', 'demarche', 'outcome', 'reference', value])
        await watch(`event data.${name} ${JSON.stringify(value)}`, () =>
          report(`${relais}/api/v1/actions`, { ...event, data: { ...(event['data'] as object), [name]: value } }, bearer),
        );
      const plain = value.replace(/[^\x20-\x7e]/g, '?');
      for (const headers of [
        { authorization: `Bearer ${plain}` },
        { authorization: plain },
        { authorization: `DPoP ${tokens.access_token}`, dpop: plain },
        { ...bearer, cookie: `relais_session=${plain}; relais_op=${plain}; relais_interaction=${plain}` },
      ] as Record<string, string>[])
        for (const path of ['/oidc/userinfo', '/usager', '/api/v1/actions'])
          await watch(`${path} ${JSON.stringify(headers)}`, () =>
            path.startsWith('/api') ? report(`${relais}${path}`, 'x', headers) : fetch(`${relais}${path}`, { headers, redirect: 'manual' }),
          );
    }
    assert.equal(await entriesOf(it, 'token.issued'), issued);
    assert.equal(await endOf(it, sessionOf(claims)), 'live');
    await settle(it, before, counted);
  });

  /** One request with headers that `fetch` would not send. */
  const raw = (
    path: string,
    headers: Record<string, string>,
    body?: string,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(world().places.relais);
      const sent = ask(
        {
          hostname,
          port,
          path,
          method: body === undefined ? 'GET' : 'POST',
          headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }) },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
        },
      );
      sent.once('error', reject);
      sent.end(body);
    });

  test('I4 whatever the Host and forwarding headers say, every address is the configured one', { database: kind }, async () => {
    const it = await ready();
    const evil = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '666',
      'x-forwarded-prefix': '/evil',
      'x-forwarded-for': '203.0.113.66',
      forwarded: 'host=evil.example;proto=https;for=203.0.113.66',
      'x-original-url': '/evil',
      'x-rewrite-url': '/evil',
      'x-host': 'evil.example',
    };
    const clean = (what: string, { headers, text }: { headers: IncomingHttpHeaders; text: string }): void =>
      assert.ok(!/evil|203\.0\.113|:666/.test(JSON.stringify(headers) + text), `${what} ${JSON.stringify(headers)} ${text.slice(0, 300)}`);
    for (const path of ['/oidc/.well-known/openid-configuration', '/.well-known/oauth-authorization-server/oidc']) {
      const metadata = await raw(path, evil);
      clean(path, metadata);
      const usual = await raw(path, { host: new URL(it.places.relais).host });
      assert.equal(metadata.text, usual.text);
      assert.equal((JSON.parse(metadata.text) as { issuer: string }).issuer, issuer());
    }
    for (const path of [
      '/',
      '/aidant',
      '/usager',
      '/administration',
      '/nowhere',
      '/connexion/franceconnect',
      '/connexion/proconnect',
      '/oidc/jwks',
      '/oidc/session/end',
      '/oidc/nowhere',
      '//evil.invalid/',
    ]) {
      const page = await raw(path, path.includes('invalid') ? { ...evil } : evil);
      if (!path.includes('invalid')) clean(path, page);
      assert.ok(page.status < 500);
      assert.ok(!/evil/.test(String(page.headers.location ?? '')), path);
      const sent = /redirect_uri=([^&]+)/.exec(String(page.headers.location ?? ''))?.[1];
      if (sent) assert.ok(decodeURIComponent(sent).startsWith(it.places.relais), sent);
    }
    const request = await authorize(service, 'openid dlg:logement');
    const auth = await raw(`/oidc/auth${request.url.search}`, evil);
    clean('/oidc/auth', auth);
    assert.match(String(auth.headers.location), /^\/interaction\//);
    const none = await authorize(service, 'openid', { prompt: 'none' });
    const refused = await raw(`/oidc/auth${none.url.search}`, evil);
    clean('prompt=none', refused);
    assert.equal(new URL(String(refused.headers.location)).searchParams.get('iss'), issuer());
    const pushed = await raw('/oidc/par', { ...evil, authorization: basic(service) }, request.url.searchParams.toString());
    assert.equal(pushed.status, 201);
    clean('/oidc/par', pushed);

    const flow = await authorize(service, 'openid given_name dlg:logement');
    const page = await actFor(aidant, service, flow, 'Colette Martin');
    const answer = await raw(
      '/oidc/token',
      { ...evil, authorization: basic(service) },
      new URLSearchParams(redemption(service, flow, page.url)).toString(),
    );
    assert.equal(answer.status, 200);
    const claims = decodeJwt((JSON.parse(answer.text) as { id_token: string }).id_token);
    assert.deepEqual([claims.iss, (claims['act'] as { iss: string }).iss], [issuer(), issuer()]);
    const hint = new URLSearchParams({ id_token_hint: (JSON.parse(answer.text) as { id_token: string }).id_token });
    const out = await raw(`/oidc/session/end?${hint}`, { ...evil, cookie: aidant.cookieHeader(new URL(`${it.places.relais}/oidc/session/end`)) });
    clean('/oidc/session/end', out);
    const action = /<form[^>]*action="([^"]+)"/.exec(out.text)?.[1] ?? '';
    assert.equal(new URL(action, it.places.relais).origin, it.places.relais);

    // A proof for the address that the Host header invents is refused; one for the configured address is accepted.
    const bound = await push(fapi, 'openid dlg:logement');
    const back = await actFor(aidant, fapi, bound, 'Colette Martin');
    const checks = { pkceCodeVerifier: bound.verifier, expectedState: bound.state, expectedNonce: bound.nonce, idTokenExpected: true };
    const held = await client.authorizationCodeGrant(fapi.config, back.url, checks, undefined, { DPoP: fapi.handle });
    const token = held.access_token;
    for (const [path, method] of [
      ['/oidc/userinfo', 'GET'],
      ['/api/v1/actions', 'POST'],
    ] as const) {
      for (const origin of ['http://evil.example', 'https://evil.example', it.places.relais.replace('http:', 'https:')]) {
        const dpop = await proof(fapi.dpop, { method, url: `${origin}${path}`, token });
        const wrong = await raw(path, { ...evil, authorization: `DPoP ${token}`, dpop }, method === 'POST' ? '{}' : undefined);
        assert.ok([400, 401, 415].includes(wrong.status) && wrong.status !== 200, `${path} ${origin} ${wrong.status}`);
      }
      if (method === 'GET') {
        const first = await raw(path, {
          ...evil,
          authorization: `DPoP ${token}`,
          dpop: await proof(fapi.dpop, { method, url: `${it.places.relais}${path}`, token }),
        });
        const nonce = first.headers['dpop-nonce'];
        const again = await raw(path, {
          ...evil,
          authorization: `DPoP ${token}`,
          dpop: await proof(fapi.dpop, { method, url: `${it.places.relais}${path}`, token, nonce: typeof nonce === 'string' ? nonce : undefined }),
        });
        assert.equal(first.status === 200 || again.status === 200, true, `${first.status} ${again.status} ${again.text}`);
      }
    }
    assert.deepEqual(faults(it), []);
  });

  test('I5 members named __proto__ or constructor change nothing, in JSON, forms and addresses', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const relais = it.places.relais;
    const bearer = { authorization: `Bearer ${tokens.access_token}` };
    const before = await stateOf(it);
    const reported = await entriesOf(it, 'action.reported');
    const untouched = (): void => {
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
      assert.deepEqual(Object.keys(Object.prototype), []);
      assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
    };
    const good = JSON.stringify(actionEvent(service.id, sessionOf(claims)));
    for (const poison of [
      '"__proto__":{"polluted":1}',
      '"constructor":{"prototype":{"polluted":1}}',
      '"prototype":{"polluted":1}',
      '"toString":1',
      '"hasOwnProperty":1',
      '"__proto__":null',
      '"valueOf":"x"',
    ])
      for (const body of [
        `{${poison},${good.slice(1)}`,
        good.replace('"data":{', `"data":{${poison},`),
        `[{${poison}}]`,
        `{${poison}}`,
        `{"data":{${poison}}}`,
      ]) {
        const answer = await report(`${relais}/api/v1/actions`, body, bearer);
        assert.equal(answer.status, 400, `${body} ${answer.text}`);
        untouched();
      }
    assert.equal(await entriesOf(it, 'action.reported'), reported);
    const fields: Record<string, string>[] = [
      {
        __proto__x: '1',
        ['__proto__']: 'x',
        '__proto__[polluted]': '1',
        'constructor[prototype][polluted]': '1',
        'constructor.prototype.polluted': '1',
      },
      { themes: '__proto__', days: 'constructor', code: 'toString', person: '__proto__', theme: '__proto__', organisation: 'constructor' },
    ];
    for (const set of fields) {
      for (const [walker, path, from] of [
        [aidant, '/aidant/mandats/nouveau', '/aidant'],
        [aidant, '/aidant/mandats/nouveau/duree', '/aidant'],
        [aidant, '/aidant/structures', '/aidant'],
        [agent, '/administration/journal', '/administration'],
        [usager, '/usager/mandats/__proto__/arreter', '/usager'],
      ] as const) {
        const response = await walker.ask(`${relais}${path}`, { ...set, _csrf: await csrf(walker, from) });
        assert.ok(response.status < 500, `${path} ${response.status}`);
        untouched();
      }
      for (const [walker, path] of [
        [aidant, '/aidant'],
        [usager, '/usager'],
        [new Walker(), '/connexion/franceconnect/retour'],
        [new Walker(), '/oidc/auth'],
        [new Walker(), '/oidc/session/end'],
      ] as const) {
        const response = await walker.ask(address(path, { ...set, state: '__proto__', lang: 'constructor', q: '__proto__' }));
        assert.ok(response.status < 500, `${path} ${response.status}`);
        untouched();
      }
    }
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']) {
      for (const [path, more] of [
        ['token', { grant_type: name }],
        ['token', { grant_type: 'authorization_code', code: name, redirect_uri: name, code_verifier: name }],
        ['introspection', { token: name, token_type_hint: name }],
        ['revocation', { token: name, token_type_hint: name }],
        [
          'par',
          {
            scope: name,
            claims: `{"id_token":{"${name}":{"polluted":1}},"userinfo":{"${name}":null}}`,
            authorization_details: `[{"type":"${name}","${name}":{"polluted":1}}]`,
          },
        ],
      ] as [string, Record<string, string>][])
        for (const headers of [{ authorization: basic(service) }, { authorization: `Basic ${btoa(`${name}:${name}`)}` }]) {
          const answer = await post(`${issuer()}/${path}`, { ...more, [name]: 'x' }, headers);
          assert.ok(answer.status < 500, `${path} ${name} ${answer.status} ${answer.text}`);
          untouched();
        }
      const asked = await authorize(service, 'openid dlg:logement', {
        claims: `{"id_token":{"${name}":{"polluted":1}},"${name}":{"polluted":1}}`,
        authorization_details: `[{"type":"urn:relais:mandate:1","actions":["logement"],"${name}":{"polluted":1}}]`,
      });
      const page = await aidant.open(asked.url, undefined, 'http://localhost:9/');
      assert.ok(page.status < 500);
      untouched();
    }
    assert.equal(await stateOf(it), before);
    assert.deepEqual(faults(it), []);
  });

  test('P21 a target that is no path is no fault, and no page of ours leads to another host by it', { database: kind, atLeast: 20 }, async () => {
    const { hostname, port } = new URL(world().places.relais);
    for (const path of [
      '//?',
      '//',
      '///',
      '//ailleurs.example',
      '/.//ailleurs.example',
      '/%2e//ailleurs.example',
      '/\\ailleurs.example',
      '//[',
      '/%',
      '//:99999',
      'http://[',
      'http://ailleurs.example/x',
      '*',
    ]) {
      const { status, body } = await new Promise<{ status: number; body: string }>((answered, failed) => {
        const asked = ask({ hostname, port, path, headers: { accept: 'text/html' } }, (answer) => {
          answer.setEncoding('utf8');
          let body = '';
          answer.on('data', (part: string) => {
            body += part;
          });
          answer.on('end', () => answered({ status: answer.statusCode ?? 0, body }));
        });
        asked.on('error', failed).end();
      });
      assert.ok(status > 0 && status < 500, `${status} for ${path}`);
      assert.doesNotMatch(body, /(href|action|src)="(\/[/\\]|\/\.|\/%2e\/|http:\/\/ailleurs)/, path);
    }
  });

  test('P21 hundreds of shapeless requests never make the server fail', { database: kind, atLeast: 250 }, async () => {
    const it = await ready();
    const relais = it.places.relais;
    const { tokens } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const state = await stateOf(it);
    const token = tokens.access_token;
    const piece = fc.oneof(
      fc.constantFrom(
        ...CORPUS,
        '%',
        '%ff',
        '%00',
        '..',
        '.',
        '/',
        '//',
        ';',
        '?',
        '#',
        '[',
        ']',
        '%2e%2e%2f',
        'true',
        'null',
        '0',
        'é'.repeat(300),
        'x'.repeat(5000),
      ),
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.json({ maxDepth: 3 }),
    );
    const name = fc.constantFrom(
      'client_id',
      'redirect_uri',
      'scope',
      'state',
      'nonce',
      'response_type',
      'code_challenge',
      'claims',
      'authorization_details',
      'max_age',
      'prompt',
      'token',
      'code',
      'grant_type',
      'q',
      'apres',
      'personne',
      'themes',
      'themes',
      'days',
      '_csrf',
      'person',
      'theme',
      'session',
      'before',
      'from',
      'service',
      'lang',
      'xsrf',
      'logout',
      'request',
      'request_uri',
      'resource',
      '__proto__',
      'a[b]',
      '',
    );
    const path = fc.constantFrom(
      '/',
      '/aidant',
      '/aidant/mandats/nouveau',
      '/aidant/mandats/nouveau/duree',
      '/aidant/mandats/brouillon/*',
      '/aidant/mandats/brouillon/*/signer',
      '/aidant/mandats/*',
      '/aidant/agir/*/*',
      '/aidant/structures',
      '/aidant/sessions/*/arreter',
      '/usager',
      '/usager/mandats/*',
      '/usager/mandats/*/arreter',
      '/usager/entrees/*',
      '/administration',
      '/administration/journal',
      '/interaction/*',
      '/interaction/*/confirmer',
      '/inscription/*',
      '/inscription/*/code',
      '/connexion/code',
      '/connexion/proconnect',
      '/connexion/proconnect/retour',
      '/connexion/franceconnect/sortie',
      '/deconnexion/*',
      '/oidc/auth',
      '/oidc/auth/*',
      '/oidc/par',
      '/oidc/token',
      '/oidc/userinfo',
      '/oidc/introspection',
      '/oidc/revocation',
      '/oidc/session/end',
      '/oidc/session/end/confirm',
      '/oidc/session/end/success',
      '/oidc/*',
      '/oidc/.well-known/*',
      '/.well-known/*',
      '/api/v1/actions',
      '/api/*',
      '/log/*',
      '/log/tile/*',
      '/api/v1/journal/*',
      '/health/*',
      '/assets/*',
      '/*',
    );
    const shape = fc.record({
      path,
      method: fc.constantFrom('GET', 'POST', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'),
      who: fc.constantFrom('nobody', 'aidant', 'usager', 'agent'),
      inPath: piece,
      query: fc.array(fc.tuple(name, piece), { maxLength: 4 }),
      fields: fc.array(fc.tuple(name, piece), { maxLength: 6 }),
      type: fc.constantFrom(
        'application/x-www-form-urlencoded',
        'application/json',
        'application/cloudevents+json',
        'application/cloudevents-batch+json',
        'text/plain',
        'multipart/form-data; boundary=x',
        'x',
        'application/x-www-form-urlencoded; charset=utf-16',
      ),
      body: fc.oneof(fc.constant(undefined), piece, fc.json()),
      auth: fc.constantFrom('', `Bearer ${token}`, `DPoP ${token}`, basic(service), 'Basic %', 'Bearer', `Basic ${btoa('a')}`),
    });
    const walkers = { nobody: new Walker(), aidant, usager, agent };
    const csrfs = {
      nobody: '',
      aidant: await csrf(aidant, '/aidant'),
      usager: await csrf(usager, '/usager'),
      agent: await csrf(agent, '/administration'),
    };
    const wellFormed = (text: string): string => text.toWellFormed();
    await fc.assert(
      fc.asyncProperty(shape, async (it) => {
        const url = `${relais}${it.path.replaceAll('*', /^[%./;?#[\]\w]+$/.test(it.inPath) ? it.inPath : encodeURIComponent(wellFormed(it.inPath)))}?${it.query
          .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(wellFormed(value))}`)
          .join('&')}`;
        if (!URL.canParse(url) || new URL(url).origin !== relais) return;
        const form = new URLSearchParams([
          ...it.fields.map(([key, value]): [string, string] => [key, wellFormed(value)]),
          ['_csrf', csrfs[it.who]],
        ]).toString();
        const bodiless = it.method === 'GET' || it.method === 'HEAD';
        const began = performance.now();
        const response = await fetch(url, {
          method: it.method,
          redirect: 'manual',
          headers: {
            cookie: walkers[it.who].cookieHeader(new URL(url)),
            ...(bodiless ? {} : { 'content-type': it.type }),
            ...(it.auth ? { authorization: it.auth } : {}),
            accept: it.who === 'nobody' ? 'application/json' : 'text/html',
          },
          ...(bodiless ? {} : { body: it.body === undefined ? form : wellFormed(it.body) }),
        });
        await response.text();
        assert.ok(response.status < 500, `${response.status} ${it.method} ${url}`);
        assert.ok(performance.now() - began < 6000, `${it.method} ${url} took too long`);
      }),
      { numRuns: nightly ? 20_000 : 300, interruptAfterTimeLimit: nightly ? 600_000 : 20_000, markInterruptAsFailure: false },
    );
    assert.equal(await stateOf(it), state);
    assert.deepEqual(faults(it), []);
  });
});
