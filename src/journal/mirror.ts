import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { parseLeaf } from './entry.ts';
import { copyLog, folderCheckpoint, writeInFolder } from './log-folder.ts';
import { folderReader, type LogReader, readerHashes, readLeaves } from './log-reader.ts';
import { openChanges } from './mirror-keys.ts';
import { type Checkpoint, readCheckpoint, textOf, writeVkey } from './note.ts';
import type { Policy, Witnessed } from './policy.ts';
import { proveConsistency, verifyConsistency } from './proof.ts';
import { readRotations } from './rotations.ts';
import { openTagIndex, type TagIndex } from './tag-index.ts';
import { loadEdge, rootOf, TILE_WIDTH } from './tree.ts';

/** A copy of a log in other hands: it takes only what continues what it has, and keeps what shows that it does not (journal.md §3.4, §3.6). */

export type Updated =
  /** `copied`: so many entries are new. */
  | { readonly kind: 'current' | 'copied'; readonly size: number; readonly new: number }
  /** The log has no checkpoint yet. */
  | { readonly kind: 'nothing_yet' }
  /** An older checkpoint than the one that is held, of the same past: whoever asked is being shown a frozen log, or a cache. */
  | { readonly kind: 'older_shown'; readonly size: number; readonly shown: number }
  /** What is signed continues this copy, and no quorum of the policy's witnesses has seen more than it holds: nothing was taken. */
  | { readonly kind: 'unwitnessed'; readonly size: number; readonly shown: number }
  /** The leaves that were given are not those that were signed: nothing of them was kept. */
  | { readonly kind: 'leaves_differ'; readonly size: number; readonly shown: number }
  /** What was signed is not what continues this copy. `evidence` holds both checkpoints. */
  | { readonly kind: 'rewritten'; readonly size: number; readonly shown: number; readonly evidence: string };

export interface Mirror {
  readonly origin: string;
  readonly folder: string;
  /** The checkpoint that is held. */
  held(): Promise<Checkpoint | undefined>;
  /** The time of the last entry that is held: a log writes one each minute, so that an old one means a log that is frozen, or stopped. */
  lastAt(): Promise<Date | undefined>;
  /** Looks at the log once. Fails as `log_unreachable`, `log_forbidden`, or as `openNote` does when no known key signed. */
  update(): Promise<Updated>;
  readonly tags: Pick<TagIndex, 'size' | 'find'>;
}

export interface MirrorOptions {
  readonly folder: string;
  readonly reader: LogReader;
  /** The key of the log, known from elsewhere, and whose cosignatures are asked. Several keys count each for its own sizes, as the log changed them. */
  readonly policy: Policy;
  readonly onProgress?: (done: number, size: number) => void;
}

/** The root that the copy had when it held `size` entries. */
const rootAt = async (folder: string, held: Checkpoint, size: number): Promise<Buffer> =>
  rootOf(await loadEdge(readerHashes(folderReader(folder), held.size), size));

/** Says whether the tiles of the log show that what it signed now begins with what is held. What cannot be shown does not. */
const isShown = async (reader: LogReader, held: Checkpoint, shown: Checkpoint): Promise<Buffer[] | undefined> => {
  try {
    const proof = await proveConsistency(readerHashes(reader, shown.size), held.size, shown.size);
    return verifyConsistency(held.size, held.root, shown.size, shown.root, proof) ? proof : undefined;
  } catch (error) {
    if (error instanceof Failure && error.code === 'log_tile_missing') return undefined;
    throw error;
  }
};

type Opened = Witnessed & { readonly note: string };

/** Keeps two checkpoints that contradict each other: signed by the same key, they need no other witness. */
const keepEvidence = async (folder: string, shown: Checkpoint, note: string): Promise<string> => {
  const evidence = join(folder, 'evidence', `${shown.size}-${sha256(note).toString('hex').slice(0, 16)}`);
  if (existsSync(join(evidence, 'shown'))) return evidence;
  mkdirSync(evidence, { recursive: true });
  writeInFolder(evidence, 'held', String(await folderReader(folder).read('checkpoint')));
  writeInFolder(evidence, 'shown', note);
  return evidence;
};

