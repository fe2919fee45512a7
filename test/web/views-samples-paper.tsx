import type { JSX } from 'hono/jsx/jsx-runtime';
import { endOfMandate } from '../../src/kernel/calendar.ts';
import type { Lang } from '../../src/web/i18n/language.ts';
import type { Frame } from '../../src/web/views/layout.tsx';
import type { MandateTextData } from '../../src/web/views/mandate-blocks.ts';
import { PaperPersonPage, PaperSheetPage } from '../../src/web/views/paper.tsx';
import { PaperPrintPage } from '../../src/web/views/paper-sheet.tsx';
import type { Post } from '../../src/web/views/parts.tsx';
import { WitnessListPage, WitnessPage } from '../../src/web/views/witness.tsx';
import type { Text } from './views-entries.ts';

const NOW = new Date('2026-03-03T13:24:00Z');

interface Given {
  readonly frame: Frame;
  readonly post: (action: string) => Post;
  readonly text: MandateTextData;
  readonly people: readonly { readonly id: string; readonly name: string; readonly birthdate: string }[];
}

/** The pages of consent on paper, by name. */
export const paperSamples = (_lang: Lang, text: Text, { frame, post, text: data, people }: Given): Record<string, JSX.Element> => {
  const who = { frame, post: post('/x'), enter: post('/x/identite'), backHref: '/x', people };
  const dated = { ...data, dates: { from: NOW, endsAt: endOfMandate(NOW, 31) } };
  const sheet = {
    frame,
    person: text('Madame Colette Martin'),
    reference: text('P-7K4Q-2F9D'),
    printHref: '/x',
    pdfHref: '/x',
    selfHref: '/x',
    signHref: '/x',
    otherHref: '/x',
  };
  const witness = {
    frame,
    post: post('/x'),
    person: text('Madame Colette Martin'),
    reference: text('P-7K4Q-2F9D'),
    hash: '9f86 d081 884c 7d65',
    aidant: text('Karim Benali'),
    text: dated,
  };
  return {
    'paper-person': <PaperPersonPage {...who} />,
    'paper-person-nobody': <PaperPersonPage {...who} people={[]} />,
    'paper-person-error': (
      <PaperPersonPage
        {...who}
        typed={{ givenName: text('Colette'), birthdate: text('31/02/1946'), gender: 'female' }}
        errors={[
          { field: 'family-name', code: 'person_name_malformed' },
          { field: 'birthdate', code: 'birthdate_malformed' },
          { field: 'birth-code', code: 'birth_code_malformed' },
        ]}
      />
    ),
    'paper-sheet': <PaperSheetPage {...sheet} state="waiting" copy={{ post: post('/x'), count: 1, readHref: '/x' }} />,
    'paper-sheet-seen': <PaperSheetPage {...sheet} state="seen" witness={text('Inès Moreau')} />,
    'paper-sheet-ended': <PaperSheetPage {...sheet} state="ended" />,
    'paper-print': (
      <PaperPrintPage frame={frame} data={dated} sheet={{ aidant: text('Karim Benali'), hash: '9f86 d081 884c 7d65' }} pdfHref="/x" backHref="/x" />
    ),
    'witness-list': (
      <WitnessListPage
        frame={frame}
        done={text('P-7K4Q-2F9D')}
        sheets={[{ reference: text('P-2F9D-7K4Q'), person: text('Monsieur Jean Petit'), aidant: text('Karim Benali'), at: NOW, href: '/x' }]}
      />
    ),
    'witness-none': <WitnessListPage frame={frame} sheets={[]} />,
    'witness-sheet': <WitnessPage {...witness} passkey="{}" />,
    'witness-sheet-error': (
      <WitnessPage
        {...witness}
        errors={[
          { field: 'seen', code: 'seen_required' },
          { field: 'code', code: 'wrong_code' },
        ]}
      />
    ),
  };
};
