import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Sheet } from '../../actions/statement.ts';
import type { Evidence } from '../evidence.ts';
import { t } from '../i18n/language.ts';
import { EvidenceStatus } from './evidence.tsx';
import { Select } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Blocks } from './mandate-text.tsx';
import { Actions, Alert, Button, ButtonLink, Empty, Pager, type Post, PostForm } from './parts.tsx';
import { PATHS } from './paths.ts';
import { coverBlocks, type StatementPaper, sheetBlocksOf } from './statement-blocks.ts';

interface Drawn {
  readonly sheet: Sheet;
  /** What its QR code says, and the code drawn by our own program. */
  readonly sealed: string;
  readonly qrSvg: string;
}

interface StatementProps {
  readonly frame: Frame;
  readonly periods: readonly (readonly [value: string, label: string])[];
  readonly period: string;
  readonly pdf: Post;
  /** Gives everything that Relais holds on her. */
  readonly data: Post;
  readonly backHref: string;
  /** Why there is no statement. */
  readonly none?: 'late' | 'too_many';
  /** How many lines a statement holds at most. */
  readonly most?: number;
  readonly paper?: StatementPaper;
  /** Those of this page. */
  readonly sheets?: readonly Drawn[];
  /** What lets her browser check their lines. */
  readonly evidence?: Evidence;
  readonly previous?: string;
  readonly next?: string;
}

const Periods = ({ frame, periods, period }: StatementProps): JSX.Element => {
  const words = t(frame.lang).statement;
  return (
    <form method="get" action={PATHS.statement} id="statement-period" class="no-print" novalidate>
      <Select id="periode" label={words.choose} options={periods} value={period} />
      <Actions>
        <Button kind="secondary" id="see-period">
          {words.button}
        </Button>
      </Actions>
    </form>
  );
};

const Why = ({ frame, none, most = 0 }: StatementProps): JSX.Element => {
  const { late, tooMany } = t(frame.lang).statement;
  return (
    <Alert tone="warning" title={none === 'late' ? late.title : tooMany.title}>
      <p>{none === 'late' ? late.text : tooMany.text(most)}</p>
    </Alert>
  );
};

const Download = ({ frame, pdf }: StatementProps): JSX.Element => {
  const words = t(frame.lang).statement;
  return (
    <div class="no-print">
      <p>{words.pdfNote}</p>
      <p class="soft">{words.sealed}</p>
      <PostForm post={pdf} id="statement-pdf">
        <Actions>
          <Button id="download-statement">{words.pdf}</Button>
        </Actions>
      </PostForm>
    </div>
  );
};

/** The statement of a period: what it says on its first page, then its sheets as they are printed. */
export const StatementPage = (props: StatementProps): JSX.Element => {
  const { frame, paper, sheets = [], none, evidence } = props;
  const { lang } = frame;
  const words = t(lang).statement;
  const [first] = sheets;
  const last = sheets.at(-1);
  return (
    <Layout {...frame} title={words.title} width="narrow" checks={evidence !== undefined}>
      <div class="no-print">
        <h1>{words.title}</h1>
        <p class="lead">{words.intro}</p>
      </div>
      <Periods {...props} />
      {none === undefined ? null : <Why {...props} />}
      {paper === undefined ? null : (
        <>
          {first === undefined ? (
            <Empty title={words.empty.title}>
              <p>{words.empty.text}</p>
            </Empty>
          ) : null}
          <Download {...props} />
          {evidence === undefined ? null : (
            <div class="no-print">
              <EvidenceStatus lang={lang} helpNumber={frame.helpNumber} evidence={evidence} />
            </div>
          )}
          <article class="mandate statement" id="statement">
            {first && first.sheet.sheet > 1 ? <h2>{words.heading}</h2> : <Blocks blocks={coverBlocks(paper, lang)} titleAs="h2" />}
            {sheets.map(({ sheet, sealed, qrSvg }) => (
              <section class="statement__sheet">
                <Blocks blocks={sheetBlocksOf(sheet, sealed, lang)} titleAs="h2" qrSvg={qrSvg} />
              </section>
            ))}
          </article>
          {first && last && paper.head.sheets > sheets.length ? (
            <p class="no-print">{words.part(first.sheet.sheet, last.sheet.sheet, paper.head.sheets)}</p>
          ) : null}
          <Pager
            lang={lang}
            labels={[words.previous, words.next]}
            {...(props.previous === undefined ? {} : { previous: props.previous })}
            {...(props.next === undefined ? {} : { next: props.next })}
          />
        </>
      )}
      <section class="no-print">
        <h2>{words.data.title}</h2>
        <p>{words.data.text}</p>
        <PostForm post={props.data} id="personal-data">
          <Actions>
            <Button kind="secondary" id="download-data">
              {words.data.button}
            </Button>
          </Actions>
        </PostForm>
      </section>
      <Actions>
        <ButtonLink kind="secondary" href={props.backHref} id="back">
          {t(lang).usager.entry.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
