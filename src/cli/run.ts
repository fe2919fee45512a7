import { Failure } from '../kernel/failure.ts';
import { sqlState } from '../persistence/database.ts';
import { approvalCommands } from './approvals.ts';
import { type Command, EXIT, type HouseCommand, helpOf, helpOfAll, type Io, readInput } from './command.ts';
import type { CommandContext } from './context.ts';
import { doctor } from './doctor.ts';
import { erasureCommands } from './erase.ts';
import { identityCommands } from './identities.ts';
import { importCommands } from './import.ts';
import { journalCommands } from './journal.ts';
import { rotateKey } from './journal-keys.ts';
import { logCommands } from './journal-log.ts';
import { keyCommands } from './keys.ts';
import { localCommands } from './local.ts';
import { mandateCommands } from './mandates.ts';
import { databaseCommands } from './migrate.ts';
import { numberCommands } from './numbers.ts';
import { organisationCommands } from './organisations.ts';
import { peopleCommands } from './people.ts';
import { retentionCommands } from './retention.ts';
import { serviceChangeCommands } from './service-changes.ts';
import { serviceCommands } from './services.ts';
import { signingKeyCommands } from './signing-keys.ts';

export const houseCommands: readonly HouseCommand[] = [
  ...serviceCommands,
  ...serviceChangeCommands,
  ...organisationCommands,
  ...numberCommands,
  ...peopleCommands,
  ...mandateCommands,
  ...identityCommands,
  ...importCommands,
  ...approvalCommands,
  ...databaseCommands,
  ...keyCommands,
  ...signingKeyCommands,
  ...journalCommands,
  ...erasureCommands,
  rotateKey,
  ...retentionCommands,
  ...logCommands,
  doctor,
];

export const commands: readonly Command[] = [...houseCommands, ...localCommands];

/** Other spellings of a first word. */
const ALIASES: Readonly<Record<string, string>> = { operateur: 'operator', approval: 'approvals', key: 'keys' };

/** Finds the command that the arguments begin with, and what is left of them. */
export const findCommand = (args: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } | undefined => {
  const [first = '', second = ''] = args;
  const word = ALIASES[first] ?? first;
  const command = commands.find((it) => it.name === `${word} ${second}`) ?? commands.find((it) => it.name === word);
  return command && { command, rest: args.slice(command.name.split(' ').length) };
};

/** What the terminal must not receive from a name or a message: anything but text, tabs and line ends. */
const plain = (text: string): string => text.replace(/[\p{Cc}\p{Cf}]/gu, (character) => (character === '\n' || character === '\t' ? character : '�'));

const plainIo = (io: Io): Io => ({ ...io, out: (line) => io.out(plain(line)), err: (line) => io.err(plain(line)) });

const DATABASE_SAYS: Readonly<Record<string, string>> = {
  '42P01': 'the database has no tables: run `relais migrate`',
  '28P01': 'the database refuses this login: check DATABASE_URL',
  '3D000': 'this database does not exist: check DATABASE_URL',
};

/** Says what went wrong, without a stack, and gives the exit code. */
export const tellFault = (error: unknown, io: Io): number => {
  const state = sqlState(error);
  if (state !== undefined) {
    io.err(`database: ${state}: ${DATABASE_SAYS[state] ?? (error instanceof Error ? error.message : 'fault')}`);
    return EXIT.configuration;
  }
  if (error instanceof Failure) {
    io.err(`${error.code}: ${error.detail ?? 'see docs/command-line.md'}`);
    return EXIT.configuration;
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  io.err(
    code === undefined ? `fault: ${error instanceof Error ? error.message : 'unknown'}` : `${code}: ${error instanceof Error ? error.message : ''}`,
  );
  return code === 'ECONNREFUSED' || code === 'ENOTFOUND' || code === 'EACCES' || code === 'ENOENT' ? EXIT.configuration : EXIT.fault;
};

/** Answers `--help` and wrong arguments; otherwise gives the command with its input, ready to run. */
export const prepare = (
  args: readonly string[],
  io: Io,
): { readonly exit: number } | { readonly command: Command; readonly input: Exclude<ReturnType<typeof readInput>, { fault: string }> } => {
  const found = findCommand(args);
  if (!found) {
    const asked = args.length === 0 || args.includes('--help') || args.includes('-h') || args[0] === 'help';
    if (asked) io.out(helpOfAll(commands));
    else io.err(`relais: no such command: ${args.slice(0, 2).join(' ')}. See relais --help`);
    return { exit: asked ? EXIT.done : EXIT.usage };
  }
  if (found.rest.includes('--help') || found.rest.includes('-h')) {
    io.out(helpOf(found.command));
    return { exit: EXIT.done };
  }
  const input = readInput(found.command, found.rest);
  if ('fault' in input) {
    io.err(`relais ${found.command.name}: ${input.fault}. See relais ${found.command.name} --help`);
    return { exit: EXIT.usage };
  }
  return { command: found.command, input };
};

/** Runs a command on the database that this process holds: the one function behind the socket and behind the terminal. */
export const runHere = async (args: readonly string[], context: CommandContext, given: Io): Promise<number> => {
  const io = plainIo(given);
  try {
    const ready = prepare(args, io);
    if ('exit' in ready) return ready.exit;
    if (ready.command.where === 'here') {
      io.err(`relais ${ready.command.name} runs where it is typed, not in the process that holds the database`);
      return EXIT.usage;
    }
    return await ready.command.run(ready.input, context, io);
  } catch (error) {
    return tellFault(error, io);
  }
};
