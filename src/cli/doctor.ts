import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Keys } from '../config/keys.ts';
import { ifReadable } from '../journal/keys.ts';
import { Failure } from '../kernel/failure.ts';
import { clockAhead, isApart } from '../persistence/clock-watch.ts';
import { sqlState } from '../persistence/database.ts';
import { databaseNow, isRemembered, journalState, keysInside, migrationState, readFingerprints, waitingParties } from '../persistence/inspection.ts';
import { readOrigin } from '../persistence/journal.ts';
import { confirmedBy, witnessKey } from '../persistence/journal-cosignatures.ts';
import { readScrubs } from '../persistence/journal-scrub.ts';
import { EXIT, type HouseCommand, type Io, JSON_FLAG } from './command.ts';
import type { CommandContext } from './context.ts';
import { REMEMBERED } from './keys.ts';

/** One thing that was looked at. `todo` says what to do when it is not as it should be. */
export interface Check {
  readonly name: 'configuration' | 'database' | 'migrations' | 'keys' | 'clock' | 'journal' | 'seal' | 'key store' | 'witnesses' | 'scrub';
  readonly ok: boolean;
  readonly says: string;
  readonly todo?: string;
}

const STALE_MS = 60_000;
const SILENT_MS = 15 * 60_000;

const checkMigrations = async (context: CommandContext): Promise<Check> => {
  const name = 'migrations';
  const state = await migrationState(context.database);
  if (!state) return { name, ok: true, says: 'this login may not read them' };
  const { pending, unknown, edited } = state;
  if (unknown.length)
    return {
      name,
      ok: false,
      says: `the database has ${unknown.join(', ')}, this program does not`,
      todo: 'run the newer program, or restore the database that this one knows',
    };
  if (edited.length) return { name, ok: false, says: `${edited.join(', ')} changed after it was applied`, todo: 'put the file of the release back' };
  if (pending.length) return { name, ok: false, says: `${pending.join(', ')} not applied`, todo: 'run `relais migrate`' };
  return { name, ok: true, says: 'all applied' };
};

