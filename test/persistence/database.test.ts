import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { Failure } from '../../src/kernel/failure.ts';
import { constraint, type Database, openPglite, row, rows, run, sqlState } from '../../src/persistence/database.ts';
import { migrate } from '../../src/persistence/migrate.ts';
import { sql } from '../../src/persistence/sql.ts';
import { assert, test } from '../support/check.ts';
import { databases, openSecond, superuserSql } from '../support/database.ts';

const folder = mkdtempSync(join(tmpdir(), 'relais-embedded-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const insert = (database: Database, name: string) =>
  run(database.auto, sql`insert into key_fingerprint (name, fingerprint) values (${name}, ${'f'})`);
const names = async (database: Database): Promise<string[]> =>
  (await rows<{ name: string }>(database.auto, sql`select name from key_fingerprint order by name`)).map(({ name }) => name);

for (const { kind, fresh } of databases()) {
  const { database, drop } = await fresh();
  after(drop);

  test(`after an error the connection still reads, on ${kind}`, { database: kind }, async () => {
    await insert(database, 'a');
    const error = await insert(database, 'a').catch((caught: unknown) => caught);
    assert.equal(sqlState(error), '23505');
    assert.equal(constraint(error), 'key_fingerprint_pkey');
    assert.deepEqual(await names(database), ['a']);
    await assert.rejects(rows(database.auto, sql`select nothing_of_that_name from key_fingerprint`), (caught) => sqlState(caught) === '42703');
    assert.deepEqual(await names(database), ['a']);
  });

  test(`a transaction that throws leaves nothing, and its connection serves the next, on ${kind}`, { database: kind }, async () => {
    await assert.rejects(
      database.run(async (tx) => {
        await run(tx, sql`insert into key_fingerprint (name, fingerprint) values (${'b'}, ${'f'})`);
        throw new Failure('refused_for_the_test');
      }),
      { code: 'refused_for_the_test' },
    );
    await assert.rejects(
      database.run(async (tx) => {
        await run(tx, sql`insert into key_fingerprint (name, fingerprint) values (${'b'}, ${'f'})`);
        await run(tx, sql`insert into key_fingerprint (name, fingerprint) values (${'b'}, ${'f'})`);
      }),
      (error) => sqlState(error) === '23505',
    );
    assert.deepEqual(await names(database), ['a']);
    await database.run((tx) => run(tx, sql`insert into key_fingerprint (name, fingerprint) values (${'c'}, ${'f'})`));
    assert.deepEqual(await names(database), ['a', 'c']);
  });

  test(`every connection works in the role relais_app, also after the owner's, on ${kind}`, { database: kind }, async () => {
    const role = async () => (await row<{ role: string }>(database.auto, sql`select current_user as role`))?.role;
    const all = await Promise.all(Array.from({ length: 12 }, role));
    assert.deepEqual([...new Set(all)], ['relais_app']);
    const [owner] = await database.asOwner((query) => query('select current_user as role'));
    assert.notEqual(owner?.['role'], 'relais_app');
    assert.equal(await role(), 'relais_app');
    await assert.rejects(database.asOwner((query) => query('select 1/0')));
    assert.equal(await role(), 'relais_app');
    assert.equal(await database.run(async (tx) => (await row<{ role: string }>(tx, sql`select current_user as role`))?.role), 'relais_app');
  });

  test(`a dedicated connection works in the sequencer's role, and gives it back, on ${kind}`, { database: kind }, async () => {
    const dedicated = await database.dedicated('relais_sequencer');
    const role = async (): Promise<string | undefined> => (await row<{ role: string }>(dedicated.auto, sql`select current_user as role`))?.role;
    assert.equal(await role(), 'relais_sequencer');
    assert.equal(await dedicated.run(async (tx) => (await row<{ role: string }>(tx, sql`select current_user as role`))?.role), 'relais_sequencer');
    assert.equal(dedicated.alive(), true);
    await assert.rejects(
      dedicated.run((tx) => run(tx, sql`delete from key_fingerprint`)),
      (error) => sqlState(error) === '42501',
    );
    assert.equal(await role(), 'relais_sequencer');
    await dedicated.release();
    assert.equal((await row<{ role: string }>(database.auto, sql`select current_user as role`))?.role, 'relais_app');
  });

  test(`values travel as values, times as instants and big numbers as numbers, on ${kind}`, { database: kind }, async () => {
    const hostile = "'; drop table key_fingerprint; --";
    const at = new Date('2026-10-25T00:30:00.123Z');
    const found = await row<{ text: string; at: Date; big: number; bytes: Buffer; list: string[] }>(
      database.auto,
      sql`select ${hostile}::text as text, ${at}::timestamptz as at, ${9007199254740000}::bigint as big, ${Buffer.from([0, 255])}::bytea as bytes, ${['a', 'b"']}::text[] as list`,
    );
    assert.equal(found?.text, hostile);
    assert.equal(found?.at.getTime(), at.getTime());
    assert.equal(found?.big, 9007199254740000);
    assert.deepEqual(Buffer.from(found?.bytes ?? []), Buffer.from([0, 255]));
    assert.deepEqual(found?.list, ['a', 'b"']);
  });

  test(`fifty reads and writes at once all answer, on ${kind}`, { database: kind }, async () => {
    await Promise.all(Array.from({ length: 50 }, (_, i) => (i % 2 ? insert(database, `n${i}`) : names(database))));
    assert.equal((await names(database)).filter((name) => name.startsWith('n')).length, 25);
  });
}

for (const { fresh } of databases().filter(({ kind }) => kind === 'postgres')) {
  test('two instances that take the same rows in opposite orders both finish: a deadlock is tried again', { database: 'postgres' }, async () => {
    const { database, url = '', drop } = await fresh();
    const second = await openSecond(url);
    await superuserSql(url, "insert into key_fingerprint (name, fingerprint) values ('x', '0'), ('y', '0')");
    const touch = (on: Database, first: string, then: string) =>
      on.run(async (tx) => {
        await run(tx, sql`update key_fingerprint set fingerprint = fingerprint || '1' where name = ${first}`);
        await new Promise((resolve) => setTimeout(resolve, 150));
        await run(tx, sql`update key_fingerprint set fingerprint = fingerprint || '1' where name = ${then}`);
      });
    await superuserSql(url, 'grant update on key_fingerprint to relais_app');
    await Promise.all([touch(database, 'x', 'y'), touch(second, 'y', 'x')]);
    const values = await superuserSql(url, 'select fingerprint from key_fingerprint');
    assert.deepEqual(
      values.map((found) => found['fingerprint']),
      ['011', '011'],
    );
    await second.close();
    await drop();
  });

  test('a connection cut by the server is replaced by the next call', { database: 'postgres' }, async () => {
    const { database, url = '', drop } = await fresh({ max: 2 });
    const dedicated = await database.dedicated('relais_sequencer');
    await names(database);
    await superuserSql(url, 'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(dedicated.alive(), false);
    assert.deepEqual(await names(database), []);
    await drop();
  });
}

test('the embedded folder is 0700, no folder in it is for others, and what was committed is there after it is opened again', {
  database: 'pglite',
}, async () => {
  const own = join(folder, 'kept');
  const database = await openPglite(own);
  await migrate(database);
  await insert(database, 'kept');
  await database.close();
  assert.equal(statSync(own).mode & 0o777, 0o700);
  // PGlite sets its files' mode itself (0666): what keeps others out is that no folder on the way lets them through.
  for (const entry of readdirSync(own, { recursive: true, withFileTypes: true }))
    if (entry.isDirectory()) assert.equal(statSync(join(entry.parentPath, entry.name)).mode & 0o077, 0, entry.name);
  assert.equal(existsSync(join(own, 'lock')), false);
  const again = await openPglite(own);
  assert.deepEqual(await names(again), ['kept']);
  const [fsync] = await again.asOwner((query) => query('show fsync'));
  assert.equal(fsync?.['fsync'], 'on');
  const lock = readFileSync(join(own, 'lock'), 'utf8');
  assert.equal(lock, String(process.pid));
  const other = spawnSync(
    process.execPath,
    [
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      `import { openPglite } from ${JSON.stringify(new URL('../../src/persistence/database.ts', import.meta.url).href)};
      await openPglite(${JSON.stringify(own)}).then(() => console.log('opened'), (error) => console.log(error.code, error.detail));`,
    ],
    { encoding: 'utf8', cwd: new URL('../..', import.meta.url).pathname },
  );
  assert.match(other.stdout, new RegExp(`^folder_in_use .*process ${process.pid}`), other.stderr);
  await again.close();
});

test('a lock left by a process that is gone does not stop the next start', { database: 'pglite' }, async () => {
  const own = join(folder, 'left');
  await (await openPglite(own)).close();
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(join(own, 'lock'), String(gone));
  const database = await openPglite(own);
  assert.equal(readFileSync(join(own, 'lock'), 'utf8'), String(process.pid));
  await database.close();
});
