import { randomBytes } from '../../src/kernel/crypto.ts';
import { assert } from '../support/check.ts';
import { drained, openHouse, type Running } from './house.ts';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Numbers in [0, 1) from a seed, the same for the same seed (mulberry32). */
export const seeded = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
};

export const newSeed = (): number => Number(process.env['RELAIS_TEST_SEED'] ?? randomBytes(4).readUInt32LE());

const VICTIMS = ['leader', 'writer', 'signer', 'postgres'] as const;

export interface KillReport {
  readonly seed: number;
  readonly kills: Record<(typeof VICTIMS)[number], number>;
  readonly acknowledged: number;
  readonly entries: number;
  readonly checkpoints: number;
}

/**
 * Two writers, a signer and PostgreSQL under load, one of them killed without warning `kills` times at random moments, each kind in turn in
 * random order. Afterwards every receipt that was given holds, nothing is there twice or missing, and the journal verifies.
 */
export const killUnderLoad = async (kills: number, seed: number): Promise<KillReport> => {
  const random = seeded(seed);
  const house = await openHouse();
  try {
    let signer = await house.startSigner();
    const writers: Running[] = await Promise.all([house.startWriter(), house.startWriter()]);
    const leader = async (): Promise<number> => {
      const [head] = await house.sql('select writer from journal.head');
      return Math.max(
        writers.findIndex((one) => one.name === head?.['writer']),
        0,
      );
    };
    const killed: KillReport['kills'] = { leader: 0, writer: 0, signer: 0, postgres: 0 };
    let order: (typeof VICTIMS)[number][] = [];
    for (let n = 0; n < kills; n++) {
      if (!order.length)
        order = [...VICTIMS]
          .map((victim) => [random(), victim] as const)
          .sort(([a], [b]) => a - b)
          .map(([, victim]) => victim);
      await pause(200 + random() * 800);
      const victim = order.pop() ?? 'leader';
      killed[victim]++;
      if (victim === 'postgres') await house.killPostgres();
      else if (victim === 'signer') {
        await house.kill(signer);
        await pause(random() * 300);
        signer = await house.startSigner();
      } else {
        const i = victim === 'leader' ? await leader() : Math.floor(random() * writers.length);
        const one = writers[i];
        if (one) await house.kill(one);
        writers[i] = await house.startWriter();
      }
    }
    await house.settle(writers);
    const last = await house.startWriter({ producers: 0 });
    await drained(house);
    await house.settle([last]);
    assert.deepEqual(
      house.alarms().filter((line) => /halted|forged|lost_entry|seal_refused/.test(line)),
      [],
      'no false alarm',
    );
    return { seed, kills: killed, ...(await house.judge()) };
  } finally {
    await house.close();
  }
};

/**
 * Four processes that would each lead; whoever leads is deposed every `everyMs` for `milliseconds`: its process killed, or, two times in three
 * (starting a process takes longer than that), its session cut. The epoch only grows, by one a lead.
 */
export const deposeLeaders = async (milliseconds: number, everyMs: number, seed: number) => {
  const random = seeded(seed);
  const house = await openHouse();
  try {
    await house.startSigner();
    const writers: Running[] = await Promise.all([0, 1, 2, 3].map(() => house.startWriter({ producers: 3 })));
    const epochs: number[] = [];
    const starting: Promise<void>[] = [];
    let [killed, cut] = [0, 0];
    for (const end = performance.now() + milliseconds; performance.now() < end; ) {
      await pause(everyMs);
      const [head] = await house.sql('select epoch::int epoch, writer from journal.head');
      epochs.push(Number(head?.['epoch']));
      const i = writers.findIndex((one) => one.name === head?.['writer']);
      const one = writers[i];
      if (one && random() < 1 / 3) {
        writers.splice(i, 1);
        await house.kill(one);
        killed++;
        starting.push(house.startWriter({ producers: 3 }).then((next) => void writers.push(next)));
      } else
        cut += (
          await house.sql(`select pg_terminate_backend(l.pid) from pg_locks l where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid()
            and l.database = (select oid from pg_database where datname = current_database())`)
        ).length;
    }
    await Promise.all(starting);
    await house.settle(writers);
    const last = await house.startWriter({ producers: 0 });
    await drained(house);
    await house.settle([last]);
    for (const [i, epoch] of epochs.entries()) assert.ok(epoch >= (epochs[i - 1] ?? 0), `epoch ${epoch} after ${epochs[i - 1]}`);
    assert.deepEqual(
      house.alarms().filter((line) => /halted|forged|lost_entry|seal_refused/.test(line)),
      [],
      'no fork is suspected where there is none',
    );
    const [head] = await house.sql('select epoch::int epoch from journal.head');
    return { seed, killed, cut, leads: Number(head?.['epoch']), ...(await house.judge()) };
  } finally {
    await house.close();
  }
};
