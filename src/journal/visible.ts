import { type EventType, KINDS, type Kind, PARTIES, PARTY_VIEWS, type Parties } from './event.ts';
import type { StoredEntry } from './journal.ts';
import type { Field, Viewer } from './schema.ts';

/** Three views of one truth (journal.md §2): what of an entry each of them may be shown, as the closed set says (event.ts). */

export type View =
  | { readonly who: 'usager'; readonly id: string }
  /** `pseudonym`: the aidant's, pairwise per service; undefined hides the aidant. */
  | { readonly who: 'administration'; readonly id: string; readonly pseudonym: (aidant: string, service: string) => string | undefined }
  /** `helps`: whether a mandate of this person with the organisation lives now. */
  | { readonly who: 'organisation'; readonly id: string; readonly helps: (usager: string) => boolean };

/** What a view sees of an entry. `aidant` is a pseudonym for an administration; `detail` is null when the box no longer opens. */
export interface VisibleEntry extends Parties {
  readonly index: number;
  readonly eventId: string;
  readonly at: Date;
  readonly type: EventType;
  readonly leaf: string;
  readonly detail: Readonly<Record<string, unknown>> | null;
}

const isSeen = (who: Viewer, kind: Kind): boolean => (who === 'usager' ? kind.shown === true : kind.readers.includes(who));

const perViewer = <T>(make: (who: Viewer) => T): { readonly [W in Viewer]: T } => ({
  usager: make('usager'),
  administration: make('administration'),
  organisation: make('organisation'),
});

/** The kinds that each view has rows for: what it asks the journal for. */
export const KINDS_SEEN: { readonly [W in Viewer]: readonly EventType[] } = perViewer((who) =>
  (Object.keys(KINDS) as EventType[]).filter((type) => isSeen(who, KINDS[type])),
);

type Shown = readonly (readonly [name: string, field: Field])[];
const DETAILS = perViewer(
  (who): ReadonlyMap<EventType, Shown> =>
    new Map(KINDS_SEEN[who].map((type) => [type, Object.entries<Field>(KINDS[type].detail).filter(([, field]) => field.seen.includes(who))])),
);
const PARTIES_SEEN = perViewer((who) => PARTIES.filter((party) => (PARTY_VIEWS[party] as readonly Viewer[]).includes(who)));

const DECIDERS: Readonly<Record<string, string>> = {
  aid: 'aidant',
  agt: 'administration',
  adm: 'administration',
  opr: 'operateur',
  org: 'organisation',
  usg: 'usager',
};
const STAFF_ID = /^(aid|agt|opr)_/;
/** Says what kind of person decided, and not who: `opr_…` is `operateur`. */
const decider = (value: unknown): unknown => (typeof value === 'string' ? (DECIDERS[value.split('_')[0] ?? ''] ?? value) : value);

const partyOf = (view: View, entry: StoredEntry, party: keyof Parties): string | undefined => {
  const value = entry[party];
  if (value === undefined) return undefined;
  if (party === 'aidant' && view.who === 'administration') return entry.service === undefined ? undefined : view.pseudonym(value, entry.service);
  if (party === 'outcome' && STAFF_ID.test(value)) return undefined; // whom a decision was about (aidants.ts)
  if (party === 'usager' && view.who === 'organisation') return view.helps(value) ? value : undefined;
  return value;
};

/** Keeps of an entry what `view` may see. Undefined when the entry is not one of theirs, or of a kind that they have no row for. */
export const visibleTo = (view: View, entry: StoredEntry): VisibleEntry | undefined => {
  const shown = DETAILS[view.who].get(entry.type);
  if (!shown || entry[view.who] !== view.id) return undefined;
  const held = entry.detail && new Map<string, unknown>(Object.entries(entry.detail));
  return {
    ...Object.fromEntries(
      PARTIES_SEEN[view.who].flatMap((party) => {
        const value = partyOf(view, entry, party);
        return value === undefined ? [] : [[party, value]];
      }),
    ),
    index: entry.index,
    eventId: entry.eventId,
    at: entry.at,
    type: entry.type,
    leaf: entry.leaf,
    detail:
      held &&
      Object.fromEntries(
        shown.flatMap(([name, { shape }]) => {
          const value = held.get(name);
          return value === undefined ? [] : [[name, shape.is === 'decider' ? decider(value) : value]];
        }),
      ),
  };
};
