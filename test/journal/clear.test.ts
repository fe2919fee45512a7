import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Entry } from '../../src/journal/event.ts';
import { boxKey } from '../../src/journal/keys.ts';
import { openBox } from '../../src/journal/payload.ts';
import { rows } from '../../src/persistence/database.ts';
import { createKeyEraser } from '../../src/persistence/journal-eraser.ts';
import { sql } from '../../src/persistence/sql.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { type Kit, startKit } from './kit.ts';

/** What nobody may find in clear: a name, a telephone number, a reference, an address, and her words. */
const PLANTED = ['Plantée-Dupuis', '+33611223344', 'REF-PLANTED-9', 'plantee@exemple.test', 'Motif planté'];

const entries: readonly Entry[] = [
  {
    type: 'usager.entered',
    usager: 'usg_planted',
    organisation: 'org_p',
    aidant: 'aid_p',
    detail: { aidantName: 'Plantée-Dupuis', organisationName: 'Plantée-Dupuis' },
  },
  { type: 'session.refused', usager: 'usg_planted', aidant: 'aid_p', detail: { reason: 'Motif planté' } },
  { type: 'mandate.refused', usager: 'usg_planted', detail: { reason: '+33611223344' } },
  { type: 'staff.suspended', actor: 'opr_p', detail: { reason: 'REF-PLANTED-9 plantee@exemple.test' } },
];

const bytesOf = async (kit: Kit): Promise<string> => {
  const read = async (statement: ReturnType<typeof sql>): Promise<string> =>
    (await rows<{ bytes: Buffer }>(kit.database.auto, statement)).map(({ bytes }) => bytes.toString('latin1')).join('\n');
  const queue = await kit.database.asOwner((query) => query('select box as bytes from journal.queue'));
  return [
    await read(sql`select leaf as bytes from journal.leaf`),
    await read(sql`select hashes as bytes from journal.tile`),
    await read(sql`select box_subject as bytes from journal.payload`),
    await read(sql`select coalesce(box_actor, '') as bytes from journal.payload`),
    await read(sql`select convert_to(note, 'UTF8') as bytes from journal.checkpoint`),
    queue.map((row) => (row['bytes'] as Buffer).toString('latin1')).join('\n'),
  ].join('\n');
};

