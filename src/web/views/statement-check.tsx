import type { JSX } from 'hono/jsx/jsx-runtime';
import { printedNumber, type StatementVerdict } from '../../actions/statement.ts';
import { dayAndTime } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { ErrorSummary, errorOf, type FieldError, TextArea } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Facts, type Post, PostForm } from './parts.tsx';
import { PATHS } from './paths.ts';
import { printedLine, printedPeriod } from './statement-blocks.ts';

interface CheckProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly errors?: readonly FieldError[];
}

/** Asks for what the QR code of a sheet says. It is sent in the body of a form: it says what was done for somebody (claim V1). */
export const StatementCheckPage = ({ frame, post, errors }: CheckProps): JSX.Element => {
  const { check: words, offline } = t(frame.lang).statement;
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow" fills>
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.title}</h1>
      <p class="lead">{words.intro}</p>
      <PostForm post={post} id="check-statement">
        <TextArea lang={frame.lang} id="texte" label={words.label} hint={words.hint} error={errorOf(errors, 'texte')} required fill />
        <p class="soft">{words.kept}</p>
        <Actions>
          <Button id="check-text">{words.button}</Button>
        </Actions>
      </PostForm>
      <h2>{offline.title}</h2>
      <p>{offline.text}</p>
      <Actions>
        <ButtonLink kind="secondary" href={PATHS.offlineCheck} id="offline-check">
          {offline.button}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

type Genuine = Extract<StatementVerdict, { kind: 'genuine' }>;

const Held = ({ frame, verdict }: { frame: Frame; verdict: Genuine }): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).statement;
  const [head] = verdict.sheets;
  return (
    <>
      <div class="fr-card">
        <Facts
          items={[
            [words.check.rows.person, head.person],
            [words.rows.period, printedPeriod(head, lang)],
            [words.rows.lines, words.lines(head.lines, head.sheets)],
            [words.rows.made, words.made(dayAndTime(head.made, lang))],
            [words.rows.number, <span class="nowrap">{printedNumber(head.number)}</span>],
          ]}
        />
      </div>
      {verdict.sheets.map((sheet) => (
        <section class="statement">
          <h2>{words.sheet(sheet.sheet, sheet.sheets)}</h2>
          <ol class="lines">
            {sheet.rows.map((row) => {
              const line = printedLine(row, lang);
              return (
                <li>
                  <p>
                    <b>{line.at}</b>
                  </p>
                  <p>{line.said}</p>
                  <p class="soft nowrap">{line.under}</p>
                </li>
              );
            })}
          </ol>
        </section>
      ))}
      <div class="fr-card">
        <Facts
          items={[
            [words.check.rows.log, <code>{head.log}</code>],
            [words.check.rows.state, words.check.state(head.size)],
            [words.check.rows.root, <code>{head.root}</code>],
          ]}
        />
      </div>
    </>
  );
};

/** What the text of a QR code proves: exactly what the sheet must say, or that nobody signed it. */
export const StatementVerdictPage = ({ frame, verdict }: { frame: Frame; verdict: StatementVerdict }): JSX.Element => {
  const words = t(frame.lang).statement.check;
  const { kind } = verdict;
  const title = kind === 'genuine' ? words.genuine : kind === 'mixed' ? words.mixed : words.altered;
  return (
    <Layout {...frame} title={title} width="narrow">
      <h1>{title}</h1>
      <Alert tone={kind === 'genuine' ? 'success' : kind === 'mixed' ? 'warning' : 'error'} role="status">
        {verdict.kind === 'genuine' ? (
          <>
            <p>{words.genuineText}</p>
            <p>{words.different}</p>
            <p>{verdict.missing.length ? words.missing(verdict.missing, verdict.sheets[0].sheets) : words.whole}</p>
          </>
        ) : (
          <>
            <p>{kind === 'mixed' ? words.mixedText : words.alteredText}</p>
            {kind === 'mixed' ? null : <p>{words.toDo(frame.helpNumber)}</p>}
          </>
        )}
      </Alert>
      {verdict.kind === 'genuine' ? <Held frame={frame} verdict={verdict} /> : null}
      <Actions>
        <ButtonLink kind="secondary" href={PATHS.verifyStatement} id="check-another">
          {words.another}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
