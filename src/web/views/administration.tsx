import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Evidence } from '../evidence.ts';
import { exactTime, plainDay } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { themeLabel } from '../i18n/sentence.ts';
import { EvidenceStatus } from './evidence.tsx';
import { ErrorSummary, errorOf, type FieldError, Input, Select } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Badge, Button, ButtonLink, Empty, Link, type Post, PostForm } from './parts.tsx';

type Option = readonly [value: string, label: string];

/** What the agent wrote, given back as it was. */
export interface QueryValues {
  readonly reason?: string;
  readonly from?: string;
  readonly to?: string;
  readonly service?: string;
  readonly theme?: string;
  readonly demarche?: string;
  readonly outcome?: string;
  readonly session?: string;
}
export interface AuditRow {
  readonly index: number;
  /** The proof of this line, as a file. */
  readonly proofHref?: string;
  readonly at: Date;
  /** Kind of entry (journal/event.ts). */
  readonly type: string;
  /** Pseudonym, pairwise per service. */
  readonly aidant?: string;
  readonly organisation?: string;
  readonly theme?: string;
  readonly demarche?: string;
  readonly verb?: string;
  readonly outcome?: string;
  readonly outsideMandate?: boolean;
  readonly signInAgain?: boolean;
  readonly mandateReference?: string;
  /** Where this mandate is stopped for the administration's services. */
  readonly mandateHref?: string;
  readonly session?: string;
  /** The line that this one speaks of. */
  readonly about?: number;
  /** Its content is erased, by time at a known instant, or with the person. */
  readonly erased?: Date | true;
}
interface AuditProps {
  /** Takes what was found away as a file: with the same fields, and `format`. Missing before the first query. */
  readonly exportPost?: Post;
  readonly exportsHref?: string;
  readonly frame: Frame;
  /** Sends reason, from, to, service, theme, demarche, outcome, session. */
  readonly post: Post;
  readonly administration: string;
  readonly values: QueryValues;
  readonly services: readonly Option[];
  readonly themes: readonly string[];
  readonly demarches: readonly Option[];
  readonly errors?: readonly FieldError[];
  /** Missing before the first query. */
  readonly results?: { readonly rows: readonly AuditRow[]; readonly evidence?: Evidence; readonly previous?: Post; readonly next?: Post };
}

const QueryForm = ({ frame, post, values, services, themes, demarches, errors }: AuditProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).administration;
  const outcomes = Object.entries(words.outcomes);
  const date = (id: 'from' | 'to', label: string): JSX.Element => (
    <Input
      lang={lang}
      id={id}
      label={label}
      hint={words.dateHint}
      value={values[id] ?? ''}
      error={errorOf(errors, id)}
      autocomplete="off"
      inputmode="numeric"
      maxlength={10}
    />
  );
  return (
    <PostForm post={post} id="journal-query" class="query">
      <Input
        lang={lang}
        id="reason"
        label={words.reason}
        hint={words.reasonHint}
        value={values.reason ?? ''}
        error={errorOf(errors, 'reason')}
        required
        autocomplete="off"
        maxlength={200}
      />
      <fieldset class="fr-fieldset">
        <legend class="fr-fieldset__legend">{words.filters}</legend>
        {date('from', words.from)}
        {date('to', words.to)}
        <Select id="service" label={words.service} options={[['', words.any], ...services]} value={values.service} />
        <Select
          id="theme"
          label={words.theme}
          options={[['', words.anyTheme], ...themes.map((theme): Option => [theme, themeLabel(theme, lang)])]}
          value={values.theme}
        />
        <Select id="demarche" label={words.demarche} options={[['', words.anyTheme], ...demarches]} value={values.demarche} />
        <Select id="outcome" label={words.outcome} options={[['', words.any], ...outcomes]} value={values.outcome} />
        <Input
          lang={lang}
          id="session"
          label={words.session}
          value={values.session ?? ''}
          error={errorOf(errors, 'session')}
          autocomplete="off"
          maxlength={30}
        />
      </fieldset>
      <Actions>
        <Button id="query">{words.button}</Button>
      </Actions>
    </PostForm>
  );
};

const Outcome = ({ row, lang }: { row: AuditRow; lang: Lang }): JSX.Element | null => {
  const words = t(lang).administration;
  if (row.erased !== undefined) return <span class="soft">{words.erased(row.erased === true ? undefined : plainDay(row.erased, lang))}</span>;
  if (row.about !== undefined) return <Badge tone="warning">{words.about(row.about)}</Badge>;
  if (row.outsideMandate) return <Badge tone="error">{words.outsideMandate}</Badge>;
  if (row.signInAgain) return <Badge tone="warning">{words.signInAgain}</Badge>;
  const outcome = lookUp(words.outcomes, row.outcome);
  return outcome === undefined ? null : <Badge tone={row.outcome === 'success' ? 'success' : 'warning'}>{outcome}</Badge>;
};

/** One cell, two things: what is read first, and under it what refines it. */
const Cell = ({ label, children, under }: { label: string; children?: Child; under?: Child }): JSX.Element => (
  <td data-label={label}>
    <div>
      {children}
      {under === undefined || under === null ? null : <div class="under">{under}</div>}
    </div>
  </td>
);

