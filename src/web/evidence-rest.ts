import type { View } from '../journal/visible.ts';
import { createNodes, type EntryEvidence, isWithheld, proofs, type Span } from './evidence.ts';
import type { Site } from './site.ts';

/** Leaves of a party that did not come with a page: nothing of what is sealed. */
interface EvidencePart {
  readonly nodes: readonly string[];
  /** Newest first. */
  readonly entries: readonly EntryEvidence[];
  readonly withheld: readonly number[];
  /** Others are left below this index. */
  readonly below?: number;
}

const AT_ONCE = 500;

/** Reads which leaves are asked for: indices and a size of the tree. Undefined for what is none. */
export const readSpan = (asked: (name: string) => string | undefined): Span | undefined => {
  const [from, before, size] = ['de', 'avant', 'taille'].map((name) => (/^\d{1,15}$/.test(asked(name) ?? '') ? Number(asked(name)) : undefined));
  return from === undefined || before === undefined || size === undefined ? undefined : { from, before, size };
};
export const writeSpan = ({ from, before, size }: Span): string => `de=${from}&avant=${before}&taille=${size}`;

/** One part of a party's leaves from an index up to below another, with their proofs in the tree of `size`, which a signed checkpoint covers. */
export const restOf = async (site: Site, { who, id }: View, { from, before, size }: Span): Promise<EvidencePart> => {
  const { leaves } = await site.evidence.leaves(site.transactions.auto, who, id, { from, to: before - 1 }, AT_ONCE + 1);
  const part = leaves.slice(0, AT_ONCE);
  const shown = part.filter((leaf) => !isWithheld(leaf));
  const covered = shown.flatMap(({ index }) => (index < size ? [index] : []));
  const { paths } = await proofs(site, covered, size, undefined);
  const nodes = createNodes();
  const entries = shown.map(({ index, number, text = '', boxes }) => {
    const path = paths.get(index);
    return { index, bytes: text, number, boxes, ...(path ? { path: path.map(nodes.place) } : {}) };
  });
  const last = part.at(-1);
  return {
    nodes: nodes.all(),
    entries,
    withheld: part.flatMap((leaf) => (isWithheld(leaf) ? [leaf.number] : [])),
    ...(leaves.length > AT_ONCE && last ? { below: last.index } : {}),
  };
};
