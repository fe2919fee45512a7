import type { Mandate } from '../../src/mandates/mandate.ts';
import type { Theme } from '../../src/organisations/theme.ts';
import { agreed, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld, sessionOf } from '../support/protocol.ts';
import { askSsf, pushEndpoint, readSet, streamToken } from '../support/receiver.ts';
import { delegatedTokens, signedInAidant, type TestService } from '../support/world.ts';

/** What the modules of the OIDF's plans for SSF transmitters ask (openid-ssf-transmitter, CAEP interoperability), by their names. */

const PUSH = 'urn:ietf:rfc:8935';
const POLL = 'urn:ietf:rfc:8936';
const REVOKED = 'https://schemas.openid.net/secevent/caep/event-type/session-revoked';
const ENDED = 'urn:relais:event:mandate-ended';
const VERIFICATION = 'https://schemas.openid.net/secevent/ssf/event-type/verification';

inEachWorld(({ world, kind }) => {
  const on = { database: kind };
  const title = (text: string): string => `${text.startsWith('openid-ssf-') ? 'P22 ' : ''}${text} (${kind})`;
  let service: TestService;
  let other: TestService;
  let manage = '';
  let read = '';
  const ready = async (): Promise<void> => {
    if (service) return;
    service = await world().service('ssf-receiver', { backchannelLogoutUri: 'http://localhost:9/ssf-receiver/logout' });
    other = await world().service('ssf-other', { backchannelLogoutUri: 'http://localhost:9/ssf-other/logout' });
    read = await streamToken(service, 'ssf.read');
  };
  const ask = (method: string, path: string, body?: unknown, token: string | undefined = manage) => askSsf(world(), method, path, token, body);
  /** A stream of one's own, whatever stood before. */
  const fresh = async (wish: object = {}) => {
    await ready();
    manage = await streamToken(service); // it lives five minutes, and signing in moves the clock
    for (const { stream_id } of (await ask('GET', '/ssf/stream')).body) await ask('DELETE', `/ssf/stream?stream_id=${stream_id}`);
    const made = await ask('POST', '/ssf/stream', wish);
    assert.equal(made.status, 201);
    return made.body;
  };
  const poll = async (stream: { delivery: { endpoint_url: string } }, body: object = { returnImmediately: true }) =>
    ask('POST', stream.delivery.endpoint_url, body);
  const streamsIn = async () => world().sql('select service_id, method, endpoint, status from stream order by service_id');
  /** A delegated session at the receiver, and its mandate. */
  const acting = async (themes: Theme[] = ['logement']) => {
    const mandate = await agreed(world(), 'colette', themes);
    const { claims } = await delegatedTokens(world(), await signedInAidant(world()), service, 'Colette Martin');
    const stop = async (): Promise<void> => {
      await world().app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      world().app.site.nudgeDeliveries();
    };
    return { mandate, session: sessionOf(claims), sub: String(claims?.sub), claims, stop };
  };

  test(title('openid-ssf-transmitter-metadata'), on, async () => {
    const { places, app } = world();
    const { status, body, headers } = await askSsf(world(), 'GET', '/.well-known/ssf-configuration', undefined);
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    assert.deepEqual(body, {
      spec_version: '1_0',
      issuer: places.relais,
      jwks_uri: `${places.relais}/ssf/jwks`,
      delivery_methods_supported: [PUSH, POLL],
      configuration_endpoint: `${places.relais}/ssf/stream`,
      status_endpoint: `${places.relais}/ssf/status`,
      add_subject_endpoint: `${places.relais}/ssf/subjects/add`,
      remove_subject_endpoint: `${places.relais}/ssf/subjects/remove`,
      verification_endpoint: `${places.relais}/ssf/verify`,
      authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6749' }],
      default_subjects: 'ALL',
    });
    const jwks = (await askSsf(world(), 'GET', '/ssf/jwks', undefined)).body;
    assert.equal(jwks.keys.length, 1);
    const [{ kty, alg, use, n, d, p }] = jwks.keys;
    assert.deepEqual([kty, alg, use, d, p], ['RSA', 'RS256', 'sig', undefined, undefined]);
    assert.ok(Buffer.from(n, 'base64url').length >= 256);
    const resource = (await askSsf(world(), 'GET', '/.well-known/oauth-protected-resource', undefined)).body;
    assert.deepEqual([resource.resource, resource.authorization_servers], [places.relais, [app.site.issuer]]);
    const op = (await askSsf(world(), 'GET', '/oidc/.well-known/openid-configuration', undefined)).body;
    for (const scope of ['ssf.manage', 'ssf.read']) assert.ok(op.scopes_supported.includes(scope), scope);
  });

  test(title('openid-ssf-stream-control-happy-path: create, read, update, replace, status, delete; each change is an entry'), on, async () => {
    const description = 'the receiver of a test';
    const stream = await fresh({ delivery: { method: POLL }, events_requested: [REVOKED, ENDED, 'urn:unknown'], description });
    assert.deepEqual(stream, {
      stream_id: stream.stream_id,
      iss: world().places.relais,
      aud: 'ssf-receiver',
      delivery: { method: POLL, endpoint_url: `${world().places.relais}/ssf/poll/${stream.stream_id}` },
      events_supported: [REVOKED, ENDED],
      events_requested: [REVOKED, ENDED, 'urn:unknown'],
      events_delivered: [REVOKED, ENDED],
      description,
    });
    const query = `?stream_id=${stream.stream_id}`;
    assert.deepEqual((await ask('GET', `/ssf/stream${query}`)).body, stream);
    assert.deepEqual((await ask('GET', '/ssf/stream', undefined, read)).body, [stream]);
    const patched = await ask('PATCH', '/ssf/stream', { stream_id: stream.stream_id, events_requested: [ENDED] });
    assert.deepEqual(
      [patched.status, patched.body.events_delivered, patched.body.description, patched.body.delivery],
      [200, [ENDED], description, stream.delivery],
    );
    const replaced = await ask('PUT', '/ssf/stream', {
      stream_id: stream.stream_id,
      iss: stream.iss,
      aud: stream.aud,
      delivery: { method: PUSH, endpoint_url: 'http://localhost:9/events', authorization_header: 'Bearer of-the-receiver' },
      events_requested: [REVOKED],
    });
    assert.deepEqual([replaced.status, replaced.body.events_delivered, replaced.body.description], [200, [REVOKED], undefined]);
    assert.deepEqual(
      replaced.body.delivery,
      { method: PUSH, endpoint_url: 'http://localhost:9/events' },
      'what it wants in a header is not given back',
    );
    assert.ok(!JSON.stringify(await world().sql('select * from stream')).includes('of-the-receiver'), 'and kept sealed');
    assert.deepEqual((await ask('GET', `/ssf/status${query}`, undefined, read)).body, { stream_id: stream.stream_id, status: 'enabled' });
    const paused = await ask('POST', '/ssf/status', { stream_id: stream.stream_id, status: 'paused', reason: 'works' });
    assert.deepEqual(paused.body, { stream_id: stream.stream_id, status: 'paused', reason: 'works' });
    assert.deepEqual(await streamsIn(), [{ service_id: 'ssf-receiver', method: 'push', endpoint: 'http://localhost:9/events', status: 'paused' }]);
    assert.equal((await ask('DELETE', `/ssf/stream${query}`)).status, 204);
    assert.equal((await ask('GET', `/ssf/stream${query}`)).status, 404);
    assert.deepEqual(await streamsIn(), []);
    await world().app.flushJournal();
    const said = await world().app.journal.read(world().database.auto, { types: ['stream.changed'], limit: 50 });
    assert.deepEqual(
      said.slice(0, 5).map(({ detail, service: of }) => [(detail as { what: string }).what, of]),
      ['removed', 'status', 'updated', 'updated', 'created'].map((what) => [what, 'ssf-receiver']),
    );
  });

  test(title('openid-ssf-stream-control-create-stream-without-delivery: it is polled'), on, async () => {
    assert.equal((await fresh({})).delivery.method, POLL);
  });

  test(
    title('openid-ssf-stream-control-error: no token, a token in the query, a false one, one that only reads, one that acts for a person'),
    on,
    async () => {
      const stream = await fresh({});
      const { claims, tokens } = { ...(await delegated()), claims: undefined };
      void claims;
      const before = await streamsIn();
      const paths: readonly (readonly [string, string, object | undefined])[] = [
        ['POST', '/ssf/stream', {}],
        ['GET', `/ssf/stream?stream_id=${stream.stream_id}`, undefined],
        ['PATCH', '/ssf/stream', { stream_id: stream.stream_id }],
        ['PUT', '/ssf/stream', { stream_id: stream.stream_id }],
        ['DELETE', `/ssf/stream?stream_id=${stream.stream_id}`, undefined],
        ['GET', `/ssf/status?stream_id=${stream.stream_id}`, undefined],
        ['POST', '/ssf/status', { stream_id: stream.stream_id, status: 'disabled' }],
        ['POST', '/ssf/verify', { stream_id: stream.stream_id }],
        ['POST', '/ssf/subjects/add', { stream_id: stream.stream_id }],
        ['POST', '/ssf/subjects/remove', { stream_id: stream.stream_id }],
        ['POST', `/ssf/poll/${stream.stream_id}`, { returnImmediately: true }],
      ];
      for (const [method, path, body] of paths) {
        const none = await askSsf(world(), method, path, undefined, body);
        assert.deepEqual([none.status, /error=/.test(none.headers.get('www-authenticate') ?? 'error=')], [401, false], `${method} ${path}`);
        for (const token of ['not-a-token', tokens]) {
          const refused = await askSsf(world(), method, path, token, body);
          assert.deepEqual(
            [refused.status, /error="invalid_token"/.test(refused.headers.get('www-authenticate') ?? '')],
            [401, true],
            `${method} ${path}`,
          );
        }
        const inQuery = `${path}${path.includes('?') ? '&' : '?'}access_token=${manage}`;
        assert.equal((await askSsf(world(), method, inQuery, undefined, body)).status, 401, inQuery);
        if (method === 'GET' || path.startsWith('/ssf/poll')) continue;
        const narrow = await askSsf(world(), method, path, read, body);
        assert.deepEqual([narrow.status, /insufficient_scope/.test(narrow.headers.get('www-authenticate') ?? '')], [403, true], `${method} ${path}`);
      }
      assert.deepEqual(await streamsIn(), before, 'nothing was changed');
    },
  );
  const delegated = async () => {
    await agreed(world(), 'colette', ['logement']);
    const { tokens } = await delegatedTokens(world(), await signedInAidant(world()), service, 'Colette Martin');
    return { tokens: tokens.access_token };
  };

  test(title('openid-ssf-stream-control-error: broken bodies, a second stream, unknown and foreign streams'), on, async () => {
    const stream = await fresh({});
    const id = stream.stream_id;
    assert.deepEqual([(await ask('POST', '/ssf/stream', {})).status, (await streamsIn()).length], [409, 1]);
    const push = (more: object) => ({ delivery: { method: PUSH, endpoint_url: 'http://localhost:9/events', ...more } });
    const broken: unknown[] = [
      '{',
      '[]',
      '"x"',
      'null',
      { delivery: 'x' },
      { delivery: {} },
      { delivery: { method: 'urn:x' } },
      { delivery: { method: PUSH } },
      push({ endpoint_url: 'http://caf.example/events' }),
      push({ endpoint_url: 'https://127.0.0.2/' }),
      push({ endpoint_url: 'https://10.0.0.1/' }),
      push({ endpoint_url: 7 }),
      push({ authorization_header: 'a\r\nX-Evil: 1' }),
      push({ authorization_header: '' }),
      push({ authorization_header: 'é' }),
      { events_requested: 'x' },
      { events_requested: [7] },
      { events_requested: Array.from({ length: 51 }, () => REVOKED) },
      { description: 7 },
      { description: 'x'.repeat(256) },
    ];
    for (const body of broken) {
      for (const [method, path] of [
        ['PATCH', '/ssf/stream'],
        ['PUT', '/ssf/stream'],
      ] as const) {
        const sent = typeof body === 'object' && body !== null && !Array.isArray(body) ? { stream_id: id, ...body } : body;
        assert.equal((await ask(method, path, sent)).status, 400, `${method} ${JSON.stringify(body)}`);
      }
      await ask('DELETE', `/ssf/stream?stream_id=${id}`);
    }
    for (const body of broken) assert.equal((await ask('POST', '/ssf/stream', body)).status, 400, JSON.stringify(body));
    assert.deepEqual(await streamsIn(), []);
    const { stream_id: mine } = await fresh({});
    for (const body of [{ iss: 'https://other.example' }, { aud: 'other' }])
      assert.equal((await ask('PATCH', '/ssf/stream', { stream_id: mine, ...body })).status, 400);
    for (const body of [{ status: 'on' }, { status: 7 }, {}, { status: 'paused', reason: 7 }])
      assert.equal((await ask('POST', '/ssf/status', { stream_id: mine, ...body })).status, 400);
    for (const body of [{}, { stream_id: mine, state: 7 }, '{', { stream_id: 7 }]) assert.equal((await ask('POST', '/ssf/verify', body)).status, 400);
    for (const body of [
      { maxEvents: -1 },
      { maxEvents: 'x' },
      { ack: 'x' },
      { ack: [7] },
      { setErrs: [] },
      { setErrs: { x: 'y' } },
      { returnImmediately: 7 },
      '{',
    ])
      assert.equal((await ask('POST', `/ssf/poll/${mine}`, body)).status, 400, JSON.stringify(body));
    for (const body of [
      {},
      { subject: 'x' },
      { subject: { format: 'email', email: 'a@b.c' } },
      { subject: { format: 'iss_sub', iss: 'https://x', sub: 'x' } },
    ])
      assert.equal((await ask('POST', '/ssf/subjects/remove', { stream_id: mine, ...body })).status, 400);
    // Another service's stream is an unknown one.
    const others = await streamToken(other);
    const subject = { format: 'iss_sub', iss: world().app.site.issuer, sub: 'x' };
    for (const [token, stranger] of [
      [manage, 'str_unknown'],
      [others, mine],
    ] as const)
      for (const [method, path, body] of [
        ['GET', `/ssf/stream?stream_id=${stranger}`, undefined],
        ['PATCH', '/ssf/stream', { stream_id: stranger }],
        ['PUT', '/ssf/stream', { stream_id: stranger }],
        ['DELETE', `/ssf/stream?stream_id=${stranger}`, undefined],
        ['GET', `/ssf/status?stream_id=${stranger}`, undefined],
        ['POST', '/ssf/status', { stream_id: stranger, status: 'disabled' }],
        ['POST', '/ssf/verify', { stream_id: stranger }],
        ['POST', '/ssf/subjects/add', { stream_id: stranger, subject }],
        ['POST', '/ssf/subjects/remove', { stream_id: stranger, subject }],
        ['POST', `/ssf/poll/${stranger}`, { returnImmediately: true }],
      ] as const)
        assert.deepEqual([(await ask(method, path, body, token)).status, (await streamsIn()).length], [404, 1], `${method} ${path}`);
    assert.deepEqual((await ask('GET', '/ssf/stream', undefined, others)).body, []);
    assert.equal((await streamsIn())[0]?.['status'], 'enabled');
  });

  test(title('openid-ssf-transmitter-stream-verification poll-only, poll-and-ack, ack-only, setErrs; unsolicited state is absent'), on, async () => {
    const stream = await fresh({});
    const waiting = async (): Promise<number> =>
      Number((await world().sql('select count(*)::int n from delivery where stream_id = $1 and done_at is null', [stream.stream_id]))[0]?.['n']);
    assert.equal((await ask('POST', '/ssf/verify', { stream_id: stream.stream_id, state: 'état-1' })).status, 204);
    assert.equal((await ask('POST', '/ssf/verify', { stream_id: stream.stream_id })).status, 204);
    const first = (await poll(stream)).body;
    const [one, two] = Object.entries(first.sets) as [string, string][];
    assert.ok(one && two && first.moreAvailable === false);
    const sets = [await readSet(world(), 'ssf-receiver', one[1]), await readSet(world(), 'ssf-receiver', two[1])];
    assert.deepEqual(
      sets.map((set) => set.events),
      [{ [VERIFICATION]: { state: 'état-1' } }, { [VERIFICATION]: {} }],
    );
    assert.deepEqual(sets[0]?.sub_id, { format: 'opaque', id: stream.stream_id });
    assert.deepEqual(
      sets.map(({ jti }) => jti),
      [one[0], two[0]],
    );
    assert.deepEqual((await poll(stream)).body.sets, first.sets, 'what is not acknowledged comes again, the same');
    const limited = (await poll(stream, { maxEvents: 1, returnImmediately: true })).body;
    assert.deepEqual([Object.keys(limited.sets), limited.moreAvailable], [[one[0]], true]);
    const acked = (await poll(stream, { ack: [one[0]], returnImmediately: true })).body;
    assert.deepEqual(Object.keys(acked.sets), [two[0]], 'poll and ack');
    const only = (
      await poll(stream, { maxEvents: 0, ack: [one[0], 'dlv_unknown'], setErrs: { [two[0]]: { err: 'invalid_request', description: 'x' } } })
    ).body;
    assert.deepEqual([only.sets, await waiting()], [{}, 0], 'ack only, and what the receiver refuses for good');
    assert.deepEqual(
      await world().sql('select acknowledged_at is not null known, last_error, body_box from delivery where stream_id = $1 order by seq', [
        stream.stream_id,
      ]),
      [
        { known: true, last_error: null, body_box: null },
        { known: false, last_error: 'delivery_refused', body_box: null },
      ],
    );
  });

  test(
    title('openid-ssf-transmitter-stream-verification-long-poll: the poll returns when there is something, and another stream’s poll does not'),
    on,
    async () => {
      const stream = await fresh({});
      const from = performance.now();
      const held = poll(stream, {});
      await new Promise((done) => setTimeout(done, 400));
      await ask('POST', '/ssf/verify', { stream_id: stream.stream_id, state: 'late' });
      const { sets } = (await held).body;
      assert.equal(Object.keys(sets).length, 1);
      assert.ok(performance.now() - from < 2500, 'within about a second');
    },
  );

  test(title('openid-ssf-transmitter-stream-verification-push and push-no-auth: posted with its header, until 202'), on, async () => {
    const endpoint = await pushEndpoint();
    try {
      for (const authorization_header of ['Bearer of-the-receiver', undefined]) {
        const stream = await fresh({
          delivery: { method: PUSH, endpoint_url: endpoint.url, ...(authorization_header ? { authorization_header } : {}) },
        });
        endpoint.received.length = 0;
        endpoint.answer(503);
        await ask('POST', '/ssf/verify', { stream_id: stream.stream_id, state: 's' });
        assert.ok(await until(() => endpoint.received.length >= 1));
        endpoint.answer(202);
        assert.ok(
          await until(async () => {
            world().advance(1000);
            await world().app.deliveries.work();
            return (
              (await world().sql('select 1 from delivery where stream_id = $1 and acknowledged_at is not null', [stream.stream_id])).length === 1
            );
          }),
        );
        assert.deepEqual(
          endpoint.received.map(({ authorization, type }) => [authorization, type]),
          endpoint.received.map(() => [authorization_header, 'application/secevent+jwt']),
        );
        assert.equal(new Set(endpoint.received.map(({ set }) => set)).size, 1, 'each try is the same SET');
        assert.deepEqual((await readSet(world(), 'ssf-receiver', endpoint.received[0]?.set ?? '')).events, { [VERIFICATION]: { state: 's' } });
      }
    } finally {
      endpoint.close();
    }
  });

  test(
    title(
      'M5 P19 openid-ssf-transmitter-caep-interop: session-revoked and mandate-ended, by push, in order, about the usager as this service knows her',
    ),
    on,
    async () => {
      const endpoint = await pushEndpoint();
      try {
        await fresh({ delivery: { method: PUSH, endpoint_url: endpoint.url } });
        const { session, sub, claims, mandate, stop } = await acting();
        endpoint.received.length = 0;
        await stop();
        const ofSession = () => endpoint.received.filter(({ set }) => Buffer.from(set.split('.')[1] ?? '', 'base64url').includes(session));
        assert.ok(await until(() => ofSession().length === 2));
        const sets = await Promise.all(ofSession().map(({ set }) => readSet(world(), 'ssf-receiver', set)));
        assert.deepEqual(
          sets.map(({ events }) => Object.keys(events)[0]),
          [REVOKED, ENDED],
        );
        const detail = (claims?.['authorization_details'] as { identifier: string }[] | undefined)?.[0];
        const [revoked, ended] = sets.map(({ events }) => Object.values(events)[0] ?? {});
        assert.deepEqual([revoked?.['session'], revoked?.['initiating_entity'], typeof revoked?.['event_timestamp']], [session, 'user', 'number']);
        assert.ok(Object.keys(revoked?.['reason_admin'] as object).length > 0);
        assert.deepEqual(
          [ended?.['identifier'], ended?.['session'], ended?.['theme'], ended?.['reason']],
          [detail?.identifier, session, 'logement', 'stopped'],
        );
        for (const set of sets) assert.deepEqual(set.sub_id, { format: 'iss_sub', iss: world().app.site.issuer, sub });
        for (const text of endpoint.received.map(({ set }) => Buffer.from(set.split('.')[1] ?? '', 'base64url').toString()))
          for (const secret of [mandate.id, mandate.usagerId, mandate.organisationId, mandate.reference, 'Colette'])
            assert.ok(!text.includes(secret), secret);
        assert.ok(await until(async () => (await world().app.site.tellings(mandate.id)).some(({ acknowledgedAt }) => acknowledgedAt)));
        await world().app.flushJournal();
        const told = await world().app.journal.read(world().database.auto, { session, types: ['revocation.delivered'], limit: 10 });
        assert.equal(told.length, 1, 'the person reads once when it knew, by whichever way it learned first');

        const { mandates, barring } = world().app.site;
        const by = { actor: 'opr_x', reason: 'Demande écrite de la personne' };
        const [{ id: administrationId, name, reader } = {}] = await world().sql(
          "select a.id, a.name, (select min(staff_id) from agent) reader from administration a join service s on s.administration_id = a.id where s.id = 'ssf-receiver'",
        );
        const agent = { staffId: String(reader), administration: { id: String(administrationId), name: String(name) } };
        const ways: [string, 'admin' | 'user', (mandate: Mandate) => Promise<unknown>][] = [
          ['an opérateur, the whole of it', 'admin', ({ id }) => mandates.endByOperateur(id, by)],
          ['an opérateur, one theme', 'admin', ({ id }) => mandates.endByOperateur(id, by, 'logement')],
          ['an administration, at its services', 'admin', ({ id }) => barring.bar(agent, id, 'dossier 12')],
          ['the person, one theme', 'user', ({ id, usagerId }) => mandates.revokeByUsager(usagerId, id, 'logement')],
        ];
        for (const [who, entity, end] of ways) {
          const next = await acting(['logement', 'famille']);
          endpoint.received.length = 0;
          await end(next.mandate);
          world().app.site.nudgeDeliveries();
          const said = () => endpoint.received.map(({ set }) => Buffer.from(set.split('.')[1] ?? '', 'base64url').toString());
          assert.ok(await until(() => said().filter((text) => text.includes(next.session)).length === 2), who);
          for (const text of said().filter((each) => each.includes(next.session)))
            assert.ok(text.includes(`"initiating_entity":"${entity}"`), `${who}: ${text}`);
        }
      } finally {
        endpoint.close();
      }
    },
  );

  test(
    title(
      'M6 a service that polls is told of the stop, and what it acknowledges is when it knew; one whose session was over hears of the mandate alone',
    ),
    on,
    async () => {
      const stream = await fresh({});
      const { session, mandate, stop } = await acting();
      await world().app.site.sessions.end({ id: session as never }, 'time');
      const over = (await poll(stream)).body.sets as Record<string, string>;
      assert.deepEqual(
        (await Promise.all(Object.values(over).map((set) => readSet(world(), 'ssf-receiver', set)))).map(({ events }) => Object.keys(events)[0]),
        [REVOKED],
      );
      await poll(stream, { ack: Object.keys(over), maxEvents: 0 });
      assert.deepEqual(await world().app.site.tellings(mandate.id), []);
      const held = poll(stream, {});
      await stop();
      const sets = (await held).body.sets as Record<string, string>;
      const read_ = await Promise.all(Object.values(sets).map((set) => readSet(world(), 'ssf-receiver', set)));
      assert.deepEqual(
        read_.map(({ events }) => Object.keys(events)[0]),
        [ENDED],
      );
      assert.deepEqual(
        (await world().app.site.tellings(mandate.id)).map(({ acknowledgedAt }) => acknowledgedAt),
        [null],
      );
      await poll(stream, { ack: Object.keys(sets), maxEvents: 0 });
      assert.ok((await world().app.site.tellings(mandate.id))[0]?.acknowledgedAt);
      await world().app.flushJournal();
      assert.equal((await world().app.journal.read(world().database.auto, { session, types: ['revocation.delivered'], limit: 10 })).length, 1);
    },
  );

  test(title('of sessions that are over, a service hears of the theme that ends, each time of that one, and who ended it'), on, async () => {
    const stream = await fresh({ events_requested: [ENDED] });
    const mandate = await agreed(world(), 'colette', ['logement', 'famille']);
    const karim = await signedInAidant(world());
    for (const theme of ['logement', 'famille']) {
      const { claims } = await delegatedTokens(world(), karim, service, 'Colette Martin', `openid dlg:${theme}`);
      await world().app.site.sessions.end({ id: sessionOf(claims) as never }, 'time');
    }
    const told = async () => {
      const sets = (await poll(stream)).body.sets as Record<string, string>;
      await poll(stream, { ack: Object.keys(sets), maxEvents: 0 });
      const events = (await Promise.all(Object.values(sets).map((set) => readSet(world(), 'ssf-receiver', set)))).map(
        ({ events: each }) => each[ENDED] as Record<string, unknown>,
      );
      return events.map((each) => [each['theme'], each['initiating_entity']]);
    };
    const { mandates } = world().app.site;
    await mandates.endByOperateur(mandate.id, { actor: 'opr_x', reason: 'Demande écrite de la personne' }, 'famille');
    assert.deepEqual(await told(), [['famille', 'admin']]);
    world().advance(1000);
    await mandates.revokeByUsager(mandate.usagerId, mandate.id);
    assert.deepEqual(await told(), [['logement', 'user']], 'of what ends now, and not again of what had ended');
  });

  test(title('openid-ssf-transmitter-paused-stream-holds-events, disabled-stream-drops-events, supported events alone'), on, async () => {
    const stream = await fresh({ events_requested: [ENDED] });
    const id = stream.stream_id;
    const status = (to: string) => ask('POST', '/ssf/status', { stream_id: id, status: to });
    await status('paused');
    const paused = await acting();
    await paused.stop();
    assert.deepEqual((await poll(stream)).body.sets, {}, 'paused: nothing');
    await status('enabled');
    const sets = Object.values((await poll(stream)).body.sets) as string[];
    assert.deepEqual(
      (await Promise.all(sets.map((set) => readSet(world(), 'ssf-receiver', set)))).map(({ events }) => Object.keys(events)),
      [[ENDED]],
      'held, and what was asked for alone',
    );
    await status('disabled');
    const disabled = await acting();
    await disabled.stop();
    await status('enabled');
    assert.deepEqual((await poll(stream)).body.sets, {}, 'dropped, with what waited');
  });

  test(
    title('openid-ssf-stream-subject-control-happy-path: of a subject that was removed nothing is told, until she is added again'),
    on,
    async () => {
      const stream = await fresh({});
      const first = await acting();
      const body = { stream_id: stream.stream_id, subject: { format: 'iss_sub', iss: world().app.site.issuer, sub: first.sub } };
      assert.equal((await ask('POST', '/ssf/subjects/remove', body)).status, 204);
      assert.ok(!JSON.stringify(await world().sql('select * from stream_excluded')).includes(first.sub), 'kept as a hash');
      await first.stop();
      assert.deepEqual((await poll(stream)).body.sets, {});
      assert.deepEqual(
        await world().sql('select 1 from delivery where stream_id = $1 and done_at is null', [stream.stream_id]),
        [],
        'nor kept for later',
      );
      assert.equal((await ask('POST', '/ssf/subjects/add', body)).status, 200);
      const second = await acting();
      await second.stop();
      assert.equal(Object.keys((await poll(stream)).body.sets).length, 2);
    },
  );

  test(title('openid-ssf-transmitter-poll-endpoint-url-unique-per-stream; a stream that is gone keeps nothing that waited'), on, async () => {
    const one = await fresh({});
    await ask('POST', '/ssf/verify', { stream_id: one.stream_id });
    const two = await fresh({});
    assert.notEqual(one.delivery.endpoint_url, two.delivery.endpoint_url);
    assert.equal((await poll(one)).status, 404);
    assert.deepEqual(await world().sql('select 1 from delivery where stream_id = $1 and done_at is null', [one.stream_id]), []);
    assert.deepEqual((await poll(two)).body.sets, {});
  });

  test(title('no fault of ours was logged meanwhile'), on, async () => {
    assert.deepEqual(
      world().logged.filter(({ level }) => level === 'error'),
      [],
    );
    assert.ok(!JSON.stringify(world().logged).includes('Bearer'));
  });
});
