import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../kernel/failure.ts';
import { readBundle, type TileAddress, tileWidth, writeTilePath } from './tile-path.ts';
import { type HashSource, TILE_WIDTH } from './tree.ts';

/** A log read from outside: a folder or an address laid out as C2SP tlog-tiles. Whatever it returns is under suspicion. */
export interface LogReader {
  /** The bytes at `checkpoint`, `tile/0/000`, `vkey`…; undefined when there is nothing. Fails as `log_unreachable`, `log_forbidden`. */
  read(path: string): Promise<Buffer | undefined>;
}

/** Reads a folder, such as an export or a mirror's. */
export const folderReader = (folder: string): LogReader => ({
  read: (path) =>
    readFile(join(folder, path)).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined;
      throw new Failure('log_unreachable', `${join(folder, path)} cannot be read`, { cause: error });
    }),
});

/** Reads a tile or bundle, or cuts it out of the full one: C2SP lets a log remove what is not full once it is. */
const readTile = async <T>(
  reader: LogReader,
  address: TileAddress,
  parse: (bytes: Buffer, width: number) => T[] | undefined,
): Promise<T[] | undefined> => {
  const exact = await reader.read(`tile/${writeTilePath(address)}`);
  if (exact) return parse(exact, address.width);
  if (address.width === TILE_WIDTH) return undefined;
  const full = await reader.read(`tile/${writeTilePath({ ...address, width: TILE_WIDTH })}`);
  return full && parse(full, TILE_WIDTH)?.slice(0, address.width);
};

const readHashes = (bytes: Buffer, width: number): Buffer[] | undefined =>
  bytes.length === 32 * width ? Array.from({ length: width }, (_, i) => bytes.subarray(32 * i, 32 * i + 32)) : undefined;

/** The hashes of tile `n` of `level` as the tree of `size` leaves has it; undefined when they are not there, or not as many. */
export const readTileHashes = (reader: LogReader, size: number, level: number, n: number): Promise<Buffer[] | undefined> =>
  readTile(reader, { level, n, width: tileWidth(size, level, n) }, readHashes);

/** The leaves of bundle `n`, likewise. */
export const readLeaves = (reader: LogReader, size: number, n: number): Promise<Buffer[] | undefined> =>
  readTile(reader, { level: 'entries', n, width: tileWidth(size, 'entries', n) }, readBundle);

/** The hashes of the tree of `size` leaves, as the reader has them. Fails as `log_tile_missing`. */
export const readerHashes = (reader: LogReader, size: number): HashSource => ({
  async hashes(level, from, count) {
    const hashes: Buffer[] = [];
    for (let n = Math.floor(from / TILE_WIDTH); n * TILE_WIDTH < from + count; n++) {
      const tile = await readTileHashes(reader, size, level, n);
      if (!tile) throw new Failure('log_tile_missing', `tile ${n} of level ${level} is missing, or is not one`);
      hashes.push(...tile.slice(Math.max(from - n * TILE_WIDTH, 0), from + count - n * TILE_WIDTH));
    }
    if (hashes.length !== count) throw new Failure('log_tile_missing', `level ${level}, from ${from}: ${hashes.length} hashes instead of ${count}`);
    return hashes;
  },
});

/** Loads run this far ahead of the one that is waited for. */
const AHEAD = 4;

/** Gives what `load` makes of each number, in order, the next ones being loaded meanwhile. A failure is met at its turn. */
export async function* inOrder<T>(from: number, to: number, load: (n: number) => Promise<T>): AsyncGenerator<[n: number, loaded: T]> {
  const ahead: Promise<T>[] = [];
  try {
    for (let n = from; n < to; n++) {
      for (let next = n + ahead.length; ahead.length < AHEAD && next < to; next++) {
        const loading = load(next);
        loading.catch(() => undefined);
        ahead.push(loading);
      }
      const first = ahead.shift();
      if (first) yield [n, await first];
    }
  } finally {
    await Promise.allSettled(ahead);
  }
}
