#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Failure } from '../kernel/failure.ts';
import { type Command, EXIT, type Io } from './command.ts';
import { tellChecks } from './doctor.ts';
import { openContext } from './open.ts';
import { prepare, runHere, tellFault } from './run.ts';
import { readSettings, type Settings, socketPath } from './settings.ts';
import { sendCommand } from './socket.ts';

/** `relais`: the command line (docs/command-line.md). */

const terminal: Io = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  ask: async (question) => {
    if (!process.stdin.isTTY) return undefined;
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await lines.question(question);
    } finally {
      lines.close();
    }
  },
  read: async (path) => {
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new Failure('file_unreadable', path, { cause });
    }
  },
};

/** Runs a command that needs the database: in the process that holds it if there is one, otherwise here. */
const runOnDatabase = async (settings: Settings, args: readonly string[]): Promise<number> => {
  if (settings.databaseUrl === undefined) {
    const answered = await sendCommand(socketPath(settings.varFolder), args, terminal);
    if (answered !== undefined) return answered;
  }
  const opened = await openContext(settings);
  try {
    return await runHere(args, opened.context, terminal);
  } finally {
    await opened.close();
  }
};

/** `doctor` must speak even where nothing opens: what fails before the database is a check that fails. */
const tellUnopened = (name: 'configuration' | 'database', error: unknown, json: boolean): number => {
  const lines = (error instanceof Failure ? (error.detail ?? error.code) : error instanceof Error ? error.message : 'unknown').split('\n');
  const todo =
    name === 'configuration'
      ? 'set what is missing (docs/operate.md), then run `relais doctor` again'
      : 'see the message; the embedded database is held by one process at a time';
  return tellChecks(
    lines.map((says, i) => ({ name, ok: false, says, ...(i === lines.length - 1 ? { todo } : {}) })),
    json,
    terminal,
  );
};

const runCommand = async (command: Command, args: readonly string[]): Promise<number> => {
  const examining = command.name === 'doctor';
  const json = args.includes('--json');
  let settings: Settings;
  try {
    settings = readSettings();
  } catch (error) {
    return examining ? tellUnopened('configuration', error, json) : tellFault(error, terminal);
  }
  try {
    return await runOnDatabase(settings, args);
  } catch (error) {
    return examining ? tellUnopened('database', error, json) : tellFault(error, terminal);
  }
};

const main = async (args: readonly string[]): Promise<number> => {
  const ready = prepare(args, terminal);
  if ('exit' in ready) return ready.exit;
  const { command, input } = ready;
  try {
    const done = command.where === 'house' ? await command.outside?.(input, terminal) : await command.run(input, terminal);
    if (done !== undefined) return done;
  } catch (error) {
    return tellFault(error, terminal);
  }
  return runCommand(command, args);
};

process.exitCode = await main(process.argv.slice(2)).catch(() => EXIT.fault);
