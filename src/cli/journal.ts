import { join } from 'node:path';
import type { LogReader } from '../journal/log-reader.ts';
import { readVkey, type Verifier, verifierOf, writeVkey } from '../journal/note.ts';
import type { Policy } from '../journal/policy.ts';
import { publishedReader } from '../journal/published.ts';
import { trustCheckpoint } from '../journal/signer.ts';
import { readTsaCertificates } from '../journal/timestamp.ts';
import { verify } from '../journal/verify.ts';
import type { Fault } from '../journal/verify-entry.ts';
import { verifyLog } from '../journal/verify-log.ts';
import { verifyTimestamps } from '../journal/verify-timestamps.ts';
import { checkWaits, SEALED_MS } from '../journal/verify-window.ts';
import { publicKeyOf, readPrivateKey } from '../kernel/crypto.ts';
import { readReason } from '../organisations/name.ts';
import { readOrigin } from '../persistence/journal.ts';
import { findWitnessed } from '../persistence/journal-cosignatures.ts';
import { logStore } from '../persistence/journal-published.ts';
import { journalSource } from '../persistence/journal-source.ts';
import { stampSource } from '../persistence/journal-timestamps.ts';
import { sealWaits } from '../persistence/journal-waits.ts';
import { EXIT, type HouseCommand, JSON_FLAG } from './command.ts';
import type { CommandContext } from './context.ts';
import { LOG_FLAGS, policyOfKey, readAsked, tellLog, verifyOutside } from './journal-verify-log.ts';
import { refuse } from './refusals.ts';

/** The exit code of a fault: one a class, so that a monitor knows whom to wake. */
export const exitOfFault = (kind: Fault['kind']): number => {
  if (/^(?:truncated|rolled_back|fork|other_log|state_damaged)$/.test(kind)) return EXIT.continuity;
  if (/^(?:checkpoint_|timestamp_|rotation_)/.test(kind)) return EXIT.checkpoint;
  if (/^(?:tile_|head_|extra_row)/.test(kind)) return EXIT.tree;
  return EXIT.entry;
};

/** The exit code of a report: that of its first fault. */
const exitOfReport = ({ faults: [first] }: { readonly faults: readonly Fault[] }): number => (first ? exitOfFault(first.kind) : EXIT.done);

/** Where the signer of the demonstration keeps its memory. `relais journal sign` uses the same, of its own machine. */
export const signerFolder = (varFolder: string): string => join(varFolder, 'signer');

const keyPem = (context: CommandContext): string => context.keys().pem('journal-ed25519').reveal();

/** Whose signature counts: the key that was given, the one in the keys folder, or the one that the signer shows. */
export const trustedKey = async (given: string | undefined, origin: string, context: CommandContext): Promise<Verifier> => {
  if (given !== undefined) return readVkey(given);
  if (!context.signerVkey || context.keys().has('journal-ed25519')) return verifierOf(origin, publicKeyOf(readPrivateKey(keyPem(context))));
  return readVkey(await context.signerVkey(origin));
};

/** The database as a reader from outside has it, with what witnesses have said. */
const readerOf = async (context: CommandContext, origin: string, policy: Policy | undefined): Promise<LogReader> => {
  const published = publishedReader(logStore(context.database.auto));
  const witnessed = policy && (await findWitnessed(context.database.auto, origin, policy));
  return { read: async (path) => (path === 'checkpoint/witnessed' ? witnessed && Buffer.from(witnessed.note) : published.read(path)) };
};

