import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Verdict } from '../../mandates/attestations.ts';
import { day, dayAndTime, lastDay, until } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { narrowingList } from '../i18n/narrowing.ts';
import { methodLabel, themeLabel } from '../i18n/sentence.ts';
import { ErrorSummary, errorOf, type FieldError, Input } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Facts, Link } from './parts.tsx';
import { PATHS } from './paths.ts';

/** Asks for the code of a paper. What was typed is not shown again: it may be anything (claim V1). */
export const VerifyPage = ({ frame, errors }: { frame: Frame; errors?: readonly FieldError[] }): JSX.Element => {
  const words = t(frame.lang).attestation.check;
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.title}</h1>
      <p class="lead">{words.intro}</p>
      <form method="get" action={PATHS.verifyAttestation} id="verify" novalidate>
        <Input
          lang={frame.lang}
          id="code"
          label={words.label}
          hint={words.hint}
          error={errorOf(errors, 'code')}
          required
          autocomplete="off"
          maxlength={60}
        />
        <Actions>
          <Button id="verify-code">{words.button}</Button>
        </Actions>
      </form>
      <p>
        <Link href={PATHS.verifyStatement} id="check-statement-link">
          {t(frame.lang).statement.check.title}
        </Link>
      </p>
    </Layout>
  );
};

const TITLES = { valid: 'valid', ended: 'ended', altered: 'altered' } as const;
const TONES = { valid: 'success', ended: 'warning', altered: 'error' } as const;

/** What a code proves: valid, ended or altered. Nobody's name but the organisation's. */
export const VerdictPage = ({ frame, verdict, now }: { frame: Frame; verdict: Verdict; now: Date }): JSX.Element => {
  const { lang } = frame;
  const { check: words, rows, toMidnight } = t(lang).attestation;
  const title = words[TITLES[verdict.kind]];
  return (
    <Layout {...frame} title={title} width="narrow">
      <h1>{title}</h1>
      <Alert tone={TONES[verdict.kind]} role="status">
        {verdict.kind === 'valid' ? <p>{words.validText(until(verdict.endsAt, now, lang))}</p> : null}
        {verdict.kind === 'valid' && !verdict.organisationActive ? <p>{words.paused}</p> : null}
        {verdict.kind === 'ended' ? <p>{words.endedText(dayAndTime(verdict.at, lang))}</p> : null}
        {verdict.kind === 'altered' ? (
          <>
            <p>{words.alteredText}</p>
            <p>{words.alteredToDo(frame.helpNumber)}</p>
          </>
        ) : null}
      </Alert>
      {verdict.kind === 'altered' ? null : (
        <>
          <p>{words.compare}</p>
          <div class="fr-card">
            <Facts
              items={[
                [rows.reference, verdict.reference],
                [rows.organisation, verdict.organisation.name],
                [rows.siret, verdict.organisation.siret],
                ...(verdict.kind === 'valid'
                  ? ([
                      [rows.themes, verdict.themes.map((theme) => themeLabel(theme, lang)).join(' · ')],
                      [t(lang).mandate.narrowed.label, narrowingList(verdict.narrowing, lang).join(' · ') || undefined],
                      [rows.from, day(verdict.startsAt, lang)],
                      [rows.to, toMidnight(day(lastDay(verdict.endsAt), lang))],
                      [words.method, methodLabel(verdict.method, lang)],
                    ] as const)
                  : []),
              ]}
            />
          </div>
          <p class="soft">{words.noName}</p>
        </>
      )}
      <Actions>
        <ButtonLink kind="secondary" href={PATHS.verifyAttestation} id="verify-another">
          {words.another}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
