import { type EventType, KINDS } from '../../journal/event.ts';
import type { StoredEntry } from '../../journal/journal.ts';
import { type View, type VisibleEntry, visibleTo } from '../../journal/visible.ts';
import type { Lang } from '../i18n/language.ts';
import { sentence } from '../i18n/sentence.ts';

/** An entry as our APIs and files write it: what its reader may see, and the leaf that anybody checks: SHA-256(0x00 ‖ `leaf.bytes`) is `leaf.hash`, base64url. */
export interface EntryJson extends Omit<VisibleEntry, 'at' | 'leaf' | 'eventId'> {
  readonly at: string;
  readonly event: string;
  readonly leaf: { readonly hash: string; readonly bytes?: string };
  /** What the person reads, in her language. */
  readonly says?: string;
}

/** Undefined for an entry that this reader has no row for. `leaves` are the bytes of leaves, by index. */
export const entryJson = (view: View, entry: StoredEntry, leaves: ReadonlyMap<number, string>, lang: Lang): EntryJson | undefined => {
  const seen = visibleTo(view, entry);
  if (!seen) return undefined;
  const { at, leaf, eventId, ...rest } = seen;
  const said = view.who === 'usager' ? sentence(entry, lang) : undefined;
  const bytes = leaves.get(entry.index);
  return {
    ...rest,
    at: at.toISOString(),
    event: eventId,
    leaf: { hash: leaf, ...(bytes === undefined ? {} : { bytes }) },
    ...(said ? { says: [said.strong, said.text, said.badge?.word, said.reference].filter(Boolean).join(' ') } : {}),
  };
};

/** An entry of a kind that its subject does not read: that it exists, and why. */
export const hiddenJson = (entry: StoredEntry): { index: number; at: string; type: EventType; leaf: { hash: string }; why: string } => ({
  index: entry.index,
  at: entry.at.toISOString(),
  type: entry.type,
  leaf: { hash: entry.leaf },
  why: String(KINDS[entry.type].shown),
});
