import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { boxKey, tagOf } from '../../src/journal/keys.ts';
import { folderReader } from '../../src/journal/log-reader.ts';
import { readVkey } from '../../src/journal/note.ts';
import { openBox } from '../../src/journal/payload.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import { verify } from '../../src/journal/verify.ts';
import { verifyLog } from '../../src/journal/verify-log.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Database, openPostgres } from '../../src/persistence/database.ts';
import { openKeyStore } from '../../src/persistence/journal-keys.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { migrate } from '../../src/persistence/migrate.ts';
import { inTheMorning, personOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresAt, postgresOnly } from '../support/database.ts';
import { as, desk } from '../support/desk.ts';
import { findPostgres, startPostgres } from '../support/postgres.ts';
import { openWorld } from '../support/world.ts';

/** What was sealed about her, and who she is: nobody may find it in what is made after her erasure. */
const WORDS = ['Motif-planté-7', 'REF-PLANTEE-8'];
const NAMES = ['Plantéline', 'Dupuisarde'];

const dumpOf = (url: string): Buffer => execFileSync(join(findPostgres() ?? '', 'pg_dump'), ['--dbname', url], { maxBuffer: 1 << 28 });

const holds = (bytes: Buffer, words: readonly string[]): string[] =>
  words.filter((word) => bytes.includes(Buffer.from(word)) || bytes.includes(Buffer.from(word).toString('hex')));

/** Which entries of a person open in a copy of the database, with every key that a key store still has. */
const opened = async (
  copy: Database,
  keys: Awaited<ReturnType<typeof openKeyStore>>,
  keyDatabase: Database,
  person: string,
): Promise<[all: number, read: number]> => {
  const boxes = await copy.asOwner((query) =>
    query(
      `select p.event_id, p.class, to_char(p.month, 'YYYY-MM') as month, p.box_subject from journal.payload p
        join journal.projection r on r.idx = p.idx where r.usager = $1 order by p.idx`,
      [person],
    ),
  );
  const persons = (await keyDatabase.asOwner((query) => query('select party_id from journal_keys.person_key'))).map((row) => String(row['party_id']));
  const periods = boxes.map((row) => ({ class: row['class'] as 'access', period: String(row['month']) }));
  const loaded = await keys.load(keyDatabase.auto, { persons, periods });
  const read = boxes.filter((row) => {
    const period = loaded.period(row['class'] as 'access', String(row['month']));
    return persons.some((id) => {
      const key = loaded.person(id);
      try {
        return key && period && openBox(boxKey(key, period), String(row['event_id']), 'subject', row['box_subject'] as Buffer) !== undefined;
      } catch {
        return false;
      }
    });
  });
  return [boxes.length, read.length];
};