export const verifyCommand: HouseCommand = {
  name: 'journal verify',
  where: 'house',
  summary: 'verify the journal from its first entry, and name the first that does not hold',
  flags: [
    {
      name: 'vkey',
      kind: 'text',
      value: 'VKEY',
      help: 'the log’s public key as a C2SP vkey, known from elsewhere; if left out, that of the keys folder, or the one that the signer shows',
    },
    { name: 'state', kind: 'text', value: 'FILE', help: 'remembers the last checkpoint seen, to notice a rollback; in the var folder if left out' },
    { name: 'tsa-ca', kind: 'text', value: 'FILE', help: 'PEM certificates of the time stamping authority: checks the times from outside too' },
    ...LOG_FLAGS,
    JSON_FLAG,
  ],
  notes: [
    'The database is read from the process that holds it, with every sealed part. An address or a folder needs neither database nor setting, but --vkey or',
    '--policy: docs/journal.md. Without --window it is 5m for an address, off for a folder, 15m for entries of the database that wait still. Exit codes 4 to 7 tell the class of the first fault: see `relais --help`.',
  ],
  outside: (input, io) => verifyOutside(input, io, exitOfReport),
  run: async (input, context, io) => {
    const origin = await readOrigin(context.database, context.journalHost);
    const key = await trustedKey(input.text('vkey'), origin, context);
    const asked = await readAsked(input, io);
    const stateFile = input.text('state') ?? join(context.varFolder, 'journal-seen');
    const keys = await context.keyStore();
    const started = performance.now();
    const stamps = input.text('tsa-ca');
    const tsa = stamps === undefined ? undefined : readTsaCertificates(await io.read(stamps));
    const report = await verify({
      source: journalSource(context.database),
      origin,
      trusted: [key],
      keys: (asked) => keys.load(context.database.auto, asked),
      stateFile,
      ...(asked.from === undefined ? {} : { from: asked.from }),
    });
    const waits = await sealWaits(context.database.auto, asked.from ?? 0, typeof asked.window === 'number' ? asked.window : undefined);
    const late = asked.window === 'off' ? [] : checkWaits(waits, context.clock.now(), asked.window ?? SEALED_MS);
    const timed = tsa && (await verifyTimestamps({ source: stampSource(context.database), trusted: tsa }));
    const log =
      asked.policy || asked.party
        ? await verifyLog({
            reader: await readerOf(context, origin, asked.policy),
            origin,
            policy: asked.policy ?? policyOfKey(writeVkey(key)),
            ...(asked.party ? { party: asked.party } : {}),
            ...(asked.from === undefined ? {} : { from: asked.from }),
          })
        : undefined;
    const faults = [...report.faults, ...late, ...(timed?.faults ?? []), ...(log?.faults ?? [])].sort((a, b) => a.index - b.index);
    if (input.on('json'))
      io.out(
        JSON.stringify({
          ...report,
          ok: !faults.length,
          faults,
          longestWait: waits.longest ?? null,
          ...(timed ? { stamps: timed.checked } : {}),
          ...(log ? { log } : {}),
        }),
      );
    else {
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      io.out(
        `${report.origin}: ${report.checked} of ${report.size} entries checked in ${seconds} s, ${report.sealed} of them under a signed checkpoint`,
      );
      if (waits.longest)
        io.out(`Entries waited ${(waits.longest.ms / 1000).toFixed(1)} s at most for a signed checkpoint (from entry ${waits.longest.index}).`);
      if (timed) io.out(`${timed.checked} times from outside checked`);
      if (log) tellLog({ ...log, faults: [] }, seconds, io);
      if (!faults.length) io.out('The journal holds.');
      for (const fault of faults) io.err(`${fault.kind} at ${fault.index}: ${fault.message}`);
    }
    return exitOfReport({ faults });
  },
};

const trust: HouseCommand = {
  name: 'journal trust-checkpoint',
  where: 'house',
  summary: 'make the signer accept the journal as it is now, once, after a restore that you decided',
  flags: [
    { name: 'reason', kind: 'text', value: 'TEXT', help: 'why; goes into the journal', required: true },
    { name: 'key', kind: 'text', value: 'FILE', help: 'the signer’s journal-ed25519.pem, where it is not in the keys folder' },
    { name: 'state', kind: 'text', value: 'FOLDER', help: 'the signer’s memory; var/signer if left out' },
    JSON_FLAG,
  ],
  notes: [
    'It changes the signer’s memory: run it where that memory is, with the signer stopped. Whoever holds an older checkpoint will see that',
    'history was not continued.',
  ],
  run: async (input, context, io) => {
    const reason = readReason(input.must('reason'));
    if (reason === undefined) return refuse(io, { refused: 'reason_malformed' }, input.on('json'));
    const origin = await readOrigin(context.database, context.journalHost);
    const { size, root } = await journalSource(context.database).overview();
    const key = input.text('key');
    const privateKeyPem = key === undefined ? keyPem(context) : await io.read(key);
    trustCheckpoint({
      folder: input.text('state') ?? signerFolder(context.varFolder),
      privateKeyPem,
      origin,
      size,
      root,
      reason,
      at: context.clock.now(),
    });
    const { journal } = await context.domain();
    await context.database.run((tx) =>
      journal.record(tx, { type: 'checkpoint.trusted', actor: 'cli', detail: { reason, size, root: root.toString('base64') } }),
    );
    io.out(
      input.on('json') ? JSON.stringify({ origin, size, root: root.toString('base64') }) : `The signer now accepts ${origin} at ${size} entries.`,
    );
    return EXIT.done;
  },
};

export const journalCommands: readonly HouseCommand[] = [verifyCommand, trust];
