import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { themeLabel } from '../i18n/sentence.ts';
import { Icon } from './icons.tsx';
import { Button, type Post, PostForm } from './parts.tsx';

/** A refused field: `field` is the id of what to correct, `code` a key of `signIn.fieldErrors`. */
export interface FieldError {
  readonly field: string;
  readonly code: string;
}

/** Writes what is wrong with a field; a code without its own sentence gets the general one. */
export const fieldErrorText = (code: string, lang: Lang): string =>
  lookUp(t(lang).signIn.fieldErrors, code) ?? t(lang).refusals.invalid_request.what({});

export const errorOf = (errors: readonly FieldError[] | undefined, field: string): FieldError | undefined =>
  errors?.find((error) => error.field === field);

/** Lists the errors above the form, each leading to its field. */
export const ErrorSummary = ({ lang, errors }: { lang: Lang; errors: readonly FieldError[] | undefined }): JSX.Element | null =>
  errors === undefined || errors.length === 0 ? null : (
    <div class="fr-alert fr-alert--error" role="alert" id="error-summary" tabindex={-1}>
      <h2 class="fr-alert__title">{t(lang).shared.thereIsAProblem}</h2>
      <ul>
        {errors.map((error) => (
          <li>
            <a href={`#${error.field}`}>{fieldErrorText(error.code, lang)}</a>
          </li>
        ))}
      </ul>
    </div>
  );

export const FieldErrorText = ({ lang, error }: { lang: Lang; error: FieldError | undefined }): JSX.Element | null =>
  error === undefined ? null : (
    <p class="fr-error-text" id={`${error.field}-error`}>
      <Icon name="alert" />
      <span>{fieldErrorText(error.code, lang)}</span>
    </p>
  );

