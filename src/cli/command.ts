import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import type { CommandContext } from './context.ts';

/** Exit codes of every command: one table, shown by `relais --help` and in docs/command-line.md. */
export const EXIT = { done: 0, refused: 1, usage: 2, configuration: 3, entry: 4, tree: 5, checkpoint: 6, continuity: 7, fault: 70 } as const;

export const EXIT_TABLE: readonly (readonly [number, string])[] = [
  [EXIT.done, 'done'],
  [EXIT.refused, 'refused, or a check failed; the message says which'],
  [EXIT.usage, 'wrong use of the command; --help says how'],
  [EXIT.configuration, 'configuration or database: a setting, a key or the database is missing or wrong'],
  [EXIT.entry, 'journal verify: an entry does not hold (leaf, receipt, sealed part, projection, time)'],
  [EXIT.tree, 'journal verify: the tree does not hold (tile, head, rows too many)'],
  [EXIT.checkpoint, 'journal verify: a signed checkpoint does not hold, or there is none'],
  [EXIT.continuity, 'journal verify: not the journal that was seen before (truncated, rolled back, rewritten, other log)'],
  [EXIT.fault, 'a fault of the program'],
];

/** Where a command speaks, asks and reads. It is the terminal, or the other end of the socket. */
export interface Io {
  out(line: string): void;
  err(line: string): void;
  /** Asks for something that is not an argument; undefined when nobody is there to answer. */
  ask(question: string): Promise<string | undefined>;
  /** Reads a file of whoever typed the command. */
  read(path: string): Promise<string>;
}

export interface Flag {
  readonly name: string;
  /** `list`: may be repeated. */
  readonly kind: 'text' | 'list' | 'switch';
  /** What stands after it in the help, such as `URL`. */
  readonly value?: string;
  readonly help: string;
  readonly required?: true;
}

/** A command's arguments, checked against its flags. */
export interface Input {
  /** Fails the command's own contract if it is asked for a flag that is not required. */
  must(name: string): string;
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  on(name: string): boolean;
  readonly subject: string;
}

interface Described {
  /** `service add`. */
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly Flag[];
  /** The one argument without a flag, such as a service's id. */
  readonly subject?: { readonly name: string; readonly help: string };
  readonly notes?: readonly string[];
}

/** A command that needs the database: run by the process that holds it. */
export interface HouseCommand extends Described {
  readonly where: 'house';
  /** Runs where it was typed when these arguments need no database; undefined when they do. */
  readonly outside?: (input: Input, io: Io) => Promise<number | undefined>;
  readonly run: (input: Input, context: CommandContext, io: Io) => Promise<number>;
}

/** A command that runs where it was typed, with no database. */
export interface LocalCommand extends Described {
  readonly where: 'here';
  readonly run: (input: Input, io: Io) => Promise<number>;
}

export type Command = HouseCommand | LocalCommand;

export const JSON_FLAG: Flag = { name: 'json', kind: 'switch', help: 'one JSON value on standard output, for a program' };
export const AS_FLAGS: readonly Flag[] = [
  { name: 'as', kind: 'text', value: 'OPERATEUR', help: 'the opérateur who decides: id or e-mail address' },
  { name: 'code', kind: 'text', value: 'CODE', help: 'their one-time code; asked if left out' },
];

const option = (flag: Flag): NonNullable<ParseArgsOptionsConfig[string]> =>
  flag.kind === 'switch' ? { type: 'boolean' } : flag.kind === 'list' ? { type: 'string', multiple: true } : { type: 'string' };

/** A value that begins with a dash, as one key in sixty-four does, is a value all the same: it is joined to its flag, unless it is a flag of the command. */
const joined = (flags: readonly Flag[], args: readonly string[]): string[] => {
  const isFlag = (text: string): boolean => flags.some(({ name }) => text === `--${name}` || text.startsWith(`--${name}=`));
  const [first, second, ...rest] = args;
  if (first === undefined) return [];
  const takes = flags.some(({ name, kind }) => kind !== 'switch' && first === `--${name}`);
  if (takes && second?.startsWith('-') && !isFlag(second)) return [`${first}=${second}`, ...joined(flags, rest)];
  return [first, ...joined(flags, args.slice(1))];
};

