import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import type { Usage } from './measure.ts';

/** A server under measure: a process of its own, pinned, that answers over IPC what it has used. */

export interface ServerHandle {
  readonly origin: string;
  /** Milliseconds from spawn to listening. */
  readonly readyMs: number;
  usage(): Promise<Usage>;
  /** Asks the program for something of its own; see the `on` of each program. */
  call<T>(name: string, argument?: unknown): Promise<T>;
  stop(): Promise<void>;
}

type Message = { readonly id: number; readonly value?: unknown; readonly error?: string } | { readonly ready: string };

/** Node reads TypeScript by itself. Only pages (TSX) need a loader, which makes every function dearer than in what is built. */
const LOADER: Readonly<Record<string, readonly string[]>> = { 'server-relais.ts': ['--import', 'tsx'] };

/** Starts a program of this folder with its argument. */
export const startServer = async (program: string, argument: object, prefix: readonly string[]): Promise<ServerHandle> => {
  const file = new URL(program, import.meta.url).pathname;
  const [command = process.execPath, ...before] = [...prefix, process.execPath];
  const from = performance.now();
  const child: ChildProcess = spawn(command, [...before, ...(LOADER[program] ?? []), file, JSON.stringify(argument)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  const origin = await new Promise<string>((resolve, reject) => {
    child.on('message', (message: Message) => {
      if ('ready' in message) return resolve(message.ready);
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) call?.reject(new Error(message.error));
      else call?.resolve(message.value);
    });
    child.once('exit', (code) => reject(new Error(`${program} ended with code ${code}`)));
    child.once('error', reject);
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${program} ended with code ${code}`));
  });
  const readyMs = performance.now() - from;
  const call = <T>(name: string, value?: unknown): Promise<T> =>
    new Promise((resolve, reject) => {
      const id = calls++;
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      child.send({ id, name, argument: value });
    });
  return {
    origin,
    readyMs,
    call,
    usage: () => call<Usage>('usage'),
    stop: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit');
        child.once('exit', () => resolve());
        child.disconnect();
      }),
  };
};

export type Handlers = Readonly<Record<string, (argument: never) => Promise<unknown>>>;

/** Records where the processor's time goes between `start` and the next call, which writes it to a file for a reader of `.cpuprofile`. */
const profiler = (): ((file: string | undefined) => Promise<void>) => {
  const session = new Session();
  let connected = false;
  return async (file) => {
    if (file === undefined) {
      if (!connected) session.connect();
      connected = true;
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: 200 });
      await session.post('Profiler.start');
      return;
    }
    const { profile } = await session.post('Profiler.stop');
    writeFileSync(file, JSON.stringify(profile));
  };
};

/** The server's side: says that it listens, answers calls, and ends when its parent is gone. */
export const serve = (
  origin: string,
  counts: () => { statements: number; commits: number },
  handlers: Handlers,
  close: () => Promise<void>,
): void => {
  const usage = async (): Promise<Usage> => {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1000, ...counts(), rssMb: process.memoryUsage().rss / 2 ** 20 };
  };
  const profile = profiler();
  process.on('message', (message: { id: number; name: string; argument: unknown }) => {
    const handler = { ...handlers, usage, profile }[message.name];
    const work = handler ? handler(message.argument as never) : Promise.reject(new Error(`no handler ${message.name}`));
    work.then(
      (value) => process.send?.({ id: message.id, value }),
      (error: unknown) => process.send?.({ id: message.id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => void close().finally(() => process.exit(0)));
  process.send?.({ ready: origin });
};

/** The argument that `startServer` gave. */
export const argument = <T>(): T => JSON.parse(process.argv[2] ?? '{}') as T;
