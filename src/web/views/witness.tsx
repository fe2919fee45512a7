import type { JSX } from 'hono/jsx/jsx-runtime';
import { dayAndTime } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { CodeField, ErrorSummary, errorOf, type FieldError, FieldErrorText } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import type { MandateTextData } from './mandate-blocks.ts';
import { Blocks } from './mandate-text.tsx';
import { sheetText } from './paper-sheet.tsx';
import { Actions, Alert, Button, ButtonLink, Empty, Facts, type Post, PostForm, Unbroken } from './parts.tsx';
import { PasskeyButton } from './passkey.tsx';

interface ListProps {
  readonly frame: Frame;
  readonly sheets: readonly {
    readonly reference: string;
    readonly person: string;
    readonly aidant: string;
    readonly at: Date;
    readonly href: string;
  }[];
  /** Reference of the sheet that was just confirmed. */
  readonly done?: string;
}

/** Sheets of other aidants of the organisation that wait for somebody who saw them signed. */
export const WitnessListPage = ({ frame, sheets, done }: ListProps): JSX.Element => {
  const words = t(frame.lang).paper;
  return (
    <Layout {...frame} title={words.witness.title} width="narrow">
      <h1>{words.witness.title}</h1>
      {done === undefined ? null : (
        <Alert tone="success" role="status">
          <p>{words.witness.done(done)}</p>
        </Alert>
      )}
      <p>{words.witness.intro}</p>
      {sheets.length === 0 ? (
        <Empty title={words.witness.none}>
          <p>{words.witness.noneText}</p>
        </Empty>
      ) : (
        <ul class="people">
          {sheets.map((sheet, index) => (
            <li class="fr-card person">
              <h2 class="fr-card__title">{sheet.person}</h2>
              <Facts
                items={[
                  [words.sheet.reference, sheet.reference],
                  [words.witness.prepared, `${sheet.aidant}, ${dayAndTime(sheet.at, frame.lang)}`],
                ]}
              />
              <Actions>
                <ButtonLink kind="secondary" href={sheet.href} id={`sheet-${index + 1}`}>
                  <span>
                    <Unbroken text={words.witness.open(sheet.reference)} piece={sheet.reference} />
                  </span>
                </ButtonLink>
              </Actions>
            </li>
          ))}
        </ul>
      )}
      <Actions>
        <ButtonLink kind="quiet" href="/aidant" id="home">
          {words.sheet.home}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

interface WitnessProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly person: string;
  readonly reference: string;
  readonly hash: string;
  readonly aidant: string;
  readonly text: MandateTextData;
  /** What a passkey is asked, bound to this sheet; absent when the aidant has none. */
  readonly passkey?: string | undefined;
  readonly errors?: readonly FieldError[];
}

/** The text as it was printed, and the fresh factor by which somebody says that she saw it signed. Sends `seen` and `code`. */
export const WitnessPage = (props: WitnessProps): JSX.Element => {
  const { lang } = props.frame;
  const words = t(lang).paper;
  const unseen = errorOf(props.errors, 'seen');
  const title = words.witness.pageTitle(props.reference);
  return (
    <Layout {...props.frame} title={title} error={(props.errors?.length ?? 0) > 0} width="narrow" script={props.passkey !== undefined}>
      <ErrorSummary lang={lang} errors={props.errors} />
      <h1>{title}</h1>
      <Facts
        items={[
          [words.sheet.person, props.person],
          [words.witness.prepared, props.aidant],
          [words.witness.hash, props.hash],
        ]}
      />
      <Alert tone="warning">
        <p>{words.witness.read}</p>
      </Alert>
      <div class="fr-card">
        <article class="mandate" id="mandate-text">
          <Blocks blocks={sheetText(props.text, lang, words.witness.byHand(props.person, props.aidant))} titleAs="h2" />
        </article>
      </div>
      <PostForm post={props.post} id="witness">
        <div class={unseen === undefined ? 'tick' : 'tick fr-input-group--error'}>
          <FieldErrorText lang={lang} error={unseen} />
          <label class="choice" for="seen">
            <input type="checkbox" id="seen" name="seen" value="yes" required aria-describedby={unseen === undefined ? undefined : 'seen-error'} />
            <span class="choice__body">{words.witness.seen}</span>
          </label>
        </div>
        {props.passkey === undefined ? null : (
          <PasskeyButton lang={lang} id="witness-with-passkey" kind="get" options={props.passkey} label={words.witness.passkey} />
        )}
        <CodeField lang={lang} label={words.witness.code} hint={words.witness.codeWhy} error={errorOf(props.errors, 'code')} />
        <Actions>
          <Button id="confirm-witness">{words.witness.button}</Button>
          <ButtonLink kind="quiet" href="/aidant/temoin" id="back">
            {words.witness.back}
          </ButtonLink>
        </Actions>
      </PostForm>
    </Layout>
  );
};
