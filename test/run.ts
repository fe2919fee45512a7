import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { parseArgs, promisify } from 'node:util';
import { follow, type Report, type TestRecord } from './reporter.ts';
import { type Cluster, findPostgres, startPostgres } from './support/postgres.ts';

/**
 * Runs the tests (`npm test`). Arguments: `--only <part of a path>` (may be repeated), `--browser` (only the browser tests), `--no-browser`,
 * `--nightly` (the long ones too), `--force-exit` (a file ends with its last test, whatever it left open). Writes reports/tests.json; the
 * last line is always `N passed, N failed`.
 */

const root = resolve(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    browser: { type: 'boolean' },
    nightly: { type: 'boolean' },
    'force-exit': { type: 'boolean' },
  },
  allowNegative: true,
});

const chromium = (): string | undefined =>
  [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path && existsSync(path));

const chosen = (): string[] =>
  globSync('test/**/*.test.{ts,tsx}', { cwd: root })
    .filter((file) => values.nightly || !file.startsWith('test/nightly/'))
    .filter((file) => (file.startsWith('test/browser/') ? values.browser !== false : values.browser !== true))
    .filter((file) => values.only === undefined || values.only.some((part) => file.includes(part)))
    .sort();

const notRun: string[] = [];
const missing = (what: string): void => {
  notRun.push(what);
  process.stdout.write(`not run: ${what}\n`);
};

const prepare = async (): Promise<Cluster | undefined> => {
  if (process.env['RELAIS_TEST_POSTGRES']) return undefined;
  if (!findPostgres()) {
    missing('the tests on PostgreSQL, since initdb was not found');
    return undefined;
  }
  const cluster = await startPostgres();
  process.env['RELAIS_TEST_POSTGRES'] = cluster.url;
  return cluster;
};

const withoutBrowser = (files: string[]): string[] => {
  const browser = files.filter((file) => file.startsWith('test/browser/'));
  if (browser.length === 0) return files;
  const path = chromium();
  if (path) {
    process.env['CHROMIUM'] = path;
    return files;
  }
  missing(`${browser.length} browser test files, since Chromium was not found`);
  return files.filter((file) => !browser.includes(file));
};

/** Programs of other people that tests play as they are installed, and the paths where Debian puts them. */
const PROGRAMS: readonly { file: string; name: string; needs: readonly string[] }[] = [
  {
    file: 'test/clients/authlib.test.ts',
    name: 'Authlib and Flask (python3-authlib, python3-flask)',
    needs: ['/usr/bin/python3', '/usr/lib/python3/dist-packages/authlib', '/usr/lib/python3/dist-packages/flask'],
  },
  {
    file: 'test/clients/apache.test.ts',
    name: 'Apache with mod_auth_openidc and PHP (apache2, libapache2-mod-auth-openidc, php-cli, php-curl)',
    needs: ['/usr/sbin/apache2', '/usr/lib/apache2/modules/mod_auth_openidc.so', '/usr/bin/php', '/usr/share/php*-curl'],
  },
];

const withoutPrograms = (files: string[]): string[] =>
  files.filter((file) => {
    const program = PROGRAMS.find((each) => each.file === file);
    if (!program || program.needs.every((path) => globSync(path).length > 0)) return true;
    missing(`${file}, since ${program.name} was not found`);
    return false;
  });

/**
 * Ends a file that goes on after `limitMs`: node:test limits each test and hook, not a process that something keeps alive after them. Its failure is
 * then the file's own.
 */
const endStragglers = (limitMs: number): NodeJS.Timeout => {
  const since = new Map<number, number>();
  const look = async (): Promise<void> => {
    const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,args=']);
    const own = stdout
      .split('\n')
      .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
      .filter((found) => Number(found?.[2]) === process.pid && /\.test\.tsx?$/.test(found?.[3] ?? ''))
      .map((found) => Number(found?.[1]));
    for (const pid of since.keys()) if (!own.includes(pid)) since.delete(pid);
    for (const pid of own) {
      const first = since.get(pid) ?? performance.now();
      since.set(pid, first);
      if (performance.now() - first > limitMs) process.kill(pid, 'SIGKILL');
    }
  };
  return setInterval(() => void look().catch((error: unknown) => process.stdout.write(`what runs cannot be seen: ${error}\n`)), 5000).unref();
};

