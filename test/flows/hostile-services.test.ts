import { Agent, request as plainRequest } from 'node:http';
import { signInStaff } from '../../src/practice/story.ts';
import { Walker as Browser, type Walker } from '../../src/practice/walker.ts';
import { agreed } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { actionEvent, basic, faults, get, inEachWorld, introspect, post, report, sessionOf } from '../support/protocol.ts';
import { askSsf, streamToken } from '../support/receiver.ts';
import { countStatements } from '../support/statements.ts';
import { authorize, delegatedTokens, entriesOf, signedInAidant, type TestService, type World } from '../support/world.ts';

/** What a service that is registered, and means harm, tries beside its own sign-ins. */
inEachWorld(({ world, kind }) => {
  const on = { database: kind };
  const title = (text: string): string => `${text} (${kind})`;
  const VALIDITY = 'mandates:check';
  let mine: TestService;
  let theirs: TestService;
  let karim: Walker;
  let manage = '';
  const ready = async (): Promise<World> => {
    if (mine) return world();
    mine = await world().service('hostile');
    theirs = await world().service('honest');
    manage = await streamToken(mine);
    await agreed(world(), 'colette', ['logement', 'famille']);
    karim = await signedInAidant(world());
    return world();
  };
  const ask = (method: string, path: string, body?: unknown, token = manage) => askSsf(world(), method, path, token, body);
  const streamOf = async (token = manage) =>
    (await ask('GET', '/ssf/stream', undefined, token)).body[0] ?? (await ask('POST', '/ssf/stream', {}, token)).body;
  const waitingOf = (stream: string) => world().sql('select id, event from delivery where stream_id = $1 and done_at is null order by seq', [stream]);
  const fetched = async (stream: string, body: object = {}, token = manage) =>
    (await ask('POST', `/ssf/poll/${stream}`, { returnImmediately: true, ...body }, token)).body.sets as Record<string, string>;
  /** How many statements a request costs, once what is kept for a second is there: time stands. */
  const statements = async (work: () => Promise<unknown>): Promise<number> => {
    world().advance(0);
    await work();
    const count = countStatements();
    try {
      await work();
      return count.total();
    } finally {
      count.stop();
    }
  };

  test(title('a service that never takes what it is told has ten verifications waiting, and no more'), on, async () => {
    await ready();
    const { stream_id } = await streamOf();
    const answers = [];
    for (let i = 0; i < 14; i++) answers.push(await ask('POST', '/ssf/verify', { stream_id, state: `s${i}` }));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [...Array(10).fill(204), ...Array(4).fill(429)],
    );
    assert.equal(answers[10]?.headers.get('retry-after'), '60');
    assert.equal((await waitingOf(stream_id)).length, 10);
    const [first = ''] = Object.keys(await fetched(stream_id));
    await fetched(stream_id, { ack: [first] });
    const both = await Promise.all([1, 2, 3].map(() => ask('POST', '/ssf/verify', { stream_id })));
    assert.deepEqual(both.map(({ status }) => status).sort(), [204, 429, 429], 'one was taken: one has its place');
    assert.equal((await waitingOf(stream_id)).length, 10);
    await ask('DELETE', `/ssf/stream?stream_id=${stream_id}`);
  });

  test(title('J1 a stream that is asked to be as it is, a hundred times, writes nothing in the journal'), on, async () => {
    const it = await ready();
    const { stream_id } = await streamOf();
    const before = await entriesOf(it, 'stream.changed');
    for (let i = 0; i < 20; i++) {
      assert.equal((await ask('PATCH', '/ssf/stream', { stream_id })).status, 200);
      assert.equal((await ask('PUT', '/ssf/stream', { stream_id })).status, 200);
      assert.equal((await ask('POST', '/ssf/status', { stream_id, status: 'enabled' })).status, 200);
    }
    assert.equal(await entriesOf(it, 'stream.changed'), before);
    await ask('PATCH', '/ssf/stream', { stream_id, description: 'another' });
    assert.equal(await entriesOf(it, 'stream.changed'), before + 1);
  });

  test(title('polls by the dozen on one connection leave nothing behind on it'), on, async () => {
    const it = await ready();
    const { stream_id } = await streamOf();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const warned: string[] = [];
    const listen = ({ message }: Error): void => void warned.push(message);
    process.on('warning', listen);
    const sockets = new Set<unknown>();
    for (let i = 0; i < 15; i++)
      await new Promise<void>((done, failed) => {
        const headers = { authorization: `Bearer ${manage}`, 'content-type': 'application/json' };
        plainRequest(`${it.places.relais}/ssf/poll/${stream_id}`, { agent, method: 'POST', headers }, (answer) => {
          sockets.add(answer.socket);
          answer.resume().on('end', done);
        })
          .on('error', failed)
          .end('{"returnImmediately":true}');
      });
    await new Promise((resume) => setTimeout(resume, 20));
    process.off('warning', listen);
    agent.destroy();
    assert.deepEqual([sockets.size, warned], [1, []]);
  });

  test(title('polls that are held ask nothing again while another service has itself told something, over and over'), on, async () => {
    const it = await ready();
    const others = await streamToken(theirs);
    const [own, other] = [await streamOf(), await streamOf(others)];
    for (const [stream, token] of [
      [own, manage],
      [other, others],
    ] as const)
      await fetched(stream.stream_id, { ack: (await waitingOf(stream.stream_id)).map(({ id }) => id) }, token);
    const streams = it.app.site.streams as { waiting: NonNullable<typeof it.app.site.streams>['waiting'] };
    const real = streams.waiting;
    let looks = 0;
    streams.waiting = (...given) => {
      if (given[0].id === other.stream_id) looks++;
      return real(...given);
    };
    try {
      const held = [1, 2].map(() => ask('POST', `/ssf/poll/${other.stream_id}`, {}, others));
      for (let i = 0; i < 12; i++) {
        assert.equal((await ask('POST', '/ssf/verify', { stream_id: own.stream_id })).status, 204);
        await fetched(own.stream_id, { ack: (await waitingOf(own.stream_id)).map(({ id }) => id) });
      }
      await new Promise((resume) => setTimeout(resume, 1100));
      assert.equal(looks, 2, 'each once, when it began');
      await ask('POST', '/ssf/verify', { stream_id: other.stream_id, state: 'x' }, others);
      for (const answer of await Promise.all(held)) assert.equal(Object.keys(answer.body.sets).length, 1);
      await fetched(other.stream_id, { ack: (await waitingOf(other.stream_id)).map(({ id }) => id) }, others);
    } finally {
      streams.waiting = real;
    }
  });

  test(title('M6 what another service is to be told cannot be acknowledged, refused or read with one’s own stream'), on, async () => {
    const it = await ready();
    const others = await streamToken(theirs);
    const [own, other] = [await streamOf(), await streamOf(others)];
    const { claims } = await delegatedTokens(it, karim, theirs, 'Colette Martin');
    await it.app.site.sessions.end({ id: sessionOf(claims) as never }, 'revoked');
    const jtis = (await waitingOf(other.stream_id)).map(({ id }) => String(id));
    assert.equal(jtis.length, 2);
    const sets = await fetched(own.stream_id, { ack: jtis, setErrs: Object.fromEntries(jtis.map((jti) => [jti, { err: 'x' }])) });
    assert.deepEqual(sets, {});
    assert.deepEqual(
      (await waitingOf(other.stream_id)).map(({ id }) => id),
      jtis,
    );
    assert.equal((await it.sql('select 1 from delivery where id = any($1) and acknowledged_at is not null', [jtis])).length, 0);
    assert.deepEqual(Object.keys(await fetched(other.stream_id, {}, others)), jtis, 'told as if nothing had happened');
    await fetched(other.stream_id, { ack: jtis }, others);
  });

  test(title('M6 a logout that another service was to be told cannot be acknowledged or read by polling for one’s own'), on, async () => {
    const it = await ready();
    const others = await streamToken(theirs);
    const { claims } = await delegatedTokens(it, karim, theirs, 'Colette Martin');
    const session = sessionOf(claims);
    await it.app.site.sessions.end({ id: session as never }, 'revoked');
    const [row] = await it.sql("select id from delivery where session_id = $1 and kind = 'logout'", [session]);
    const jti = String(row?.['id']);
    await it.app.deliveries.work(); // nobody listens there: it was tried
    const state = () => it.sql('select done_at, acknowledged_at, last_error is null fresh from delivery where id = $1', [jti]);
    const polled = async (token: string, body: object = {}) => Object.keys((await ask('POST', '/ssf/logout', body, token)).body.sets);
    assert.ok(!(await polled(manage, { ack: [jti] })).includes(jti));
    assert.deepEqual((await state())[0]?.['acknowledged_at'], null);
    const { stream_id } = await streamOf();
    await fetched(stream_id, { ack: [jti], setErrs: { [jti]: { err: 'x' } } });
    assert.deepEqual(
      (await state()).map(({ done_at, acknowledged_at }) => [done_at, acknowledged_at]),
      [[null, null]],
    );
    assert.ok((await polled(others)).includes(jti));
    await polled(others, { ack: [jti], maxEvents: 0 });
    assert.ok((await state())[0]?.['acknowledged_at'], 'its own service’s answer counts');
  });

  test(title('S15 V1 whatever a service writes in what it sends is words on its integrator’s page, or is not there'), on, async () => {
    const it = await ready();
    const { stream_id } = await streamOf();
    const MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(2)>\u001b[31m\u202e';
    await ask('PATCH', '/ssf/stream', { stream_id, description: MARKUP, events_requested: [MARKUP] });
    await ask('POST', '/ssf/status', { stream_id, status: 'paused', reason: MARKUP });
    const auth = new URL(`${it.app.site.issuer}/auth`);
    for (const [name, value] of Object.entries({
      client_id: mine.id,
      redirect_uri: mine.redirectUri,
      response_type: MARKUP,
      scope: MARKUP,
      state: MARKUP,
    }))
      auth.searchParams.set(name, value);
    await get(auth, { 'user-agent': '<script>', referer: 'https://evil.example/<script>' });
    await post(`${it.app.site.issuer}/token`, { grant_type: MARKUP, code: MARKUP, redirect_uri: MARKUP }, { authorization: basic(mine) });
    await report(
      `${it.places.relais}/api/v1/actions`,
      { ...actionEvent('hostile', MARKUP), id: MARKUP, source: MARKUP },
      {
        authorization: `Bearer ${await streamToken(mine, 'actions:write')}`,
      },
    );
    await it.app.site.requests.flush();
    const noted = JSON.stringify(await it.sql("select * from request_log where service_id = 'hostile'"));
    const sofia = new Browser();
    await signInStaff(sofia, it.places, 'sofia', 'Sofia Marchand', '/connexion/proconnect?vers=/administration/sites', (places, who) =>
      it.code(places, who),
    );
    const page = await sofia.open(`${it.places.relais}/administration/sites/hostile`);
    assert.equal(page.status, 200);
    assert.ok(page.html.includes('Service hostile'), 'the page of that service');
    for (const text of [noted, page.html]) assert.doesNotMatch(text, /<script>alert|<img src=x|\u001b|\\u001b|evil\.example/);
    assert.doesNotMatch(JSON.stringify(it.logged), /<script>|<img|\\u001b/, 'nor in the log of the operator');
    await ask('DELETE', `/ssf/stream?stream_id=${stream_id}`);
  });

  test(title('P19 subjects are added and removed alike, whoever they are: nobody’s, somebody’s, another service’s'), on, async () => {
    const it = await ready();
    const { stream_id } = await streamOf();
    const [known, foreign] = [await delegatedTokens(it, karim, mine, 'Colette Martin'), await delegatedTokens(it, karim, theirs, 'Colette Martin')];
    const subs = [String(known.claims?.sub), String(foreign.claims?.sub), 'x'.repeat(43)];
    assert.equal(new Set(subs).size, 3);
    for (const path of ['/ssf/subjects/remove', '/ssf/subjects/remove', '/ssf/subjects/add', '/ssf/subjects/add']) {
      const seen = [];
      for (const sub of subs) {
        let answer: Awaited<ReturnType<typeof ask>> | undefined;
        const cost = await statements(async () => {
          answer = await ask('POST', path, { stream_id, subject: { format: 'iss_sub', iss: it.app.site.issuer, sub } });
        });
        seen.push(JSON.stringify([answer?.status, answer?.body, [...(answer?.headers.keys() ?? [])].sort(), kind === 'postgres' ? cost : 0]));
      }
      assert.equal(new Set(seen).size, 1, `${path} ${seen.join('\n')}`);
    }
  });

  test(title('P20 an inactive token costs the same whether nobody’s or another service’s'), on, async () => {
    const it = await ready();
    const { tokens } = await delegatedTokens(it, karim, theirs, 'Colette Martin');
    const own = await streamToken(theirs);
    const asked = async (token: string): Promise<string> => {
      let said: unknown;
      const cost = await statements(async () => {
        said = await introspect(mine, token);
      });
      return JSON.stringify([said, kind === 'postgres' ? cost : 0]);
    };
    const seen = [await asked('x'.repeat(43)), await asked(tokens.access_token), await asked(own)];
    assert.equal(new Set(seen).size, 1, seen.join('\n'));
    assert.match(seen[0] ?? '', /"active":false/);
  });

  test(title('T5 an instant of validity that no calendar has is refused, however far away; nothing is a fault'), on, async () => {
    const it = await ready();
    const { claims } = await delegatedTokens(it, karim, theirs, 'Colette Martin');
    const [detail] = (claims?.['authorization_details'] ?? []) as { identifier: string }[];
    const token = await streamToken(theirs, VALIDITY);
    const checked = async (at: string) => {
      const path = `/api/v1/mandates/${encodeURIComponent(detail?.identifier ?? '')}/validity?theme=logement&at=${encodeURIComponent(at)}`;
      const { status, json } = await get(`${it.places.relais}${path}`, { authorization: `Bearer ${token}`, accept: 'application/json' });
      return [status, json['code'] ?? json['valid']];
    };
    const before = await entriesOf(it, 'mandate.checked');
    for (const at of [
      '0000-01-01T00:00:00Z',
      '0000-01-01T00:00:00+23:59',
      '0001-01-01T00:00:00+23:59',
      '2026-02-30T00:00:00Z',
      '2026-02-29T00:00:00Z',
      '2026-06-30T24:00:00Z',
      '2026-06-30T23:59:60Z',
      '2016-01-01T00:00:00+99:99',
      '2016-13-01T00:00:00Z',
    ])
      assert.deepEqual(await checked(at), [400, 'validity_malformed'], at);
    assert.equal(await entriesOf(it, 'mandate.checked'), before, 'nor is anything written');
    for (const at of ['1000-01-01T00:00:00+23:59', '1970-01-01T00:00:00Z', '2024-02-29T23:59:59+02:00'])
      assert.deepEqual(await checked(at), [200, false], at);
    assert.deepEqual(await checked('2999-12-31T23:59:59-23:59'), [400, 'time_in_future']);
  });

  test(title('P13 the tokens of a service that was taken out of use open nothing any more, its own ones too'), on, async () => {
    const it = await ready();
    const gone = await it.service('gone');
    const [signals, actions, validity] = [await streamToken(gone), await streamToken(gone, 'actions:write'), await streamToken(gone, VALIDITY)];
    const { claims, tokens } = await delegatedTokens(it, karim, gone, 'Colette Martin');
    const { stream_id } = await streamOf(signals);
    const event = actionEvent('gone', sessionOf(claims));
    assert.ok('service' in (await it.app.services.disable('gone', 'opr_test')));
    const reported = await entriesOf(it, 'action.reported');
    for (const token of [actions, tokens.access_token]) {
      const said = await report(`${it.places.relais}/api/v1/actions`, event, { authorization: `Bearer ${token}` });
      assert.equal(said.status, 401, said.text);
    }
    assert.equal(await entriesOf(it, 'action.reported'), reported);
    for (const [method, path, body] of [
      ['GET', '/ssf/stream', undefined],
      ['PATCH', '/ssf/stream', { stream_id, delivery: { method: 'urn:ietf:rfc:8935', endpoint_url: 'http://localhost:9/elsewhere' } }],
      ['POST', '/ssf/status', { stream_id, status: 'disabled' }],
      ['POST', `/ssf/poll/${stream_id}`, { returnImmediately: true }],
    ] as const)
      assert.equal((await ask(method, path, body, signals)).status, 401, `${method} ${path}`);
    assert.deepEqual(await it.sql("select method, status from stream where service_id = 'gone'"), [{ method: 'poll', status: 'enabled' }]);
    const asked = await get(`${it.places.relais}/api/v1/mandates/M-AAAA-AAAA/validity?theme=logement`, { authorization: `Bearer ${validity}` });
    assert.deepEqual([asked.status, asked.json['code']], [401, 'token_refused']);
    assert.equal((await get(`${it.app.site.issuer}/userinfo`, { authorization: `Bearer ${tokens.access_token}` })).status, 401);
  });

  test(title('P5 P18 what is added in the address of a pushed request is not read: it says what was pushed'), on, async () => {
    const it = await ready();
    const request = await authorize(theirs, 'openid dlg:logement');
    const fields = Object.fromEntries(request.url.searchParams);
    const pushed = await post(`${it.app.site.issuer}/par?scope=openid+dlg:famille`, fields, { authorization: basic(theirs) });
    assert.equal(pushed.status, 201, pushed.text);
    const wider = JSON.stringify([{ type: 'urn:relais:mandate:1', actions: ['famille'] }]);
    const added: readonly Readonly<Record<string, string>>[] = [
      { scope: 'openid dlg:famille dlg:logement' },
      { authorization_details: wider },
      { claims: '{"id_token":{"email":null,"acr":{"values":["urn:relais:acr:delegated:eidas2"]}}}' },
      { acr_values: 'eidas1' },
      { redirect_uri: 'https://evil.example/' },
      { response_mode: 'form_post' },
      { prompt: 'none' },
      { code_challenge: 'x'.repeat(43), code_challenge_method: 'plain' },
      { state: 'of-the-attacker', nonce: 'of-the-attacker' },
      { resource: 'https://api.evil.example' },
      { dpop_jkt: 'x'.repeat(43) },
    ];
    const { client_id: _client, ...asked } = fields;
    for (const more of added) {
      const url = new URL(`${it.app.site.issuer}/auth`);
      for (const [name, value] of Object.entries({ client_id: theirs.id, request_uri: String(pushed.json['request_uri']), ...more }))
        url.searchParams.set(name, value);
      const page = await karim.open(url, undefined, theirs.redirectUri);
      const uid = /^\/interaction\/([\w-]+)$/.exec(page.url.pathname)?.[1];
      assert.ok(uid, `${JSON.stringify(more)} ${page.url.href}`);
      const all = await it.sql("select payload->'params' params from oidc_artefact where model = 'Interaction'");
      for (const { params } of all)
        assert.deepEqual({ ...(params as object), client_id: undefined }, { ...asked, client_id: undefined }, JSON.stringify(more));
    }
    const twice = new URLSearchParams(fields);
    twice.append('authorization_details', '[]');
    twice.append('authorization_details', wider);
    const refused = await post(`${it.app.site.issuer}/par`, twice, { authorization: basic(theirs) });
    assert.deepEqual([refused.status, refused.json['error']], [400, 'invalid_request']);
  });

  test(title('no fault of ours was logged meanwhile'), on, () => {
    assert.deepEqual(faults(world()), []);
  });
});
