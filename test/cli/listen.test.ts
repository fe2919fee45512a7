import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, exportPKCS8 } from 'jose';
import * as client from 'openid-client';
import { EXIT } from '../../src/cli/command.ts';
import { prepare, tellFault } from '../../src/cli/run.ts';
import { agreed, backChannel, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { fapiService, inEachWorld, makeKeys, sessionOf } from '../support/protocol.ts';
import { askSsf, pushEndpoint, readSet, streamToken } from '../support/receiver.ts';
import { delegatedTokens, signedInAidant } from '../support/world.ts';

/** The command as it is typed, with the files that it names; what it says is kept. */
const listener = (from: string) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-listen-'));
  const said: string[] = [];
  const io = {
    out: (line: string) => void said.push(line),
    err: (line: string) => void said.push(line),
    ask: async () => undefined,
    read: (path: string) => readFile(path, 'utf8'),
  };
  return {
    said,
    /** The last line, without the time of day. */
    last: () => (said.at(-1) ?? '').replace(/^[\d:]{8} /, ''),
    file: (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    },
    run: async (...more: string[]): Promise<number> => {
      const ready = prepare(['listen', '--from', from, '--once', ...more], io);
      if ('exit' in ready) return ready.exit;
      return ready.command.where === 'here' ? ready.command.run(ready.input, io).catch((error: unknown) => tellFault(error, io)) : EXIT.fault;
    },
    close: () => rmSync(folder, { recursive: true }),
  };
};

/** An address of this machine at which nobody answers. */
const nobody = async (): Promise<string> => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return `http://localhost:${port}/signals`;
};