const runFiles = async (files: readonly string[], limit: number, concurrency: number): Promise<Report> => {
  if (!files.length) return { records: [], passed: 0, failed: 0 };
  const events = run({
    files: files.map((file) => resolve(root, file)),
    concurrency,
    isolation: 'process',
    forceExit: values['force-exit'] === true,
    execArgv: process.execArgv.includes('tsx') ? [] : ['--import', 'tsx'], // ours are handed on by node:test
    timeout: limit,
  });
  return follow(events, root, (text) => process.stdout.write(text));
};

/** How many files may have failed beside others: more than these are not a machine's noise. */
const FEW = 3;

/**
 * The gate's second look: a machine that is short of processor makes a test late. The few files that failed are run once more, alone; what fails by
 * itself fails again. What passed only then is `unsteady`: named at the end of the output and in the report, to be mended.
 */
const againAlone = async (first: Report, limit: number): Promise<Report & { unsteady: readonly TestRecord[] }> => {
  const red = first.records.filter(({ outcome, carrier }) => outcome === 'failed' && !carrier);
  const files = [...new Set(red.map(({ file }) => file))];
  if (!files.length || files.length > FEW) return { ...first, unsteady: [] };
  process.stdout.write(`again, alone: ${files.join(', ')}\n`);
  const second = await runFiles(files, limit, 1);
  const records = [...first.records.filter(({ file }) => !files.includes(file)), ...second.records];
  const count = (outcome: TestRecord['outcome']): number => records.filter((record) => record.outcome === outcome && !record.carrier).length;
  const stillRed = new Set(second.records.filter(({ outcome }) => outcome === 'failed').map(({ file }) => file));
  return { records, passed: count('passed'), failed: count('failed'), unsteady: red.filter(({ file }) => !stillRed.has(file)) };
};

const main = async (): Promise<number> => {
  // What the caller's shell says must not decide what a test sees.
  for (const name of ['DATABASE_URL', 'NODE_ENV', 'RELAIS_VAR', 'RELAIS_KEYS', 'RELAIS_PORT', 'RELAIS_LOG', 'NODE_TEST_CONTEXT'])
    delete process.env[name];
  if (values.nightly) process.env['RELAIS_TEST_NIGHTLY'] = '1';
  const started = performance.now();
  const limit = values.nightly ? 7_200_000 : 300_000;
  const files = withoutPrograms(withoutBrowser(chosen()));
  const cluster = await prepare();
  process.once('SIGINT', () => process.exit(130)); // the cluster goes with the process
  process.once('SIGTERM', () => process.exit(143));
  try {
    const strict = /^(1|true)$/i.test(process.env['CI'] ?? '');
    const whole = values.only === undefined && values.browser === undefined && notRun.length === 0;
    endStragglers(limit * 1.5);
    const first = await runFiles(files, limit, 2);
    const report = strict && whole ? await againAlone(first, limit) : { ...first, unsteady: [] };
    const failed = report.failed + (strict ? notRun.length : 0);
    mkdirSync(resolve(root, 'reports'), { recursive: true });
    writeFileSync(
      resolve(root, 'reports/tests.json'),
      `${JSON.stringify({ whole, notRun, passed: report.passed, failed, unsteady: report.unsteady, tests: report.records }, null, 1)}\n`,
    );
    const apart = report.records.filter((record) => record.outcome === 'skipped' || record.outcome === 'todo');
    for (const record of apart) process.stdout.write(`${record.outcome}: ${record.file}: ${record.title}\n`);
    for (const record of report.records)
      if (record.outcome === 'failed' && !record.carrier) process.stdout.write(`failed: ${record.file}: ${record.title}\n`);
    for (const { file, title } of report.unsteady) process.stdout.write(`unsteady: ${file}: ${title}: failed beside other files, passed alone\n`);
    if (report.passed + report.failed === 0) process.stdout.write(`no test ran${files.length ? '' : ': no file was chosen'}\n`);
    process.stdout.write(
      `${relative(process.cwd(), resolve(root, 'reports/tests.json'))} · ${files.length} files · ${((performance.now() - started) / 1000).toFixed(1)} s\n`,
    );
    process.stdout.write(`${report.passed} passed, ${failed} failed\n`);
    return failed > 0 || report.passed === 0 ? 1 : 0;
  } finally {
    await cluster?.stop();
  }
};

process.exitCode = await main();
