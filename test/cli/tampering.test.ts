import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { EXIT } from '../../src/cli/command.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { runHere } from '../../src/cli/run.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { openWorld, type World } from '../support/world.ts';

/** What `relais db sql` changes as superuser, `relais journal verify` names: the entry, the kind, and the class in its exit code. */

const TABLES = ['leaf', 'tile', 'payload', 'receipt', 'projection', 'checkpoint'];

interface Case {
  readonly name: string;
  readonly sql: readonly string[];
  readonly exit: number;
  /** The first fault: its kind and the index it names. */
  readonly names: RegExp;
}

const CASES: readonly Case[] = [
  {
    name: 'a leaf is edited',
    sql: ["update journal.leaf set leaf = convert_to(replace(convert_from(leaf, 'UTF8'), '\"v\":1', '\"v\":2'), 'UTF8') || '' where idx = 5"],
    exit: EXIT.entry,
    names: /^leaf_altered at 5: /,
  },
  {
    name: 'a row of the search table is edited',
    sql: ["update journal.projection set type = 'x' where idx = 7"],
    exit: EXIT.entry,
    names: /^projection_altered at 7: /,
  },
  {
    name: 'a payload is swapped for another',
    sql: ['update journal.payload set box_subject = (select box_subject from journal.payload where idx = 9) where idx = 8'],
    exit: EXIT.entry,
    names: /^payload_altered at 8: /,
  },
  { name: 'a middle entry is deleted', sql: ['delete from journal.leaf where idx = 4'], exit: EXIT.entry, names: /^leaf_missing at 4: / },
  {
    name: 'the head is rewritten',
    sql: ["update journal.head set root = decode(repeat('00', 32), 'hex')"],
    exit: EXIT.tree,
    names: /^head_altered at \d+: /,
  },
  { name: 'no checkpoint is left', sql: ['delete from journal.checkpoint'], exit: EXIT.checkpoint, names: /^checkpoint_missing at 0: / },
];

for (const kind of databases()) {
  let world: World;
  let context: CommandContext;
  const folder = mkdtempSync(join(tmpdir(), 'relais-tamper-'));
  before(async () => {
    world = await openWorld(kind);
    await world.app.flushJournal();
    const { app, database, demonstration } = world;
    context = {
      mode: 'demonstration',
      publicUrl: world.places.relais,
      varFolder: folder,
      journalHost: demonstration.config.journalHost,
      database,
      clock: { now: () => new Date() },
      keys: () => demonstration.config.keys,
      keyStore: async () => app.keyStore,
      domain: async () => app,
      enrolmentUrl: (token) => `${world.places.relais}/inscription/${token}`,
    };
    await app.http.close(); // the rows stay as each case finds them: nobody writes meanwhile
  });
  after(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const relais = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    const said = { out: '', err: '' };
    const code = await runHere(args, context, {
      out: (line) => {
        said.out += `${line}\n`;
      },
      err: (line) => {
        said.err += `${line}\n`;
      },
      ask: async () => undefined,
      read: async () => '',
    });
    return { code, ...said };
  };
  const sql = async (text: string): Promise<void> => {
    const done = await relais('db', 'sql', text);
    assert.equal(done.code, 0, done.err);
  };

  test(`J4 on ${kind.kind}: a row that was edited through relais db sql is named by relais journal verify, with the exit code of its class`, {
    database: kind.kind,
  }, async () => {
    const clean = await relais('journal', 'verify');
    assert.equal(clean.code, 0, clean.err);
    assert.match(clean.out, /The journal holds/);
    const protectedRow = await relais('db', 'sql', "update journal.leaf set leaf = '' where idx = 5");
    assert.equal(protectedRow.code, EXIT.configuration); // even a superuser must take the triggers off first
    assert.match(protectedRow.err, /append-only/);
    for (const table of TABLES) await sql(`alter table journal.${table} disable trigger all`);
    for (const table of [...TABLES, 'head']) await sql(`create table public.kept_${table} as table journal.${table}`);
    for (const { name, sql: texts, exit, names } of CASES) {
      for (const text of texts) await sql(text);
      const found = await relais('journal', 'verify');
      assert.equal(found.code, exit, `${name}: ${found.out}${found.err}`);
      assert.match(found.err, names, name);
      // One transaction: the demonstration goes on sealing meanwhile, and must not find the table empty.
      await sql(
        [...TABLES, 'head']
          .map((table) => `delete from journal.${table}; insert into journal.${table} select * from public.kept_${table}`)
          .join('; '),
      );
      assert.equal((await relais('journal', 'verify')).code, 0, `${name}: put back`);
    }
    writeFileSync(join(folder, 'journal-seen'), 'nothing of ours');
    const seen = await relais('journal', 'verify', '--json');
    assert.equal(seen.code, EXIT.continuity, seen.out);
    assert.equal((JSON.parse(seen.out) as { faults: { kind: string }[] }).faults[0]?.kind, 'state_damaged');
    rmSync(join(folder, 'journal-seen'));
  });

  test(`relais doctor on ${kind.kind}: a journal whose end was cut is noticed, and it says what to do`, { database: kind.kind }, async () => {
    assert.equal((await relais('doctor')).code, 0);
    await sql('update journal.head set size = size - 1');
    const cut = await relais('doctor', '--json');
    assert.equal(cut.code, EXIT.refused);
    const failed = (JSON.parse(cut.out) as { checks: { name: string; ok: boolean; todo?: string }[] }).checks.filter((check) => !check.ok);
    assert.deepEqual(
      failed.map((check) => check.name),
      ['seal'],
    );
    assert.match(failed[0]?.todo ?? '', /relais journal verify/);
    const found = await relais('journal', 'verify');
    assert.ok([EXIT.tree, EXIT.continuity].includes(found.code as 5 | 7), found.err);
    await sql('update journal.head set size = size + 1');
    assert.equal((await relais('doctor')).code, 0);
  });
}
