import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXIT } from '../../src/cli/command.ts';
import { prepare } from '../../src/cli/run.ts';
import { until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { askSsf, pushEndpoint, readSet, streamToken } from '../support/receiver.ts';

inEachWorld(({ world, kind }) => {
  test(`relais listen: what waits in the stream is pushed to this machine, and only what was taken is acknowledged (${kind})`, {
    database: kind,
  }, async () => {
    const it = world();
    const folder = mkdtempSync(join(tmpdir(), 'relais-listen-'));
    const endpoint = await pushEndpoint();
    try {
      const service = await it.service('listens');
      const [secret, header] = [join(folder, 'secret'), join(folder, 'header')];
      writeFileSync(secret, `${service.secret}\n`);
      writeFileSync(header, 'Bearer of-the-receiver\n');
      const said: string[] = [];
      const io = {
        out: (line: string) => void said.push(line),
        err: (line: string) => void said.push(line),
        ask: async () => undefined,
        read: (path: string) => readFile(path, 'utf8'),
      };
      const listen = async (...more: string[]): Promise<number> => {
        const ready = prepare(['listen', '--from', it.places.relais, '--client', 'listens', '--secret-file', secret, '--once', ...more], io);
        if ('exit' in ready) return ready.exit;
        assert.equal(ready.command.where, 'here');
        return ready.command.where === 'here' ? ready.command.run(ready.input, io) : EXIT.fault;
      };
      const to = ['--to', endpoint.url, '--authorization-file', header];
      assert.equal(await listen(...to), EXIT.done, said.join('\n'));
      const token = await streamToken(service);
      const [stream] = (await askSsf(it, 'GET', '/ssf/stream', token)).body;
      assert.equal(stream.delivery.method, 'urn:ietf:rfc:8936', 'a stream was made, to be polled');
      const waiting = async (): Promise<number> =>
        Number((await it.sql('select count(*)::int n from delivery where stream_id = $1 and done_at is null', [stream.stream_id]))[0]?.['n']);
      for (const state of ['a', 'b']) await askSsf(it, 'POST', '/ssf/verify', token, { stream_id: stream.stream_id, state });
      endpoint.answer(500);
      assert.equal(await listen(...to, '--stream', stream.stream_id), EXIT.refused);
      assert.equal(await waiting(), 2, 'what was not taken waits');
      endpoint.answer(202);
      assert.equal(await listen(...to), EXIT.done);
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
        assert.equal(await listen('--to', elsewhere), EXIT.usage, elsewhere);
      await assert.rejects(listen(...to, '--stream', 'str_other'), { code: 'stream_unknown' });
      writeFileSync(secret, 'x'.repeat(43));
      await assert.rejects(listen(...to), { code: 'stream_token_refused' });
      assert.equal(endpoint.received.length, before);
      assert.ok(!said.join('').includes(service.secret) && !said.join('').includes('of-the-receiver'));
    } finally {
      endpoint.close();
      rmSync(folder, { recursive: true });
    }
  });
});
