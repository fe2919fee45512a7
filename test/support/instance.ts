import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ChildOptions } from './instance-child.ts';
import type { World } from './world.ts';

/** An instance of Relais in a process of its own, on the database of a world. */
export interface Instance {
  readonly process: ChildProcess;
  /** Where it listens: `http://localhost:…`. */
  readonly origin: string;
  /** Ends it, gently unless told otherwise, and waits until it is gone. */
  end(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

/** Starts one and waits until it listens. `preload` is a module that its process loads first; what it writes of errors goes to `errors` or is printed. */
export const startInstance = (world: World, more: { readonly preload?: string; readonly errors?: string[] } = {}): Promise<Instance> =>
  new Promise((found, failed) => {
    const { config } = world.demonstration;
    const options: ChildOptions = {
      url: world.fresh.url ?? '',
      publicUrl: world.places.relais,
      keysFolder: join(tmpdir(), `relais-test-keys-${process.getuid?.() ?? 0}`),
      varFolder: config.varFolder,
      proconnect: config.proconnect.issuer,
      franceconnect: config.franceconnect.issuer,
    };
    const child = spawn(
      process.execPath,
      [
        '--import',
        'tsx',
        ...(more.preload ? ['--import', more.preload] : []),
        join(import.meta.dirname, 'instance-child.ts'),
        JSON.stringify(options),
      ],
      { cwd: resolve(import.meta.dirname, '../..'), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const gone = new Promise<void>((done) => child.once('exit', () => done()));
    const end = async (signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> => {
      child.kill(signal);
      await gone;
    };
    let said = '';
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString();
      const origin = /ready (\S+)\n/.exec(said)?.[1];
      if (origin) found({ process: child, origin: origin.replace('127.0.0.1', 'localhost'), end });
    });
    child.stderr.on('data', (part: Buffer) => (more.errors ? more.errors.push(part.toString()) : process.stderr.write(part)));
    child.once('exit', (code, signal) => failed(new Error(`an instance ended (${code ?? signal}): ${(more.errors ?? []).slice(-3).join('')}`)));
  });
