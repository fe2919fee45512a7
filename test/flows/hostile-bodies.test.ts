import { request as plainRequest } from 'node:http';
import { gzipSync } from 'node:zlib';
import { agreed } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { actionEvent, basic, faults, inEachWorld, sessionOf, stateOf } from '../support/protocol.ts';
import { streamToken } from '../support/receiver.ts';
import { authorize, delegatedTokens, signedInAidant, type World } from '../support/world.ts';

/** What costs a parser more than it costs whoever sends it. */
inEachWorld(({ world, kind }) => {
  const on = { database: kind };
  const title = (text: string): string => `${text} (${kind})`;
  const DEPTH = 10_000;
  const nested = (open: string, close: string): string => open.repeat(DEPTH) + close.repeat(DEPTH);
  const DEEP = { arrays: nested('[', ']'), objects: nested('{"a":', '}').replace('{"a":}', '{}'), open: '['.repeat(30_000) };

  interface Door {
    readonly path: string;
    readonly type: string;
    readonly authorization: string;
  }
  let doors: readonly Door[] = [];
  let form: Readonly<Record<string, string>> = {};
  let session = '';
  const ready = async (): Promise<World> => {
    const it = world();
    if (doors.length) return it;
    const service = await it.service('bodies');
    await agreed(it, 'colette', ['logement']);
    const { tokens, claims } = await delegatedTokens(it, await signedInAidant(it), service, 'Colette Martin');
    session = sessionOf(claims);
    form = Object.fromEntries((await authorize(service, 'openid dlg:logement')).url.searchParams);
    const own = `Bearer ${await streamToken(service)}`;
    const acting = `Bearer ${tokens.access_token}`;
    doors = [
      { path: '/api/v1/actions', type: 'application/cloudevents+json', authorization: acting },
      { path: '/api/v1/actions', type: 'application/cloudevents-batch+json', authorization: acting },
      { path: '/ssf/status', type: 'application/json', authorization: own },
      { path: '/ssf/poll/str_x', type: 'application/json', authorization: own },
      { path: '/oidc/par', type: 'application/x-www-form-urlencoded', authorization: basic(service) },
      { path: '/oidc/token', type: 'application/x-www-form-urlencoded', authorization: basic(service) },
      { path: '/oidc/introspection', type: 'application/x-www-form-urlencoded', authorization: basic(service) },
    ];
    return it;
  };

  /** Sends bytes as they are; the status, or what the connection ended with. */
  const send = (
    door: Door,
    body: string | Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number | string; ms: number }> =>
    new Promise((done) => {
      const from = performance.now();
      const end = (status: number | string): void => done({ status, ms: performance.now() - from });
      const request = plainRequest(`${world().places.relais}${door.path}`, {
        method: 'POST',
        agent: false,
        headers: { 'content-type': door.type, authorization: door.authorization, accept: 'application/json', ...headers },
      });
      request.on('response', (answer) => answer.resume().on('close', () => end(answer.statusCode ?? 0)));
      request.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.name));
      request.setTimeout(5000, () => request.destroy(new Error('slow')));
      request.end(body);
    });
  /** Refused at once, as what it is. */
  const refuses = async (door: Door, name: string, body: string | Buffer, statuses: readonly (number | string)[], headers = {}): Promise<void> => {
    const { status, ms } = await send(door, body, headers);
    assert.ok(statuses.includes(status), `${door.path} ${name}: ${status}`);
    assert.ok(ms < 2000, `${door.path} ${name}: ${Math.round(ms)} ms`);
  };

  test(title('I10 ten thousand levels of JSON, in a body or in a parameter, are refused at once'), on, async () => {
    const it = await ready();
    const before = await stateOf(it);
    for (const door of doors) {
      if (!door.type.endsWith('json')) continue;
      for (const [name, body] of Object.entries(DEEP)) await refuses(door, name, body, [400, 404, 422]);
      const wrapped = `{"stream_id":${DEEP.arrays},"delivery":${DEEP.arrays},"ack":[${DEEP.arrays}],"data":{"session":${DEEP.arrays}}}`;
      await refuses(door, 'wrapped', wrapped.slice(0, 65_000), [400, 404, 422]);
    }
    const [, , , , par] = doors as [Door, Door, Door, Door, Door];
    for (const name of ['claims', 'authorization_details'])
      for (const [what, value] of Object.entries({
        ...DEEP,
        claim: `{"id_token":{"acr":{"values":${DEEP.arrays.slice(DEPTH / 2, -DEPTH / 2)}}}}`,
        detail: `[{"type":"urn:relais:mandate:1","actions":${DEEP.arrays.slice(DEPTH / 2, -DEPTH / 2)}}]`,
      }))
        await refuses(par, `${name} ${what}`, new URLSearchParams({ ...form, [name]: value }).toString(), [400, 413]);
    assert.equal(await stateOf(it), before);
  });

  test(title('I10 D4 what is compressed, badly encoded, named twice or too big is refused at once'), on, async () => {
    const it = await ready();
    const before = await stateOf(it);
    const bomb = gzipSync(Buffer.alloc(50_000_000, ' '));
    for (const door of doors) {
      const json = door.type.endsWith('json');
      await refuses(door, 'a bomb', bomb, [400, 413, 415, 422], { 'content-encoding': 'gzip' });
      await refuses(door, 'a small bomb', bomb.subarray(0, 40_000), [400, 404, 413, 415, 422], { 'content-encoding': 'gzip' });
      await refuses(
        door,
        'bad UTF-8',
        Buffer.from(json ? '{"\xff\xfe":"\xc0\x80"}' : 'grant_type=\xff\xfe&token=\xc0\x80', 'latin1'),
        [400, 404, 422, 200],
      );
      await refuses(door, 'two mebibytes', json ? `["${'x'.repeat(2_097_152)}"]` : `a=${'x'.repeat(2_097_152)}`, [400, 413, 'ECONNRESET', 'EPIPE']);
      await refuses(door, 'a header of 100 kB', '{}', [431, 'ECONNRESET', 'EPIPE'], { 'x-long': 'x'.repeat(100_000) });
      await refuses(door, 'ten thousand parameters', Array.from({ length: 10_000 }, (_, i) => `a${i}=`).join('&'), [400, 404, 413, 422]);
      await refuses(door, 'another type', '<a/>', [400, 415], { 'content-type': 'application/xml' });
      await refuses(door, 'a type that is none', '{}', [400, 404, 415, 422], { 'content-type': 'application/json; charset=utf-7; x="' });
    }
    assert.equal(await stateOf(it), before);
    const [actions] = doors as [Door];
    const event = JSON.stringify(actionEvent('bodies', session));
    const doubled = event.replace('"verb":"send"', '"verb":"send","verb":"open"');
    assert.notEqual(event, doubled);
    assert.equal((await send(actions, doubled)).status, 202);
    await it.app.flushJournal();
    const kept = await it.app.journal.read(it.database.auto, { session, types: ['action.reported'], limit: 5 });
    assert.deepEqual(
      kept.map((each) => each.verb),
      ['open'],
      'the last of two, as every reader of JSON has it',
    );
  });

  test(title('no fault of ours was logged meanwhile'), on, () => {
    assert.deepEqual(faults(world()), []);
  });
});
