import { type EventType, KINDS, PARTIES } from '../../journal/event.ts';
import type { ProvedEntry } from '../../journal/journal.ts';
import { type OpenBox, type Shown, show } from '../../journal/payload.ts';
import { type View, type VisibleEntry, visibleTo } from '../../journal/visible.ts';
import { canonical, type Json } from '../../kernel/canonical.ts';
import type { Lang } from '../i18n/language.ts';
import { sentence } from '../i18n/sentence.ts';

/** A box as it is shown: its fields in the order of their names, of some of them the digest alone; or its own digest; or nothing, once it was erased. */
export type BoxJson = readonly Shown[] | { readonly digest: string } | null;

interface LeafJson {
  /** SHA-256(0x00 ‖ `bytes`), base64url. */
  readonly hash: string;
  readonly bytes: string;
}

/**
 * An entry as our APIs and files write it: what its reader may see, and all that checks it. The commitment in the leaf (`c`) is that of both boxes of
 * `sealed` (journal/payload.ts); `proof` is where the path from the leaf to a signed root is.
 */
export interface EntryJson extends Omit<VisibleEntry, 'at' | 'leaf' | 'eventId'> {
  readonly at: string;
  readonly event: string;
  readonly leaf: LeafJson;
  readonly sealed: { readonly subject: BoxJson; readonly actor: BoxJson };
  readonly proof: string;
  /** Her number in the person's own count, from 1, of which one tag of the leaf is made. */
  readonly number?: number;
  /** What the person reads, in her language. */
  readonly says?: string;
}

const proofOf = (index: number): string => `/api/v1/journal/proof/${index}`;
const leafOf = (entry: ProvedEntry): LeafJson => ({ hash: entry.leaf, bytes: entry.leafText });

/** Says of which fields the value is given as it was sealed: what is left out, or replaced by a pseudonym, is a digest. */
const mayShow =
  (entry: ProvedEntry, seen: VisibleEntry) =>
  (name: string): boolean => {
    const party = PARTIES.find((each) => each === name);
    if (party) return seen[party] !== undefined && seen[party] === entry[party];
    const member = name.replace(/^detail\./, '');
    const given = seen.detail?.[member];
    const held = entry.detail && new Map<string, unknown>(Object.entries(entry.detail)).get(member);
    // Both were read from a box: JSON.
    return given !== undefined && held !== undefined && canonical(given as Json) === canonical(held as Json);
  };

const boxJson = (own: OpenBox | undefined, other: OpenBox | undefined, may: (name: string) => boolean): BoxJson =>
  own ? show(own, may) : other ? { digest: other.other.toString('base64url') } : null;

/** Both boxes as this reader may see them. */
export const sealedJson = (entry: ProvedEntry, seen: VisibleEntry): EntryJson['sealed'] => {
  const may = mayShow(entry, seen);
  const { subject, actor } = entry.boxes;
  return { subject: boxJson(subject, actor, may), actor: boxJson(actor, subject, may) };
};

/** Undefined for an entry that this reader has no row for. */
export const entryJson = (view: View, entry: ProvedEntry, lang: Lang): EntryJson | undefined => {
  const seen = visibleTo(view, entry);
  if (!seen) return undefined;
  const { at, leaf, eventId, ...rest } = seen;
  const said = view.who === 'usager' ? sentence(entry, lang) : undefined;
  return {
    ...rest,
    at: at.toISOString(),
    event: eventId,
    ...(said ? { says: [said.strong, said.text, said.badge?.word, said.reference].filter(Boolean).join(' ') } : {}),
    ...(entry.numbers[view.who] === undefined ? {} : { number: entry.numbers[view.who] as number }),
    leaf: leafOf(entry),
    sealed: sealedJson(entry, seen),
    proof: proofOf(entry.index),
  };
};

/** Kinds that wait for somebody else's word before their subject learns of them: an authority's, or the opérateur's who looks at a sign-in. */
export const WITHHELD: readonly EventType[] = ['hold.placed', 'hold.lifted', 'usager.drifted'];

/** An entry of a kind that its subject does not read: that it exists, and why. Undefined for one of which nothing may be said yet. */
export const hiddenJson = (entry: ProvedEntry) =>
  WITHHELD.includes(entry.type)
    ? undefined
    : {
        index: entry.index,
        at: entry.at.toISOString(),
        type: entry.type,
        ...(entry.numbers.usager === undefined ? {} : { number: entry.numbers.usager }),
        leaf: leafOf(entry),
        proof: proofOf(entry.index),
        why: String(KINDS[entry.type].shown),
      };

/** Divides a person's entries into those that she reads and those that she does not. */
export const ownJson = (usager: string, entries: readonly ProvedEntry[], lang: Lang) => ({
  entries: entries.flatMap((entry) => entryJson({ who: 'usager', id: usager }, entry, lang) ?? []),
  not_shown: entries.flatMap((entry) => (KINDS[entry.type].shown === true ? [] : (hiddenJson(entry) ?? []))),
});
