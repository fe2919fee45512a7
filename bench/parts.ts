import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../src/practice/ports.ts';
import type { Bed } from './bed.ts';
import { Connection } from './client.ts';
import { basic, connections, type Party, signIn } from './flow.ts';
import { type Idle, measureIdle, median, printSummaries, type Round, round, type Summary, summarise } from './measure.ts';
import type { ServerHandle } from './server.ts';

/** One figure of the table: what was measured, and what was to be reached. */
export interface Figure {
  readonly key: string;
  readonly what: string;
  readonly value: number;
  /** Target of the first issue; undefined when there is none. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number };
}

interface Contender {
  readonly name: string;
  readonly server: ServerHandle;
  readonly idle?: Idle;
  readonly units?: number;
  readonly lanes?: number;
  /** Called before each round, outside the measure: what so many calls need. */
  readonly before?: (most: number) => Promise<void>;
  readonly work: (lane: number) => Promise<void>;
}

/** A warm-up lasts until the server has done this many calls, or this many times a round: a program that is still being compiled says little. */
const WARM_CALLS = 4000;
const WARM_ROUNDS = 6;
/** Calls a second that are prepared for. */
const MOST_CALLS = 250;

/** Rounds of each in turn: one warm-up each, then measured ones. */
const alternate = async (bed: Bed, contenders: readonly Contender[]): Promise<Summary[]> => {
  const rounds = contenders.map((): Round[] => []);
  for (let turn = -1; turn < bed.rounds; turn++) {
    if (turn === 0) await bed.analyse();
    for (const [i, each] of contenders.entries()) {
      const { units, idle } = each;
      const most = turn < 0 ? WARM_CALLS : bed.seconds * MOST_CALLS;
      await each.before?.(most);
      const options = {
        ms: bed.seconds * 1000 * (turn < 0 ? WARM_ROUNDS : 1),
        ...(turn < 0 || each.before ? { most } : {}),
        lanes: each.lanes ?? bed.lanes,
        ...(units ? { units } : {}),
        ...(idle ? { idle } : {}),
      };
      const measured = await round(each.server, options, each.work);
      if (turn >= 0) rounds[i]?.push(measured);
    }
  }
  return rounds.map(summarise);
};

const must =
  (summaries: readonly Summary[]) =>
  (i: number): Summary => {
    const found = summaries[i];
    if (!found) throw new RangeError('no such contender');
    return found;
  };

/** Bare library in memory, Relais, naive adapter: the same six requests. */
export const login = async (bed: Bed): Promise<Figure[]> => {
  const bareParty = (origin: string): Party => ({
    origin,
    base: '',
    clientId: 'bench',
    secret: 'a secret that only this measure knows, long enough',
    scope: 'openid given_name family_name',
  });
  const bare = await bed.start('server-bare.ts');
  const naive = await bed.start('server-bare.ts', { databaseUrl: await bed.database() });
  const { server, party } = await bed.relais();
  const idle = await measureIdle(server);
  const lines = {
    bare: connections(bare.origin, bed.lanes),
    naive: connections(naive.origin, bed.lanes),
    relais: connections(server.origin, bed.lanes),
  };
  let browsers: { cookie: string; hint: string }[] = [];
  const summaries = await alternate(bed, [
    { name: 'bare', server: bare, work: async (lane) => void (await signIn(lines.bare.of(lane), bareParty(bare.origin))) },
    {
      name: 'relais',
      server,
      idle,
      before: async (most) => {
        browsers = await server.call('browsers', most);
      },
      work: async (lane) => void (await signIn(lines.relais.of(lane), party, browsers.pop())),
    },
    { name: 'naive', server: naive, work: async (lane) => void (await signIn(lines.naive.of(lane), bareParty(naive.origin))) },
  ]);
  browsers = await server.call('browsers', 100);
  const alone = await round(server, { ms: bed.seconds * 2000, lanes: 1, idle, most: 100 }, async () => {
    await signIn(lines.relais.of(0), party, browsers.pop());
  });
  for (const each of Object.values(lines)) each.close();
  const of = must(summaries);
  printSummaries(`delegated login, ${bed.lanes} at a time (flows)`, [
    ['bare oidc-provider, in memory', of(0)],
    ['Relais, PostgreSQL, journal on', of(1)],
    ['naive jsonb adapter, PostgreSQL', of(2)],
    ['Relais, one at a time', summarise([alone])],
  ]);
  console.log(`  Relais when nobody asks: ${idle.statements.toFixed(1)} statements/s, ${idle.commits.toFixed(1)} commits/s (taken off)`);
  return [
    {
      key: 'G1',
      what: 'delegated login ÷ bare library in memory, per CPU',
      value: of(1).perCpuSecond / of(0).perCpuSecond,
      target: { atLeast: 0.45 },
    },
    { key: 'G2', what: 'delegated login ÷ naive adapter, per CPU', value: of(1).perCpuSecond / of(2).perCpuSecond, target: { atLeast: 1 } },
    { key: 'G3', what: 'SQL statements of a delegated login, alone', value: alone.statements, target: { atMost: 18 } },
    { key: 'G3_commits', what: 'commits of a delegated login, alone', value: alone.commits, target: { atMost: 7 } },
  ];
};