interface InputProps {
  readonly lang: Lang;
  readonly id: string;
  readonly name?: string;
  readonly label: string;
  readonly hint?: string;
  readonly value?: string;
  readonly error?: FieldError | undefined;
  readonly type?: 'text' | 'search' | 'email';
  readonly required?: boolean;
  readonly autocomplete?: string;
  readonly inputmode?: 'numeric' | 'text';
  readonly maxlength?: number;
  readonly pattern?: string;
  readonly class?: string;
}
/** One labelled line of text, with its hint and its error tied to it. */
export const Input = ({ lang, id, name = id, label, hint, error, type = 'text', class: className, required, ...rest }: InputProps): JSX.Element => {
  const described = [hint === undefined ? '' : `${id}-hint`, error === undefined ? '' : `${id}-error`].filter(Boolean).join(' ');
  return (
    <div class={error === undefined ? 'fr-input-group' : 'fr-input-group fr-input-group--error'}>
      <label class="fr-label" for={id}>
        {label}
        {required ? <span class="soft"> ({t(lang).shared.required})</span> : null}
      </label>
      {hint === undefined ? null : (
        <p class="fr-hint-text" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      <FieldErrorText lang={lang} error={error} />
      <input
        class={className === undefined ? 'fr-input' : `fr-input ${className}`}
        type={type}
        id={id}
        name={name}
        required={required}
        aria-describedby={described === '' ? undefined : described}
        aria-invalid={error === undefined ? undefined : 'true'}
        {...rest}
      />
    </div>
  );
};

interface TextAreaProps extends Pick<InputProps, 'lang' | 'id' | 'label' | 'hint' | 'error' | 'required'> {
  readonly rows?: number;
  readonly value?: string;
  /** True when a script fills it from the address. */
  readonly fill?: boolean;
}
/** One labelled text of several lines, which no browser corrects. */
export const TextArea = ({ lang, id, label, hint, error, required, rows = 6, value, fill }: TextAreaProps): JSX.Element => (
  <div class={error === undefined ? 'fr-input-group' : 'fr-input-group fr-input-group--error'}>
    <label class="fr-label" for={id}>
      {label}
      {required ? <span class="soft"> ({t(lang).shared.required})</span> : null}
    </label>
    <p class="fr-hint-text" id={`${id}-hint`}>
      {hint}
    </p>
    <FieldErrorText lang={lang} error={error} />
    <textarea
      class="fr-input"
      id={id}
      name={id}
      rows={rows}
      required={required}
      autocomplete="off"
      spellcheck={false}
      data-fill={fill ? '' : undefined}
      aria-describedby={error === undefined ? `${id}-hint` : `${id}-hint ${id}-error`}
      aria-invalid={error === undefined ? undefined : 'true'}
    >
      {value}
    </textarea>
  </div>
);

/** The six digits of a one-time code. Paste and the browser's own suggestion are welcome. */
export const CodeField = ({ lang, label, hint, error }: { lang: Lang; label: string; hint: string; error?: FieldError | undefined }): JSX.Element => (
  <Input
    lang={lang}
    id="code"
    label={label}
    hint={hint}
    error={error}
    required
    class="fr-input--code"
    autocomplete="one-time-code"
    inputmode="numeric"
    maxlength={7}
    pattern="[0-9 ]*"
  />
);

interface ChoiceProps {
  readonly kind: 'radio' | 'checkbox';
  readonly id: string;
  readonly name: string;
  readonly value: string;
  readonly checked?: boolean;
  readonly disabled?: boolean;
  readonly title: string;
  readonly children?: Child;
}
/** One choice as a card: the whole card is the label. */
export const Choice = ({ kind, title, children, ...rest }: ChoiceProps): JSX.Element => (
  <label class="choice" for={rest.id}>
    <input type={kind} {...rest} />
    <span class="choice__body">
      <b class="choice__title">{title}</b>
      {children}
    </span>
  </label>
);

interface ChoicesProps {
  readonly lang: Lang;
  /** Id of the first choice: where the error summary leads. */
  readonly id: string;
  readonly legend: string;
  readonly hint?: string;
  readonly error?: FieldError | undefined;
  readonly children?: Child;
}
export const Choices = ({ lang, id, legend, hint, error, children }: ChoicesProps): JSX.Element => (
  <fieldset
    class={error === undefined ? 'fr-fieldset' : 'fr-fieldset fr-input-group--error'}
    aria-describedby={error === undefined ? undefined : `${id}-error`}
  >
    <legend class="fr-fieldset__legend">{legend}</legend>
    {hint === undefined ? null : <p class="fr-hint-text">{hint}</p>}
    <FieldErrorText lang={lang} error={error} />
    <div class="choices">{children}</div>
  </fieldset>
);

interface PartProps {
  readonly lang: Lang;
  /** Start of the ids. */
  readonly id: string;
  readonly themes: readonly string[];
  readonly words: { readonly which: string; readonly whole: string; only(theme: string): string };
}
/** Asks which part of a mandate ends: all of it unless one theme is picked. Nothing to ask when there is one theme. */
export const PartChoices = ({ lang, id, themes, words }: PartProps): JSX.Element | null =>
  themes.length < 2 ? null : (
    <Choices lang={lang} id={`${id}-all`} legend={words.which}>
      <Choice kind="radio" id={`${id}-all`} name="theme" value="" checked title={words.whole} />
      {themes.map((theme) => (
        <Choice kind="radio" id={`${id}-${theme}`} name="theme" value={theme} checked={false} title={words.only(themeLabel(theme, lang))} />
      ))}
    </Choices>
  );

export const Select = ({
  id,
  label,
  options,
  value,
}: {
  id: string;
  label: string;
  options: readonly (readonly [value: string, label: string])[];
  value?: string | undefined;
}): JSX.Element => (
  <div class="fr-select-group">
    <label class="fr-label" for={id}>
      {label}
    </label>
    <select class="fr-select" id={id} name={id}>
      {options.map(([key, text]) => (
        <option value={key} selected={key === (value ?? '') ? true : undefined}>
          {text}
        </option>
      ))}
    </select>
  </div>
);

/** A search among people: what is typed is sent in the form's body, never in an address that a browser or a proxy keeps (claim V1). */
export interface NameFilter {
  readonly post: Post;
  readonly query: string;
  /** The list without a search. */
  readonly clearHref: string;
}
export const FilterForm = ({ lang, filter }: { lang: Lang; filter: NameFilter }): JSX.Element => (
  <search>
    <PostForm post={filter.post} id="filter" class="filter">
      <Input lang={lang} id="q" label={t(lang).aidant.filter} value={filter.query} type="search" autocomplete="off" />
      <Button kind="secondary" id="filter-button">
        {t(lang).shared.search}
      </Button>
    </PostForm>
  </search>
);
