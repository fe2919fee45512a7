import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { canonical } from '../kernel/canonical.ts';
import { publicKeyOf, readPrivateKey } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { signNote, verifierOf, writeCheckpoint, writeVkey } from './note.ts';
import { verifyConsistency } from './proof.ts';

/**
 * Signs checkpoints, remembering by itself what it signed (journal.md §3.6). It never sees the database: whoever rewrites the database
 * cannot make it sign another past.
 */

/** What a signer is asked, as a witness would be: `proof` shows that the tree of `oldSize` begins the tree of `newSize`. */
export interface SignRequest {
  readonly oldSize: number;
  readonly proof: readonly Buffer[];
  readonly newSize: number;
  readonly root: Buffer;
}

export type SignRefusal =
  /** The tree offered is smaller than one that was signed. */
  | 'smaller_tree'
  /** Another root for a size that was signed. */
  | 'other_root'
  /** The proof does not start from the size last signed, which `size` gives: ask again from there. */
  | 'stale_size'
  /** The proof does not show the tree to continue the one last signed. */
  | 'inconsistent_proof'
  /** The log says it was signed before, and this signer remembers nothing. */
  | 'state_missing'
  /** This signer remembers another log. */
  | 'unknown_log'
  /** This signer's key is not the one that signed this log until now. */
  | 'other_key'
  | 'state_damaged'
  | 'malformed';

export type SignAnswer =
  | { readonly note: string }
  /** `message` says what happened and what to do. */
  | { readonly refused: SignRefusal; readonly message: string; readonly size?: number };

/** The signer as the sealing job sees it, wherever it runs. Fails as `signer_unreachable`. */
export interface SignerClient {
  sign(request: SignRequest): Promise<SignAnswer>;
  /** The public key under the log's origin, as a C2SP vkey. */
  vkey(): Promise<string>;
  close(): Promise<void>;
}

export interface Signer {
  sign(origin: string, request: SignRequest): SignAnswer;
  vkey(origin: string): string;
}

interface State {
  readonly origin: string;
  readonly vkey: string;
  readonly size: number;
  readonly root: string;
  /** Each time a person told this signer to accept a log as it is. */
  readonly trusted: readonly { readonly at: string; readonly reason: string; readonly size: number; readonly root: string }[];
}

const logIdOf = (origin: string): string => {
  const [, id] = /^[^\s+]{1,300}\/([0-9a-z]{1,64})$/.exec(origin) ?? [];
  if (id === undefined) throw new Failure('origin_malformed', `${origin} does not end in a log id`);
  return id;
};

const stateFile = (folder: string, origin: string): string => join(folder, `${logIdOf(origin)}.json`);

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

const readState = (file: string): State | undefined | 'damaged' => {
  if (!existsSync(file)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null) return 'damaged';
    const { origin, vkey, size, root, trusted } = value as Readonly<Record<string, unknown>>;
    if (typeof origin !== 'string' || typeof vkey !== 'string' || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      return 'damaged';
    if (typeof root !== 'string' || Buffer.from(root, 'base64').length !== 32 || !Array.isArray(trusted)) return 'damaged';
    return { origin, vkey, size, root, trusted: trusted as State['trusted'] };
  } catch {
    return 'damaged';
  }
};

const writeState = (file: string, state: State): void =>
  writeDurably(file, `${canonical({ ...state, trusted: state.trusted.map((one) => ({ ...one })) })}\n`);

const otherLogs = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : []);

const TRUST = 'if that is intended, run "relais journal trust-checkpoint"';

