import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { examine } from '../../src/cli/doctor.ts';
import { migrate } from '../../src/persistence/migrate.ts';
import { agreed, entriesSince, eventOf, inTheMorning, mark, personOf, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { type FreshDatabase, postgresOnly } from '../support/database.ts';
import { as, contextOf, desk } from '../support/desk.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

const postgres = postgresOnly();
/** The dump that an administrator of the database would take. */
const dumpOf = (url: string): string => {
  const program =
    ['/usr/lib/postgresql/15/bin/pg_dump', '/usr/lib/postgresql/16/bin/pg_dump', '/usr/bin/pg_dump'].find((path) => existsSync(path)) ?? 'pg_dump';
  return execFileSync(program, ['--dbname', url], { maxBuffer: 1 << 28 }).toString('latin1');
};

if (postgres)
  describe('keys in another database', () => {
    let store: FreshDatabase;
    let world: World;
    before(async () => {
      store = await postgres.fresh({ empty: true });
      assert.deepEqual(await migrate(store.database, undefined, 'key-store'), ['0032_key_store.sql', '0045_key_makers_key_store.sql']);
      world = await openWorld(postgres, { keyDatabase: store.database });
    });
    after(async () => {
      await world.close();
      await store.drop();
    });

    test('L6 J10 the keys of sealed parts live in another database: the main one holds none, and erasing there erases everywhere (§6.32)', {
      database: 'postgres',
    }, async () => {
      inTheMorning(world);
      const karim = await signedInAidant(world);
      const service = await world.service('keys-service');
      await agreed(world, 'colette', ['logement']);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:logement');
      const planted = 'PLANTEE-4711';
      const reported = await reportAt(world, tokens.access_token, [eventOf(service, sessionOf(claims), 'keys-1', { reference: planted })]);
      assert.equal(reported.status, 202);
      assert.deepEqual((await world.verifyJournal()).faults, []);
      const inMain = async () =>
        Number(
          (await world.sql('select (select count(*) from journal_keys.person_key) + (select count(*) from journal_keys.period_key) n'))[0]?.['n'],
        );
      const there = async () =>
        Number(
          (await store.database.asOwner((query) => query('select count(*)::int n from journal_keys.person_key where wrapped is not null')))[0]?.['n'],
        );
      assert.equal(await inMain(), 0);
      assert.ok((await there()) > 3);
      const checks = await examine({ ...contextOf(world), keyDatabase: store.database });
      assert.deepEqual(
        checks.filter(({ name }) => name === 'key store').map(({ ok, says }) => [ok, says]),
        [[true, 'apart; the main database holds no key']],
      );

      // Everything that the main database holds, and the key-encryption key: no sealed part opens without the other.
      const dump = dumpOf(world.fresh.url ?? '');
      assert.match(dump, /COPY journal\.payload_/);
      const keys = await store.database.asOwner((query) =>
        query('select wrapped from journal_keys.person_key union all select wrapped from journal_keys.period_key'),
      );
      for (const row of keys)
        assert.ok(!dump.includes((row['wrapped'] as Buffer).toString('hex')), 'a key of the store is in the dump of the main database');
      assert.ok(!dump.includes(planted), 'what was reported is sealed');

      const colette = await personOf(world, 'colette');
      const before = await there();
      const [mandate] = await world.sql('select id from mandate where usager_id = $1 and ended_at is null', [colette]);
      await desk(world)('mandate', 'end', String(mandate?.['id']), '--reason', 'Elle le demande');
      const from = await mark(world);
      const asked = await desk(world)('journal', 'erase', '--usager', colette, '--ground', 'person-asked', ...(await as(world, 'Alice Fontaine')));
      const approval = /--approve (apr_\w+)/.exec(asked.text)?.[1] ?? '';
      assert.match((await desk(world)('journal', 'erase', '--approve', approval, ...(await as(world, 'Marc Dubreuil')))).text, /Erased: \d+ entries/);
      assert.equal(await there(), before - 1, 'her key, and hers alone');
      assert.equal((await entriesSince(world, from)).filter(({ type }) => type === 'erasure.executed').length, 1);
      assert.deepEqual((await world.verifyJournal()).faults, []);
    });
  });
