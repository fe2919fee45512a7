import { type EventType, KINDS } from '../../journal/event.ts';
import type { Filter, StoredEntry } from '../../journal/journal.ts';
import type { UsagerId } from '../../kernel/ids.ts';
import type { Site } from '../site.ts';

/** The kinds of entries that a person reads. */
export const SHOWN = (Object.keys(KINDS) as EventType[]).filter((type) => KINDS[type].shown === true);

/** What the journal gives at most in one reading. */
const AT_ONCE = 500;

/** Everything that a person's page shows of a period, newest first, up to `most` entries. */
export const ownEntries = async (
  site: Site,
  usager: UsagerId,
  filter: Pick<Filter, 'from' | 'until' | 'before'>,
  most: number,
): Promise<StoredEntry[]> => {
  const found: StoredEntry[] = [];
  for (let before = filter.before; found.length < most; before = found.at(-1)?.index) {
    const limit = Math.min(AT_ONCE, most - found.length);
    const more = await site.journal.read(site.transactions.auto, {
      usager,
      types: SHOWN,
      limit,
      ...(filter.from ? { from: filter.from } : {}),
      ...(filter.until ? { until: filter.until } : {}),
      ...(before === undefined ? {} : { before }),
    });
    found.push(...more);
    if (more.length < limit) break;
  }
  return found;
};

/** Sessions, among these entries, of which the service said nothing. */
export const silentAmong = (site: Site, entries: readonly StoredEntry[]): Promise<Set<string>> =>
  site.withoutReport(entries.flatMap((entry) => (entry.type === 'session.opened' && entry.session ? [entry.session] : [])));
