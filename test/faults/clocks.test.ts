import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { drained, openHouse, type Running } from './house.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

if (postgresOnly())
  test('J17 the lead passes between processes whose clocks are nine seconds apart: time never goes back, late entries say so, those ahead wait (§6.15) (postgres)', {
    database: 'postgres',
    atLeast: 20,
  }, async (t) => {
    const house = await openHouse();
    try {
      await house.startSigner();
      let [fast, slow]: Running[] = await Promise.all([
        house.startWriter({ skewMs: 3000, producers: 3 }),
        house.startWriter({ skewMs: -6000, producers: 3 }),
      ]);
      const leaders = new Set<string>();
      for (let turn = 0; turn < 4; turn++) {
        await pause(900);
        const [head] = await house.sql('select writer from journal.head');
        const isFast = head?.['writer'] === fast?.name;
        leaders.add(isFast ? 'fast' : 'slow');
        const leader = isFast ? fast : slow;
        if (leader) await house.kill(leader);
        if (isFast) fast = await house.startWriter({ skewMs: 3000, producers: 3 });
        else slow = await house.startWriter({ skewMs: -6000, producers: 3 });
      }
      await house.settle([fast, slow].flatMap((one) => one ?? []));
      const last = await house.startWriter({ producers: 0 });
      await drained(house);
      await house.settle([last]);
      const leaves = (await house.sql("select convert_from(leaf, 'UTF8')::jsonb as leaf from journal.leaf order by idx")).map(
        (row) => row['leaf'] as { t: string; o?: string; p?: { late?: string } },
      );
      const lags = leaves.map(({ t: at, o }) => Date.parse(at) - Date.parse(o ?? at));
      assert.ok(
        leaves.every(({ t: at }, i) => i === 0 || at >= (leaves[i - 1]?.t ?? '')),
        'time never goes back',
      );
      assert.ok(
        leaves.every(({ p }, i) => (p?.late === 'waited') === (lags[i] ?? 0) > 5000),
        'those that waited say so, and no other',
      );
      assert.ok(
        lags.every((lag) => lag >= -2000),
        'none is from the future',
      );
      const late = lags.filter((lag) => lag > 5000).length;
      t.diagnostic(JSON.stringify({ leaves: leaves.length, late, leaders: [...leaders] }));
      assert.ok(leaders.size === 2 && late > 0 && late < leaves.length, JSON.stringify({ leaders: [...leaders], late, leaves: leaves.length }));
      await house.judge();
    } finally {
      await house.close();
    }
  });
