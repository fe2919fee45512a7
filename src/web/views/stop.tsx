import type { JSX } from 'hono/jsx/jsx-runtime';
import { exactDayAndTime } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { Choice, Choices, ErrorSummary, errorOf, type FieldError, Input } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Facts, Link, type Post, PostForm } from './parts.tsx';

interface StopByPaperProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly errors?: readonly FieldError[];
  /** True on the page of an aidant who receives a signed request. */
  readonly received?: boolean;
  readonly spaceHref: string;
  readonly backHref: string;
}

/** Stops a mandate with what its paper says: the person alone, or an aidant of any structure to whom she gave her signed request. */
export const StopByPaperPage = ({ frame, post, errors, received = false, spaceHref, backHref }: StopByPaperProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).ending.stop;
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={lang} errors={errors} />
      <h1>{words.title}</h1>
      <p class="lead">{received ? words.introAidant : words.intro}</p>
      <PostForm post={post} id="stop-by-paper">
        <Input
          lang={lang}
          id="code"
          label={words.code}
          hint={words.codeHint}
          error={errorOf(errors, 'code')}
          required
          autocomplete="off"
          maxlength={60}
        />
        <Input
          lang={lang}
          id="birthdate"
          label={received ? words.birthdateAidant : words.birthdate}
          hint={words.birthdateHint}
          error={errorOf(errors, 'birthdate')}
          required
          autocomplete={received ? 'off' : 'bday'}
          inputmode="numeric"
          maxlength={20}
        />
        {received ? (
          <Choices lang={lang} id="signed" legend={words.signedTitle} hint={words.signedHint} error={errorOf(errors, 'signed')}>
            <Choice kind="checkbox" id="signed" name="signed" value="yes" title={words.signed} />
          </Choices>
        ) : null}
        <p>{words.now}</p>
        <Actions>
          <Button kind="stop" id="stop">
            {words.button}
          </Button>
          <ButtonLink kind="quiet" href={backHref} id="keep">
            {words.leave}
          </ButtonLink>
        </Actions>
      </PostForm>
      {received ? null : (
        <>
          <h2>{words.otherWays}</h2>
          <p>
            <Link href={spaceHref} id="own-space">
              {words.space}
            </Link>
          </p>
          <p>{words.call(frame.helpNumber)}</p>
        </>
      )}
    </Layout>
  );
};

interface StoppedByPaperProps {
  readonly frame: Frame;
  readonly reference: string;
  readonly at: Date;
  readonly again: boolean;
  /** Its number in the journal; missing while it waits to be written there. */
  readonly receipt?: { readonly index: number; readonly leaf: string };
  readonly backHref: string;
}

/** The receipt of a stop by paper: nothing of the person, nor of what the mandate was for. */
export const StoppedByPaperPage = ({ frame, reference, at, again, receipt, backHref }: StoppedByPaperProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).ending.stopped;
  const title = again ? words.already : words.title;
  return (
    <Layout {...frame} title={title} width="narrow">
      <h1>{title}</h1>
      <Alert tone="success" role="status">
        <p class="lead">{words.text(exactDayAndTime(at, lang))}</p>
        {again ? null : <p>{words.sites}</p>}
      </Alert>
      <div class="fr-card">
        <Facts
          items={[
            [words.reference, reference],
            [words.at, <time datetime={at.toISOString()}>{exactDayAndTime(at, lang)}</time>],
            [
              words.receipt,
              again ? undefined : receipt === undefined ? words.soon : <span id="receipt-number">{`${receipt.index} · ${receipt.leaf}`}</span>,
            ],
          ]}
        />
      </div>
      {again ? null : <p>{words.keep}</p>}
      <Actions>
        <ButtonLink kind="secondary" href={backHref} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
