import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { cosignNote, signNote, textOf, verifierOf, writeCheckpoint, writeVkey } from '../../src/journal/note.ts';
import { openWitnessed, type Policy, readPolicy } from '../../src/journal/policy.ts';
import { openWitness, type Witness } from '../../src/journal/witness.ts';
import { serveWitness } from '../../src/journal/witness-server.ts';
import { readAddRequest } from '../../src/journal/witness-wire.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, readPrivateKey } from '../../src/kernel/crypto.ts';
import { createConfirmed } from '../../src/persistence/journal-confirmed.ts';
import { newestWitnessed } from '../../src/persistence/journal-cosignatures.ts';
import { createWitnessing, type WitnessAlarm } from '../../src/persistence/journal-witnessing.ts';
import { assert, test } from '../support/check.ts';
import { type FrozenClock, frozenClock } from '../support/clock.ts';
import { type DatabaseKind, databases } from '../support/database.ts';
import { type Kit, startKit } from './kit.ts';

/** The log's side of tlog-witness: asking, keeping what was said, and what follows when nobody says anything any more. */

const until = async (what: string, holds: () => Promise<boolean> | boolean): Promise<void> => {
  for (const end = performance.now() + 5000; performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 20)))
    if (await holds()) return;
  throw new Error(`it did not come: ${what}`);
};

interface Setting {
  readonly kit: Kit;
  readonly clock: FrozenClock;
  readonly alarms: WitnessAlarm[];
  /** A real witness, in a folder of its own. */
  witness(name: string): Promise<{ witness: Witness; line: string; stop(): Promise<void>; again(): Promise<void> }>;
  /** Something that answers in the place of a witness. */
  impostor(name: string, answer: RequestListener): Promise<{ key: ReturnType<typeof readPrivateKey>; line: string }>;
  policy(lines: readonly string[], quorum: string): Policy;
  /** What the table holds: size and witness, oldest first. */
  kept(): Promise<string[]>;
}

const setting = async (t: TestContext, kind: DatabaseKind): Promise<Setting> => {
  const clock = frozenClock(new Date());
  const kit = await startKit(t, kind, clock);
  const [log] = kit.trusted;
  if (!log) throw new Error('no key');
  const closers: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const close of closers) await close();
  });
  return {
    kit,
    clock,
    alarms: [],
    async witness(name) {
      const witness = openWitness({ folder: join(kit.folder, name), name: `${name}.example`, logs: [log], clock });
      let server = await serveWitness({ witness, port: 0, host: '127.0.0.1' });
      const { port } = server;
      closers.push(() => server.close());
      return {
        witness,
        line: `witness ${name} ${writeVkey(witness.verifier)} http://127.0.0.1:${port}`,
        stop: () => server.close(),
        again: async () => {
          server = await serveWitness({ witness, port, host: '127.0.0.1' });
        },
      };
    },
    async impostor(name, answer) {
      const key = readPrivateKey(makePrivateKeyPem('ed25519'));
      const server = createServer(answer);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closers.push(async () => {
        server.closeAllConnections();
        server.close();
      });
      const vkey = writeVkey(verifierOf(`${name}.example`, publicKeyOf(key), 'cosignature'));
      return { key, line: `witness ${name} ${vkey} http://127.0.0.1:${(server.address() as AddressInfo).port}` };
    },
    policy: (lines, quorum) => readPolicy([`log ${writeVkey(log)}`, ...lines, `quorum ${quorum}`].join('\n')),
    kept: async () => {
      const rows = await kit.database.asOwner((query) => query('select size, witness from journal.cosignature order by size, at, witness'));
      return rows.map(({ size, witness }) => `${size} ${String(witness).split('.')[0]}`);
    },
  };
};

const bodyOf = async (request: Parameters<RequestListener>[0]): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};

