/** Figures: medians, percentiles, and work per second of the server's own processor time. */

export const percentile = (values: readonly number[], part: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
};

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
};

/** What a server has used since it started. */
export interface Usage {
  /** Milliseconds of processor time, every thread. */
  readonly cpuMs: number;
  readonly statements: number;
  readonly commits: number;
  readonly rssMb: number;
}

/** One round of one server. */
export interface Round {
  readonly done: number;
  readonly perSecond: number;
  readonly cpuMs: number;
  /** Units of work in a second of the server's processor time. */
  readonly perCpuSecond: number;
  readonly statements: number;
  readonly commits: number;
  readonly times: readonly number[];
}

export interface Idle {
  readonly statements: number;
  readonly commits: number;
}

/**
 * Runs `work` until `ms` is over, `lanes` at a time, each lane one after the other; `units` is how much one call does. What the server does when
 * nobody asks (polls of its jobs, per second) is taken off its statements.
 */
export const round = async (
  server: { usage(): Promise<Usage> },
  options: { ms: number; lanes: number; units?: number; idle?: Idle; most?: number },
  work: (lane: number) => Promise<void>,
): Promise<Round> => {
  const { ms, lanes, units = 1, idle = { statements: 0, commits: 0 }, most = Number.POSITIVE_INFINITY } = options;
  const times: number[] = [];
  const before = await server.usage();
  const from = performance.now();
  let begun = 0;
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      while (performance.now() - from < ms && begun < most) {
        begun++;
        const at = performance.now();
        await work(lane);
        times.push(performance.now() - at);
      }
    }),
  );
  const seconds = (performance.now() - from) / 1000;
  const after = await server.usage();
  const done = times.length * units;
  const cpuMs = (after.cpuMs - before.cpuMs) / done;
  return {
    done,
    perSecond: done / seconds,
    cpuMs,
    perCpuSecond: 1000 / cpuMs,
    statements: (after.statements - before.statements - idle.statements * seconds) / done,
    commits: (after.commits - before.commits - idle.commits * seconds) / done,
    times,
  };
};

/** Statements and commits in a second of a server that nobody asks anything. */
export const measureIdle = async (server: { usage(): Promise<Usage> }, ms = 3000): Promise<Idle> => {
  await new Promise((resolve) => setTimeout(resolve, 1500)); // what was begun before comes to rest
  const before = await server.usage();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const after = await server.usage();
  return { statements: ((after.statements - before.statements) * 1000) / ms, commits: ((after.commits - before.commits) * 1000) / ms };
};

/** Several rounds as one line: medians of rounds, percentiles of all calls. */
export interface Summary {
  readonly perSecond: number;
  readonly cpuMs: number;
  readonly perCpuSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly statements: number;
  readonly commits: number;
}

export const summarise = (rounds: readonly Round[]): Summary => {
  const of = (pick: (round: Round) => number): number => median(rounds.map(pick));
  const times = rounds.flatMap((each) => each.times);
  return {
    perSecond: of((each) => each.perSecond),
    cpuMs: of((each) => each.cpuMs),
    perCpuSecond: of((each) => each.perCpuSecond),
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    statements: of((each) => each.statements),
    commits: of((each) => each.commits),
  };
};

const cell = (value: number): string =>
  Number.isNaN(value) ? '–' : value >= 1000 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(3);

/** Prints the raw figures of several servers under one heading. */
export const printSummaries = (title: string, lines: readonly (readonly [name: string, summary: Summary])[]): void => {
  console.log(`\n${title}`);
  console.log(`  ${''.padEnd(34)}${['/s', '/CPU s', 'CPU ms', 'p50 ms', 'p99 ms', 'stmts', 'commits'].map((head) => head.padStart(10)).join('')}`);
  for (const [name, it] of lines) {
    const cells = [it.perSecond, it.perCpuSecond, it.cpuMs, it.p50, it.p99, it.statements, it.commits].map((value) => cell(value).padStart(10));
    console.log(`  ${name.padEnd(34)}${cells.join('')}`);
  }
};
