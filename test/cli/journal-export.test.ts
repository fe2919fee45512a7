import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { EXIT } from '../../src/cli/command.ts';
import type { CommandContext } from '../../src/cli/context.ts';
import { verifyCommand } from '../../src/cli/journal.ts';
import { prepare, runHere } from '../../src/cli/run.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import type { LogReport } from '../../src/journal/verify-log.ts';
import { until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { openWorld, type World } from '../support/world.ts';

/** `relais journal export` of the whole house, and whoever takes the folder away. */

for (const kind of databases()) {
  let world: World;
  let context: CommandContext;
  const folder = mkdtempSync(join(tmpdir(), 'relais-take-'));
  const out = join(folder, 'export');
  const lines: string[] = [];
  const io = {
    out: (line: string) => void lines.push(line),
    err: (line: string) => void lines.push(line),
    ask: async () => undefined,
    read: async (path: string) => readFileSync(path, 'utf8'),
  };
  before(async () => {
    world = await openWorld(kind, { witnessed: true });
    const { app, database, demonstration } = world;
    context = {
      mode: 'demonstration',
      publicUrl: world.places.relais,
      varFolder: folder,
      journalHost: demonstration.config.journalHost,
      witnessing: demonstration.config.witnessing,
      database,
      clock: { now: () => new Date() },
      keys: () => demonstration.config.keys,
      keyStore: async () => app.keyStore,
      domain: async () => app,
      enrolmentUrl: (token) => `${world.places.relais}/inscription/${token}`,
    };
    await app.flushJournal();
    for (let tries = 0; tries < 200 && !app.site.witnessed(); tries++) await new Promise((resume) => setTimeout(resume, 50));
  });
  after(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const relais = (...args: string[]): Promise<number> => {
    lines.length = 0;
    return runHere(args, context, io);
  };
  const verifyFolder = async (...more: string[]): Promise<[number | undefined, LogReport]> => {
    lines.length = 0;
    const ready = prepare(['journal', 'verify', '--source', out, '--json', ...more], io);
    assert.ok('input' in ready);
    const exit = await verifyCommand.outside?.(ready.input, io);
    return [exit, JSON.parse(lines[0] ?? '') as LogReport];
  };

  test(`J5 on ${kind.kind}: an export is verified with nothing of the house, by its key and by the policy of its witnesses`, {
    database: kind.kind,
  }, async () => {
    await world.app.flushJournal();
    assert.ok(await until(() => (world.app.site.witnessed()?.size ?? 0) > 0), 'something is signed, and witnessed');
    assert.equal(await relais('journal', 'export', '--to', 'relative'), EXIT.usage);
    assert.equal(await relais('journal', 'export', '--to', out, '--json'), EXIT.done);
    const { size } = JSON.parse(lines[0] ?? '') as { size: number };
    const [vkey, policy] = ['vkey', 'policy'].map((name) => readFileSync(join(out, name), 'utf8'));
    assert.equal(policy, context.witnessing?.policy?.text);
    const [exit, report] = await verifyFolder('--vkey', (vkey ?? '').trim());
    assert.deepEqual([exit, report.ok, report.size, report.checked, report.leaves], [EXIT.done, true, size, size, true]);
    const [witnessed, seen] = await verifyFolder('--policy', join(out, 'policy'), '--state', join(folder, 'seen'));
    assert.deepEqual([witnessed, seen.faults, [...seen.witnesses].sort()], [EXIT.done, [], ['temoin-1', 'temoin-2']]);
    assert.ok(readPolicy(policy ?? '').witnesses.length === 2);
    // It goes on, and whoever remembers what it was is content.
    await world.app.flushJournal();
    assert.equal(await relais('journal', 'export', '--to', out), EXIT.done);
    assert.equal((await verifyFolder('--policy', join(out, 'policy'), '--state', join(folder, 'seen')))[0], EXIT.done);
    // Nothing but random strings, hashes, times and kinds leaves.
    const bundle = readFileSync(join(out, 'tile/entries', `000.p/${size}`), 'latin1');
    assert.doesNotMatch(bundle, /Karim|Benali|Colette|usg_|aid_|org_|man_/);
    assert.equal(await relais('journal', 'rebuild-tiles', '--json'), EXIT.done);
    assert.deepEqual((JSON.parse(lines[0] ?? '') as { made: number }).made, 0);
  });

  test(`J5 on ${kind.kind}: a proof asked for a size that witnesses have seen carries what they said`, { database: kind.kind }, async () => {
    const size = world.app.site.witnessed()?.size ?? 0;
    assert.ok(size > 10);
    const answer = await fetch(`${world.places.relais}/api/v1/journal/proof/4?size=${size}`);
    const text = await answer.text();
    assert.deepEqual([...text.matchAll(/^— (temoin-\d)/gm)].map(([, name]) => name).sort(), ['temoin-1', 'temoin-2']);
  });

  test(`J4 on ${kind.kind}: verifying the database counts the tags of a person by her key, too`, { database: kind.kind }, async () => {
    const [one] = await world.sql(
      'select usager, count(*)::int as n from journal.projection where usager is not null group by usager order by n desc limit 1',
    );
    const key = await world.app.journal.tagKey(world.database.auto, String(one?.['usager']));
    assert.ok(key && one);
    await world.app.flushJournal();
    assert.equal(await relais('journal', 'verify', '--party-key', key.toString('base64url'), '--json'), EXIT.done, lines.join('\n'));
    const { log } = JSON.parse(lines[0] ?? '') as { log: LogReport };
    assert.ok((log.party?.entries.length ?? 0) >= Number(one['n']), JSON.stringify(log.party));
    assert.equal(await relais('journal', 'verify', '--from', '3'), EXIT.done);
    assert.equal(await relais('journal', 'verify', '--from', 'x'), EXIT.configuration);
    assert.equal(await relais('journal', 'verify', '--party-key', 'x'), EXIT.configuration);
  });
}
