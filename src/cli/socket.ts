import { chmodSync, existsSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { Failure } from '../kernel/failure.ts';
import type { Io } from './command.ts';
import type { CommandContext } from './context.ts';
import { runHere } from './run.ts';

/**
 * While a process holds the embedded database, a command is sent to it over a Unix socket and the holder runs the same function. One
 * line of JSON each way: the arguments first; then the holder prints, asks a question or asks for a file of whoever typed the command; at
 * last it gives the exit code. The socket is 0600 in a folder that is 0700: only the owner of the database reaches it.
 */
const LONGEST_LINE = 4_194_304;
/** A Unix socket's address holds 107 bytes on Linux. */
const LONGEST_PATH = 107;

type Message =
  | { readonly args: readonly string[] }
  | { readonly out: string }
  | { readonly err: string }
  | { readonly ask: string }
  | { readonly read: string }
  | { readonly answer: string | null }
  | { readonly exit: number };

const parseLine = (line: string): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch {
    return {};
  }
};

/** Lines of a socket, one at a time; undefined when the other end is gone. */
const linesOf = (socket: Socket): (() => Promise<Record<string, unknown> | undefined>) => {
  const waiting: ((line: Record<string, unknown> | undefined) => void)[] = [];
  const arrived: Record<string, unknown>[] = [];
  let text = '';
  let gone = false;
  const close = (): void => {
    gone = true;
    for (const resolve of waiting.splice(0)) resolve(undefined);
  };
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    if (text.length > LONGEST_LINE) socket.destroy();
    for (const line of lines.map(parseLine)) {
      const resolve = waiting.shift();
      if (resolve) resolve(line);
      else arrived.push(line);
    }
  });
  socket.on('close', close);
  socket.on('error', close);
  return () => {
    const line = arrived.shift();
    return line || gone ? Promise.resolve(line) : new Promise((resolve) => waiting.push(resolve));
  };
};

const say = (socket: Socket, message: Message): void => {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
};

/** Speaks to whoever typed the command, at the other end of the socket. */
const remoteIo = (socket: Socket, next: ReturnType<typeof linesOf>): Io => {
  const answer = async (message: Message): Promise<string | undefined> => {
    say(socket, message);
    const line = await next();
    return typeof line?.['answer'] === 'string' ? line['answer'] : undefined;
  };
  return {
    out: (line) => say(socket, { out: line }),
    err: (line) => say(socket, { err: line }),
    ask: (question) => answer({ ask: question }),
    read: async (path) => {
      const content = await answer({ read: path });
      if (content === undefined) throw new Failure('file_unreadable', path);
      return content;
    },
  };
};

const isArguments = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === 'string');

const serve = async (socket: Socket, context: CommandContext): Promise<void> => {
  const next = linesOf(socket);
  const first = await next();
  const args = first?.['args'];
  if (isArguments(args)) say(socket, { exit: await runHere(args, context, remoteIo(socket, next)) });
  socket.end();
};

export interface CommandServer {
  readonly path: string;
  close(): Promise<void>;
}

/** Serves the commands on `path` (0600). The caller holds the folder's lock, so a socket found there was left by a dead process. */
export const startCommandServer = async (path: string, context: CommandContext): Promise<CommandServer> => {
  if (Buffer.byteLength(path) > LONGEST_PATH)
    throw new Failure('socket_path_too_long', `${path} has more than ${LONGEST_PATH} bytes: set RELAIS_VAR to a shorter folder`);
  rmSync(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    serve(socket, context).catch(() => socket.destroy());
  });
  const umask = process.umask(0o177); // so that there is no instant at which others may connect
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } finally {
    process.umask(umask);
  }
  chmodSync(path, 0o600);
  server.unref();
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
};

const connected = (path: string): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    if (!existsSync(path)) return resolve(undefined);
    const socket = connect(path, () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });

/** Sends a command to the process that holds the database, if one serves on `path`: its exit code, or undefined when nobody does. */
export const sendCommand = async (path: string, args: readonly string[], io: Io): Promise<number | undefined> => {
  const socket = await connected(path);
  if (!socket) return undefined;
  const next = linesOf(socket);
  say(socket, { args });
  for (let line = await next(); line; line = await next()) {
    const { out, err, ask, read, exit } = line;
    if (typeof out === 'string') io.out(out);
    else if (typeof err === 'string') io.err(err);
    else if (typeof ask === 'string') say(socket, { answer: (await io.ask(ask)) ?? null });
    else if (typeof read === 'string') say(socket, { answer: await io.read(read).catch(() => null) });
    else if (typeof exit === 'number') {
      socket.destroy();
      return exit;
    }
  }
  throw new Failure('holder_gone', 'the process that holds the database ended before it answered');
};
