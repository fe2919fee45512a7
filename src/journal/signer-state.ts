import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { canonical } from '../kernel/canonical.ts';
import { Failure } from '../kernel/failure.ts';

/** What a signer remembers, and how it is kept: one file a log. */

export interface State {
  readonly origin: string;
  readonly vkey: string;
  readonly size: number;
  readonly root: string;
  /** The key that follows, once its change was signed and until its entry is shown. */
  readonly next?: string;
  /** Keys that signed this log before, and the entry at which each was left. */
  readonly former?: readonly { readonly vkey: string; readonly index: number }[];
  /** The first checkpoint of the present key, which the former signs too. */
  readonly first?: number;
  /** Each time a person told this signer to accept a log as it is. */
  readonly trusted: readonly { readonly at: string; readonly reason: string; readonly size: number; readonly root: string }[];
}

const logIdOf = (origin: string): string => {
  const [, id] = /^[^\s+]{1,300}\/([0-9a-z]{1,64})$/.exec(origin) ?? [];
  if (id === undefined) throw new Failure('origin_malformed', `${origin} does not end in a log id`);
  return id;
};

export const stateFile = (folder: string, origin: string): string => join(folder, `${logIdOf(origin)}.json`);

/** Writes `text` (0600) so that a power cut leaves either the old file or the new one, and returns once it is on the disk. */
export const writeDurably = (file: string, text: string): void => {
  const sync = (path: string, flags: string, content?: string): void => {
    const descriptor = openSync(path, flags, 0o600);
    try {
      if (content !== undefined) writeSync(descriptor, content);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  sync(`${file}.new`, 'w', text);
  renameSync(`${file}.new`, file);
  sync(dirname(file), 'r');
};

/** Reads a file each time it is asked; undefined while it is not there. */
export const readIfThere = (file: string) => (): string | undefined => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

export const readState = (file: string): State | undefined | 'damaged' => {
  if (!existsSync(file)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return 'damaged';
    const { origin, vkey, size, root, trusted, next, former, first } = value as Readonly<Record<string, unknown>>;
    if (typeof origin !== 'string' || typeof vkey !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      return 'damaged';
    if (typeof root !== 'string' || Buffer.from(root, 'base64').length !== 32 || !Array.isArray(trusted)) return 'damaged';
    if ((next !== undefined && typeof next !== 'string') || (first !== undefined && typeof first !== 'number')) return 'damaged';
    if (former !== undefined && !Array.isArray(former)) return 'damaged';
    return {
      origin,
      vkey,
      size,
      root,
      trusted: trusted as State['trusted'],
      ...(next === undefined ? {} : { next }),
      ...(first === undefined ? {} : { first }),
      ...(former === undefined ? {} : { former: former as NonNullable<State['former']> }),
    };
  } catch {
    return 'damaged';
  }
};

export const writeState = (file: string, state: State): void =>
  writeDurably(
    file,
    `${canonical({ ...state, trusted: state.trusted.map((one) => ({ ...one })), former: state.former?.map((one) => ({ ...one })) })}\n`,
  );

export const otherLogs = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : []);
