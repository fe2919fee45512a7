import type { Details, EventType } from '../../journal/event.ts';
import type { StoredEntry } from '../../journal/journal.ts';
import type { Mandate } from '../../mandates/mandate.ts';
import { type Evidence, evidenceOf } from '../evidence.ts';
import type { Lang } from '../i18n/language.ts';
import { t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { sentence } from '../i18n/sentence.ts';
import type { Site } from '../site.ts';
import type { EndLine } from '../views/receipt.tsx';

/** Kinds that end a mandate, or a theme of it. */
export const ENDS = ['mandate.revoked', 'mandate.renounced', 'mandate.replaced', 'mandate.ended'] as const satisfies readonly EventType[];

const list = (value: unknown): string[] => (Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : []);

/** Who ended it, as the structure reads it: never how, nor where, the person did. */
const whoEnded = (entry: StoredEntry, lang: Lang): string => {
  const words = t(lang);
  const { by = 'other' } = (entry.detail ?? {}) as Partial<Details['mandate.revoked']>;
  const names = words.ending.receipt.by;
  if (entry.type === 'mandate.renounced') return names['aidant'] ?? '';
  if (entry.type === 'mandate.revoked') return lookUp(names, by === 'usager' ? by : 'operateur') ?? '';
  const { reason = 'replaced' } = (entry.detail ?? {}) as Partial<Details['mandate.ended']>;
  return lookUp(words.journal.endReasons, reason) ?? names['other'] ?? '';
};

const line = (entry: StoredEntry, reader: 'person' | 'structure', lang: Lang): EndLine => {
  const detail = (entry.detail ?? {}) as { readonly themes?: unknown; readonly theme?: unknown; readonly left?: unknown };
  const said = reader === 'person' ? sentence(entry, lang) : undefined;
  return {
    at: entry.at,
    who: said ? `${said.strong} ${said.text}` : whoEnded(entry, lang),
    themes: typeof detail.theme === 'string' ? [detail.theme] : list(detail.themes),
    left: list(detail.left),
    index: entry.index,
    leaf: entry.leaf,
  };
};

/** What lets whoever reads check these ends: the person, or somebody of the structure, who is not the structure. */
const evidenceOfEnds = async (
  site: Site,
  mandate: Mandate,
  reader: 'person' | 'structure',
  lang: Lang,
  ends: readonly StoredEntry[],
): Promise<Evidence | undefined> => {
  if (!ends.length) return undefined;
  const indices = ends.map(({ index }) => index);
  const lines = await site.journal.prove(site.transactions.auto, { usager: mandate.usagerId, indices, limit: indices.length });
  const path = `mandats/${mandate.id}/recu`;
  return reader === 'person'
    ? evidenceOf(site, { view: { who: 'usager', id: mandate.usagerId }, lines, lang, as: 'receipt', again: `/usager/${path}` })
    : evidenceOf(site, {
        view: { who: 'organisation', id: mandate.organisationId, helps: () => false },
        ...{ lines, lang, as: 'ends', keyless: true, again: `/aidant/${path}` },
      });
};

/** What the receipt of a mandate's end shows. The caller has checked that whoever asks may read the mandate. */
export const receiptOf = async (site: Site, mandate: Mandate, reader: 'person' | 'structure', lang: Lang) => {
  const [entries, told] = await Promise.all([
    site.journal.read(site.transactions.auto, { usager: mandate.usagerId, types: ENDS, limit: 500 }),
    site.tellings(mandate.id),
  ]);
  const ends = entries.filter((entry) => entry.mandate === mandate.id);
  const evidence = await evidenceOfEnds(site, mandate, reader, lang, ends);
  return {
    ...(evidence ? { evidence } : {}),
    reference: mandate.reference,
    organisation: mandate.organisationName,
    person: mandate.usagerName,
    ends: ends.map((entry) => line(entry, reader, lang)),
    services: told.map(({ serviceName, acknowledgedAt }) => ({ name: serviceName, ...(acknowledgedAt ? { knownAt: acknowledgedAt } : {}) })),
    origin: site.origin(),
  };
};
