import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { type PrivateKey, publicKeyOf, readPrivateKey } from '../kernel/crypto.ts';
import { fingerprintOf, readRotation, type SignedRotation, signRotation } from './log-keys.ts';
import { signNote, verifierOf, writeCheckpoint, writeVkey } from './note.ts';
import { verifyConsistency, verifyInclusion } from './proof.ts';
import { otherLogs, readState, type State, stateFile, writeState } from './signer-state.ts';
import { leafHash } from './tree.ts';

export { writeDurably } from './signer-state.ts';

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
  /** The entry that changes this log's key, shown to be in the tree of `newSize`: what a signer waits for after `rotate`. */
  readonly rotation?: { readonly index: number; readonly leaf: Buffer; readonly proof: readonly Buffer[] };
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
  /** A change of key was signed: nothing more is signed until its entry is shown, from `size`. */
  | 'rotation_pending'
  /** What was shown is not the change of key that this signer signed. */
  | 'rotation_wrong'
  /** There is no `journal-ed25519-next.pem`, or it holds a key that signed this log before. */
  | 'next_key_missing'
  /** It holds another key than the one that was asked for. */
  | 'next_key_differs'
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

export type RotateAnswer = { readonly rotation: SignedRotation } | Exclude<SignAnswer, { note: string }>;

/** Begins a change to the key of this fingerprint: signs it with both. From then on the signer waits for its entry. Asked again, it answers the same. */
export interface Rotator {
  rotate(fingerprint: string): Promise<RotateAnswer>;
}

export interface Signer {
  sign(origin: string, request: SignRequest): SignAnswer;
  rotate(origin: string, fingerprint: string): RotateAnswer;
  /** The key that signs this log now. */
  vkey(origin: string): string;
}

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

/** The keys at hand, by the vkey that each has under `origin`. */
const keysAt = (origin: string, options: SignerOptions): Map<string, PrivateKey> => {
  const next = options.nextKeyPem?.();
  const keys = [options.privateKeyPem, ...(next === undefined ? [] : [next])].map(readPrivateKey);
  return new Map(keys.map((key) => [writeVkey(verifierOf(origin, publicKeyOf(key))), key]));
};

/** The state after the change of key that was waited for, if the request shows its entry beyond all that the former key signed. */
const rotated = (state: State, next: string, { rotation, newSize, root }: SignRequest): State | undefined => {
  if (!rotation) return undefined;
  const { index, leaf, proof } = rotation;
  if (index < state.size || !verifyInclusion(leafHash(leaf), index, newSize, proof, root)) return undefined;
  try {
    const said = readRotation(index, leaf);
    if (writeVkey(said.former) !== state.vkey || writeVkey(said.next) !== next) return undefined;
  } catch {
    return undefined;
  }
  const { next: _, ...rest } = state;
  return { ...rest, vkey: next, former: [...(state.former ?? []), { vkey: state.vkey, index }], first: newSize };
};

const PENDING = 'a change of key was signed: nothing more is, until its entry is in the log; run "relais journal rotate-key --approve …" again';

export interface SignerOptions {
  readonly folder: string;
  readonly privateKeyPem: string;
  /** Reads `journal-ed25519-next.pem`: the key that follows, once a change of key is asked. Undefined when there is none. */
  readonly nextKeyPem?: () => string | undefined;
}

/** Opens a signer whose memory is in `folder` (made 0700 if it is missing). */
export const openSigner = (options: SignerOptions): Signer => {
  const { folder } = options;
  const own = (origin: string, state: ReturnType<typeof readState>): string => {
    const keys = keysAt(origin, options);
    const [first = ''] = keys.keys();
    return state && state !== 'damaged' && keys.has(state.vkey) ? state.vkey : first;
  };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    vkey: (origin) => own(origin, readState(stateFile(folder, origin))),
    sign(origin, request) {
      if (!isRequest(request)) return { refused: 'malformed', message: 'sizes, root and proof are not those of a tree' };
      const file = stateFile(folder, origin);
      const before = readState(file);
      const vkey = own(origin, before);
      const refused = refusal(before, folder, origin, vkey, request);
      if (refused) return refused;
      const known = before && before !== 'damaged' ? before : { origin, vkey, size: 0, root: '', trusted: [] };
      const pending = known.next !== undefined && request.newSize > known.size ? known.next : undefined;
      if (pending !== undefined && !request.rotation) return { refused: 'rotation_pending', size: known.size, message: PENDING };
      const state = pending === undefined ? known : rotated(known, pending, request);
      if (!state) return { refused: 'rotation_wrong', size: known.size, message: 'the entry shown is not the change of key that was signed' };
      const keys = keysAt(origin, options);
      const signing = keys.get(state.vkey);
      if (!signing) return { refused: 'other_key', message: `journal-ed25519-next.pem is gone: put ${state.vkey} back` };
      // Commit point: what is about to be signed is on the disk before the signature exists.
      writeState(file, { ...state, size: request.newSize, root: request.root.toString('base64') });
      const text = writeCheckpoint({ origin, size: request.newSize, root: request.root });
      const former = state.first === request.newSize ? keys.get(state.former?.at(-1)?.vkey ?? '') : undefined;
      return { note: signNote(text, origin, signing) + (former ? signNote(text, origin, former).slice(text.length + 1) : '') };
    },
    rotate(origin, fingerprint) {
      const file = stateFile(folder, origin);
      const state = readState(file);
      if (!state || state === 'damaged') return { refused: 'state_missing', message: `the signer remembers nothing of ${origin}: nothing to change` };
      const keys = keysAt(origin, options);
      const present = keys.get(state.vkey);
      if (!present) return { refused: 'other_key', message: `the log was signed with ${state.vkey} until now: put that key back; ${TRUST}` };
      const left = new Set([state.vkey, ...(state.former ?? []).map((one) => one.vkey)]);
      const next = [...keys].find(([vkey]) => (state.next === undefined ? !left.has(vkey) : vkey === state.next));
      if (!next)
        return {
          refused: 'next_key_missing',
          message: `journal-ed25519-next.pem is missing beside the signer's key, or is a key that was left${state.next === undefined ? '' : `; a change to ${state.next} was signed already`}`,
        };
      if (fingerprintOf(publicKeyOf(next[1])) !== fingerprint)
        return {
          refused: 'next_key_differs',
          message: `journal-ed25519-next.pem beside the signer's key is not the key of fingerprint ${fingerprint}: put that one there, or ask for a change to this one`,
        };
      const rotation = signRotation(origin, present, next[1]);
      // Commit point: no other tree is signed by the former key once the change was.
      writeState(file, { ...state, next: next[0] });
      return { rotation };
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
  const vkey = writeVkey(verifierOf(origin, publicKeyOf(readPrivateKey(options.privateKeyPem))));
  const former = before && before !== 'damaged' ? before.former : undefined;
  writeState(file, { origin, vkey, size, root, trusted, ...(former ? { former } : {}) });
};
