import { printedCheck, printedNumber, type Sheet, type StatementHead, type StatementLine } from '../../actions/statement.ts';
import { startOfDay } from '../../kernel/calendar.ts';
import { dayAndTime, plainDay } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import type { Block } from './mandate-blocks.ts';

/** What the paper says beside what is signed on its sheets. */
export interface StatementPaper {
  readonly head: StatementHead;
  /** When the journal was signed. */
  readonly sealedAt: Date;
  /** Address in full of the page that checks a sheet. */
  readonly checkUrl: string;
  readonly helpNumber: string;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** The words of a line as they stand on paper: when, what, and what names it in the journal. */
export const printedLine = (row: StatementLine, lang: Lang): { readonly at: string; readonly said: string; readonly under: string } => ({
  at: capital(dayAndTime(row.at, lang)),
  said: row.said,
  under: t(lang).statement.line(row.index, printedCheck(row.check)),
});

/** « du 1er septembre 2026 au 22 novembre 2026 ». */
export const printedPeriod = ({ from, to }: Pick<StatementHead, 'from' | 'to'>, lang: Lang): string =>
  t(lang).statement.period(plainDay(startOfDay(from), lang), plainDay(startOfDay(to), lang));

/** The first page: what this is, of whom, how to check it, what to do when it is wrong. */
export const coverBlocks = ({ head, sealedAt, checkUrl, helpNumber }: StatementPaper, lang: Lang): Block[] => {
  const words = t(lang).statement;
  const { rows } = words;
  const text = (value: string): Block => ({ kind: 'text', text: value });
  return [
    { kind: 'title', text: words.heading },
    {
      kind: 'table',
      caption: words.caption,
      rows: [
        [rows.person, head.person],
        [rows.period, printedPeriod(head, lang)],
        [rows.lines, words.lines(head.lines, head.sheets)],
        [rows.made, words.made(dayAndTime(head.made, lang))],
        [rows.number, printedNumber(head.number)],
        [rows.sealed, words.sealedAt(dayAndTime(sealedAt, lang), head.size)],
      ],
    },
    { kind: 'section', text: words.howTitle },
    ...words.how.map(text),
    text(words.howAddress(checkUrl)),
    { kind: 'section', text: words.disagreeTitle },
    text(words.disagree(helpNumber)),
  ];
};

/** One sheet: its lines, and the QR code that holds them. `sealed` is the text of that code. */
export const sheetBlocksOf = (sheet: Sheet, sealed: string, lang: Lang): Block[] => {
  const words = t(lang).statement;
  const title = words.sheet(sheet.sheet, sheet.sheets);
  return [
    { kind: 'section', text: title },
    { kind: 'text', text: `${sheet.person}, ${printedPeriod(sheet, lang)}`, tone: 'soft' },
    { kind: 'lines', items: sheet.rows.map((row) => ({ ...printedLine(row, lang), index: row.index, instant: row.at })) },
    { kind: 'qr', url: sealed, alternative: words.qr(sheet.sheet, sheet.sheets), dense: true },
    { kind: 'text', text: words.qrNote(printedNumber(sheet.number), title), tone: 'small' },
  ];
};
