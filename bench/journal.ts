import type { Bed } from './bed.ts';
import { median, percentile } from './measure.ts';
import type { Figure } from './parts.ts';

/** The journal alone against its goals (journal.md §5): what it takes, how soon it answers, what it costs, and what others cost beside it. */

interface Speed {
  readonly perSecond: number;
}
interface Timed extends Speed {
  readonly times: readonly number[];
}

const LANES = 64;

const ms = (times: readonly number[], part: number): string => percentile(times, part).toFixed(1);

/** Rounds of the three ways of writing, in turn, so that the machine's mood is the same for all. */
const writing = async (bed: Bed, call: <T>(name: string, argument: object) => Promise<T>) => {
  const round = { lanes: LANES, ms: bed.seconds * 1000 };
  const seen = { queue: [] as number[], inside: [] as number[], chain: [] as number[], insert: [] as number[] };
  await call<Timed>('producers', round);
  for (let turn = 0; turn < bed.rounds; turn++) {
    seen.queue.push((await call<Timed>('producers', round)).perSecond);
    seen.inside.push((await call<Timed>('producers', { ...round, inside: true })).perSecond);
    seen.chain.push((await call<Speed>('chain', round)).perSecond);
    seen.insert.push((await call<Speed>('insert', round)).perSecond);
  }
  const raw = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(', ');
  console.log(`\njournal: ${LANES} producers, each waits for its receipt (entries a second, every round)
  Relais                    ${raw(seen.queue)}
  each in a transaction     ${raw(seen.inside)}
  hash chain row by row     ${raw(seen.chain)}
  plain insert, no proof    ${raw(seen.insert)}`);
  return { queue: median(seen.queue), inside: median(seen.inside), chain: median(seen.chain), insert: median(seen.insert) };
};

export const journal = async (bed: Bed): Promise<Figure[]> => {
  const server = await bed.start('server-journal.ts', { databaseUrl: await bed.database(), folder: bed.folder });
  const call = <T>(name: string, argument: object = {}): Promise<T> => server.call<T>(name, argument);
  const speed = await writing(bed, call);
  const length = bed.seconds * 2000;
  const slow = await call<{ times: number[]; sealedAfter: number[] }>('rate', { perSecond: 200, ms: length });
  const fast = await call<{ times: number[]; sealedAfter: number[] }>('rate', { perSecond: 1000, ms: length });
  const lone = await call<Timed>('producers', { lanes: 1, ms: bed.seconds * 1000 });
  const drained = await call<Speed>('drain', { count: bed.seconds * 10_000 });
  const proofs = await call<Timed & { cold: number[]; size: number }>('proofs', { ms: bed.seconds * 1000 });
  const blind = await call<{ entries: number; seconds: number; cpu: number }>('check', { withKeys: false });
  const full = await call<{ entries: number; seconds: number; cpu: number }>('check', { withKeys: true });
  const size = await call<{ entries: number; tables: { name: string; bytes: number }[] }>('size');
  const bytes = size.tables.reduce((sum, table) => sum + table.bytes, 0) / size.entries;
  console.log(`
journal: acknowledgement (record, sequenced, receipt), milliseconds
  200 a second              p50 ${ms(slow.times, 0.5)}   p99 ${ms(slow.times, 0.99)}
  1,000 a second            p50 ${ms(fast.times, 0.5)}   p99 ${ms(fast.times, 0.99)}
  a lone writer             p50 ${ms(lone.times, 0.5)}   p99 ${ms(lone.times, 0.99)}
  until a signed checkpoint covers it, at 200 a second: p50 ${ms(slow.sealedAfter, 0.5)}   p99 ${ms(slow.sealedAfter, 0.99)}
journal: proofs among ${proofs.size} entries: ${proofs.perSecond.toFixed(0)} a second warm, p99 ${ms(proofs.times, 0.99)} ms; the first fifty p50 ${ms(proofs.cold, 0.5)} ms
journal: verification of ${full.entries} entries: ${blind.seconds.toFixed(1)} s (${blind.cpu.toFixed(1)} s of this process) without keys, ${full.seconds.toFixed(1)} s (${full.cpu.toFixed(1)} s) with every box opened
journal: ${bytes.toFixed(0)} bytes an entry: ${size.tables.map((table) => `${table.name} ${(table.bytes / size.entries).toFixed(0)}`).join(', ')}`);
  await server.stop();
  return [
    { key: 'J_queue', what: `entries a second, ${LANES} producers`, value: speed.queue, target: { atLeast: 4000 } },
    { key: 'J_inside', what: 'the same, each in a transaction of its own', value: speed.inside },
    { key: 'J_chain', what: 'the first ÷ hash chain row by row', value: speed.queue / speed.chain },
    { key: 'J_insert', what: 'the first ÷ plain insert', value: speed.queue / speed.insert },
    { key: 'J_drain', what: 'entries a second, sequencer alone', value: drained.perSecond, target: { atLeast: 10_000 } },
    { key: 'J_ack50', what: 'acknowledgement at 200/s, p50 ms', value: percentile(slow.times, 0.5), target: { atMost: 4 } },
    { key: 'J_ack99', what: 'acknowledgement at 200/s, p99 ms', value: percentile(slow.times, 0.99), target: { atMost: 15 } },
    { key: 'J_ack1000', what: 'acknowledgement at 1,000/s, p99 ms', value: percentile(fast.times, 0.99), target: { atMost: 40 } },
    { key: 'J_sealed', what: 'acknowledged → signed checkpoint, p99 ms', value: percentile(slow.sealedAfter, 0.99), target: { atMost: 1200 } },
    { key: 'J_proofs', what: 'inclusion proofs a second, warm', value: proofs.perSecond, target: { atLeast: 5000 } },
    { key: 'J_verify', what: 'entries verified a second, without keys', value: blind.entries / blind.seconds, target: { atLeast: 120_000 } },
    { key: 'J_verifyk', what: 'entries verified a second, every box opened', value: full.entries / full.seconds },
    { key: 'J_bytes', what: 'bytes an entry', value: bytes, target: { atMost: 1100 } },
  ];
};
