// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the guards are quoted as they stand in their files
import { spawn } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { TestRecord } from './reporter.ts';
import { findPostgres, startPostgres } from './support/postgres.ts';

/**
 * Asks of each guard whether its test would notice its absence (`npm run test:guards`, nightly). In a copy of the repository, one guard at a
 * time is taken out by a replacement that must match exactly once; the tests of its claim must be green before, and red without it. Ends with
 * 1 when one stays green, has no test, or when the text of a guard has moved. `--only M5` (may be repeated) chooses claims; `--list` shows.
 */

interface Guard {
  readonly claim: string;
  /** What is taken out. */
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const GUARDS: readonly Guard[] = [
  {
    claim: 'P1',
    what: 'the condition that makes a code single-use',
    file: 'src/persistence/artefact-writes.ts',
    from: "where o.model = 'AuthorizationCode' and o.id = a.code and o.consumed_at is null and",
    to: "where o.model = 'AuthorizationCode' and o.id = a.code and",
  },
  {
    claim: 'P4',
    what: 'PKCE required of every client',
    file: 'src/provider/options.ts',
    from: "pkce: { required: (_ctx, found) => !isFront(found['relais_profile']) }",
    to: 'pkce: { required: () => false }',
  },
  {
    claim: 'S1',
    what: 'the guard against forged forms, before every POST',
    file: 'src/web/http.ts',
    from: 'const refused = await refuseForgery(kit, request);',
    to: 'const refused = (await refuseForgery(kit, request)) && undefined;',
  },
  {
    claim: 'S13',
    what: 'the end of the first person’s sessions when another is chosen',
    file: 'src/delegation/sessions.ts',
    from: '(await endIn(tx, { webSession: asked.webSession, exceptUsager: facts.usager.id,',
    to: '(await endIn(tx, { webSession: asked.webSession, serviceId: asked.serviceId, exceptUsager: facts.usager.id,',
  },
  {
    claim: 'M1',
    what: 'the mandate belongs to the organisation that is selected',
    file: 'src/delegation/sessions.ts',
    from: "if (mandate.organisationId !== asked.organisationId) return 'not_found';",
    to: '',
  },
  {
    claim: 'M5',
    what: 'a live session needs a mandate that has not ended',
    file: 'migrations/0055_begun.sql',
    from: 'and m.ended_at is null and begun(m.starts_at, at) and m.ends_at > at and not s.administration_id = any (m.barred)\n    and g.ended_at is null',
    to: '',
  },
  {
    claim: 'M7',
    what: 'the themes of the service in what is granted',
    file: 'src/mandates/policy.ts',
    from: 'sets.service.includes(theme) &&',
    to: '',
  },
  {
    claim: 'M5',
    what: 'the end of its sessions, in the transaction that stops a mandate',
    file: 'src/mandates/ending.ts',
    from: 'const { ended: sessions } = await endSessions(tx, { mandateId: mandate.id, ...(theme ? { theme } : {}) }, sessionEnd, now);',
    to: 'const sessions = 0;',
  },
  {
    claim: 'M17',
    what: 'the lock that a token and a stop of the mandate compete for',
    file: 'src/persistence/artefact-writes.ts',
    from: 'and d.ended_at is null order by d.id for share of d)',
    to: 'and d.ended_at is null order by d.id)',
  },
  {
    claim: 'M17',
    what: 'the lock that an opening and a stop of the mandate compete for',
    file: 'src/persistence/sessions.ts',
    from: 'for share of m, o, a, b',
    to: '',
  },
  {
    claim: 'J2',
    what: 'the entry in the statement that uses a code up',
    file: 'src/persistence/artefact-writes.ts',
    from: 'where e.code in (select id from used))',
    to: 'where e.code in (select id from used) and false)',
  },
  {
    claim: 'J3',
    what: 'the queue that the application only adds to',
    file: 'migrations/0001_roles_and_journal.sql',
    from: 'grant insert, select on journal.queue to relais_app;',
    to: 'grant insert, select, update, delete on journal.queue to relais_app;',
  },
  {
    claim: 'J3',
    what: 'the triggers that keep the past from changing by mistake',
    file: 'migrations/0001_roles_and_journal.sql',
    from: "begin raise exception 'journal.% is append-only: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege'; end",
    to: 'begin return coalesce(new, old); end',
  },
  {
    claim: 'J4',
    what: 'the hash of each leaf, computed again',
    file: 'src/journal/verify-entry.ts',
    from: "if (altered) tell('leaf_altered',",
    to: "if (row.leaf.length === 0) tell('leaf_altered',",
  },
  {
    claim: 'U4',
    what: 'the list of levels accepted from a federation',
    file: 'src/upstream/connector.ts',
    from: 'if (!claims || !contract.accepted.includes(acr)) {',
    to: 'if (!claims) {',
  },
  {
    claim: 'U8',
    what: 'the database compares the identity with the one that two people approved',
    file: 'migrations/0046_identity_review.sql',
    from: 'if not found or asked.hash <> sha256(',
    to: 'if not found or false and asked.hash <> sha256(',
  },
  {
    claim: 'J1',
    what: 'an entry that waits is not taken for one that is missing',
    file: 'src/persistence/journal-scrub.ts',
    from: '(select true from journal.queue q where q.event_id = h.event and q.type = any (h.types))) is null',
    to: '(select null::boolean)) is null',
  },
  {
    claim: 'L6',
    what: 'entries of a party whose key opens with nothing wait',
    file: 'src/persistence/journal-batch.ts',
    from: 'const able = authentic.filter((one) => !lead.stuck.has(one.queueId));',
    to: 'const able = authentic;',
  },
];

/** A test that waits for what no longer comes is red as well. */
const LONGEST_MS = 300_000;

const root = resolve(import.meta.dirname, '..');
const { values } = parseArgs({ options: { only: { type: 'string', multiple: true }, list: { type: 'boolean' } } });

/** Copies what the tests need; what npm installed is shared. */
const copyHouse = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-guards-'));
  for (const name of [
    'src',
    'test',
    'migrations',
    'docs',
    '.ci',
    'docker',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'README.md',
    'CHANGELOG.md',
  ])
    cpSync(join(root, name), join(folder, name), { recursive: true, force: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
};

/** The claim at the start of a title, alone or among others: `M5 …`, `M13 M14 …`. */
const titled = (claim: string): string => `(?:[A-Z]\\d{1,2}[ ,:]+)*${claim}[ ,:]`;

const filesOf = (folder: string, claim: string): string[] =>
  globSync('test/**/*.test.{ts,tsx}', { cwd: folder })
    .filter((file) => !/^test\/(?:browser|nightly)\//.test(file))
    .filter((file) => new RegExp(`['"\`]${titled(claim)}`).test(readFileSync(join(folder, file), 'utf8')))
    .sort();

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

/** The text of a guard's file, when the guard stands in it exactly once. */
const textOf = (folder: string, guard: Guard): string | undefined => {
  const text = readFileSync(join(folder, guard.file), 'utf8');
  return text.split(guard.from).length === 2 ? text : undefined;
};

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