/** Reads a command's arguments; the text of the fault when they are not what it takes. */
export const readInput = (command: Command, args: readonly string[]): Input | { readonly fault: string } => {
  try {
    const { values, positionals } = parseArgs({
      args: joined(command.flags, args),
      options: Object.fromEntries(command.flags.map((flag) => [flag.name, option(flag)])),
      allowPositionals: command.subject !== undefined,
      strict: true,
    });
    const missing = command.flags.filter((flag) => flag.required && values[flag.name] === undefined).map((flag) => `--${flag.name}`);
    if (missing.length) return { fault: `missing: ${missing.join(', ')}` };
    const [subject = '', ...rest] = positionals;
    if (command.subject && (subject === '' || rest.length)) return { fault: `takes one ${command.subject.name}` };
    const text = (name: string): string | undefined => (typeof values[name] === 'string' ? values[name] : undefined);
    return {
      text,
      must: (name) => text(name) ?? '',
      list: (name) => {
        const value = values[name];
        return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
      },
      on: (name) => values[name] === true,
      subject,
    };
  } catch (error) {
    return { fault: error instanceof Error ? (error.message.split('. ')[0] ?? error.message) : 'the arguments cannot be read' };
  }
};

const usageOf = (command: Command): string => {
  const required = command.flags.filter((flag) => flag.required).map((flag) => ` --${flag.name} ${flag.value ?? ''}`.trimEnd());
  return `relais ${command.name}${command.subject ? ` ${command.subject.name}` : ''}${required.join('')}${command.flags.length > required.length ? ' [options]' : ''}`;
};

const columns = (pairs: readonly (readonly [string, string])[]): string[] => {
  const width = Math.max(...pairs.map(([left]) => left.length));
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
};

/** Writes the help of one command. */
export const helpOf = (command: Command): string =>
  [
    command.summary,
    '',
    `Usage: ${usageOf(command)}`,
    ...(command.subject ? ['', ...columns([[command.subject.name, command.subject.help]])] : []),
    '',
    ...columns([
      ...command.flags.map((flag): [string, string] => [
        `--${flag.name}${flag.kind === 'switch' ? '' : ` ${flag.value ?? 'TEXT'}`}`,
        `${flag.help}${flag.required ? ' (required)' : ''}${flag.kind === 'list' ? ' (may be repeated)' : ''}`,
      ]),
      ['--help', 'this text'],
    ]),
    ...(command.notes?.length ? ['', ...command.notes] : []),
  ].join('\n');

/** Writes the help of all commands, with the exit codes. */
export const helpOfAll = (commands: readonly Command[]): string =>
  [
    'relais: the command line of Relais',
    '',
    'Usage: relais COMMAND [options], and relais COMMAND --help for each',
    '',
    ...columns(commands.map((command) => [command.name, command.summary])),
    '',
    'While a process holds the embedded database, a command is sent to it over var/relais.sock and runs there.',
    '',
    'Exit codes:',
    ...EXIT_TABLE.map(([code, meaning]) => `  ${String(code).padStart(2)}  ${meaning}`),
  ].join('\n');

/** Writes rows under headings, in columns; says so when there is nothing. */
export const table = (headings: readonly string[], rows: readonly (readonly string[])[], empty: string): string => {
  if (!rows.length) return empty;
  const all = [headings, ...rows];
  const widths = headings.map((_, i) => Math.max(...all.map((cells) => [...(cells[i] ?? '')].length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - [...cell].length))
      .join('  ')
      .trimEnd();
  return all.map(line).join('\n');
};
