import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../kernel/failure.ts';
import { writeInFolder } from './log-folder.ts';
import { folderReader, inOrder, readLeaves } from './log-reader.ts';
import { TILE_WIDTH } from './tree.ts';

/** Where each tag stands in a copy of the log: 256 files by the first byte of the tag, each of records tag (16 bytes) ‖ index (8 bytes). */
export interface TagIndex {
  /** How many entries are indexed: what an answer speaks of. */
  size(): number;
  /** Indexes the leaves of the copy from where it is up to `size`. */
  catchUp(size: number): Promise<void>;
  /** The index of the entry that carries `tag`, the lowest if there are several. */
  find(tag: Buffer): number | undefined;
}

const TAG = 16;
const RECORD = TAG + 8;

/** The tags of a leaf, whatever else it says: entries of a later version are indexed as well. */
const tagsOf = (leaf: Buffer): Buffer[] => {
  try {
    const value: unknown = JSON.parse(leaf.toString('latin1'));
    const tags: unknown = typeof value === 'object' && value !== null && 'tg' in value ? value.tg : undefined;
    return Array.isArray(tags) ? tags.map((tag) => Buffer.from(String(tag), 'base64url')).filter((tag) => tag.length === TAG) : [];
  } catch {
    return [];
  }
};

/** Adds records at the end, after the last whole one: a process may have been killed in the middle. */
const addTo = (file: string, records: Buffer): void => {
  const descriptor = openSync(file, 'a');
  try {
    const { size } = statSync(file);
    if (size % RECORD) ftruncateSync(descriptor, size - (size % RECORD));
    writeSync(descriptor, records);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
};

/** Opens the index of the copy in `folder`; it is made, or completed, by `catchUp`. */
export const openTagIndex = (folder: string): TagIndex => {
  const own = join(folder, 'tags');
  mkdirSync(own, { recursive: true });
  const fileOf = (tag: Buffer): string => join(own, tag.subarray(0, 1).toString('hex'));
  const sizeFile = join(own, 'size');
  let size = existsSync(sizeFile) ? Number(readFileSync(sizeFile, 'utf8')) : 0;
  if (!Number.isSafeInteger(size) || size < 0) size = 0;
  /** Commit point: `size` says what is whole; records written twice say the same. */
  const commit = (waiting: Map<string, Buffer[]>, upTo: number): void => {
    for (const [file, records] of waiting) addTo(file, Buffer.concat(records));
    waiting.clear();
    writeInFolder(own, 'size', String(upTo));
    size = upTo;
  };
  return {
    size: () => size,
    async catchUp(target) {
      const waiting = new Map<string, Buffer[]>();
      const reader = folderReader(folder);
      const bundles = inOrder(Math.floor(size / TILE_WIDTH), Math.ceil(target / TILE_WIDTH), (n) => readLeaves(reader, target, n));
      for await (const [n, leaves] of bundles) {
        if (!leaves) throw new Failure('journal_leaf_missing', `bundle ${n} of ${folder} is missing`);
        for (const [i, leaf] of leaves.entries())
          for (const tag of n * TILE_WIDTH + i >= size ? tagsOf(leaf) : []) {
            const record = Buffer.alloc(RECORD);
            tag.copy(record);
            record.writeBigUInt64BE(BigInt(n * TILE_WIDTH + i), TAG);
            waiting.set(fileOf(tag), [...(waiting.get(fileOf(tag)) ?? []), record]);
          }
        if (n % TILE_WIDTH === TILE_WIDTH - 1) commit(waiting, (n + 1) * TILE_WIDTH);
      }
      if (size < target) commit(waiting, target);
    },
    find(tag) {
      const file = fileOf(tag);
      if (tag.length !== TAG || !existsSync(file)) return undefined;
      const records = readFileSync(file);
      let lowest: number | undefined;
      for (let at = records.indexOf(tag); at >= 0; at = records.indexOf(tag, at + 1)) {
        if (at % RECORD || at + RECORD > records.length) continue;
        const index = Number(records.readBigUInt64BE(at + TAG));
        if (index < size && (lowest === undefined || index < lowest)) lowest = index;
      }
      return lowest;
    },
  };
};
