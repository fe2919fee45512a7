import type { JSX } from 'hono/jsx/jsx-runtime';
import { until } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { themeLabel } from '../i18n/sentence.ts';
import { Choice, Choices, ErrorSummary, errorOf, type FieldError } from './fields.tsx';
import { Icon } from './icons.tsx';
import { type Frame, Layout } from './layout.tsx';
import type { MandateTextData } from './mandate-blocks.ts';
import { MandateText } from './mandate-text.tsx';
import { Actions, Alert, Button, ButtonLink, Link, type Post, PostForm, Stepper } from './parts.tsx';

interface StepProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly backHref: string;
  readonly errors?: readonly FieldError[];
}
const failed = (errors: readonly FieldError[] | undefined): boolean => (errors?.length ?? 0) > 0;

/** A démarche that may be named in a mandate. */
interface OfferedDemarche {
  readonly code: string;
  readonly label: string;
  readonly service: string;
  readonly effect: string;
  /** Where it is shown when there are many: the first of its themes that may be chosen. */
  readonly theme: string;
}

interface ThemesProps extends StepProps {
  readonly demarches: readonly OfferedDemarche[];
  readonly chosenDemarches: readonly string[];
  /** Themes that the structure and the aidant may take, in the order shown. */
  readonly themes: readonly string[];
  readonly chosen: readonly string[];
  /** Themes outside the habilitation: named, not offered. */
  readonly outside?: readonly string[];
}

/** More than this are folded by theme. */
const AT_A_GLANCE = 8;

/** The smallest choice, first: démarches by their names. */
const Demarches = ({ frame: { lang }, errors, themes, demarches, chosenDemarches }: ThemesProps): JSX.Element => {
  const words = t(lang).mandate;
  const choice = (each: OfferedDemarche): JSX.Element => (
    <Choice
      kind="checkbox"
      id={`demarche-${demarches.indexOf(each) + 1}`}
      name="demarches"
      value={each.code}
      checked={chosenDemarches.includes(each.code)}
      title={each.label}
    >
      <span>
        {words.demarcheOn(each.service)}. {lookUp(words.effects, each.effect)}.
      </span>
    </Choice>
  );
  const folded = themes.flatMap((theme) => {
    const inside = demarches.filter((each) => each.theme === theme);
    return inside.length ? [{ theme, inside }] : [];
  });
  return (
    <Choices lang={lang} id="demarche-1" legend={words.demarchesLegend} hint={words.demarchesHint} error={errorOf(errors, 'demarche-1')}>
      {demarches.length <= AT_A_GLANCE
        ? demarches.map(choice)
        : folded.map(({ theme, inside }) => (
            <details class="fold" open={inside.some((each) => chosenDemarches.includes(each.code)) ? true : undefined}>
              <summary>{themeLabel(theme, lang)}</summary>
              <div class="choices">{inside.map(choice)}</div>
            </details>
          ))}
    </Choices>
  );
};

const Themes = ({ frame: { lang }, errors, themes, chosen }: ThemesProps): JSX.Element => {
  const words = t(lang);
  const first = `theme-${themes[0] ?? ''}`;
  return (
    <Choices lang={lang} id={first} legend={words.mandate.themesLegend} hint={words.mandate.themesHint} error={errorOf(errors, first)}>
      {themes.map((theme) => (
        <Choice kind="checkbox" id={`theme-${theme}`} name="themes" value={theme} checked={chosen.includes(theme)} title={themeLabel(theme, lang)}>
          <span>{lookUp(words.themes.description, theme)}</span>
          {lookUp(words.themes.warning, theme) === undefined ? null : (
            <span class="choice__warning">
              <Icon name="alert" />
              <span>{lookUp(words.themes.warning, theme)}</span>
            </span>
          )}
        </Choice>
      ))}
    </Choices>
  );
};

/** Step 1: what needs to be done. Sends `demarches` and `themes`, each once a choice. */
export const MandateThemesPage = (props: ThemesProps): JSX.Element => {
  const { frame, post, backHref, errors, demarches, themes, chosen, outside = [] } = props;
  const { lang } = frame;
  const words = t(lang);
  const themesOpen = demarches.length === 0 || chosen.length > 0 || errorOf(errors, `theme-${themes[0] ?? ''}`) !== undefined;
  return (
    <Layout {...frame} title={words.mandate.step(1, words.mandate.titles[0] ?? '')} error={failed(errors)} width="narrow">
      <ErrorSummary lang={lang} errors={errors} />
      <Stepper lang={lang} step={1} />
      <PostForm post={post} id="mandate-themes">
        {demarches.length === 0 ? null : <Demarches {...props} />}
        <details class="fold" open={themesOpen ? true : undefined}>
          <summary id="whole-themes">{words.mandate.whole}</summary>
          <Themes {...props} />
          {outside.length === 0 ? null : (
            <p class="soft">{words.mandate.themesNotHabilitated(outside.map((theme) => themeLabel(theme, lang)).join(' ; '))}</p>
          )}
        </details>
        <Actions>
          <Button id="continue">{words.shared.continue}</Button>
          <ButtonLink kind="quiet" href={backHref} id="back">
            {words.shared.back}
          </ButtonLink>
        </Actions>
      </PostForm>
    </Layout>
  );
};

