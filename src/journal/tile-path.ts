import { TILE_WIDTH } from './tree.ts';

/** Addresses of C2SP tlog-tiles: `tile/<L>/<N>[.p/<W>]` for hashes, `tile/entries/<N>[.p/<W>]` for bundles of leaves. */

export interface TileAddress {
  /** 0 holds the hashes of leaves, L the roots of the full tiles of L - 1. */
  readonly level: number | 'entries';
  readonly n: number;
  /** How many hashes or leaves: 1 to 256, which is full. */
  readonly width: number;
}

/** Writes the number of a tile: groups of three digits, each but the last after an `x`. */
const writeNumber = (n: number): string => {
  const groups = [String(n % 1000).padStart(3, '0')];
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  return groups.join('/');
};

/** Writes an address: `0/x001/x234/067.p/8`, `entries/003`. */
export const writeTilePath = ({ level, n, width }: TileAddress): string => `${level}/${writeNumber(n)}${width === TILE_WIDTH ? '' : `.p/${width}`}`;

const ADDRESS = /^(entries|0|[1-9]|[1-5][0-9]|6[0-3])\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/;

/** Reads an address, in its only form; undefined for anything else. */
export const readTilePath = (path: string): TileAddress | undefined => {
  const [, level = '', number = '', partial] = ADDRESS.exec(path) ?? [];
  const n = Number(number.replaceAll(/[x/]/g, ''));
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  if (!level || !Number.isSafeInteger(n) || (partial !== undefined && width >= TILE_WIDTH)) return undefined;
  const address = { level: level === 'entries' ? ('entries' as const) : Number(level), n, width };
  return writeTilePath(address) === path ? address : undefined; // a leading `x000` would be a second name
};

/** How many hashes (or leaves) tile `n` of `level` holds in a tree of `size` leaves: 0 when it is not begun. */
export const tileWidth = (size: number, level: number | 'entries', n: number): number => {
  const hashes = Math.floor(size / TILE_WIDTH ** (level === 'entries' ? 0 : level));
  return Math.max(0, Math.min(TILE_WIDTH, hashes - n * TILE_WIDTH));
};

/** The tiles of hashes at the right edge of a tree of `size` leaves that are not full, lowest first. */
export const partialTiles = (size: number): TileAddress[] => {
  const partial: TileAddress[] = [];
  for (let level = 0; TILE_WIDTH ** level <= size; level++) {
    const hashes = Math.floor(size / TILE_WIDTH ** level);
    if (hashes % TILE_WIDTH) partial.push({ level, n: Math.floor(hashes / TILE_WIDTH), width: hashes % TILE_WIDTH });
  }
  return partial;
};

/** Writes a bundle: each leaf after its length, two bytes, the greater first. */
export const writeBundle = (leaves: readonly Buffer[]): Buffer =>
  Buffer.concat(
    leaves.flatMap((leaf) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(leaf.length);
      return [length, leaf];
    }),
  );

/** Reads a bundle of exactly `width` leaves; undefined when it is anything else. */
export const readBundle = (bundle: Buffer, width: number): Buffer[] | undefined => {
  const leaves: Buffer[] = [];
  let at = 0;
  while (at + 2 <= bundle.length && leaves.length < width) {
    const end = at + 2 + bundle.readUInt16BE(at);
    if (end > bundle.length) return undefined;
    leaves.push(bundle.subarray(at + 2, end));
    at = end;
  }
  return at === bundle.length && leaves.length === width ? leaves : undefined;
};
