import { type Role, tagOf } from './keys.ts';

/** Looks for the entries of one party while a log is walked: its tags are 1 to n, each once, in order (journal.md §3.4). */
export interface TagWalk {
  /** Reads the tags of one leaf; what does not hold. */
  take(index: number, tags: readonly Buffer[]): { readonly kind: 'number_gap' | 'tag_altered'; readonly message: string }[];
  /** Indices of the party's entries so far. */
  readonly found: number[];
}

/** How far beyond the next number a tag is still recognised: a longer gap looks like the end. */
const LOOK_AHEAD = 1000;

/** `key`: the key of the party's tags, 32 bytes. */
export const createTagWalk = (key: Buffer, role: Role): TagWalk => {
  const numbers = new Map<string, number>();
  const found: number[] = [];
  let next = 1;
  const learn = (): void => {
    for (let n = numbers.size + 1; n <= next + LOOK_AHEAD; n++) numbers.set(tagOf(key, role, n).toString('base64url'), n);
  };
  learn();
  return {
    found,
    take(index, tags) {
      for (const tag of tags) {
        const n = numbers.get(tag.toString('base64url'));
        if (n === undefined) continue;
        if (n < next) return [{ kind: 'tag_altered', message: `entry ${index}: number ${n} was there before` }];
        const gap = n > next;
        const hidden = n === next + 1 ? `number ${next} is` : `the numbers ${next} to ${n - 1} are`;
        found.push(index);
        next = n + 1;
        learn();
        return gap ? [{ kind: 'number_gap', message: `entry ${index}: ${hidden} not in the log before it: something was hidden` }] : [];
      }
      return [];
    },
  };
};
