import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { median } from './measure.ts';

/** Where servers run and where everything else runs: two cores, or no pinning at all. */
export const pinning = (): { server: readonly string[]; pinned: boolean } => {
  const possible = availableParallelism() > 1 && spawnSync('taskset', ['-p', String(process.pid)]).status === 0;
  return { server: possible ? ['taskset', '-c', '0'] : [], pinned: possible };
};

/** Leaves core 0 to the servers. What is started from here on without `taskset` (PostgreSQL) stays off it as well. */
export const leaveServerCore = (): void => {
  execFileSync('taskset', ['-a', '-cp', `1-${availableParallelism() - 1}`, String(process.pid)], { stdio: 'ignore' });
};

/** Milliseconds of one fdatasync after a write of 8 KiB, median: what one commit waits for. */
const syncMs = (): number => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-bench-'));
  try {
    const file = openSync(join(folder, 'sync'), 'w');
    const page = Buffer.alloc(8192, 1);
    const times = Array.from({ length: 40 }, () => {
      const from = performance.now();
      writeSync(file, page, 0, page.length, 0);
      fdatasyncSync(file);
      return performance.now() - from;
    });
    closeSync(file);
    return median(times);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** One paragraph about the machine: figures mean nothing without it. */
export const describeMachine = (pinned: boolean): string =>
  [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node}`,
    `load average ${loadavg()
      .map((each) => each.toFixed(2))
      .join(' ')}, fdatasync ${syncMs().toFixed(2)} ms`,
    pinned ? 'server on core 0; driver and PostgreSQL on the others' : 'nothing is pinned: taskset is missing, or there is one core',
    'PostgreSQL with fsync and synchronous_commit on',
  ].join('\n');
