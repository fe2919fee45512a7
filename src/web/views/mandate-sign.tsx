import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Narrowing } from '../../mandates/narrowing.ts';
import { birthday, dayAndTime, until } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { namedOrganisation } from '../i18n/names.ts';
import { narrowingList } from '../i18n/narrowing.ts';
import { methodLabel, themeLabel } from '../i18n/sentence.ts';
import { CodeField, ErrorSummary, errorOf, type FieldError, FieldErrorText } from './fields.tsx';
import { Icon } from './icons.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Badge, Button, ButtonLink, Facts, Link, type Post, PostForm, Stepper } from './parts.tsx';
import { PasskeyButton } from './passkey.tsx';

interface SignProps {
  readonly frame: Frame;
  readonly now: Date;
  readonly post: Post;
  /** Goes back to the person's sign-in, abandoning this identity. */
  readonly notThisPerson: Post;
  readonly errors?: readonly FieldError[];
  readonly person: { readonly name: string; readonly birthdate: string; readonly birthplace?: string };
  readonly consent: { readonly method: string; readonly at: Date };
  readonly themes: readonly string[];
  readonly days: number;
  readonly narrowing: Narrowing;
  readonly endsAt: Date;
  readonly organisation: string;
  readonly aidant: string;
  /** Themes of this structure's own mandate that the new one replaces. */
  readonly replaces?: readonly string[];
  readonly textHref: string;
  /** What a passkey is asked, bound to this text; absent when the aidant has none. */
  readonly passkey?: string | undefined;
}

const Recap = (props: SignProps): JSX.Element => {
  const { lang } = props.frame;
  const words = t(lang).mandate;
  return (
    <div class="fr-card">
      <Facts
        items={[
          [words.sign.person, props.person.name],
          [words.sign.born, birthday(props.person.birthdate, lang)],
          [words.sign.birthplace, props.person.birthplace],
          [
            words.sign.consent,
            <Badge tone="success">{words.sign.consentAt(methodLabel(props.consent.method, lang), dayAndTime(props.consent.at, lang))}</Badge>,
          ],
          [words.sign.what, props.themes.map((theme) => themeLabel(theme, lang)).join(' · ')],
          [words.narrowed.label, narrowingList(props.narrowing, lang).join(' · ') || undefined],
          [words.sign.duration, `${words.days[props.days] ?? props.days}, ${until(props.endsAt, props.now, lang)}`],
          [words.sign.organisation, props.organisation],
          [words.sign.by, props.aidant],
        ]}
      />
      <p>
        <Link href={props.textHref} id="mandate-text-link">
          {words.sign.textLink}
        </Link>
      </p>
    </div>
  );
};

const SignForm = (props: SignProps): JSX.Element => {
  const { lang } = props.frame;
  const words = t(lang).mandate.sign;
  const unread = errorOf(props.errors, 'said-aloud');
  return (
    <PostForm post={props.post} id="mandate-sign">
      <div class={unread === undefined ? 'tick' : 'tick fr-input-group--error'}>
        <FieldErrorText lang={lang} error={unread} />
        <label class="choice" for="said-aloud">
          <input
            type="checkbox"
            id="said-aloud"
            name="said_aloud"
            value="yes"
            required
            aria-describedby={unread === undefined ? undefined : 'said-aloud-error'}
          />
          <span class="choice__body">{words.aloudCheck}</span>
        </label>
      </div>
      {props.passkey === undefined ? null : (
        <PasskeyButton lang={lang} id="sign-with-passkey" kind="get" options={props.passkey} label={t(lang).security.sign} />
      )}
      <CodeField lang={lang} label={words.code} hint={words.codeWhy} error={errorOf(props.errors, 'code')} />
      <Actions>
        <Button id="sign-mandate">{words.button}</Button>
        <Button kind="quiet" form="not-this-person" id="change-person">
          {words.notThisPerson}
        </Button>
      </Actions>
    </PostForm>
  );
};

/** Step 4: the recap, what to say aloud, and the fresh code that binds the aidant to this text. Sends `said_aloud` and `code`. */
export const MandateSignPage = (props: SignProps): JSX.Element => {
  const { lang } = props.frame;
  const words = t(lang).mandate;
  const { replaces = [] } = props;
  return (
    <Layout
      {...props.frame}
      title={words.step(4, words.titles[3] ?? '')}
      error={(props.errors?.length ?? 0) > 0}
      width="narrow"
      script={props.passkey !== undefined}
    >
      <ErrorSummary lang={lang} errors={props.errors} />
      <Stepper lang={lang} step={4} />
      <Recap {...props} />
      {replaces.length === 0 ? null : (
        <Alert tone="warning">
          <p>{words.sign.replaces(replaces.map((theme) => themeLabel(theme, lang)).join(' · '))}</p>
        </Alert>
      )}
      <section class="aloud" aria-labelledby="aloud-title">
        <h2 id="aloud-title">
          <Icon name="speech" />
          {words.sign.aloudTitle}
        </h2>
        <p>{words.sign.aloud(props.person.name, namedOrganisation(props.organisation, lang))}</p>
      </section>
      <PostForm post={props.notThisPerson} id="not-this-person" />
      <SignForm {...props} />
    </Layout>
  );
};

interface CreatedProps {
  readonly frame: Frame;
  readonly person: string;
  readonly reference: string;
  /** Sites where the aidant can act with it, now. */
  readonly services?: readonly { readonly name: string; readonly href: string }[];
  readonly printHref: string;
  readonly homeHref: string;
}

/** The mandate exists: its reference, what to tell the person, and the sites where to act at once. */
export const MandateCreatedPage = ({ frame, person, reference, services = [], printHref, homeHref }: CreatedProps): JSX.Element => {
  const words = t(frame.lang).mandate.created;
  const { actOn, forPerson } = t(frame.lang).aidant;
  return (
    <Layout {...frame} title={words.title} width="narrow">
      <h1>{words.title}</h1>
      <Alert tone="success" role="status">
        <p class="lead">{words.text(person)}</p>
        <p>
          {words.reference}
          {frame.lang === 'fr' ? '\u00a0: ' : ': '}
          <b id="mandate-reference" class="nowrap">
            {reference}
          </b>
        </p>
      </Alert>
      <h2>{words.nowTitle}</h2>
      <ol class="steps">
        {words.now.map((text) => (
          <li>{text}</li>
        ))}
      </ol>
      <Actions>
        {services.map((service, index) => (
          <ButtonLink href={service.href} kind={index === 0 ? 'primary' : 'secondary'} id={`act-${index + 1}`} more={forPerson(person)}>
            {actOn} {service.name}
          </ButtonLink>
        ))}
        <ButtonLink kind={services.length === 0 ? 'primary' : 'secondary'} href={printHref} id="print-mandate">
          {words.print}
        </ButtonLink>
        <ButtonLink kind="quiet" href={homeHref} id="go-home">
          {words.home}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