/** Opens the mirror of one log in `folder`. Fails as `log_unknown`, `mirror_damaged`. */
export const openMirror = async (options: MirrorOptions): Promise<Mirror> => {
  const { folder, reader, policy, onProgress } = options;
  const origin = policy.logs[0]?.verifier.name;
  if (origin === undefined || policy.logs.some(({ verifier }) => verifier.name !== origin))
    throw new Failure('log_unknown', 'the keys are not those of one log');
  mkdirSync(join(folder, 'tile'), { recursive: true });
  const own = folderReader(folder);
  const held = () => folderCheckpoint(own);
  const before = await held();
  if (before && before.origin !== origin) throw new Failure('log_unknown', `${folder} holds ${before.origin}, not ${origin}`);
  if (before && !(await rootAt(folder, before, before.size)).equals(before.root))
    throw new Failure('mirror_damaged', `the tiles of ${folder} do not give its checkpoint: keep the folder, and begin another`);
  writeInFolder(folder, 'vkey', policy.logs.map(({ verifier }) => `${writeVkey(verifier)}\n`).join(''));
  const changes = await openChanges(folder, policy, origin, before?.size ?? 0);
  const tags = openTagIndex(folder);
  if (before) await tags.catchUp(before.size);

  /** Bundles as the log has them for the size that is copied. */
  const leavesOf =
    (shown: Checkpoint) =>
    async (from: number): Promise<Buffer[]> => {
      const leaves = await readLeaves(reader, shown.size, from / TILE_WIDTH);
      if (!leaves) throw new Failure('log_unreachable', `the leaves from ${from} are missing, or are not a bundle`);
      return leaves;
    };

  const copy = async (mine: Checkpoint | undefined, shown: Checkpoint, note: string): Promise<Updated> => {
    const size = mine?.size ?? 0;
    const found = changes.collect(note);
    const copied = await copyLog({
      folder,
      checkpoint: shown,
      note,
      leaves: leavesOf(shown),
      entries: true,
      ...(onProgress ? { onProgress } : {}),
      ...found,
    });
    if (!('refused' in copied)) {
      await tags.catchUp(shown.size);
      return { kind: 'copied', size: shown.size, new: shown.size - size };
    }
    if (!mine || size === 0 || (await isShown(reader, mine, shown))) return { kind: 'leaves_differ', size, shown: shown.size };
    return { kind: 'rewritten', size, shown: shown.size, evidence: await keepEvidence(folder, shown, note) };
  };

  /** Opens what the log shows as `path`: with the changes of key that this copy holds, else with those that are shown for what is not copied yet. */
  const open = async (path: string, size: number): Promise<Opened | undefined> => {
    const note = (await reader.read(path))?.toString('utf8');
    if (note === undefined) return undefined;
    try {
      return { ...changes.open(note), note };
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'note_unsigned' || readCheckpoint(textOf(note)).size <= size) throw error;
      return { ...changes.open(note, readRotations((await reader.read('rotations'))?.toString('utf8') ?? '')), note };
    }
  };

  return {
    origin,
    folder,
    held,
    tags,
    async lastAt() {
      const mine = await held();
      const leaves = mine?.size ? await readLeaves(own, mine.size, Math.floor((mine.size - 1) / TILE_WIDTH)) : undefined;
      const last = leaves?.at(-1);
      return last && parseLeaf(last).at;
    },
    async update() {
      const mine = await held();
      const size = mine?.size ?? 0;
      const plain = await open('checkpoint', size);
      if (!plain) return { kind: 'nothing_yet' };
      const { checkpoint: shown, note } = plain;
      const continues =
        !mine ||
        (shown.size > size ? plain.met || (await isShown(reader, mine, shown)) : (await rootAt(folder, mine, shown.size)).equals(shown.root));
      if (!continues) return { kind: 'rewritten', size, shown: shown.size, evidence: await keepEvidence(folder, shown, note) };
      if (shown.size < size) return { kind: 'older_shown', size, shown: shown.size };
      if (mine && shown.size === size) return { kind: 'current', size, new: 0 };
      // A log that no quorum has seen says so by another answer than 404.
      const taken = plain.met ? plain : await open('checkpoint/witnessed', size).catch(() => undefined);
      if (!taken?.met) return { kind: 'unwitnessed', size, shown: shown.size };
      if (mine && taken.checkpoint.size === size) return { kind: 'current', size, new: 0 };
      return taken.checkpoint.size < size ? { kind: 'older_shown', size, shown: taken.checkpoint.size } : copy(mine, taken.checkpoint, taken.note);
    },
  };
};
