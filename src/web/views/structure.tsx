import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Evidence } from '../evidence.ts';
import { exactTime, plainDay } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { themeLabel } from '../i18n/sentence.ts';
import type { QueryValues } from './administration.tsx';
import { EvidenceStatus } from './evidence.tsx';
import { ErrorSummary, errorOf, type FieldError, Input, Select } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Empty, Link, type Post, PostForm } from './parts.tsx';

type Option = readonly [value: string, label: string];

export interface StructureRow {
  readonly index: number;
  readonly at: Date;
  /** Kind of entry (journal/event.ts). */
  readonly type: string;
  readonly aidant?: string;
  /** Only while a mandate with the structure lives. */
  readonly person?: string;
  readonly mandate?: { readonly reference: string; readonly href: string };
  readonly site?: string;
  readonly theme?: string;
  readonly session?: string;
  readonly about?: number;
  /** Its content is erased, by time at a known instant, or with the person. */
  readonly erased?: Date | true;
}

interface StructureProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly organisation: string;
  readonly values: QueryValues & { readonly aidant?: string };
  readonly aidants: readonly Option[];
  readonly services: readonly Option[];
  readonly themes: readonly string[];
  readonly errors?: readonly FieldError[];
  /** Missing before the first query. */
  readonly results?: { readonly rows: readonly StructureRow[]; readonly evidence?: Evidence; readonly previous?: Post; readonly next?: Post };
  readonly backHref: string;
}

const QueryForm = ({ frame, post, values, aidants, services, themes, errors }: StructureProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).administration;
  const own = t(lang).structure;
  const typed = (id: 'from' | 'to' | 'session', label: string, hint?: string): JSX.Element => (
    <Input
      lang={lang}
      id={id}
      label={label}
      value={values[id] ?? ''}
      error={errorOf(errors, id)}
      autocomplete="off"
      maxlength={30}
      {...(hint ? { hint } : {})}
    />
  );
  return (
    <PostForm post={post} id="structure-query" class="query">
      <Input
        lang={lang}
        id="reason"
        label={words.reason}
        hint={own.reasonHint}
        value={values.reason ?? ''}
        error={errorOf(errors, 'reason')}
        required
        autocomplete="off"
        maxlength={200}
      />
      <fieldset class="fr-fieldset">
        <legend class="fr-fieldset__legend">{words.filters}</legend>
        {typed('from', words.from, words.dateHint)}
        {typed('to', words.to, words.dateHint)}
        <Select id="aidant" label={own.aidant} options={[['', words.any], ...aidants]} value={values.aidant} />
        <Select id="service" label={words.service} options={[['', words.any], ...services]} value={values.service} />
        <Select
          id="theme"
          label={words.theme}
          options={[['', words.anyTheme], ...themes.map((theme): Option => [theme, themeLabel(theme, lang)])]}
          value={values.theme}
        />
        {typed('session', words.session)}
      </fieldset>
      <Actions>
        <Button id="query">{words.button}</Button>
      </Actions>
    </PostForm>
  );
};

const Cell = ({ label, children, under }: { label: string; children?: Child; under?: Child }): JSX.Element => (
  <td data-label={label}>
    <div>
      {children}
      {under === undefined || under === null ? null : <div class="under">{under}</div>}
    </div>
  </td>
);

const Row = ({ row, lang }: { row: StructureRow; lang: Lang }): JSX.Element => {
  const { types, columns, nobody } = t(lang).structure;
  const { none, about, erased } = t(lang).administration;
  const under =
    row.erased !== undefined
      ? erased(row.erased === true ? undefined : plainDay(row.erased, lang))
      : row.about === undefined
        ? row.session && <code>{row.session}</code>
        : about(row.about);
  return (
    <tr data-entry={String(row.index)} data-entry-words="">
      <th scope="row" data-label={columns.index}>
        {String(row.index)}
      </th>
      <Cell label={columns.at} under={<span class="nowrap">{exactTime(row.at, lang)}</span>}>
        <time datetime={row.at.toISOString()}>{plainDay(row.at, lang)}</time>
      </Cell>
      <Cell label={columns.what} under={under}>
        {lookUp(types, row.type) ?? row.type}
      </Cell>
      <Cell label={columns.aidant}>{row.aidant ?? none}</Cell>
      <Cell label={columns.person} under={row.mandate && <Link href={row.mandate.href}>{row.mandate.reference}</Link>}>
        {row.person ?? (row.mandate ? nobody : none)}
      </Cell>
      <Cell label={columns.site} under={row.theme === undefined ? undefined : themeLabel(row.theme, lang)}>
        {row.site ?? none}
      </Cell>
    </tr>
  );
};

const ORDER = ['index', 'at', 'what', 'aidant', 'person', 'site'] as const;

const Results = ({ frame, results }: { frame: Frame; results: NonNullable<StructureProps['results']> }): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).structure;
  const { results: title, count } = t(lang).administration;
  const { rows, evidence, previous, next } = results;
  return (
    <>
      <h2 id="results">{title}</h2>
      <p role="status" class="soft">
        {count(rows.length)}
      </p>
      {evidence === undefined ? null : <EvidenceStatus lang={lang} helpNumber={frame.helpNumber} evidence={evidence} />}
      {rows.length === 0 ? (
        <Empty title={words.emptyTitle}>
          <p>{words.empty}</p>
        </Empty>
      ) : (
        <section class="fr-table" aria-labelledby="results" tabindex={0}>
          <table>
            <caption class="fr-sr-only">{words.caption}</caption>
            <thead>
              <tr>
                {ORDER.map((column) => (
                  <th scope="col">{words.columns[column]}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row row={row} lang={lang} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {rows.length === 0 ? null : <p class="soft no-print">{words.print}</p>}
      {previous === undefined && next === undefined ? null : (
        <nav class="pager no-print" aria-label={t(lang).shared.pages}>
          {previous === undefined ? null : (
            <PostForm post={previous} id="newer">
              <Button kind="secondary" id="page-previous">
                {t(lang).shared.newer}
              </Button>
            </PostForm>
          )}
          {next === undefined ? null : (
            <PostForm post={next} id="older">
              <Button kind="secondary" id="page-next">
                {t(lang).shared.older}
              </Button>
            </PostForm>
          )}
        </nav>
      )}
    </>
  );
};

/** A référent's journal: a reason, filters, and what the structure may read of its own entries. Each page of results is a POST, since each is a reading. */
export const StructureJournalPage = (props: StructureProps): JSX.Element => {
  const { frame, results, errors = [] } = props;
  const words = t(frame.lang).structure;
  return (
    <Layout {...frame} title={words.title} error={errors.length > 0} width="wide" dense checks={results?.evidence !== undefined}>
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.title}</h1>
      <p>{words.scope(props.organisation)}</p>
      <div class="audit">
        <div class="audit__query no-print">
          <QueryForm {...props} />
        </div>
        <div class="audit__results">
          <div class="no-print">
            <Alert tone="warning" title={words.noticeTitle}>
              <p>{words.notice}</p>
            </Alert>
          </div>
          {results === undefined ? <p class="lead">{words.start}</p> : <Results frame={frame} results={results} />}
        </div>
      </div>
      <Actions>
        <ButtonLink kind="quiet" href={props.backHref} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
