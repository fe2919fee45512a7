import { before } from 'node:test';
import { examine } from '../../src/cli/doctor.ts';
import { openWitnessed, readPolicy } from '../../src/journal/policy.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import type { World } from '../support/world.ts';

/** The journal as it is published: signed each second, witnessed a moment later by two programs that are not its own. */

const until = async <T>(what: string, look: () => Promise<T | undefined>): Promise<T> => {
  for (const end = performance.now() + 8000; performance.now() < end; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`it did not come: ${what}`);
};

inEachWorld(
  ({ world: opened, kind }) => {
    let world: World;
    before(() => {
      world = opened();
    });
    const ask = (path: string): Promise<Response> => fetch(new URL(path, world.places.relais));
    const record = (): Promise<string> =>
      world.database.run((tx) => world.app.journal.record(tx, { type: 'log.heartbeat', actor: 'system', detail: {} }));
    /** The witnessed checkpoint, once it covers everything that waits now. */
    const witnessed = async () => {
      await world.app.flushJournal();
      const [head] = await world.sql('select size from journal.head');
      const size = Number(head?.['size']);
      const policy = readPolicy(await (await ask('/log/policy')).text());
      return until(`a witnessed checkpoint of ${size}`, async () => {
        const answer = await ask('/log/checkpoint/witnessed');
        const opened = answer.status === 200 ? openWitnessed(await answer.text(), world.app.origin, policy) : undefined;
        return opened && opened.checkpoint.size >= size ? opened : undefined;
      });
    };
    const title = (what: string): string => `${what} (${kind})`;
    const on = { database: kind } as const;

    test(
      title('what is signed is cosigned by both witnesses within three seconds, and anybody can check it from what is published'),
      on,
      async () => {
        const vkey = (await (await ask('/log/vkey')).text()).trim();
        const text = await (await ask('/log/policy')).text();
        assert.ok(text.startsWith(`log ${vkey}\n`));
        await record();
        const began = performance.now();
        const { checkpoint, witnesses, met, seenAt } = await witnessed();
        assert.ok(performance.now() - began < 3000);
        assert.deepEqual([met, witnesses.map(({ name }) => name).sort()], [true, ['temoin-1', 'temoin-2']]);
        assert.ok(seenAt && Math.abs(Date.now() - seenAt.getTime()) < 5000);
        const [row] = await world.sql('select root from journal.checkpoint where size = $1', [checkpoint.size]);
        assert.deepEqual(row?.['root'], checkpoint.root);
        for (const path of ['/log/checkpoint', '/log/checkpoint/witnessed', '/log/vkey', '/log/policy']) {
          const answer = await ask(path);
          assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'text/plain; charset=utf-8'], path);
          assert.equal(answer.headers.get('cache-control'), path.startsWith('/log/checkpoint') ? 'no-store' : 'public, max-age=300', path);
        }
      },
    );

    test(title('cosignatures are added and never changed, and only by the sequencer’s role'), on, async () => {
      await witnessed();
      const change = (statement: string): Promise<unknown> => world.sql(statement);
      for (const statement of ["update journal.cosignature set line = ''", 'delete from journal.cosignature', 'truncate journal.cosignature'])
        await assert.rejects(change(statement), /append-only/);
      await assert.rejects(
        world
          .sql("set role relais_app; insert into journal.cosignature (size, witness, at, line) values (1, 'w', now(), 'x')")
          .finally(() => world.sql('reset role')),
        /permission denied/,
      );
    });

    // One process holds the folder of the embedded database.
    if (kind === 'postgres')
      test(title('two instances: the one that leads asks the witnesses, both publish what they say'), on, async () => {
        const { origin } = await world.secondInstance();
        await record();
        const { checkpoint } = await witnessed();
        await until('the other instance publishes it', async () => {
          const text = await (await fetch(`${origin}/log/checkpoint/witnessed`)).text();
          return Number(text.split('\n')[1]) >= checkpoint.size ? true : undefined;
        });
      });

    test(title('relais doctor says who watches: nobody, a policy of another log, or how many spoke'), on, async () => {
      const { app, database, demonstration } = world;
      const look = async (mode: 'demonstration' | 'production', journalHost = 'localhost', watched = true): Promise<string> => {
        const checks = await examine({
          mode,
          publicUrl: world.places.relais,
          varFolder: demonstration.config.varFolder,
          journalHost,
          witnessing: watched ? demonstration.config.witnessing : undefined,
          database,
          clock: app.site.clock,
          keys: () => demonstration.config.keys,
          keyStore: async () => app.keyStore,
          domain: async () => app,
          enrolmentUrl: (token) => token,
        });
        const check = checks.find(({ name }) => name === 'witnesses');
        return check ? `${check.ok} ${check.says} ${check.todo ?? ''}`.trim() : 'nothing';
      };
      await witnessed();
      assert.equal(await look('production'), 'true 2 of 2 cosigned within 15 minutes');
      assert.match(await look('production', 'localhost', false), /^true none: nobody but this installation .*RELAIS_WITNESS_POLICY$/);
      assert.equal(await look('demonstration', 'localhost', false), 'nothing');
      assert.match(await look('production', 'elsewhere.example'), /^false the policy has no log line for journal\.elsewhere\.example\//);
    });

    test(title('a quiet journal is cosigned anew each minute, so that it does not look frozen'), on, async () => {
      const before = await witnessed();
      world.advance(90_000);
      const again = await until('a later cosignature', async () => {
        const { checkpoint, seenAt } = await witnessed();
        return seenAt && before.seenAt && seenAt.getTime() - before.seenAt.getTime() >= 60_000 ? checkpoint : undefined;
      });
      assert.ok(again.size >= before.checkpoint.size);
    });
  },
  { witnessed: true },
);
