import type { JSX } from 'hono/jsx/jsx-runtime';
import { type Lang, t } from '../i18n/language.ts';
import { namedOrganisation } from '../i18n/names.ts';
import { templateWords } from '../i18n/templates.ts';
import { type Frame, Layout } from './layout.tsx';
import { type Block, type MandateTextData, mandateBlocks } from './mandate-blocks.ts';
import { Blocks } from './mandate-text.tsx';
import { Actions, Alert, ButtonLink } from './parts.tsx';

/** What a sheet says beside the mandate's text, which carries its reference. */
export interface SheetData {
  readonly aidant: string;
  /** In groups, as it is compared. */
  readonly hash: string;
}

/** The mandate's own text, with other words where it would say that nobody has signed it yet. */
export const sheetText = (data: MandateTextData, lang: Lang, signing: string): Block[] => {
  const { unsigned } = templateWords(data.template, lang);
  return mandateBlocks(data, lang).map((block) => (block.kind === 'text' && block.text === unsigned ? { kind: 'text', text: signing } : block));
};

/** The sheet: the mandate's own text, then room for two signatures. Page and PDF are written from these pieces. */
export const sheetBlocks = (data: MandateTextData, sheet: SheetData, lang: Lang): Block[] => {
  const words = t(lang).paper.print;
  const lines = [words.place, words.date, words.signature];
  return [
    ...sheetText(data, lang, words.intro),
    { kind: 'signature', label: words.person(data.person?.name ?? ''), lines },
    { kind: 'signature', label: words.aidant(sheet.aidant, namedOrganisation(data.organisation.name, lang)), lines },
    { kind: 'text', text: words.unseen, tone: 'soft' },
    { kind: 'text', text: words.hash(sheet.hash), tone: 'small' },
  ];
};

interface PrintProps {
  readonly frame: Frame;
  readonly data: MandateTextData;
  readonly sheet: SheetData;
  readonly pdfHref: string;
  readonly backHref: string;
}

/** The sheet alone on its page, to print and sign. */
export const PaperPrintPage = ({ frame, data, sheet, pdfHref, backHref }: PrintProps): JSX.Element => {
  const words = t(frame.lang);
  return (
    <Layout {...frame} title={words.paper.sheet.title} width="narrow">
      <article class="mandate" id="paper-sheet">
        <Blocks blocks={sheetBlocks(data, sheet, frame.lang)} titleAs="h1" />
      </article>
      <div class="no-print">
        <Alert>
          <p>{words.shared.printHint}</p>
        </Alert>
        <Actions>
          <ButtonLink href={pdfHref} id="paper-pdf">
            {words.paper.sheet.pdf}
          </ButtonLink>
          <ButtonLink kind="secondary" href={backHref} id="back">
            {words.shared.back}
          </ButtonLink>
        </Actions>
      </div>
    </Layout>
  );
};