/** Every file of the write-ahead log of this cluster, as the database itself gives it. */
const walOf = async (kit: Kit): Promise<Buffer[]> => {
  const [found] = await kit.database.asOwner((query) => query("select setting from pg_settings where name = 'data_directory'"));
  const folder = join(String(found?.['setting']), 'pg_wal');
  return readdirSync(folder, { withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => readFileSync(join(folder, file.name)));
};

for (const kind of databases()) {
  const on = { database: kind.kind } as const;

  test(
    `V1 planted names, numbers and words are nowhere in clear: leaves, tiles, sealed parts, queue${kind.kind === 'postgres' ? ', write-ahead log' : ''} (§6.34) (${kind.kind})`,
    on,
    async (t) => {
      const kit = await startKit(t, kind);
      await kit.database.run((tx) =>
        kit.journal.recordAll(
          tx,
          entries.map((entry) => ({ entry })),
        ),
      );
      const waiting = await bytesOf(kit);
      await kit.sequencer.flush();
      await kit.sealing.seal();
      const bytes = waiting + (await bytesOf(kit));
      const latin = (text: string): string => Buffer.from(text).toString('latin1');
      for (const planted of PLANTED) assert.ok(!bytes.includes(latin(planted)), planted);
      const outside = await rows<{ leaf: Buffer }>(kit.database.auto, sql`select leaf from journal.leaf`);
      for (const { leaf } of outside) assert.doesNotMatch(leaf.toString('latin1'), /usg_|aid_|org_|opr_/, 'a leaf names nobody');
      assert.match(
        JSON.stringify(await kit.journal.read(kit.database.auto, { limit: 10 })),
        /Motif planté/,
        'and they are all readable with the keys',
      );
      if (kind.kind !== 'postgres') return;
      const wal = await walOf(kit);
      assert.ok(wal.length > 0 && wal.some((file) => file.includes(Buffer.from('usg_planted'))), 'the write-ahead log is the one that was written');
      for (const planted of PLANTED) assert.ok(!wal.some((file) => file.includes(Buffer.from(planted))), `${planted} in the write-ahead log`);
    },
  );

  test(
    `V1 leaves of one person share nothing but kind, class, time and writer with one another: tags and commitments are all distinct (§6.35) (${kind.kind})`,
    on,
    async (t) => {
      const kit = await startKit(t, kind);
      const same: Entry = {
        type: 'session.refused',
        usager: 'usg_same',
        organisation: 'org_same',
        aidant: 'aid_same',
        detail: { reason: 'the same' },
      };
      await kit.database.run((tx) =>
        kit.journal.recordAll(
          tx,
          Array.from({ length: 60 }, () => ({ entry: same })),
        ),
      );
      await kit.sequencer.flush();
      const leaves = (await rows<{ leaf: Buffer }>(kit.database.auto, sql`select leaf from journal.leaf order by idx`)).map(
        ({ leaf }) => JSON.parse(leaf.toString('latin1')) as { tg: string[]; c: string; ch: string[]; id: string } & Record<string, unknown>,
      );
      assert.equal(leaves.length, 60);
      const values = leaves.flatMap((leaf) => [...leaf.tg, leaf.c, ...leaf.ch, leaf.id]);
      assert.deepEqual([leaves[0]?.tg.length, new Set(values).size], [3, values.length]);
      const shared = Object.keys(leaves[0] ?? {}).filter((name) => new Set(leaves.map((leaf) => JSON.stringify(leaf[name]))).size < leaves.length);
      assert.deepEqual(shared.filter((name) => name !== 'o').sort(), ['e', 'k', 't', 'v', 'w']);
    },
  );

  test(
    `L6 what waited in the queue opens in no copy once its day’s key is destroyed, and hers no more once she is erased (§6.32) (${kind.kind})`,
    on,
    async (t) => {
      const kit = await startKit(t, kind);
      await kit.write(6);
      const copy = await kit.database.asOwner((query) =>
        query("select idx::int, event_id, class, to_char(month, 'YYYY-MM') as month, box_subject from journal.payload order by idx"),
      );
      const opens = async (): Promise<number[]> => {
        const keys = await kit.keys.store.load(kit.database.auto, {
          persons: ['usg_0', 'usg_1', 'usg_2'],
          periods: copy.map((row) => ({ class: row['class'] as 'access', period: String(row['month']) })),
        });
        return copy.flatMap((row) => {
          const person = keys.person(`usg_${Number(row['idx']) % 3}`);
          const period = keys.period(row['class'] as 'access', String(row['month']));
          if (!person || !period) return [];
          return openBox(boxKey(person, period), String(row['event_id']), 'subject', row['box_subject'] as Buffer) ? [Number(row['idx'])] : [];
        });
      };
      assert.deepEqual(await opens(), [0, 1, 2, 3, 4, 5]);
      const eraser = createKeyEraser(kit.database);
      await eraser.persons(['usg_1']);
      assert.deepEqual(await opens(), [0, 2, 3, 5], 'not from a copy either');
      const day = new Date().toISOString().slice(0, 10);
      const queue = { persons: [], periods: [{ class: 'queue' as const, period: day }] };
      assert.ok((await kit.keys.store.load(kit.database.auto, queue)).period('queue', day));
      await eraser.period('queue', day);
      assert.equal((await kit.keys.store.load(kit.database.auto, queue)).period('queue', day), null);
      assert.equal((await kit.keys.store.make(kit.database.auto, queue)).period('queue', day), null, 'no other is made in its place');
    },
  );
}
