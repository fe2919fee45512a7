import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Frame } from '../../src/web/views/layout.tsx';
import type { Post } from '../../src/web/views/parts.tsx';
import { StructureJournalPage, type StructureRow } from '../../src/web/views/structure.tsx';
import type { Text } from './views-entries.ts';

interface Given {
  readonly aidant: Frame;
  readonly post: (action: string) => Post;
}

const LONG = 'Marie-Antoinette-Philippine-Wilhelmine de La Rochefoucauld-Montmorency-Saint-Amand-les-Eaux';

/** The référent's journal, by name. */
export const structureSamples = (text: Text, { aidant, post }: Given): Record<string, JSX.Element> => {
  const row: StructureRow = {
    index: 4711,
    at: new Date('2026-03-03T13:32:08Z'),
    type: 'action.reported',
    aidant: text('Karim'),
    person: text(`Madame ${LONG}`),
    mandate: { reference: text('M-7K4Q-2F9D'), href: '/aidant/mandats/man_1' },
    site: text('Caisse d’allocations familiales de la Charente-Maritime'),
    theme: 'logement',
    session: text('dls_01jx5a9n3m8c4t0r7v2b6k1w9q'),
  };
  const shared = {
    frame: aidant,
    post: post('/aidant/journal'),
    organisation: text('Mairie de Thénac'),
    values: { reason: text('point du mois avec l’équipe') },
    aidants: [[text('aid_1'), text('Karim Benali')]] as const,
    services: [[text('caf'), text('CAF')]] as const,
    themes: ['logement', 'famille'],
    backHref: '/aidant',
  };
  const { person: _, ...ended } = row;
  return {
    'structure-start': <StructureJournalPage {...shared} values={{}} errors={[{ field: 'reason', code: 'reason_required' }]} />,
    'structure-results': (
      <StructureJournalPage
        {...shared}
        results={{
          rows: [
            row,
            { ...ended, index: 4709, type: 'session.opened' },
            { index: 4700, at: row.at, type: 'action.contested', aidant: text('Karim'), about: 4690 },
            { index: 4698, at: row.at, type: 'aidant.habilitated' },
            { index: 4697, at: row.at, type: 'mandate.ended', erased: new Date('2031-03-03T13:32:08Z') },
          ],
          previous: post('/aidant/journal'),
          next: post('/aidant/journal'),
        }}
      />
    ),
    'structure-empty': <StructureJournalPage {...shared} results={{ rows: [] }} />,
  };
};