/** A delegated token, from one sign-in. */
const delegatedToken = async (server: ServerHandle, party: Party): Promise<{ accessToken: string; session: string }> => {
  const connection = new Connection(server.origin);
  const [browser] = await server.call<{ cookie: string; hint: string }[]>('browsers', 1);
  return signIn(connection, party, browser).finally(() => connection.close());
};

/** Introspection of a delegated token against one row read by its key. */
export const introspection = async (bed: Bed): Promise<Figure[]> => {
  const { server, party } = await bed.relais();
  const plain = await bed.plain();
  const { accessToken } = await delegatedToken(server, party);
  const lines = { relais: connections(server.origin, bed.lanes), plain: connections(plain.origin, bed.lanes) };
  const ask = {
    method: 'POST' as const,
    path: '/oidc/introspection',
    headers: { authorization: basic(party), 'content-type': 'application/x-www-form-urlencoded' },
    body: `token=${accessToken}`,
  };
  const summaries = await alternate(bed, [
    {
      name: 'relais',
      server,
      work: async (lane) => {
        const answer = await lines.relais.of(lane).ask(ask);
        if (!answer.body.includes('"active":true')) throw new Error(`introspection: ${answer.status} ${answer.body}`);
      },
    },
    {
      name: 'plain',
      server: plain,
      work: async (lane) => {
        const answer = await lines.plain.of(lane).ask({ path: '/row/one' });
        if (answer.status !== 200) throw new Error(`row: ${answer.status}`);
      },
    },
  ]);
  for (const each of Object.values(lines)) each.close();
  const of = must(summaries);
  printSummaries('introspection', [
    ['Relais, delegated opaque token', of(0)],
    ['fastify + one row by its key', of(1)],
  ]);
  return [
    {
      key: 'G4',
      what: 'introspection ÷ fastify + select by key, per CPU',
      value: of(0).perCpuSecond / of(1).perCpuSecond,
      target: { atLeast: 0.15 },
    },
  ];
};

let acts = 0;
const event = (session: string): object => ({
  specversion: '1.0',
  id: `bench-${process.pid}-${acts++}`,
  source: 'https://bench.example/',
  type: 'fr.relais.action.v1',
  time: new Date().toISOString(),
  data: { session, verb: 'send', demarche: 'bench.logement', outcome: 'success', reference: 'B-1' },
});

