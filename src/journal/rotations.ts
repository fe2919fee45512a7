import { Failure } from '../kernel/failure.ts';
import { createLogKeys, type LogKeys, type Rotation, readRotation } from './log-keys.ts';
import { readCheckpoint, textOf, type Verifier } from './note.ts';
import { openWitnessed, type Policy, type Witnessed } from './policy.ts';
import type { Fault } from './verify-entry.ts';

/** The changes of a log's key as they are shown beside it (`/log/rotations`, `rotations` in an export), and what follows from them. */

/** An entry `key.rotated` by its index and its leaf's bytes. */
export interface RotationLeaf {
  readonly index: number;
  readonly leaf: Buffer;
}

const MOST = 256;

/** Writes them, one a line: index, leaf in base 64. */
export const writeRotations = (rotations: readonly RotationLeaf[]): string =>
  rotations.map(({ index, leaf }) => `${index} ${leaf.toString('base64')}\n`).join('');

/** Reads them. Fails as `rotations_malformed`. */
export const readRotations = (text: string): RotationLeaf[] => {
  const lines = text.split('\n').slice(0, -1);
  if (!(text === '' || text.endsWith('\n')) || lines.length > MOST) throw new Failure('rotations_malformed', `expected at most ${MOST} lines`);
  return lines.map((line) => {
    const [, index = '', encoded = ''] = /^(0|[1-9][0-9]{0,15}) ([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? [];
    const leaf = Buffer.from(encoded, 'base64');
    if (!encoded || leaf.toString('base64') !== encoded || !Number.isSafeInteger(Number(index)))
      throw new Failure('rotations_malformed', 'expected lines of an index and a leaf');
    return { index: Number(index), leaf };
  });
};

/** The keys of a log by size, from those trusted and what the log shows; and what is wrong with what it shows. */
export const followRotations = (trusted: readonly Verifier[], shown: readonly RotationLeaf[]): { keys: LogKeys; wrong: Fault[] } => {
  const rotations: Rotation[] = [];
  const wrong: Fault[] = [];
  const tell = (index: number, says: string): void =>
    void wrong.push({ kind: 'rotation_wrong', index, message: `entry ${index} changes no key: ${says}` });
  for (const { index, leaf } of shown) {
    try {
      rotations.push(readRotation(index, leaf));
    } catch (error) {
      tell(index, error instanceof Failure ? (error.detail ?? error.code) : 'unreadable');
    }
  }
  const keys = createLogKeys(trusted, rotations);
  for (const { index } of keys.strange) tell(index, 'it follows from no key that is trusted');
  return { keys, wrong };
};

/** The keys that a policy has for the log `origin`. */
export const logKeysOf = (policy: Policy, origin: string): Verifier[] =>
  policy.logs.flatMap(({ verifier }) => (verifier.name === origin ? [verifier] : []));

/** Opens a checkpoint as `openWitnessed` does, with the key of the log that counts at the size it says. */
export const openWitnessedAt = (note: string, origin: string, policy: Policy, keys: LogKeys): Witnessed =>
  openWitnessed(note, origin, { ...policy, logs: keys.at(readCheckpoint(textOf(note)).size).map((verifier) => ({ verifier })) });