inEachWorld(({ world, kind }) => {
  test(`relais listen: what waits in the stream is pushed to this machine, and only what was taken is acknowledged (${kind})`, {
    database: kind,
  }, async () => {
    const it = world();
    const cli = listener(it.places.relais);
    const endpoint = await pushEndpoint();
    try {
      const service = await it.service('listens');
      const secret = cli.file('secret', `${service.secret}\n`);
      const who = ['--client', 'listens', '--secret-file', secret];
      const to = [...who, '--to', endpoint.url, '--authorization-file', cli.file('header', 'Bearer of-the-receiver\n')];
      assert.equal(await cli.run(...to), EXIT.done, cli.said.join('\n'));
      const token = await streamToken(service);
      const [stream] = (await askSsf(it, 'GET', '/ssf/stream', token)).body;
      assert.equal(stream.delivery.method, 'urn:ietf:rfc:8936', 'a stream was made, to be polled');
      const waiting = async (): Promise<number> =>
        Number((await it.sql('select count(*)::int n from delivery where stream_id = $1 and done_at is null', [stream.stream_id]))[0]?.['n']);
      for (const state of ['a', 'b']) await askSsf(it, 'POST', '/ssf/verify', token, { stream_id: stream.stream_id, state });
      endpoint.answer(500);
      assert.equal(await cli.run(...to, '--stream', stream.stream_id), EXIT.refused);
      assert.equal(cli.last(), 'verification: 500; not taken, it comes again');
      const away = await nobody();
      assert.equal(await cli.run(...who, '--to', away), EXIT.refused);
      assert.equal(cli.last(), `verification: nobody answers at ${away} (ECONNREFUSED); not taken, it comes again`);
      assert.equal(await waiting(), 2, 'what was not taken waits');
      endpoint.answer(202);
      assert.equal(await cli.run(...to), EXIT.done);
      assert.equal(cli.last(), 'verification: 202, taken');
      assert.ok(await until(async () => (await waiting()) === 0));
      const taken = endpoint.received.slice(2);
      assert.deepEqual(await Promise.all(taken.map(async ({ set }) => Object.values((await readSet(it, 'listens', set)).events)[0]?.['state'])), [
        'a',
        'b',
      ]);
      assert.ok(taken.every(({ authorization, type }) => authorization === 'Bearer of-the-receiver' && type === 'application/secevent+jwt'));
      // It loosens nothing: no other machine, no other stream, no other secret.
      const before = endpoint.received.length;
      for (const elsewhere of ['http://10.0.0.1/', 'https://service.example/', 'file:///etc/passwd', 'x'])
        for (const where of ['--to', '--logout-to']) assert.equal(await cli.run(...who, where, elsewhere), EXIT.usage, elsewhere);
      for (const from of ['http://relais.example', 'HTTP://relais.example', 'ftp://relais.example', 'relais.example']) {
        const clear = listener(from);
        assert.equal(await clear.run(...to), EXIT.usage, from);
        clear.close();
      }
      for (const wrong of [who, ['--client', 'listens', '--to', endpoint.url], [...to, '--key-file', secret]])
        assert.equal(await cli.run(...wrong), EXIT.usage, wrong.join(' '));
      assert.equal(await cli.run(...to, '--stream', 'str_other'), EXIT.configuration);
      assert.match(cli.last(), /^stream_unknown: this service has no stream str_other/);
      cli.file('secret', 'x'.repeat(43));
      assert.equal(await cli.run(...to), EXIT.configuration);
      assert.match(cli.last(), /^stream_token_refused: Relais does not know this client with this secret \(401/);
      const lost = listener(new URL(await nobody()).origin);
      assert.equal(await lost.run(...to), EXIT.configuration);
      assert.match(lost.last(), /^stream_unreachable: .*: nobody answers there/);
      lost.close();
      assert.equal(endpoint.received.length, before);
      assert.ok(!cli.said.join('').includes(service.secret) && !cli.said.join('').includes('of-the-receiver'));
    } finally {
      endpoint.close();
      cli.close();
    }
  });

  test(`relais listen: a logout token that the registered address did not take comes here, signed for this service, and for no other (${kind})`, {
    database: kind,
  }, async () => {
    const it = world();
    const cli = listener(it.places.relais);
    const local = await backChannel();
    try {
      const [service, other] = [await it.service('listens-logout'), await it.service('listens-other')];
      const mandate = await agreed(it, 'colette', ['logement']);
      const { claims } = await delegatedTokens(it, await signedInAidant(it), service, 'Colette Martin');
      const session = sessionOf(claims);
      const who = ['--client', service.id, '--secret-file', cli.file('secret', service.secret), '--logout-to', `${local.origin}/logout`];
      assert.equal(await cli.run(...who), EXIT.done);
      assert.equal(local.received.length, 0, 'nothing ended');
      await it.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      const logout = async () =>
        (await it.sql("select id, attempts, acknowledged_at from delivery where kind = 'logout' and session_id = $1", [session]))[0];
      assert.ok(
        await until(async () => {
          await it.app.deliveries.work();
          return Number((await logout())?.['attempts']) > 0;
        }),
        'its own address is tried first',
      );
      const jti = String((await logout())?.['id']);
      // Another service reads none of it, and cannot say that it was taken.
      const foreign = await streamToken(other);
      assert.deepEqual((await askSsf(it, 'POST', '/ssf/logout', foreign, { ack: [jti], returnImmediately: true })).body, {
        sets: {},
        moreAvailable: false,
      });
      assert.equal((await askSsf(it, 'POST', '/ssf/logout', await streamToken(service, 'ssf.read'), {})).status, 403);
      assert.equal((await askSsf(it, 'POST', '/ssf/logout', foreign, { ack: 'x' })).status, 400);
      assert.equal((await logout())?.['acknowledged_at'], null);
      local.answer(500);
      assert.equal(await cli.run(...who), EXIT.refused);
      assert.equal(cli.last(), `logout ${session}: 500; not taken, it comes again`);
      assert.equal((await logout())?.['acknowledged_at'], null);
      local.answer(200);
      assert.equal(await cli.run(...who, '--json'), EXIT.done);
      assert.deepEqual(JSON.parse(cli.said.at(-1) ?? ''), { jti, event: 'logout', session, status: 200, taken: true });
      assert.deepEqual(
        local.received.map(({ claims: { sid, aud, jti: id } }) => [sid, aud, id]),
        [1, 2].map(() => [session, service.id, jti]),
      );
      assert.ok((await logout())?.['acknowledged_at']);
      assert.equal(await cli.run(...who), EXIT.done);
      assert.equal(local.received.length, 2, 'once');
      await it.app.flushJournal();
      const told = await it.app.journal.read(it.database.auto, { session, types: ['revocation.delivered'], limit: 5 });
      assert.equal(told.length, 1, 'the person reads when that service knew');
    } finally {
      await local.close();
      cli.close();
    }
  });

  test(`relais listen: a service of profile fapi2 by its private key, JWK or PEM, and with no other (${kind})`, { database: kind }, async () => {
    const it = world();
    const cli = listener(it.places.relais);
    const endpoint = await pushEndpoint();
    try {
      const service = await fapiService(it, 'listens-fapi');
      const jwk = { ...(await exportJWK(service.keys.privateKey)), alg: 'ES256', kid: service.keys.jwk.kid };
      const files = [cli.file('key.json', JSON.stringify(jwk)), cli.file('key.pem', await exportPKCS8(service.keys.privateKey))];
      const stream = async () => (await it.sql("select id from stream where service_id = 'listens-fapi'"))[0]?.['id'];
      for (const file of files) {
        const who = ['--client', service.id, '--key-file', file, '--to', endpoint.url];
        assert.equal(await cli.run(...who), EXIT.done, cli.said.join('\n'));
        const { access_token } = await client.clientCredentialsGrant(service.config, { scope: 'ssf.manage' }, { DPoP: service.handle });
        const url = new URL('/ssf/verify', it.places.relais);
        const headers = new Headers({ 'content-type': 'application/json' });
        const body = JSON.stringify({ stream_id: await stream(), state: file });
        await client.fetchProtectedResource(service.config, access_token, url, 'POST', body, headers, { DPoP: service.handle });
        endpoint.received.length = 0;
        assert.equal(await cli.run(...who), EXIT.done, cli.said.join('\n'));
        const [set] = await Promise.all(endpoint.received.map((each) => readSet(it, service.id, each.set)));
        assert.deepEqual(Object.values(set?.events ?? {})[0], { state: file });
      }
      const stranger = cli.file('other.pem', await exportPKCS8((await makeKeys()).privateKey));
      assert.equal(await cli.run('--client', service.id, '--key-file', stranger, '--to', endpoint.url), EXIT.configuration);
      assert.match(cli.last(), /^stream_token_refused: Relais does not know this client with this key \(401/);
      for (const text of ['not a key', '{}', JSON.stringify(service.keys.jwk)]) {
        assert.equal(await cli.run('--client', service.id, '--key-file', cli.file('bad', text), '--to', endpoint.url), EXIT.configuration, text);
        assert.match(cli.last(), /^key_file_unreadable: --key-file is neither/);
      }
      assert.ok(!cli.said.join('').includes(String(jwk.d)));
    } finally {
      endpoint.close();
      cli.close();
    }
  });
});