for (const kind of databases()) {
  const title = (what: string): string => `${what} (${kind.kind})`;
  const on = { database: kind.kind } as const;

  test(title('each checkpoint is cosigned from the size that the witness knows, also after it or we forgot'), on, async (t) => {
    const it = await setting(t, kind);
    const [first, second] = [await it.witness('w1'), await it.witness('w2')];
    const policy = it.policy([first.line, second.line, 'group both all w1 w2'], 'both');
    const connection = await it.kit.database.dedicated('relais_sequencer');
    const start = () => createWitnessing({ policy, clock: it.clock, onAlarm: (alarm) => it.alarms.push(alarm) });
    const witnessing = start();
    await it.kit.write(5);
    await witnessing.ask(connection.auto, false);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.deepEqual([first.witness.watched()[0]?.size, second.witness.watched()[0]?.size], [undefined, undefined], 'who does not lead asks nobody');
    await witnessing.ask(connection.auto, true);
    await until('both at 5', async () => (await it.kept()).length === 2);
    await second.stop();
    await it.kit.write(7, 5);
    await witnessing.ask(connection.auto, true);
    await until('w1 at 12', async () => (await it.kept()).includes('12 w1'));
    assert.equal((await newestWitnessed(connection.auto, it.kit.origin, policy, 0))?.size, 5, 'one of two is not enough');
    await witnessing.stop();
    await second.again();
    await it.kit.write(3, 12);
    const again = start();
    await again.ask(connection.auto, true);
    await until('both at 15', async () => (await it.kept()).filter((row) => row.startsWith('15')).length === 2);
    const newest = await newestWitnessed(connection.auto, it.kit.origin, policy, 0);
    const opened = openWitnessed(newest?.note ?? '', it.kit.origin, policy);
    assert.deepEqual([opened.checkpoint.size, opened.met], [15, true]);
    await it.kit.database.asOwner(async (query) => {
      await query('alter table journal.cosignature disable trigger all');
      await query('delete from journal.cosignature');
    });
    await it.kit.write(5, 15);
    const forgetful = start();
    await forgetful.ask(connection.auto, true);
    await until('both at 20, from 409', async () => (await it.kept()).length === 2);
    assert.deepEqual(it.alarms, []);
    for (const each of [again, forgetful]) await each.stop();
    await connection.release();
  });

  test(title('J5 a database that went back, or another history signed with our key, is refused by the witnesses, and told'), on, async (t) => {
    const it = await setting(t, kind);
    const { witness, line } = await it.witness('w1');
    const policy = it.policy([line], 'w1');
    const connection = await it.kit.database.dedicated('relais_sequencer');
    const witnessing = createWitnessing({ policy, clock: it.clock, onAlarm: (alarm) => it.alarms.push(alarm) });
    await it.kit.write(5);
    await it.kit.keep();
    await it.kit.write(5, 5);
    await witnessing.ask(connection.auto, true);
    await until('cosigned at 10', async () => (await it.kept()).length === 1);
    await it.kit.restore();
    await witnessing.ask(connection.auto, true);
    await until('an alarm', () => it.alarms.length > 0);
    assert.deepEqual(it.alarms, [{ kind: 'witness_ahead', witness: 'w1', size: 5, known: 10 }]);
    assert.equal(witness.watched()[0]?.size, 10);
    await witnessing.stop();
    await connection.release();
  });

  test(title('a witness that is slow, silent, wrong or hostile delays nothing, and only its true cosignature is kept'), on, async (t) => {
    const it = await setting(t, kind);
    const late: (() => void)[] = [];
    const slow = await it.impostor('slow', async (request, response) => {
      const { note } = readAddRequest(await bodyOf(request)) ?? { note: '' };
      late.push(() => response.end(cosignNote(textOf(note), 'slow.example', slow.key, it.clock.now())));
    });
    const other = await it.impostor('other', async (request, response) => {
      const { note } = readAddRequest(await bodyOf(request)) ?? { note: '' };
      response.end(cosignNote(textOf(note), 'other.example', slow.key, it.clock.now()));
    });
    const forger = await it.impostor('forger', async (_request, response) => {
      const text = writeCheckpoint({ origin: it.kit.origin, size: 5, root: randomBytes(32) });
      response.end(cosignNote(text, 'forger.example', forger.key, it.clock.now()));
    });
    const flood = await it.impostor('flood', (_request, response) => void response.end('x'.repeat(100_000)));
    const elsewhere = await it.impostor('elsewhere', (_request, response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end());
    const dead = await it.impostor('dead', (request) => void request.destroy());
    const refuses = await it.impostor('refuses', (_request, response) => void response.writeHead(403).end());
    const ahead = await it.impostor('clock', async (request, response) => {
      const { note } = readAddRequest(await bodyOf(request)) ?? { note: '' };
      response.end(cosignNote(textOf(note), 'clock.example', ahead.key, new Date(it.clock.now().getTime() + 3_600_000)));
    });
    const lines = [slow, other, forger, flood, elsewhere, dead, refuses, ahead].map(({ line }) => line);
    const policy = it.policy(lines, 'slow');
    const connection = await it.kit.database.dedicated('relais_sequencer');
    const witnessing = createWitnessing({ policy, clock: it.clock, onAlarm: (alarm) => it.alarms.push(alarm) });
    await it.kit.write(5);
    const began = performance.now();
    await witnessing.ask(connection.auto, true);
    assert.ok(performance.now() - began < 1000, 'nobody was waited for');
    await until('the alarms', () => it.alarms.length >= 5);
    assert.deepEqual(it.alarms.map((alarm) => `${alarm.kind} ${alarm.witness} ${'code' in alarm ? alarm.code : ''}`.trim()).sort(), [
      'witness_clock clock',
      'witness_fault flood witness_answered_amiss',
      'witness_fault forger witness_answered_amiss',
      'witness_fault other witness_answered_amiss',
      'witness_refused refuses',
    ]);
    assert.deepEqual(await it.kept(), []);
    await it.kit.write(2, 5);
    await witnessing.ask(connection.auto, true);
    await until('the slow one was asked', () => late.length === 1);
    for (const answer of late.splice(0)) answer();
    await until('its late answer', async () => (await it.kept()).length === 1);
    assert.deepEqual(await it.kept(), ['5 slow'], 'for what it was asked');
    it.clock.advance(16 * 60_000);
    it.alarms.length = 0;
    await witnessing.ask(connection.auto, true);
    assert.deepEqual(
      it.alarms.filter(({ kind: raised }) => raised === 'witness_late').map((alarm) => alarm.witness),
      ['slow', 'other', 'forger', 'flood', 'elsewhere', 'dead', 'refuses', 'clock'],
      'J18 after a quarter of an hour, each silent witness is told',
    );
    const told = it.alarms.length;
    await witnessing.ask(connection.auto, true);
    assert.equal(it.alarms.filter(({ kind: raised }) => raised === 'witness_late').length, 8, 'once');
    assert.ok(told >= 8);
    await witnessing.stop();
    await connection.release();
  });

  test(
    title('K6 what a thief of the signing key writes into the database is not witnessed: the witnessed history stays the newest'),
    on,
    async (t) => {
      const it = await setting(t, kind);
      const { witness, line } = await it.witness('w1');
      const policy = it.policy([line], 'w1');
      const connection = await it.kit.database.dedicated('relais_sequencer');
      const witnessing = createWitnessing({ policy, clock: it.clock });
      await it.kit.write(5);
      await witnessing.ask(connection.auto, true);
      await until('cosigned', async () => (await it.kept()).length === 1);
      const thief = readPrivateKey(makePrivateKeyPem('ed25519'));
      const text = writeCheckpoint({ origin: it.kit.origin, size: 9, root: randomBytes(32) });
      const line9 = cosignNote(text, witness.verifier.name, thief, it.clock.now());
      await it.kit.tamper(
        ['insert into journal.checkpoint (size, root, note, at) values (9, $1, $2, now())', [randomBytes(32), signNote(text, it.kit.origin, thief)]],
        ['insert into journal.cosignature (size, witness, at, line) values (9, $1, now(), $2)', [witness.verifier.name, line9]],
      );
      assert.equal((await newestWitnessed(connection.auto, it.kit.origin, policy, 0))?.size, 5);
      await it.kit.tamper(['delete from journal.checkpoint where size = 9']);
      await it.kit.write(2, 5); // signed, and shown to nobody
      const [row] = await it.kit.database.asOwner((query) => query('select note from journal.checkpoint where size = 7'));
      const spoken = cosignNote(textOf(String(row?.['note'])), witness.verifier.name, thief, it.clock.now());
      await it.kit.tamper(['insert into journal.cosignature (size, witness, at, line) values (7, $1, now(), $2)', [witness.verifier.name, spoken]]);
      assert.equal((await newestWitnessed(connection.auto, it.kit.origin, policy, 0))?.size, 5, 'a name is not a signature');
      await witnessing.stop();
      await connection.release();
    },
  );

  test(
    title('J18 without signer for 15 minutes or witnesses for 4 hours, what gives a power waits; it goes on at once when they are back'),
    on,
    async (t) => {
      const it = await setting(t, kind);
      const { line, stop, again } = await it.witness('w1');
      const policy = it.policy([line], 'w1');
      const connection = await it.kit.database.dedicated('relais_sequencer');
      let [refused, passed] = [false, 0];
      const open = (given = policy) =>
        createConfirmed({
          clock: it.clock,
          origin: it.kit.origin,
          policy: given,
          sealLimitMs: 15 * 60_000,
          witnessLimitMs: 4 * 3_600_000,
          sealRefused: () => refused,
          elapsed: () => passed,
        });
      const confirmed = open();
      const witnessing = createWitnessing({ policy, clock: it.clock, onCosigned: confirmed.look });
      /** Looks twice, ten seconds apart, after `minutes`. */
      const after = async (minutes: number, which = confirmed): Promise<string | undefined> => {
        it.clock.advance(minutes * 60_000);
        await which.look(connection.auto);
        passed += 10_000;
        await which.look(connection.auto);
        return which.blocked();
      };
      const cosign = async (): Promise<void> => {
        const before = (await it.kept()).length;
        await witnessing.ask(connection.auto, true);
        await until('a cosignature', async () => (await it.kept()).length > before);
        await until('looked at', () => confirmed.witnessed() !== undefined);
      };
      await it.kit.write(3);
      assert.equal(await after(239), undefined, 'new witnesses have four hours as well');
      await cosign();
      assert.equal(confirmed.witnessed()?.size, 3);
      // The signer does not answer: entries come, and stay unsigned.
      for (let i = 3; i < 6; i++)
        await it.kit.database.run((tx) => it.kit.journal.record(tx, { type: 'log.heartbeat', actor: 'system', detail: {} }));
      await it.kit.sequencer.flush();
      assert.equal(await after(14), undefined);
      assert.equal(await after(2), 'journal_unsealed');
      await it.kit.sealing.seal();
      assert.equal(await after(0), undefined, 'signed: at once');
      refused = true; // it answers, and refuses a head that the database calls signed
      assert.equal(await after(0), undefined);
      assert.equal(await after(16), 'journal_unsealed');
      refused = false;
      assert.equal(await after(0), undefined);
      // The witness is gone.
      await stop();
      await witnessing.ask(connection.auto, true);
      assert.equal(await after(200), undefined, 'the service goes on');
      assert.equal(await after(60), 'journal_unwitnessed');
      const restarted = open();
      assert.equal(await after(0, restarted), 'journal_unwitnessed', 'a new start is no new chance');
      const more = await it.witness('w2');
      const wider = it.policy([line, more.line, 'group both all w1 w2'], 'both');
      assert.equal(await after(0, open(wider)), 'journal_unwitnessed', 'nor is another policy, when nobody has spoken for so long');
      await again();
      await until('asked again', async () => {
        await witnessing.ask(connection.auto, true);
        return (await it.kept()).length === 2;
      });
      assert.equal(await after(0), undefined, 'witnessed: at once');
      assert.equal(confirmed.witnessed()?.size, 6);
      assert.equal(await after(0, open(wider)), undefined, 'a witness that joins has its time, while another speaks');
      // A clock that jumps is no silence.
      it.clock.advance(24 * 3_600_000);
      await confirmed.look(connection.auto);
      assert.equal(confirmed.blocked(), undefined, 'not before some seconds have passed with it');
      passed += 10_000;
      assert.equal(confirmed.blocked(), undefined, 'nor because nobody could look meanwhile');
      await witnessing.stop();
      await connection.release();
    },
  );
}
