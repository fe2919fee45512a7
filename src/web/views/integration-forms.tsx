import type { JSX } from 'hono/jsx/jsx-runtime';
import { EFFECTS, type Effect, type Registration } from '../../services/service.ts';
import { type Lang, t } from '../i18n/language.ts';
import { themeLabel } from '../i18n/sentence.ts';
import { Choice, Choices, ErrorSummary, errorOf, type FieldError, Input, TextArea } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Facts, type Post, PostForm } from './parts.tsx';

export interface ChangeFormsProps {
  readonly frame: Frame;
  /** What would be in force once all that waits is approved: a new request begins there. */
  readonly asked: Registration;
  /** Sends jwks, until. */
  readonly keysPost: Post;
  /** Sends redirect, after. */
  readonly addressesPost: Post;
  /** What was typed and refused. */
  readonly values?: { readonly jwks?: string; readonly until?: string; readonly redirect?: string; readonly after?: string };
  readonly errors?: readonly FieldError[];
}

/** Asks for other keys, and for other return addresses. */
export const ChangeForms = ({ frame, asked, keysPost, addressesPost, values = {}, errors }: ChangeFormsProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).integration.change;
  return (
    <div class="no-print">
      <h2 id="change">{words.title}</h2>
      <p>{words.text}</p>
      {asked.jwks === undefined ? null : (
        <>
          <h3>{words.keysTitle}</h3>
          <PostForm post={keysPost} id="change-keys">
            <TextArea
              lang={lang}
              id="jwks"
              label={words.jwks}
              hint={words.jwksHint}
              value={values.jwks ?? ''}
              error={errorOf(errors, 'jwks')}
              required
            />
            <Input
              lang={lang}
              id="until"
              label={words.until}
              hint={words.untilHint}
              value={values.until ?? ''}
              error={errorOf(errors, 'until')}
              required
              autocomplete="off"
              maxlength={10}
            />
            <Actions>
              <Button id="change-keys-button">{words.keysButton}</Button>
            </Actions>
          </PostForm>
        </>
      )}
      <h3>{words.addressesTitle}</h3>
      <PostForm post={addressesPost} id="change-addresses">
        <TextArea
          lang={lang}
          id="redirect"
          label={words.redirect}
          hint={words.redirectHint}
          rows={3}
          value={values.redirect ?? asked.redirectUris.join('\n')}
          error={errorOf(errors, 'redirect')}
          required
        />
        <TextArea
          lang={lang}
          id="after"
          label={words.postLogout}
          hint={words.postLogoutHint}
          rows={3}
          value={values.after ?? asked.postLogoutRedirectUris.join('\n')}
          error={errorOf(errors, 'after')}
        />
        <Actions>
          <Button id="change-addresses-button">{words.addressesButton}</Button>
        </Actions>
      </PostForm>
    </div>
  );
};

/** What is typed of a démarche: as text, whatever it is. */
export interface DemarcheValues {
  /** What follows the service's name in the code. */
  readonly word: string;
  readonly labelFr: string;
  readonly labelEn: string;
  readonly themes: readonly string[];
  readonly effect: string;
  readonly level: string;
  /** Seconds. */
  readonly maxAge: string;
}

export interface DemarcheProps {
  readonly frame: Frame;
  readonly service: Pick<Registration, 'id' | 'name' | 'themes'>;
  /** The code of what is declared or asked already; absent for a new one. */
  readonly code?: string;
  /** Its effect, when it is in force: it never changes. */
  readonly effect?: Effect;
  readonly values: DemarcheValues;
  readonly errors?: readonly FieldError[];
  /** Sends word, label-fr, label-en, themes, effect, level, max-age. */
  readonly post: Post;
  /** Asks that it is declared no more; absent for what is not in force, or is asked already. `last`: the service has no other. */
  readonly retire?: { readonly post: Post; readonly last: boolean };
  readonly backHref: string;
}

const LEVELS = ['eidas1', 'eidas2'] as const;

interface RadiosProps<T extends string> {
  readonly lang: Lang;
  readonly id: string;
  readonly legend: string;
  readonly hint?: string;
  readonly values: readonly T[];
  readonly words: Readonly<Record<T, { readonly title: string; readonly text: string }>>;
  readonly chosen: string;
  readonly errors: readonly FieldError[] | undefined;
}

