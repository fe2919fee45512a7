import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { EXIT } from '../../src/cli/command.ts';
import { verifyCommand } from '../../src/cli/journal.ts';
import { prepare } from '../../src/cli/run.ts';
import { folderReader } from '../../src/journal/log-reader.ts';
import { cosignNote, textOf, verifierOf, writeVkey } from '../../src/journal/note.ts';
import { readPolicy } from '../../src/journal/policy.ts';
import { type LogReport, verifyLog } from '../../src/journal/verify-log.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';
import { startLog } from './outside-log.ts';

/** A log that is shown as it was long ago, or whose entries are later than the witnesses who saw them. */

type Undo = { after(undo: () => unknown): void };
const folderFor = (t: Undo): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-window-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const FROM = Date.UTC(2026, 0, 1);
const minutes = (count: number): Date => new Date(FROM + count * 60_000);
const kinds = ({ faults }: LogReport): string[] => faults.map(({ kind, index }) => `${kind} ${index}`);

test('J5 a log that is shown as it was six minutes ago is named frozen, by its last entry or by its witnesses (§6.28)', async (t) => {
  const log = startLog();
  const [folder, hashes] = [folderFor(t), folderFor(t)];
  const note = log.grow(300); // the last entry is three seconds after FROM
  await log.copyTo(folder);
  await log.copyTo(hashes, false);
  const witness = readPrivateKey(makePrivateKeyPem('ed25519'));
  const name = 'witness.example/w';
  const alone = readPolicy(`log ${writeVkey(log.verifier)}\nquorum none\n`);
  const watched = readPolicy(
    `log ${writeVkey(log.verifier)}\nwitness w ${writeVkey(verifierOf(name, publicKeyOf(witness), 'cosignature'))}\nquorum w\n`,
  );
  const look = (policy = alone, now?: Date, from = folder): Promise<LogReport> =>
    verifyLog({ reader: folderReader(from), policy, origin: log.origin, ...(now ? { fresh: { now, withinMs: 300_000 } } : {}) });
  assert.deepEqual([kinds(await look()), kinds(await look(alone, minutes(5)))], [[], []]);
  assert.deepEqual(kinds(await look(alone, minutes(6))), ['checkpoint_late 300']);
  assert.deepEqual(kinds(await look(alone, minutes(-6))), ['checkpoint_late 300'], 'from the time to come');
  const bare = await look(alone, minutes(6), hashes);
  assert.deepEqual([bare.faults, bare.at], [[], undefined], 'hashes alone say no time');

  const cosign = (at: Date) => writeFileSync(join(folder, 'checkpoint'), note + cosignNote(textOf(note), name, witness, at));
  cosign(minutes(60));
  assert.deepEqual([kinds(await look(watched, minutes(64))), (await look(watched)).at], [[], minutes(60)], 'a quiet log is cosigned anew');
  assert.deepEqual(kinds(await look(watched, minutes(66))), ['checkpoint_late 300']);
  cosign(minutes(-4));
  assert.deepEqual(kinds(await look(watched)), [], 'clocks may be five minutes apart');
  cosign(minutes(-6));
  assert.deepEqual(kinds(await look(watched)), ['time_outside 299'], 'entries that are later than who saw them');
});

test('J5 relais journal verify of an address asks for a checkpoint of the last five minutes, of a folder for none', async (t) => {
  const log = startLog();
  log.grow(300);
  const folder = folderFor(t);
  await log.copyTo(folder);
  const app = Fastify();
  app.get('/log/*', async (request, reply) => {
    const found = await folderReader(folder).read((request.params as { '*': string })['*']);
    return found ? reply.send(found) : reply.code(404).send();
  });
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => app.close());
  const lines: string[] = [];
  const io = {
    out: (line: string) => void lines.push(line),
    err: (line: string) => void lines.push(line),
    ask: async () => undefined,
    read: async () => '',
  };
  const verified = async (source: string, ...args: string[]): Promise<number | undefined> => {
    lines.length = 0;
    const ready = prepare(['journal', 'verify', '--source', source, '--vkey', writeVkey(log.verifier), ...args], io);
    assert.ok('input' in ready);
    return verifyCommand.outside?.(ready.input, io);
  };
  assert.equal(await verified(`${address}/log`), EXIT.checkpoint);
  assert.match(lines.at(-1) ?? '', /^checkpoint_late at 300: .* is of 2026-01-01T00:00:02\.990Z/);
  assert.equal(await verified(`${address}/log`, '--window', 'off'), EXIT.done);
  assert.equal(await verified(folder), EXIT.done);
  assert.match(lines.join('\n'), /newest checkpoint is of 2026-01-01T00:00:02\.990Z/);
  assert.equal(await verified(folder, '--window', '4h'), EXIT.checkpoint);
  assert.equal(await verified(folder, '--tsa-ca', 'tsa.pem'), EXIT.usage, 'what is not checked is not passed over in silence');
});
