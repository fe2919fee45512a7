import { appendFileSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { rows } from '../../src/persistence/database.ts';
import { MIGRATIONS, migrate } from '../../src/persistence/migrate.ts';
import { sql } from '../../src/persistence/sql.ts';
import { assert, test } from '../support/check.ts';
import { databases, openSecond, postgresOnly } from '../support/database.ts';

const all = readdirSync(MIGRATIONS)
  .filter((name) => name.endsWith('.sql'))
  .sort();
const copies: string[] = [];
const copy = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-migrations-'));
  copies.push(folder);
  cpSync(MIGRATIONS, folder, { recursive: true });
  return folder;
};
after(() => {
  for (const folder of copies) rmSync(folder, { recursive: true, force: true });
});

for (const { kind, fresh } of databases()) {
  test(`migrations apply once, in order; what was edited, unknown or half done is refused, on ${kind}`, { database: kind }, async (t) => {
    const { database, drop } = await fresh({ empty: true });
    t.after(drop);
    const folder = copy();
    assert.deepEqual(await migrate(database, folder), all);
    assert.deepEqual(await migrate(database, folder), []);

    writeFileSync(join(folder, '9001_half.sql'), 'create table half (id int); select 1/0;');
    await assert.rejects(migrate(database, folder), (error) => error instanceof Error && 'code' in error && error.code === '22012');
    const [half] = await database.asOwner((query) => query("select to_regclass('half') as found"));
    assert.equal(half?.['found'], null, 'a migration that fails leaves nothing');
    rmSync(join(folder, '9001_half.sql'));
    assert.deepEqual(await migrate(database, folder), [], 'the lock was given back');

    writeFileSync(join(folder, '9002_more.sql'), 'create table more (id int)');
    assert.deepEqual(await migrate(database, folder), ['9002_more.sql']);
    await assert.rejects(migrate(database), { code: 'migration_unknown', detail: 'the database has 9002_more.sql, this program does not' });

    appendFileSync(join(folder, all[0] ?? ''), '\n-- changed');
    await assert.rejects(migrate(database, folder), { code: 'migration_edited' });
  });

  test(`the application's role owns nothing, cannot log in, and cannot reach the owner's rights, on ${kind}`, { database: kind }, async (t) => {
    const { database, drop } = await fresh();
    t.after(drop);
    const roles = await rows<Record<string, unknown>>(
      database.auto,
      sql`select rolname, rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles where rolname like ${'relais\\_%'} order by rolname`,
    );
    const nothing = { rolcanlogin: false, rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolbypassrls: false };
    assert.deepEqual(roles, [
      { rolname: 'relais_app', ...nothing },
      { rolname: 'relais_eraser', ...nothing },
      { rolname: 'relais_sequencer', ...nothing },
    ]);
    const owned = await rows(
      database.auto,
      sql`select c.oid::int as id from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname like ${'relais\\_%'}`,
    );
    assert.deepEqual(owned, []);
    const journal = await rows<{ name: string; may: boolean }>(
      database.auto,
      sql`select c.relname as name, has_table_privilege('relais_app', c.oid, 'update, delete, truncate, trigger, references') as may
          from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'journal' and c.relkind in ('r', 'p') order by 1`,
    );
    assert.ok(journal.length >= 7);
    for (const { name, may } of journal) assert.equal(may, false, `relais_app may change journal.${name}`);
    const [sequencer] = await rows<{ may: boolean }>(
      database.auto,
      sql`select bool_or(has_table_privilege('relais_sequencer', 'journal.' || t, 'update, delete, truncate')) as may
                         from unnest(array['leaf', 'tile', 'payload', 'receipt', 'projection', 'checkpoint']) t`,
    );
    assert.equal(sequencer?.may, false);
  });
}

const postgres = postgresOnly();
if (postgres)
  test('four instances that migrate an empty PostgreSQL at once apply each file once', { database: 'postgres' }, async (t) => {
    const { database, url = '', drop } = await postgres.fresh({ empty: true });
    t.after(drop);
    const others = await Promise.all([1, 2, 3].map(() => openSecond(url, { max: 1 })));
    const applied = await Promise.all([database, ...others].map((instance) => migrate(instance)));
    assert.deepEqual(applied.flat(), all);
    const done = await database.asOwner((query) => query('select name from migration order by name'));
    assert.deepEqual(
      done.map((found) => found['name']),
      all,
    );
    await Promise.all(others.map((other) => other.close()));
  });
