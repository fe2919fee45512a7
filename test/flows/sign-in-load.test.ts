import { monitorEventLoopDelay } from 'node:perf_hooks';
import pg from 'pg';
import { formOf, Walker } from '../../src/practice/walker.ts';
import { csrfOf, post } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { faults } from '../support/protocol.ts';
import { openWorld, signedInAidant, type World } from '../support/world.ts';

const kind = postgresOnly();
const nightly = process.env['RELAIS_TEST_NIGHTLY'] !== undefined;
const TRIES = nightly ? 1000 : 100;

/** Somebody whom ProConnect has let through, before the second factor. */
const atTheCode = async (world: World, identity: string): Promise<{ walker: Walker; csrf: string }> => {
  const walker = new Walker();
  const idp = await walker.open(`${world.places.relais}/connexion/proconnect?vers=/aidant`);
  const factor = await walker.open(idp.url, { identity });
  return { walker, csrf: formOf(factor, 'second-factor').fields['_csrf'] ?? '' };
};

/** Counts the statements under way at the pool's connections: how wide the door is, whoever knocks. */
const countUnderWay = () => {
  const { prototype } = pg.Client as unknown as { prototype: { query(...given: unknown[]): unknown } };
  const real = prototype.query;
  const busy = new Set<object>();
  let most = 0;
  prototype.query = function query(this: object, ...given: unknown[]) {
    busy.add(this);
    most = Math.max(most, busy.size);
    const answer = Reflect.apply(real, this, given);
    const free = () => void busy.delete(this);
    Promise.resolve(answer).then(free, free);
    return answer;
  };
  return {
    most: () => most,
    stop: () => {
      prototype.query = real;
    },
  };
};

if (kind)
  test(`D5 ${TRIES} wrong codes at once for each of two people: ten are looked at, the work under way is bounded, and a third signs in meanwhile (postgres)`, {
    database: 'postgres',
  }, async () => {
    const world = await openWorld(kind);
    const underWay = countUnderWay();
    const delay = monitorEventLoopDelay({ resolution: 5 });
    try {
      const knockers = [await atTheCode(world, 'ines'), await atTheCode(world, 'courriel')];
      for (const { csrf } of knockers) assert.notEqual(csrf, '');
      await world.code(world.places, 'Karim Benali'); // the time passes now, not in the middle
      delay.enable();
      const [karim, ...answers] = await Promise.all([
        signedInAidant(world),
        ...knockers.flatMap(({ walker, csrf }) =>
          Array.from({ length: TRIES }, async () => {
            const answer = await post(world, walker, '/connexion/code', { _csrf: csrf, code: '000000' });
            await answer.body?.cancel();
            return answer.status;
          }),
        ),
      ]);
      delay.disable();
      assert.notEqual(await csrfOf(world, karim), '', 'Karim is in');
      assert.deepEqual(
        answers.filter((status) => status !== 422 && status !== 429),
        [],
      );
      await world.app.flushJournal();
      const refused = await world.app.journal.read(world.database.auto, { types: ['factor.refused'], limit: 500 });
      const looked = refused.filter((entry) => (entry.detail as { reason: string } | null)?.reason === 'wrong_code');
      const each = Map.groupBy(looked, (entry) => entry.aidant);
      assert.equal(each.size, 2);
      for (const wrong of each.values()) assert.ok(wrong.length <= 10, `${wrong.length} codes were looked at`);
      const locked = await world.sql('select staff_id from totp where locked_until is not null');
      assert.equal(locked.length, 2);
      // Ten connections of the pool, the sequencer's and the sealing's own, one for each question of this test.
      assert.ok(underWay.most() <= 16, `${underWay.most()} statements under way`);
      assert.deepEqual(faults(world), []);
      if (nightly) assert.ok(delay.percentile(99) < 100e6, `the event loop waited ${Math.round(delay.percentile(99) / 1e6)} ms`);
    } finally {
      underWay.stop();
      await world.close();
    }
  });