/** One of a few values, each with what it means. */
const Radios = <T extends string>({ lang, id, legend, hint, values, words, chosen, errors }: RadiosProps<T>): JSX.Element => (
  <Choices lang={lang} id={id} legend={legend} {...(hint === undefined ? {} : { hint })} error={errorOf(errors, id)}>
    {values.map((each, i) => (
      <Choice kind="radio" id={i === 0 ? id : `${id}-${each}`} name={id} value={each} checked={chosen === each} title={words[each].title}>
        <span>{words[each].text}</span>
      </Choice>
    ))}
  </Choices>
);

/** Proposes a démarche, or other words, themes and sign-in for one that is declared, or that it is declared no more. */
export const DemarchePage = ({ frame, service, code, effect, values, errors, post, retire, backHref }: DemarcheProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).integration.demarche;
  const title = code === undefined ? words.titleNew : words.titleKnown;
  return (
    <Layout {...frame} title={title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={lang} errors={errors} />
      <h1>{title}</h1>
      <p class="lead">{words.text(service.name)}</p>
      <Alert>
        <p>{words.never}</p>
      </Alert>
      <PostForm post={post} id="demarche-form">
        {code === undefined ? (
          <Input
            lang={lang}
            id="word"
            label={words.word}
            hint={words.wordHint(service.id)}
            value={values.word}
            error={errorOf(errors, 'word')}
            required
            autocomplete="off"
            maxlength={100}
          />
        ) : (
          <Facts items={[[words.code, <code class="breaks">{code}</code>]]} />
        )}
        <Input
          lang={lang}
          id="label-fr"
          label={words.labelFr}
          hint={words.labelFrHint}
          value={values.labelFr}
          error={errorOf(errors, 'label-fr')}
          required
          autocomplete="off"
          maxlength={120}
        />
        <Input
          lang={lang}
          id="label-en"
          label={words.labelEn}
          hint={words.labelEnHint}
          value={values.labelEn}
          error={errorOf(errors, 'label-en')}
          autocomplete="off"
          maxlength={120}
        />
        <Choices lang={lang} id="themes" legend={words.themes} hint={words.themesHint} error={errorOf(errors, 'themes')}>
          {service.themes.map((theme, i) => (
            <Choice
              kind="checkbox"
              id={i === 0 ? 'themes' : `theme-${theme}`}
              name="themes"
              value={theme}
              checked={values.themes.includes(theme)}
              title={themeLabel(theme, lang)}
            />
          ))}
        </Choices>
        {effect === undefined ? (
          <Radios
            lang={lang}
            id="effect"
            legend={words.effect}
            hint={words.effectHint}
            values={EFFECTS}
            words={words.effects}
            chosen={values.effect}
            errors={errors}
          />
        ) : (
          <Facts items={[[words.effect, words.effectKept(words.effects[effect].title)]]} />
        )}
        <Radios lang={lang} id="level" legend={words.level} values={LEVELS} words={words.levels} chosen={values.level} errors={errors} />
        <Input
          lang={lang}
          id="max-age"
          label={words.maxAge}
          hint={words.maxAgeHint}
          value={values.maxAge}
          error={errorOf(errors, 'max-age')}
          autocomplete="off"
          inputmode="numeric"
          maxlength={6}
        />
        <Actions>
          <Button id="demarche-button">{code === undefined ? words.button : words.buttonKnown}</Button>
          <ButtonLink kind="quiet" href={backHref} id="back">
            {words.back}
          </ButtonLink>
        </Actions>
      </PostForm>
      {retire === undefined ? null : (
        <>
          <h2>{words.retireTitle}</h2>
          <p>{words.retireText}</p>
          <p>{words.retireFirst}</p>
          {retire.last ? <p>{words.retireLast}</p> : null}
          <PostForm post={retire.post} id="retire-form">
            <Actions>
              <Button kind="secondary" id="retire">
                {words.retire}
              </Button>
            </Actions>
          </PostForm>
        </>
      )}
    </Layout>
  );
};
