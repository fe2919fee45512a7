import { resolve } from 'node:path';
import { readLimit } from '../config/witnessing.ts';
import { ROLES, type Role } from '../journal/keys.ts';
import { folderReader, type LogReader } from '../journal/log-reader.ts';
import { urlReader } from '../journal/log-url.ts';
import { type Policy, readPolicy } from '../journal/policy.ts';
import { type LogReport, type LogVerifyOptions, verifyLog } from '../journal/verify-log.ts';
import { LIVE_MS } from '../journal/verify-window.ts';
import { systemClock } from '../kernel/clock.ts';
import { Failure } from '../kernel/failure.ts';
import { EXIT, type Flag, type Input, type Io } from './command.ts';

/** `relais journal verify` of a log that is read from outside: an address, a folder. */

export const LOG_FLAGS: readonly Flag[] = [
  {
    name: 'source',
    kind: 'text',
    value: 'pg, URL or FOLDER',
    help: 'what is verified: the database (pg, if left out), a published log (https://…/log) or a folder (an export, a mirror’s)',
  },
  { name: 'policy', kind: 'text', value: 'FILE', help: 'C2SP tlog-policy: the keys of log and witnesses, and whose cosignatures are asked' },
  { name: 'party-key', kind: 'text', value: 'KEY', help: 'the key of a party’s tags: its entries must be numbered without gap' },
  { name: 'role', kind: 'text', value: 'ROLE', help: `whose: ${ROLES.join(', ')}` },
  {
    name: 'from',
    kind: 'text',
    value: 'INDEX',
    help: 'begins at the tile of this entry; what comes before is taken from the tiles under the signed root',
  },
  {
    name: 'window',
    kind: 'text',
    value: 'TIME',
    help: 'such as 30s, 5m, 4h or off: how old the newest checkpoint may be, or how long an entry of the database may wait for one',
  },
  { name: 'token-file', kind: 'text', value: 'FILE', help: 'the token of a mirror, without which a published log gives hashes and no leaves' },
];

export interface Asked {
  readonly policy: Policy | undefined;
  readonly party: LogVerifyOptions['party'];
  readonly from: number | undefined;
  /** Milliseconds; `off`, or undefined when nothing was said. */
  readonly window: number | 'off' | undefined;
}

/** Reads what a verification from outside is asked. Fails as `party_key_malformed`, `from_malformed`, `window_malformed`, `policy_malformed`. */
export const readAsked = async (input: Input, io: Io): Promise<Asked> => {
  const [policyFile, key, role, from] = [input.text('policy'), input.text('party-key'), input.text('role') ?? 'usager', input.text('from')];
  const party = key === undefined ? undefined : { key: Buffer.from(key, 'base64url'), role: role as Role };
  if (party && (!/^[A-Za-z0-9_-]{43}$/.test(key ?? '') || !ROLES.includes(party.role)))
    throw new Failure('party_key_malformed', `--party-key takes 32 bytes in base64url, --role one of ${ROLES.join(', ')}`);
  if (from !== undefined && !/^(?:0|[1-9][0-9]{0,14})$/.test(from)) throw new Failure('from_malformed', '--from takes the index of an entry');
  if (from !== undefined && party) throw new Failure('from_malformed', '--party-key counts from the first entry: leave --from out');
  const window = input.text('window');
  const windowMs = window === undefined ? undefined : readLimit(window);
  if (windowMs === null) throw new Failure('window_malformed', '--window takes a time such as 30s, 5m or 4h, or off');
  return {
    policy: policyFile === undefined ? undefined : readPolicy(await io.read(policyFile)),
    party,
    from: from === undefined ? undefined : Number(from),
    window: window === 'off' ? 'off' : windowMs,
  };
};

/** The policy that says no more than which key is the log's. */
export const policyOfKey = (vkey: string): Policy => readPolicy(`log ${vkey}\nquorum none\n`);

/** Tells a report to a person. */
export const tellLog = (report: LogReport, seconds: string, io: Io): void => {
  const what = report.leaves ? 'entries' : 'hashes (no leaves: without the token of a mirror nobody reads them)';
  const witnesses = report.witnesses.length ? `, witnessed by ${report.witnesses.join(', ')}` : '';
  io.out(`${report.origin}: ${report.checked} of ${report.size} signed ${what} checked in ${seconds} s${witnesses}`);
  io.out(
    report.at ? `The newest checkpoint is of ${report.at.toISOString()}.` : 'Neither witnesses nor leaves tell how old the newest checkpoint is.',
  );
  if (report.party)
    io.out(
      `${report.party.role}: ${report.party.entries.length} entries, numbered without a gap if nothing is said below: ${report.party.entries.join(' ')}`,
    );
  for (const fault of report.faults) io.err(`${fault.kind} at ${fault.index}: ${fault.message}`);
};

const readerOf = async (source: string, input: Input, io: Io): Promise<LogReader> => {
  const tokenFile = input.text('token-file');
  if (!/^https?:/.test(source)) return folderReader(resolve(source));
  return urlReader(source, tokenFile === undefined ? undefined : (await io.read(tokenFile)).trim());
};

/** Which log of the policy the checkpoint is of: the only one, or the one that it names. */
const originOf = async (reader: LogReader, policy: Policy): Promise<string> => {
  const names = [...new Set(policy.logs.map(({ verifier }) => verifier.name))];
  const [only] = names;
  if (names.length === 1 && only !== undefined) return only;
  const said = (await reader.read('checkpoint'))?.toString('utf8').split('\n')[0] ?? '';
  if (!names.includes(said)) throw new Failure('log_unknown', 'the checkpoint is of no log of the policy');
  return said;
};

/** Verifies what `--source` names, here and without any setting; undefined when it is the database. */
export const verifyOutside = async (
  input: Input,
  io: Io,
  exitOf: (report: { readonly faults: LogReport['faults'] }) => number,
): Promise<number | undefined> => {
  const source = input.text('source') ?? 'pg';
  if (source === 'pg') return undefined;
  if (input.text('tsa-ca') !== undefined) {
    io.err('--tsa-ca is for the database: a published log or a folder holds no times from an authority');
    return EXIT.usage;
  }
  const asked = await readAsked(input, io);
  const vkey = input.text('vkey');
  const policy = asked.policy ?? (vkey === undefined ? undefined : policyOfKey(vkey));
  if (!policy) {
    io.err('--vkey or --policy: say whose signature counts; a log cannot say it of itself');
    return EXIT.usage;
  }
  const reader = await readerOf(source, input, io);
  const started = performance.now();
  const withinMs = asked.window ?? (/^https?:/.test(source) ? LIVE_MS : 'off');
  const state = input.text('state');
  const report = await verifyLog({
    reader,
    policy,
    origin: await originOf(reader, policy),
    ...(state === undefined ? {} : { stateFile: resolve(state) }),
    ...(asked.party ? { party: asked.party } : {}),
    ...(asked.from === undefined ? {} : { from: asked.from }),
    ...(withinMs === 'off' ? {} : { fresh: { now: systemClock.now(), withinMs } }),
  });
  if (input.on('json')) io.out(JSON.stringify(report));
  else {
    tellLog(report, ((performance.now() - started) / 1000).toFixed(1), io);
    if (report.ok) io.out('The log holds.');
  }
  return exitOf(report);
};
