import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { filesOf, GUARDS, type Guard, textOf, titled } from './guards-list.ts';
import type { TestRecord } from './reporter.ts';
import { findPostgres, startPostgres } from './support/postgres.ts';

/**
 * Asks of each guard whether its test would notice its absence (`npm run test:guards`, nightly). In a copy of the repository, one guard at a
 * time is taken out by a replacement that must match exactly once; the tests of its claim must be green before, and red without it. Ends with
 * 1 when one stays green, has no test, or when the text of a guard has moved. `--only M5` (may be repeated) chooses claims; `--list` shows.
 */

/** A test that waits for what no longer comes is red as well. */
const LONGEST_MS = 300_000;

const root = resolve(import.meta.dirname, '..');
const { values } = parseArgs({ options: { only: { type: 'string', multiple: true }, list: { type: 'boolean' } } });

/** What npm installed is shared; what was built, written or fetched is left where it is. */
const LEFT = new Set(['node_modules', '.git', 'dist', 'reports', 'var', 'keys']);

const copyHouse = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-guards-'));
  for (const name of readdirSync(root)) if (!LEFT.has(name)) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
};

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  /** Titles that failed. */
  readonly red: readonly string[];
}

/** Runs, in the copy, the files that hold tests of a claim: whole files, since a test may stand on the one before it. Counts those of the claim. */
const runClaim = async (folder: string, claim: string, cluster: string): Promise<Outcome> => {
  const files = filesOf(folder, claim);
  if (!files.length) return { passed: 0, failed: 0, red: [] };
  const report = join(folder, 'reports/tests.json');
  rmSync(report, { force: true });
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/run.ts', '--force-exit', ...files.flatMap((file) => ['--only', file])], {
    cwd: folder,
    env: { ...environment, RELAIS_TEST_POSTGRES: cluster },
    stdio: 'ignore',
  });
  const late = setTimeout(() => child.kill('SIGTERM'), LONGEST_MS);
  await new Promise((done, reject) => child.once('error', reject).once('close', done));
  clearTimeout(late);
  if (!existsSync(report)) return { passed: 0, failed: 1, red: ['the run did not end'] };
  const { tests } = JSON.parse(readFileSync(report, 'utf8')) as { tests: readonly TestRecord[] };
  const own = tests.filter((test) => new RegExp(`^${titled(claim)}`).test(`${test.title} `));
  const red = own.filter((test) => test.outcome === 'failed').map((test) => test.title);
  return { passed: own.filter((test) => test.outcome === 'passed').length, failed: red.length, red };
};

type Verdict = 'red, as it must be' | 'STAYS GREEN' | 'NO TEST' | 'RED BEFORE' | 'THE GUARD HAS MOVED';

const judge = async (folder: string, guard: Guard, before: Outcome, text: string, cluster: string): Promise<Verdict> => {
  if (before.failed) return 'RED BEFORE';
  if (!before.passed) return 'NO TEST';
  const file = join(folder, guard.file);
  writeFileSync(
    file,
    text.replace(guard.from, () => guard.to),
  );
  try {
    const without = await runClaim(folder, guard.claim, cluster);
    return without.failed || without.passed < before.passed ? 'red, as it must be' : 'STAYS GREEN';
  } finally {
    writeFileSync(file, text);
  }
};

const main = async (): Promise<number> => {
  const chosen = GUARDS.filter(({ claim }) => values.only === undefined || values.only.includes(claim));
  if (values.list) {
    for (const guard of chosen) process.stdout.write(`${guard.claim.padEnd(4)} ${guard.what} (${guard.file})\n`);
    return 0;
  }
  if (!findPostgres()) {
    process.stdout.write('not run: PostgreSQL is needed (initdb was not found)\n');
    return 1;
  }
  const folder = copyHouse();
  const cluster = await startPostgres();
  process.once('SIGINT', () => process.exit(130)); // the cluster goes with the process
  const baseline = new Map<string, Outcome>();
  let faults = 0;
  try {
    for (const guard of chosen) {
      const began = performance.now();
      const text = textOf(folder, guard);
      if (text !== undefined && !baseline.has(guard.claim)) baseline.set(guard.claim, await runClaim(folder, guard.claim, cluster.url));
      const before = baseline.get(guard.claim) ?? { passed: 0, failed: 0, red: [] };
      const verdict = text === undefined ? 'THE GUARD HAS MOVED' : await judge(folder, guard, before, text, cluster.url);
      if (verdict !== 'red, as it must be') faults++;
      const told = verdict === 'RED BEFORE' ? before.red.map((title) => `\n       red before: ${title}`).join('') : '';
      const seconds = ((performance.now() - began) / 1000).toFixed(0);
      process.stdout.write(`${guard.claim.padEnd(4)} ${verdict.padEnd(20)} ${`${seconds} s`.padStart(6)}  ${guard.what} (${guard.file})${told}\n`);
    }
  } finally {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  }
  process.stdout.write(`${chosen.length - faults} guards missed when taken out, ${faults} not\n`);
  return faults || !chosen.length ? 1 : 0;
};

process.exitCode = await main();