const postgres = postgresOnly();
if (postgres)
  test('L6 J10 after an erasure nothing of her opens or stands in a dump, in a base backup with its WAL replayed, or in an export (§6.32)', {
    database: 'postgres',
  }, async (t) => {
    const store = await postgres.fresh({ empty: true }); // the keys are on another server
    await migrate(store.database, undefined, 'key-store');
    const cluster = await startPostgres({ archive: true });
    const world = await openWorld(postgresAt(cluster.url), { keyDatabase: store.database });
    const folder = mkdtempSync(join(tmpdir(), 'relais-erased-'));
    let open = true;
    t.after(async () => {
      if (open) await world.close();
      await cluster.stop();
      await store.drop();
      rmSync(folder, { recursive: true, force: true });
    });
    inTheMorning(world);
    const url = world.fresh.url ?? '';
    const kek = world.demonstration.config.keys.raw('payload-kek').reveal();
    const origin = String((await (await fetch(`${world.places.relais}/log/vkey`)).text()).split('+')[0]);
    const base = cluster.backup();
    const her = await personOf(world, 'plantee', { given_name: NAMES[0] ?? '', family_name: NAMES[1] ?? '', birthdate: '1951-01-01' });
    const him = await personOf(world, 'voisin', { given_name: 'Voisin', family_name: 'Durand', birthdate: '1952-01-01' });
    await world.database.run(async (tx) => {
      for (const usager of [her, him])
        for (const reason of WORDS) await world.app.journal.record(tx, { type: 'mandate.refused', usager, detail: { reason } });
    });
    await world.app.flushJournal();
    const tagKey = await world.app.journal.tagKey(world.database.auto, her);
    const [first] = await world.sql(
      'select l.leaf from journal.projection p join journal.leaf l using (idx) where p.usager = $1 order by idx limit 1',
      [her],
    );
    assert.ok(
      tagKey && first && (first['leaf'] as Buffer).includes(tagOf(tagKey, 'usager', 1).toString('base64url')),
      'her first entry, by her own tag',
    );
    const all = await opened(world.database, world.app.keyStore, store.database, her);
    assert.deepEqual([all[0] >= 3, all[0] - all[1]], [true, 0]);
    await world.sql("select pg_create_restore_point('before')");
    const asked = await desk(world)('journal', 'erase', '--usager', her, '--ground', 'person-asked', ...(await as(world, 'Alice Fontaine')));
    const approval = /--approve (apr_\w+)/.exec(asked.text)?.[1] ?? '';
    assert.match((await desk(world)('journal', 'erase', '--approve', approval, ...(await as(world, 'Marc Dubreuil')))).text, /Erased: \d+ entries/);
    await world.app.flushJournal();

    // What is made from now on.
    assert.deepEqual(holds(dumpOf(url), ['Durand']), ['Durand'], 'a dump is one');
    for (const address of [url, store.url ?? '']) assert.deepEqual(holds(dumpOf(address), [...WORDS, ...NAMES]), [], 'a dump');
    assert.equal(await world.app.journal.tagKey(world.database.auto, her), undefined, 'her tags cannot be made again');
    assert.deepEqual((await world.verifyJournal()).faults, []);
    const out = join(folder, 'export');
    assert.match((await desk(world)('journal', 'export', '--to', out)).text, /entries of /);
    const files = readdirSync(out, { recursive: true, encoding: 'utf8' })
      .map((name) => join(out, name))
      .filter((name) => statSync(name).isFile());
    assert.ok(files.length > 3);
    for (const file of files) assert.deepEqual(holds(readFileSync(file), [...WORDS, ...NAMES, her]), [], file);
    const vkey = readFileSync(join(out, 'vkey'), 'utf8').trim();
    const report = await verifyLog({ reader: folderReader(out), policy: readPolicy(`log ${vkey}\nquorum none\n`), origin });
    assert.deepEqual([report.faults, report.leaves], [[], true], 'and every leaf is still there');

    // Copies of the main database from before, with every key that is left.
    await world.sql('select pg_switch_wal()');
    await world.close();
    open = false;
    const isThere = () => cluster.archived().some((file) => holds(readFileSync(file), [her]).length > 0);
    for (const end = performance.now() + 5000; !isThere() && performance.now() < end; ) await new Promise((resume) => setTimeout(resume, 50));
    assert.ok(isThere(), 'the WAL is the one that was written');
    for (const file of cluster.archived()) assert.deepEqual(holds(readFileSync(file), WORDS), [], 'what is sealed is never in clear in the WAL');
    await cluster.restore(base, 'before');
    const replayed = await openPostgres(url);
    t.after(() => replayed.close());
    const keys = await openKeyStore({ database: store.database, kek, clock: systemClock });
    assert.deepEqual(await opened(replayed, keys, store.database, her), [all[0], 0], 'all of hers is in it, and none opens');
    const [his, read] = await opened(replayed, keys, store.database, him);
    assert.deepEqual([his > 0, read], [true, his], 'his does');
    const back = await verify({
      source: journalSource(replayed),
      origin,
      trusted: [readVkey(vkey)],
      keys: (want) => keys.load(store.database.auto, want),
    });
    assert.equal(back.faults[0]?.kind, 'erasure_unaccounted', 'and the copy itself does not say why: it is named');
  });