interface DaysProps extends StepProps {
  readonly now: Date;
  /** Each duration with the end that will be enforced (exclusive), from `endOfMandate`. */
  readonly durations: readonly { readonly days: number; readonly endsAt: Date }[];
  readonly chosen?: number;
  readonly readOnly?: boolean;
  readonly singleUse?: boolean;
}

/** Step 2: for how long, and whether less will do. Sends `days`, `read_only`, `single_use`; one day is chosen beforehand. */
export const MandateDaysPage = ({
  frame,
  post,
  backHref,
  errors,
  now,
  durations,
  chosen = 1,
  readOnly = false,
  singleUse = false,
}: DaysProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang);
  return (
    <Layout {...frame} title={words.mandate.step(2, words.mandate.titles[1] ?? '')} error={failed(errors)} width="narrow">
      <ErrorSummary lang={lang} errors={errors} />
      <Stepper lang={lang} step={2} />
      <PostForm post={post} id="mandate-days">
        <Choices lang={lang} id="days-1" legend={words.mandate.daysLegend} hint={words.mandate.daysHint} error={errorOf(errors, 'days-1')}>
          {durations.map(({ days, endsAt }) => (
            <Choice
              kind="radio"
              id={`days-${days}`}
              name="days"
              value={String(days)}
              checked={days === chosen}
              title={words.mandate.days[days] ?? String(days)}
            >
              <span>{until(endsAt, now, lang)}</span>
            </Choice>
          ))}
        </Choices>
        <Choices lang={lang} id="read-only" legend={words.mandate.narrowLegend} error={errorOf(errors, 'read-only')}>
          <Choice kind="checkbox" id="read-only" name="read_only" value="yes" checked={readOnly} title={words.mandate.readOnly}>
            <span>{words.mandate.readOnlyHint}</span>
          </Choice>
          <Choice kind="checkbox" id="single-use" name="single_use" value="yes" checked={singleUse} title={words.mandate.singleUse}>
            <span>{words.mandate.singleUseHint}</span>
          </Choice>
        </Choices>
        <Actions>
          <Button id="continue">{words.shared.continue}</Button>
          <ButtonLink kind="quiet" href={backHref} id="back">
            {words.shared.back}
          </ButtonLink>
        </Actions>
      </PostForm>
    </Layout>
  );
};

interface ReadProps extends StepProps {
  readonly text: MandateTextData;
  /** Where the text is shown to be read aloud, and in other languages. */
  readonly aloudHref: string;
  /** Makes the code for the person's own telephone. */
  readonly phone: Post;
  /** Abandons the draft. */
  readonly refuse: Post;
  /** The way for somebody who is on the phone. */
  readonly smsHref?: string;
  /** The way for somebody who signs by hand. */
  readonly paperHref?: string;
}

interface WayProps {
  readonly id: string;
  readonly words: { readonly title: string; readonly text: string };
  /** A page, or a form with its id. */
  readonly to: string | { readonly form: string; readonly post: Post };
}
/** One way in which the person may agree: the whole card leads there. */
const Way = ({ id, words, to }: WayProps): JSX.Element => {
  const inside = (
    <>
      <b class="choice__title">{words.title}</b>
      <span>{words.text}</span>
    </>
  );
  return (
    <li>
      {typeof to === 'string' ? (
        <Link class="way" href={to} id={id}>
          {inside}
        </Link>
      ) : (
        <PostForm post={to.post} id={to.form}>
          <button type="submit" class="way" id={id}>
            {inside}
          </button>
        </PostForm>
      )}
    </li>
  );
};

/** Step 3: the mandate is read aloud; then the person chooses how to agree, by herself. */
export const MandateReadPage = ({ frame, post, backHref, aloudHref, text, phone, refuse, smsHref, paperHref }: ReadProps): JSX.Element => {
  const words = t(frame.lang);
  const { ways } = words.mandate.read;
  return (
    <Layout {...frame} title={words.mandate.step(3, words.mandate.titles[2] ?? '')} width="narrow">
      <Stepper lang={frame.lang} step={3} />
      <Alert>
        <p>{words.mandate.read.intro}</p>
      </Alert>
      <Actions>
        <ButtonLink kind="secondary" href={aloudHref} id="read-aloud">
          {words.aloud.open}
        </ButtonLink>
      </Actions>
      <div class="fr-card">
        <MandateText data={text} lang={frame.lang} titleAs="h2" />
      </div>
      <Alert tone="warning">
        <p>{words.mandate.read.own}</p>
      </Alert>
      <h2 id="ways-title">{words.mandate.read.waysTitle}</h2>
      <ul class="ways" aria-labelledby="ways-title">
        <Way id="person-signs-in" words={ways.here} to={{ form: 'mandate-consent', post }} />
        <Way id="on-own-phone" words={ways.phone} to={{ form: 'mandate-phone', post: phone }} />
        {smsHref === undefined ? null : <Way id="ask-by-sms" words={ways.sms} to={smsHref} />}
        {paperHref === undefined ? null : <Way id="sign-on-paper" words={ways.paper} to={paperHref} />}
      </ul>
      <PostForm post={refuse} id="mandate-refuse">
        <Actions>
          <Button kind="secondary" id="person-refuses">
            {words.mandate.read.refuse}
          </Button>
          <ButtonLink kind="quiet" href={backHref} id="back">
            {words.shared.back}
          </ButtonLink>
        </Actions>
      </PostForm>
    </Layout>
  );
};