/** Reported acts, one by one and by hundreds, each answered after its commit. */
export const actions = async (bed: Bed): Promise<Figure[]> => {
  const { server, party } = await bed.relais();
  const plain = await bed.plain();
  const { accessToken, session } = await delegatedToken(server, party);
  const lanes = bed.lanes * 4;
  const lines = { relais: connections(server.origin, lanes), plain: connections(plain.origin, lanes) };
  const authorization = `Bearer ${accessToken}`;
  const report = async (lane: number, type: string, body: object): Promise<void> => {
    const answer = await lines.relais
      .of(lane)
      .ask({ method: 'POST', path: '/api/v1/actions', headers: { authorization, 'content-type': type }, body: JSON.stringify(body) });
    if (answer.status !== 202) throw new Error(`action: ${answer.status} ${answer.body.slice(0, 500)}`);
  };
  const batchLanes = Math.min(4, bed.lanes);
  const single = { name: 'single', server, lanes, work: (lane: number) => report(lane, 'application/cloudevents+json', event(session)) };
  const hello = {
    name: 'hello',
    server: plain,
    lanes,
    work: async (lane: number) => void (await lines.plain.of(lane).ask({ path: '/' })),
  };
  const batch = {
    name: 'batch',
    server,
    units: 100,
    lanes: batchLanes,
    work: (lane: number) =>
      report(
        lane,
        'application/cloudevents-batch+json',
        Array.from({ length: 100 }, () => event(session)),
      ),
  };
  const of = must(await alternate(bed, [single, hello, batch]));
  const own: number[] = [];
  for (let turn = 0; turn < bed.rounds; turn++)
    own.push((await plain.call<{ perSecond: number }>('insert', { lanes: batchLanes, ms: bed.seconds * 1000 })).perSecond);
  for (const each of Object.values(lines)) each.close();
  printSummaries('reported acts', [
    [`single, ${lanes} at a time`, of(0)],
    ['fastify hello', of(1)],
    [`batches of 100, ${batchLanes} at a time (acts)`, of(2)],
  ]);
  console.log(`  PostgreSQL's own 100-row INSERT, ${batchLanes} at a time: ${median(own).toFixed(0)} rows/s`);
  const clock = [of(0).perSecond / of(1).perSecond, of(2).perSecond / median(own)].map((each) => each.toFixed(3));
  console.log(`  by the clock: single ÷ hello ${clock[0]}, batches ÷ INSERT ${clock[1]}`);
  return [
    {
      key: 'G5',
      what: 'single act, after commit ÷ fastify hello, per CPU',
      value: of(0).perCpuSecond / of(1).perCpuSecond,
      target: { atLeast: 0.1 },
    },
    {
      key: 'G6',
      what: "acts in batches, per CPU ÷ PostgreSQL's own 100-row INSERT",
      value: of(2).perCpuSecond / median(own),
      target: { atLeast: 0.1 },
    },
  ];
};

/** Seconds from `npm start` to the first 200 of `/`. */
const npmStart = async (folder: string, port: number): Promise<number> => {
  const environment = { ...process.env, RELAIS_VAR: join(folder, 'var'), RELAIS_KEYS: join(folder, 'keys'), RELAIS_PORT: String(port) };
  delete (environment as Record<string, unknown>)['DATABASE_URL'];
  const cwd = new URL('..', import.meta.url).pathname;
  const from = performance.now();
  const child: ChildProcess = spawn('npm', ['start'], { cwd, env: environment, stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  try {
    for (;;) {
      const answer = await fetch(`http://localhost:${port}/`).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.status === 200) return (performance.now() - from) / 1000;
      if (child.exitCode !== null || performance.now() - from > 120_000) throw new Error('npm start does not answer');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM'); // its own group: npm and what it runs
    await ended;
  }
};

/** Start: the demonstration for somebody who has just cloned, and the server on a database that is ready. */
export const start = async (bed: Bed): Promise<Figure[]> => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-bench-start-'));
  const first: number[] = [];
  const later: number[] = [];
  try {
    const port = await freePort();
    first.push(await npmStart(folder, port));
    for (let turn = 0; turn < 3; turn++) later.push(await npmStart(folder, port));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const { databaseUrl, folder: ready } = await bed.relais();
  const times = { relais: [] as number[], plain: [] as number[] };
  const untilAnswer = async (program: string, argument: object): Promise<number> => {
    const from = performance.now();
    const server = await bed.start(program, argument);
    const connection = new Connection(server.origin);
    await connection.ask({ path: '/' });
    const ms = performance.now() - from;
    connection.close();
    await server.stop();
    return ms;
  };
  for (let turn = 0; turn < bed.rounds; turn++) {
    times.relais.push(await untilAnswer('server-relais.ts', { databaseUrl, folder: ready, port: await freePort() }));
    times.plain.push(await untilAnswer('server-plain.ts', { databaseUrl }));
  }
  console.log(`\nstart
  npm start, first time (keys, embedded database, people)  ${first.map((each) => each.toFixed(1)).join(', ')} s
  npm start, later                                         ${later.map((each) => each.toFixed(1)).join(', ')} s
  server on a database that is ready: Relais ${median(times.relais).toFixed(0)} ms, fastify + pg ${median(times.plain).toFixed(0)} ms`);
  return [{ key: 'G11', what: 'start to first answer ÷ fastify + pg', value: median(times.relais) / median(times.plain) }];
};