/** Decides whether this log, at this size, may be signed. The order matters: the first rule that is broken is the answer. */
const refusal = (
  state: ReturnType<typeof readState>,
  folder: string,
  origin: string,
  vkey: string,
  request: SignRequest,
): Exclude<SignAnswer, { note: string }> | undefined => {
  const { oldSize, newSize, root, proof } = request;
  if (state === 'damaged')
    return { refused: 'state_damaged', message: `the signer's memory of ${origin} in ${folder} cannot be read: restore it; ${TRUST}` };
  if (!state) {
    const others = otherLogs(folder);
    if (others.length)
      return {
        refused: 'unknown_log',
        message: `the signer remembers ${others.join(', ')} and not ${origin}: the database was replaced, or the folder ${folder} is another's; ${TRUST}`,
      };
    if (oldSize > 0)
      return {
        refused: 'state_missing',
        message: `the log was signed up to ${oldSize} and the signer remembers nothing: restore ${folder}; ${TRUST}`,
      };
    return undefined;
  }
  if (state.origin !== origin)
    return { refused: 'unknown_log', message: `the signer knows this log as ${state.origin}, not ${origin}: its host changed; ${TRUST}` };
  if (state.vkey !== vkey) return { refused: 'other_key', message: `the log was signed with ${state.vkey} until now: put that key back; ${TRUST}` };
  if (newSize < state.size)
    return {
      refused: 'smaller_tree',
      size: state.size,
      message: `the log has ${newSize} entries and ${state.size} were signed: its end was cut, or an older backup restored`,
    };
  if (newSize === state.size)
    return root.toString('base64') === state.root
      ? undefined
      : { refused: 'other_root', size: state.size, message: `the ${newSize} entries that were signed have been changed` };
  if (oldSize !== state.size) return { refused: 'stale_size', size: state.size, message: `the signer last signed ${state.size} entries` };
  if (!verifyConsistency(oldSize, Buffer.from(state.root, 'base64'), newSize, root, proof))
    return {
      refused: 'inconsistent_proof',
      size: state.size,
      message: `the ${newSize} entries do not begin with the ${state.size} that were signed`,
    };
  return undefined;
};

const isRequest = ({ oldSize, newSize, root, proof }: SignRequest): boolean =>
  Number.isSafeInteger(oldSize) && Number.isSafeInteger(newSize) && oldSize >= 0 && newSize >= 0 && root.length === 32 && proof.length <= 64;

/** Opens a signer whose memory is in `folder` (made 0700 if it is missing). */
export const openSigner = (options: { readonly folder: string; readonly privateKeyPem: string }): Signer => {
  const { folder } = options;
  const key = readPrivateKey(options.privateKeyPem);
  const vkey = (origin: string): string => writeVkey(verifierOf(origin, publicKeyOf(key)));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    vkey,
    sign(origin, request) {
      if (!isRequest(request)) return { refused: 'malformed', message: 'sizes, root and proof are not those of a tree' };
      const file = stateFile(folder, origin);
      const state = readState(file);
      const own = vkey(origin);
      const refused = refusal(state, folder, origin, own, request);
      if (refused) return refused;
      const trusted = state && state !== 'damaged' ? state.trusted : [];
      // Commit point: what is about to be signed is on the disk before the signature exists.
      writeState(file, { origin, vkey: own, size: request.newSize, root: request.root.toString('base64'), trusted });
      return { note: signNote(writeCheckpoint({ origin, size: request.newSize, root: request.root }), origin, key) };
    },
  };
};

/**
 * Makes the signer accept a log as it is now, once, because a person says so: after a database was replaced, its state lost, its host or
 * key changed. What it remembered of this log stays in `trusted`; memories of other logs are set aside. The caller records it.
 */
export const trustCheckpoint = (options: {
  readonly folder: string;
  readonly privateKeyPem: string;
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  readonly reason: string;
  readonly at: Date;
}): void => {
  const { folder, origin, size, reason, at } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = stateFile(folder, origin);
  const before = readState(file);
  const stamp = at.toISOString().replaceAll(/[^0-9]/g, '');
  for (const name of otherLogs(folder)) if (join(folder, name) !== file) renameSync(join(folder, name), join(folder, `${name}.${stamp}`));
  if (before === 'damaged') renameSync(file, `${file}.${stamp}`);
  const root = options.root.toString('base64');
  const trusted = [...(before && before !== 'damaged' ? before.trusted : []), { at: at.toISOString(), reason, size, root }];
  writeState(file, { origin, vkey: writeVkey(verifierOf(origin, publicKeyOf(readPrivateKey(options.privateKeyPem)))), size, root, trusted });
};
