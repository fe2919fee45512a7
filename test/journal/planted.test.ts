import { newSeed, seeded } from '../faults/killing.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { CASES, planted, sealedLog } from './tampering-cases.ts';

/** Twelve in a run of all tests, two hundred at night. */
const RUNS = process.env['RELAIS_TEST_NIGHTLY'] ? 200 : 12;

for (const kind of databases())
  test(`J4 what was planted is named in any order, ${RUNS} times: no miss, and no false alarm on the clean log between (§6.31) (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const seed = newSeed();
    t.diagnostic(`seed ${seed}`);
    const random = seeded(seed);
    const kit = await sealedLog(t, kind);
    for (let run = 0; run < RUNS; run++) {
      const one = CASES[Math.floor(random() * CASES.length)];
      if (!one) continue;
      await planted(kit, one).catch((cause: unknown) => {
        throw new Error(`seed ${seed}, run ${run}: ${one.name}`, { cause });
      });
    }
    await kit.restore();
    assert.deepEqual((await kit.verify()).faults, []);
  });
