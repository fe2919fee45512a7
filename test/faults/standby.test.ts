import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { openPostgres, row } from '../../src/persistence/database.ts';
import { sql } from '../../src/persistence/sql.ts';
import { codeOf } from '../../src/web/error-handler.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { startPostgres } from '../support/postgres.ts';

if (postgresOnly())
  test('B6 nothing is asked of a server that repeats another: a standby is refused at once, by every way in, and serves once it is promoted', {
    database: 'postgres',
  }, async (t) => {
    const cluster = await startPostgres({ durable: true });
    t.after(() => cluster.stop());
    const query = async (text: string): Promise<unknown> => {
      const client = new pg.Client(cluster.url);
      await client.connect();
      try {
        const answer: unknown = await client.query(text);
        return Array.isArray(answer) ? undefined : (answer as pg.QueryResult).rows[0];
      } finally {
        await client.end();
      }
    };
    await query('create role relais_app; create role relais_sequencer');
    await query('create table mandate (ended boolean); insert into mandate values (false); grant select on mandate to relais_app');
    const database = await openPostgres(cluster.url);
    t.after(() => database.close());
    const ended = async (): Promise<unknown> => (await row<{ ended: boolean }>(database.auto, sql`select ended from mandate`))?.ended;
    assert.equal(await ended(), false);
    const backup = cluster.backup();
    await query('update mandate set ended = true');
    assert.equal(await ended(), true);
    // The same address is now answered by a server that stopped following before the end.
    writeFileSync(join(backup, 'standby.signal'), '');
    await cluster.restore(backup);
    assert.deepEqual(
      await query('select ended, pg_is_in_recovery() standby from mandate'),
      { ended: false, standby: true },
      'it answers, and is wrong',
    );
    const refused = (error: unknown): boolean =>
      error instanceof Error && 'code' in error && error.code === 'database_standby' && codeOf(error) === 'unavailable';
    for (let i = 0; i < 3; i++) await assert.rejects(ended(), (error) => refused(error) || i === 0);
    await assert.rejects(
      database.run((tx) => row(tx, sql`select ended from mandate`)),
      refused,
    );
    await assert.rejects(database.dedicated('relais_sequencer'), refused);
    await assert.rejects(
      database.asOwner((ask) => ask('select 1')),
      refused,
    );
    await query('select pg_promote(true, 30)');
    assert.equal(await ended(), false, 'it is the primary now, and what it says is what is');
  });