const Row = ({ row, lang }: { row: AuditRow; lang: Lang }): JSX.Element => {
  const words = t(lang).administration;
  const columns = words.columns;
  const action = row.verb === undefined ? (lookUp(words.types, row.type) ?? row.type) : (lookUp(words.verbs, row.verb) ?? row.verb);
  const code = (value: string | undefined): JSX.Element | undefined => (value === undefined ? undefined : <code>{value}</code>);
  return (
    <tr data-entry={String(row.index)} data-entry-words="">
      <th scope="row" data-label={columns.index}>
        {String(row.index)}
        {row.proofHref === undefined ? null : (
          <div class="under">
            <Link href={row.proofHref} more={words.proofOf(row.index)}>
              {words.proof}
            </Link>
          </div>
        )}
      </th>
      <Cell label={columns.at} under={<span class="nowrap">{exactTime(row.at, lang)}</span>}>
        <time datetime={row.at.toISOString()}>{plainDay(row.at, lang)}</time>
      </Cell>
      <Cell label={columns.action} under={<Outcome row={row} lang={lang} />}>
        {action}
      </Cell>
      <Cell label={columns.theme} under={code(row.demarche)}>
        {row.theme === undefined ? words.none : themeLabel(row.theme, lang)}
      </Cell>
      <Cell label={columns.organisation} under={code(row.aidant)}>
        {row.organisation ?? words.none}
      </Cell>
      <Cell label={columns.mandate} under={code(row.session)}>
        {row.mandateHref === undefined ? (
          (code(row.mandateReference) ?? words.none)
        ) : (
          <Link href={row.mandateHref} more={words.bar.more}>
            {code(row.mandateReference)}
          </Link>
        )}
      </Cell>
    </tr>
  );
};

const ORDER = ['index', 'at', 'action', 'theme', 'organisation', 'mandate'] as const;

const Results = ({ frame, results }: { frame: Frame; results: NonNullable<AuditProps['results']> }): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).administration;
  const { rows, evidence, previous, next } = results;
  return (
    <>
      <h2 id="results">{words.results}</h2>
      <p role="status" class="soft">
        {words.count(rows.length)}
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
      {previous === undefined && next === undefined ? null : (
        <nav class="pager" aria-label={t(lang).shared.pages}>
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

const ExportForm = ({ lang, post, href }: { lang: Lang; post: Post; href: string }): JSX.Element => {
  const words = t(lang).administration.exports;
  return (
    <section class="no-print">
      <h2>{words.title}</h2>
      <p>{words.text}</p>
      <PostForm post={post} id="export">
        <Select
          id="format"
          label={words.format}
          options={[
            ['csv', words.csv],
            ['json', words.json],
          ]}
        />
        <Actions>
          <Button kind="secondary" id="export-button">
            {words.button}
          </Button>
          <ButtonLink kind="quiet" href={href} id="exports">
            {words.waitingLink}
          </ButtonLink>
        </Actions>
      </PostForm>
    </section>
  );
};

/** The administration's journal: a reason, filters, and only entries of its own services. Each page of results is a POST, since each is a reading. */
export const AuditPage = (props: AuditProps): JSX.Element => {
  const { frame, results } = props;
  const words = t(frame.lang).administration;
  return (
    <Layout {...frame} title={words.title} error={(props.errors?.length ?? 0) > 0} width="wide" dense checks={results?.evidence !== undefined}>
      <ErrorSummary lang={frame.lang} errors={props.errors} />
      <h1>{words.title}</h1>
      <p>{words.scope(props.administration)}</p>
      <div class="audit">
        <div class="audit__query">
          <QueryForm {...props} />
        </div>
        <div class="audit__results">
          <Alert tone="warning" title={words.noticeTitle}>
            <p>{words.notice}</p>
          </Alert>
          {results === undefined ? <p class="lead">{words.start}</p> : <Results frame={frame} results={results} />}
          {results === undefined || props.exportPost === undefined ? null : (
            <ExportForm lang={frame.lang} post={props.exportPost} href={props.exportsHref ?? '/administration'} />
          )}
        </div>
      </div>
    </Layout>
  );
};

interface BarProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly administration: string;
  readonly reference: string;
  readonly organisation: string;
  readonly barred: boolean;
  readonly reason?: string;
  readonly errors?: readonly FieldError[];
}

/** An agent stops one mandate at the administration's own services, with a reason that others read. Afterwards, the same page says that it is so. */
export const BarPage = ({ frame, post, administration, reference, organisation, barred, reason, errors }: BarProps): JSX.Element => {
  const words = t(frame.lang).administration.bar;
  const title = barred ? words.doneTitle(reference) : words.title(reference);
  return (
    <Layout {...frame} title={title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{title}</h1>
      <p>{words.organisation(organisation)}</p>
      <ul>
        {barred ? null : <li>{words.now}</li>}
        <li>{words.never(administration)}</li>
        <li>{words.elsewhere}</li>
        <li>{words.final}</li>
      </ul>
      {barred ? null : (
        <PostForm post={post} id="bar">
          <Input
            lang={frame.lang}
            id="reason"
            label={words.reason}
            hint={words.reasonHint}
            value={reason ?? ''}
            error={errorOf(errors, 'reason')}
            required
            autocomplete="off"
            maxlength={200}
          />
          <Actions>
            <Button kind="stop" id="bar-button">
              {words.button}
            </Button>
          </Actions>
        </PostForm>
      )}
      <Actions>
        <ButtonLink kind="quiet" href="/administration" id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
