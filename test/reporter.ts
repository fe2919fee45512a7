import { relative } from 'node:path';
import type { run } from 'node:test';
import { inspect } from 'node:util';

/** One test as `reports/tests.json` keeps it. */
export interface TestRecord {
  readonly title: string;
  readonly file: string;
  readonly outcome: 'passed' | 'failed' | 'skipped' | 'todo';
  readonly durationMs: number;
  /** `pglite`, `postgres` or `both`, when the test says so. */
  database?: string;
  assertions?: number;
  /** True when `assertions` is a promised minimum rather than the count of this run. */
  atLeast?: boolean;
  /** True when it failed only because a test inside it did: that one is counted, not this one. */
  readonly carrier?: boolean;
}

export interface Report {
  readonly records: readonly TestRecord[];
  readonly passed: number;
  readonly failed: number;
}

type Events = ReturnType<typeof run>;
/** What we read of an event; Node's declarations lag behind the stream (`entryFile`). */
interface Seen {
  readonly name?: string;
  readonly file?: string;
  readonly entryFile?: string;
  readonly nesting?: number;
  readonly message?: string;
  readonly skip?: unknown;
  readonly todo?: unknown;
  readonly duration_ms?: number;
  readonly details?: {
    readonly duration_ms?: number;
    readonly type?: string;
    readonly error?: { readonly failureType?: string; readonly cause?: unknown };
  };
}

/** node:test only mentions an error that comes too late for its test. For us it is one. */
const LATE = /asynchronous activity after the test ended.*(?:uncaughtException|unhandledRejection)/s;

const given = (flag: unknown): boolean => flag !== undefined && flag !== false;

const recordOf = (type: string, data: Seen, file: string): TestRecord => {
  const carrier = data.details?.error?.failureType === 'subtestsFailed';
  return {
    title: data.name ?? '',
    file,
    outcome: given(data.skip) ? 'skipped' : given(data.todo) ? 'todo' : type === 'test:pass' ? 'passed' : 'failed',
    durationMs: Math.round(data.details?.duration_ms ?? 0),
    ...(carrier ? { carrier } : {}),
  };
};

/** What a test measured, or what it drew: said while it runs. */
const FIGURES = /^(?:\{|seed )/;

const note = (record: TestRecord | undefined, message: string): void => {
  if (!record) return;
  const database = /^database: (\w+)$/.exec(message)?.[1];
  if (database) record.database = database;
  const assertions = /^assertions: (at least )?(\d+)$/.exec(message);
  if (!assertions) return;
  record.assertions = Number(assertions[2]);
  if (assertions[1]) record.atLeast = true;
};

const databaseInTitle = (title: string): string | undefined => /\b(pglite|postgres)\b/i.exec(title)?.[1]?.toLowerCase();

const showFailure = (record: TestRecord, error: unknown): string =>
  `\n  FAILED ${record.file}\n  ${record.title}\n${inspect(error, { depth: 6, breakLength: 140 }).replaceAll(/^/gm, '    ')}\n\n`;

const fileLine = (file: string, records: readonly TestRecord[], milliseconds: number): string => {
  const count = (outcome: TestRecord['outcome']): number => records.filter((record) => record.outcome === outcome && !record.carrier).length;
  const rest = (['failed', 'skipped', 'todo'] as const).filter((outcome) => count(outcome)).map((outcome) => `, ${count(outcome)} ${outcome}`);
  return `${count('failed') ? '✖' : '✔'} ${file.padEnd(58)} ${String(count('passed')).padStart(4)} passed${rest.join('')}  ${(milliseconds / 1000).toFixed(1)} s\n`;
};

/** Follows a run of node:test: writes one line a file and every failure in full, and returns all records. */
export const follow = async (events: Events, root: string, write: (text: string) => void): Promise<Report> => {
  const byFile = new Map<string, TestRecord[]>();
  const recordsOf = (file: string): TestRecord[] => byFile.get(file) ?? byFile.set(file, []).get(file) ?? [];
  const output = new Map<string, string>();
  for await (const event of events as AsyncIterable<{ type: string; data: Seen }>) {
    const { type, data } = event;
    const path = data.entryFile ?? data.file;
    if (!path) continue;
    const file = relative(root, path);
    if (type === 'test:stdout' || type === 'test:stderr') output.set(file, ((output.get(file) ?? '') + (data.message ?? '')).slice(-20_000));
    if (type === 'test:diagnostic' && FIGURES.test(data.message ?? '')) write(`    ${data.message}\n`);
    if (type === 'test:diagnostic') note(recordsOf(file).at(-1), data.message ?? '');
    if (type === 'test:diagnostic' && LATE.test(data.message ?? '')) {
      const record: TestRecord = { title: 'nothing fails after its test has ended', file, outcome: 'failed', durationMs: 0 };
      recordsOf(file).push(record);
      write(showFailure(record, data.message));
    }
    if (type === 'test:summary') write(fileLine(file, recordsOf(file), data.duration_ms ?? 0));
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') {
      // Its tests were only cancelled: what went wrong before or after them is said here, and counted with them.
      const { failureType, cause } = data.details.error ?? {};
      if (failureType === 'hookFailed') write(showFailure({ title: data.name ?? '', file, outcome: 'failed', durationMs: 0 }, cause));
      if (failureType === 'hookFailed' && !recordsOf(file).some(({ outcome }) => outcome === 'failed'))
        recordsOf(file).push({ title: `before and after: ${data.name}`, file, outcome: 'failed', durationMs: 0 });
      continue;
    }
    const records = recordsOf(file);
    if (data.name === path) {
      // The file itself speaks only when its process died, or when it held no test at all: neither may pass for a success.
      const told = records.some((record) => record.outcome === 'failed');
      if (!told && (type === 'test:fail' || records.length === 0)) {
        const record: TestRecord = {
          title: type === 'test:fail' ? 'the file runs to its end' : 'the file holds a test',
          file,
          outcome: 'failed',
          durationMs: 0,
        };
        records.push(record);
        write(showFailure(record, data.details?.error ?? 'no test ran'));
      }
    } else {
      const record = recordOf(type, data, file);
      const database = databaseInTitle(record.title);
      if (database) record.database = database;
      records.push(record);
      if (record.outcome === 'failed' && !record.carrier) write(showFailure(record, data.details?.error?.cause ?? data.details?.error));
    }
    if (type === 'test:fail' && data.name === path && output.get(file)) write(`${(output.get(file) ?? '').replaceAll(/^/gm, '    | ')}\n`);
  }
  const records = [...byFile.values()].flat();
  const count = (outcome: TestRecord['outcome']): number => records.filter((record) => record.outcome === outcome && !record.carrier).length;
  return { records, passed: count('passed'), failed: count('failed') };
};