const open = (folder: string): string[] =>
  readdirSync(folder).filter((file) => file !== 'README.md' && ((lstatSync(join(folder, file), { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0);

const checkKeys = async (context: CommandContext): Promise<Check> => {
  const name = 'keys';
  let keys: Keys;
  try {
    keys = context.keys();
  } catch (error) {
    return {
      name,
      ok: false,
      says: error instanceof Failure ? (error.detail ?? error.code) : 'they cannot be read',
      todo: 'put the keys back, or run `relais keys make` for a new installation',
    };
  }
  const known = await readFingerprints(context.database.auto);
  const other = REMEMBERED.filter((key) => known.has(key) && keys.has(key) && !isRemembered(known, key, keys.fingerprint(key)));
  if (other.length)
    return {
      name,
      ok: false,
      says: `${other.join(', ')} in ${keys.folder}: not the key that this database knows`,
      todo: 'put back the key that belongs to this database',
    };
  const exposed = open(keys.folder);
  if (exposed.length) return { name, ok: false, says: `others may read ${exposed.join(', ')} in ${keys.folder}`, todo: 'chmod 600 them' };
  return { name, ok: true, says: known.size ? 'all there, and those that this database knows' : 'all there; the database knows none yet' };
};

/** The keys of sealed parts, when they are in another database. */
const checkKeyStore = async (context: CommandContext): Promise<readonly Check[]> => {
  const name = 'key store';
  const { keyDatabase } = context;
  if (!keyDatabase) return [];
  if (!(await databaseNow(keyDatabase.auto).catch(() => undefined)))
    return [{ name, ok: false, says: 'it does not answer', todo: 'start it, and check JOURNAL_KEYS_URL and the login’s rights' }];
  const state = await migrationState(keyDatabase, 'key-store');
  if (state?.pending.length) return [{ name, ok: false, says: `${state.pending.join(', ')} not applied`, todo: 'run `relais migrate`' }];
  const inside = await keysInside(context.database.auto);
  return inside
    ? [
        {
          name,
          ok: false,
          says: `apart, and ${inside} keys are in the main database`,
          todo: 'move them to the key store, or leave JOURNAL_KEYS_URL out',
        },
      ]
    : [{ name, ok: true, says: 'apart; the main database holds no key' }];
};

const checkClock = async (context: CommandContext): Promise<Check> => {
  const name = 'clock';
  const ahead = await clockAhead(context.database.auto, context.clock);
  const away = Math.abs(ahead);
  return !isApart(ahead)
    ? { name, ok: true, says: 'within 2 s of the database' }
    : {
        name,
        ok: false,
        says: `${(away / 1000).toFixed(1)} s away from the database`,
        todo: 'make both follow a time server: codes, tokens and the journal depend on it',
      };
};

/** Parties whose entries wait because what the key store holds for them opens with no key. */
const unreadableParties = async (context: CommandContext): Promise<string[]> => {
  const ids = await waitingParties(context.database.auto);
  const keys = await (await context.keyStore()).load(context.database.auto, { persons: ids, periods: [] });
  return ids.filter((id) => ifReadable(() => keys.person(id) ?? null) === undefined);
};

const checkJournal = async (context: CommandContext): Promise<readonly Check[]> => {
  const state = await journalState(context.database.auto);
  if (!state) return [{ name: 'journal', ok: false, says: 'it has no head', todo: 'restore the database: the journal was removed' }];
  const now = context.clock.now().getTime();
  const waits = state.oldest !== undefined && now - state.oldest.getTime() > STALE_MS;
  const behind = state.sealed > state.size ? 'more entries are signed than there are' : undefined;
  const unsealed = state.sealed < state.size && now - state.at.getTime() > STALE_MS;
  const unreadable = waits ? await unreadableParties(context) : [];
  const todo = unreadable.length
    ? `put back from a backup of the key store the rows of journal_keys.person_key for ${unreadable.join(', ')}: their keys do not open`
    : 'start an instance of Relais: it puts them in sequence; if one runs, look at its log';
  return [
    {
      name: 'journal',
      ok: !waits,
      says: `${state.size} entries, ${state.waiting} waiting`,
      ...(waits ? { todo } : {}),
    },
    {
      name: 'seal',
      ok: behind === undefined && !unsealed,
      says: behind ?? `signed up to ${state.sealed} of ${state.size}`,
      ...(behind ? { todo: 'the end of the journal was cut or an older backup restored: run `relais journal verify`' } : {}),
      ...(unsealed ? { todo: 'is the signer running (`relais journal sign`), and what does it refuse? Then `relais journal verify`' } : {}),
    },
  ];
};

/** Without witnesses the house works: it is said, and is no failure. */
const checkWitnesses = async (context: CommandContext): Promise<readonly Check[]> => {
  const name = 'witnesses';
  const policy = context.witnessing?.policy;
  if (!policy)
    return context.mode === 'demonstration'
      ? []
      : [
          {
            name,
            ok: true,
            says: 'none: nobody but this installation can tell the journal from a rewritten one',
            todo: 'ask administrations to run `relais witness` (docs/witness.md), then set RELAIS_WITNESS_POLICY',
          },
        ];
  const origin = await readOrigin(context.database, context.journalHost);
  if (!policy.logs.some(({ verifier }) => verifier.name === origin))
    return [{ name, ok: false, says: `the policy has no log line for ${origin}`, todo: 'add the line `log`, with what /log/vkey shows' }];
  const confirmed = await confirmedBy(
    context.database.auto,
    policy.witnesses.map(({ verifier }) => verifier),
  );
  const now = context.clock.now().getTime();
  const silent = policy.witnesses.filter(({ verifier }) => now - (confirmed.get(witnessKey(verifier))?.at.getTime() ?? 0) > SILENT_MS);
  const says = `${policy.witnesses.length - silent.length} of ${policy.witnesses.length} cosigned within 15 minutes`;
  return silent.length
    ? [{ name, ok: false, says, todo: `silent: ${silent.map((each) => each.name).join(', ')}; look for \`witness_\` in the log of the instances` }]
    : [{ name, ok: true, says }];
};

/** A whole night's work may be missed once; not two. */
const STALE_SCRUB_MS = 50 * 3_600_000;

const checkScrub = async (context: CommandContext): Promise<Check> => {
  const name = 'scrub';
  const { recent, whole } = (await readScrubs(context.database.auto)) ?? { recent: null, whole: null };
  const wrong = [recent, whole].find((one) => one?.fault);
  if (wrong)
    return { name, ok: false, says: `${wrong.fault} at ${wrong.index}`, todo: 'keep the database as it is, and run `relais journal verify`' };
  const lost = [recent, whole].find((one) => one?.missing);
  if (lost)
    return {
      name,
      ok: false,
      says: `${lost.missing} without their entry in the journal, the first ${lost.first}`,
      todo: 'find who may write in the database, and decide what stands: see `entry_missing` (docs/operate.md)',
    };
  if (!recent && !whole) return { name, ok: true, says: 'no instance has re-read the journal yet' };
  const hours = whole ? Math.floor((context.clock.now().getTime() - new Date(whole.at).getTime()) / 3_600_000) : undefined;
  const stale = hours !== undefined && hours * 3_600_000 > STALE_SCRUB_MS;
  return {
    name,
    ok: !stale,
    says: hours === undefined ? 'the last ten minutes hold; never re-read whole' : `holds; re-read whole ${hours} h ago`,
    ...(stale ? { todo: 'is an instance running? It re-reads the journal each night at 3' } : {}),
  };
};

const guarded = async (name: Check['name'], check: () => Promise<Check | readonly Check[]>): Promise<readonly Check[]> => {
  try {
    const made = await check();
    return Array.isArray(made) ? made : [made as Check];
  } catch (error) {
    const code = sqlState(error) ?? (error instanceof Failure ? error.code : 'unknown');
    const missing = code === '42P01';
    return [
      {
        name,
        ok: false,
        says: missing ? 'its tables are missing' : `it could not be checked (${code})`,
        todo: missing ? 'run `relais migrate`' : 'see the checks above',
      },
    ];
  }
};

/** Looks at everything that a start depends on. */
export const examine = async (context: CommandContext): Promise<readonly Check[]> => {
  const checks: Check[] = [{ name: 'configuration', ok: true, says: `${context.mode}, ${context.publicUrl}` }];
  const reached = await databaseNow(context.database.auto).then(
    () => true,
    () => false,
  );
  checks.push(
    reached
      ? { name: 'database', ok: true, says: context.database.kind === 'pglite' ? `embedded, in ${context.varFolder}` : 'PostgreSQL' }
      : { name: 'database', ok: false, says: 'it does not answer', todo: 'start it, and check DATABASE_URL and the login’s rights' },
  );
  if (!reached) return checks;
  checks.push(...(await guarded('migrations', () => checkMigrations(context))), ...(await guarded('keys', () => checkKeys(context))));
  checks.push(...(await guarded('key store', () => checkKeyStore(context))));
  checks.push(...(await guarded('clock', () => checkClock(context))), ...(await guarded('journal', () => checkJournal(context))));
  checks.push(...(await guarded('witnesses', () => checkWitnesses(context))));
  checks.push(...(await guarded('scrub', () => checkScrub(context))));
  return checks;
};

/** Prints checks and gives the exit code. */
export const tellChecks = (checks: readonly Check[], json: boolean, io: Io): number => {
  if (json) io.out(JSON.stringify({ ok: checks.every((check) => check.ok), checks }));
  else
    for (const check of checks) {
      io.out(`${check.ok ? 'ok  ' : 'FAIL'}  ${check.name.padEnd(13)}  ${check.says}`);
      if (check.todo) io.out(`${' '.repeat(21)}→ ${check.todo}`);
    }
  if (checks.every((check) => check.ok)) return EXIT.done;
  return checks.some((check) => !check.ok && (check.name === 'configuration' || check.name === 'database')) ? EXIT.configuration : EXIT.refused;
};

export const doctor: HouseCommand = {
  name: 'doctor',
  where: 'house',
  summary: 'check configuration, database, keys, clock and journal, and say what to do',
  flags: [JSON_FLAG],
  run: async (input, context, io) => tellChecks(await examine(context), input.on('json'), io),
};
