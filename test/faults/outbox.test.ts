import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { agreed, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { openSecond, postgresOnly } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { sessionOf } from '../support/protocol.ts';
import { delegatedTokens, openWorld, signedInAidant } from '../support/world.ts';

const kind = postgresOnly();

if (kind) {
  test('C6 killed between the sending and the acknowledgement: it is told again, with the same jti, and said to be known once (postgres)', {
    database: 'postgres',
  }, async (t) => {
    const world = await openWorld(kind);
    t.after(() => world.close());
    const heard: Record<string, unknown>[] = [];
    let killed: Instance | undefined;
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => {
        body += part.toString();
      });
      request.on('end', () => {
        const token = new URLSearchParams(body).get('logout_token') ?? '';
        heard.push(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>);
        if (heard.length > 1) return response.writeHead(200).end();
        killed?.process.kill('SIGKILL'); // it has sent everything, and waits for the answer
        return request.socket.destroy();
      });
    });
    await new Promise<void>((done) => server.listen(0, 'localhost', done));
    t.after(() => server.close());
    const service = await world.service('killed', { backchannelLogoutUri: `http://localhost:${(server.address() as AddressInfo).port}/logout` });
    const mandate = await agreed(world, 'colette', ['logement']);
    const session = sessionOf((await delegatedTokens(world, await signedInAidant(world), service, 'Colette Martin')).claims);
    await world.app.deliveries.stop(); // from here on the others deliver
    const row = async () =>
      (
        await world.sql('select id, attempts, done_at, acknowledged_at, locked_until > now() leased from delivery where session_id = $1', [session])
      )[0];
    killed = await startInstance(world);
    await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
    assert.ok(await until(() => killed?.process.signalCode === 'SIGKILL', 8000));
    const { id, ...left } = (await row()) ?? {};
    assert.deepEqual(left, { attempts: 1, done_at: null, acknowledged_at: null, leased: true });
    const second = await startInstance(world);
    t.after(() => second.end('SIGKILL'));
    await world.sql("update delivery set locked_until = now() - interval '1 second' where session_id = $1", [session]); // the lease of who is gone runs out
    assert.ok(await until(async () => (await row())?.['acknowledged_at'] instanceof Date, 8000));
    assert.deepEqual(
      heard.map(({ jti, sid }) => [jti, sid]),
      [
        [id, session],
        [id, session],
      ],
    );
    assert.equal((await row())?.['attempts'], 2);
    await world.app.flushJournal();
    assert.equal((await world.app.journal.read(world.database.auto, { session, types: ['revocation.delivered'], limit: 10 })).length, 1);
  });

  test('whoever waits for deliveries is woken by a commit of any process, by no rollback, and again after the connection was lost (postgres)', {
    database: 'postgres',
  }, async (t) => {
    const fresh = await kind.fresh();
    t.after(() => fresh.drop());
    const other = await openSecond(fresh.url ?? '');
    t.after(() => other.close());
    let woken = 0;
    const end = other.listen('relais_delivery', () => void woken++);
    t.after(end);
    assert.ok(await until(() => woken === 1), 'once it listens it looks');
    const insert = (id: string): string =>
      `insert into delivery (id, kind, target, created_at, next_at) values ('${id}', 'mail', 'mail', now(), now())`;
    await fresh.database.asOwner((query) => query(insert('dlv_1')));
    assert.ok(await until(() => woken === 2));
    await fresh.database.asOwner((query) => query(`begin; ${insert('dlv_2')}; rollback`));
    await new Promise((done) => setTimeout(done, 200));
    assert.equal(woken, 2);
    await fresh.database.asOwner((query) =>
      query("select pg_terminate_backend(pid) from pg_stat_activity where query = 'listen relais_delivery' and datname = current_database()"),
    );
    assert.ok(await until(() => woken === 3), 'it listens again, and looks');
    await fresh.database.asOwner((query) => query(insert('dlv_3')));
    assert.ok(await until(() => woken === 4));
  });
}
