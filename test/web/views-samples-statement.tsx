import type { JSX } from 'hono/jsx/jsx-runtime';
import { checkOf, numberOf, type Sheet } from '../../src/actions/statement.ts';
import type { Lang } from '../../src/web/i18n/language.ts';
import { sentence } from '../../src/web/i18n/sentence.ts';
import { periodsOf } from '../../src/web/period.ts';
import { ExportsPage } from '../../src/web/views/exports.tsx';
import type { Frame } from '../../src/web/views/layout.tsx';
import type { Post } from '../../src/web/views/parts.tsx';
import { StatementPage } from '../../src/web/views/statement.tsx';
import { StatementCheckPage, StatementVerdictPage } from '../../src/web/views/statement-check.tsx';
import { sampleEntries, type Text } from './views-entries.ts';

interface Given {
  readonly open: Frame;
  readonly usager: Frame;
  readonly agent: Frame;
  readonly post: (action: string) => Post;
  readonly now: Date;
  /** Drawn by our own program: never escaped. */
  readonly qrSvg: string;
}

/** The sheets of a statement that holds every sample entry. */
export const sampleSheets = (text: Text, lang: Lang, made: Date): Sheet[] => {
  const lines = sampleEntries(text)
    .reverse()
    .flatMap((entry) => {
      const said = sentence(entry, lang);
      return said === undefined ? [] : [{ index: entry.index, at: entry.at, said: `${said.strong} ${said.text}`, check: checkOf(entry.leaf) }];
    });
  const subject = { log: 'journal.relais.example/4f0c2a91', person: text('Madame Colette Martin'), from: '2025-12-01', to: '2026-03-03' };
  const cut = Array.from({ length: Math.ceil(lines.length / 4) }, (_, i) => lines.slice(4 * i, 4 * i + 4)); // whatever the length of the texts
  const head = {
    ...subject,
    size: 4790,
    root: 'q5Wc0m2VbFvY1m4mPqJz9tI7sL3uX8nEwKZrT6yHdaA',
    made,
    number: numberOf({ ...subject, rows: lines }),
    sheets: cut.length,
    lines: lines.length,
  };
  return cut.map((rows, i) => ({ ...head, sheet: i + 1, rows }));
};

/** The pages of the statement and of its verification, by name. */
export const statementSamples = (lang: Lang, text: Text, { open, usager, agent, post, now, qrSvg }: Given): Record<string, JSX.Element> => {
  const sheets = sampleSheets(text, lang, now);
  const [first, ...others] = sheets;
  if (!first) throw new Error('no sample entry has a sentence');
  const page = {
    frame: usager,
    periods: periodsOf(now, lang),
    period: 'derniers-mois',
    pdf: post('/usager/releve.pdf'),
    data: post('/usager/mes-donnees'),
    backHref: '/x',
  };
  const paper = { head: first, sealedAt: now, checkUrl: 'https://relais.example/verifier/releve', helpNumber: text('0 800 00 00 00') };
  const draw = (sheet: Sheet) => ({ sheet, sealed: 'https://relais.example/verifier/releve#ABCDEF', qrSvg });
  const card = {
    at: now,
    by: text('Nora Lefèvre'),
    reason: text('audit annuel des aides au logement'),
    filters: [text('2026-01-01'), text('2026-03-01'), text('logement')],
    entries: 4120,
    persons: 1530,
  };
  const check = { frame: open, post: post('/verifier/releve') };
  return {
    statement: <StatementPage {...page} paper={paper} sheets={[first, ...others].slice(0, 3).map(draw)} next="/x" />,
    'statement-last': <StatementPage {...page} paper={paper} sheets={others.slice(-1).map(draw)} previous="/x" />,
    'statement-empty': <StatementPage {...page} paper={{ ...paper, head: { ...first, lines: 0, sheets: 0 } }} sheets={[]} />,
    'statement-late': <StatementPage {...page} none="late" />,
    'statement-too-many': <StatementPage {...page} period="tout" none="too_many" most={2000} />,
    'statement-check': <StatementCheckPage {...check} />,
    'statement-check-error': <StatementCheckPage {...check} errors={[{ field: 'texte', code: 'statement_text' }]} />,
    'statement-genuine': <StatementVerdictPage frame={open} verdict={{ kind: 'genuine', sheets: [first, ...others], missing: [] }} />,
    'statement-genuine-part': (
      <StatementVerdictPage frame={open} verdict={{ kind: 'genuine', sheets: [first], missing: others.map((each) => each.sheet) }} />
    ),
    'statement-altered': <StatementVerdictPage frame={open} verdict={{ kind: 'altered' }} />,
    'exports-none': <ExportsPage frame={agent} cards={[]} backHref="/x" />,
    exports: (
      <ExportsPage
        frame={agent}
        cards={[
          { ...card, id: 'exp_1', mine: false, approved: false, approve: post('/x') },
          { ...card, id: 'exp_2', mine: true, approved: false, filters: [] },
          { ...card, id: 'exp_3', mine: true, approved: true, take: post('/x') },
        ]}
        backHref="/x"
      />
    ),
    'statement-mixed': <StatementVerdictPage frame={open} verdict={{ kind: 'mixed' }} />,
  };
};
