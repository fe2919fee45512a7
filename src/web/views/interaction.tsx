import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Narrowing } from '../../mandates/narrowing.ts';
import { lastDay, plainDay, until } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { narrowingList } from '../i18n/narrowing.ts';
import { themeLabel } from '../i18n/sentence.ts';
import { Choice, Choices, ErrorSummary, errorOf, type FieldError, FilterForm, type NameFilter } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Empty, Facts, Link, MethodBadge, Pager, type Post, PostForm } from './parts.tsx';

interface StepProps {
  readonly frame: Frame;
  readonly post: Post;
  /** *Ne pas continuer*: answers the service with access_denied. */
  readonly abort: Post;
  readonly errors?: readonly FieldError[];
}
const failed = (errors: readonly FieldError[] | undefined): boolean => (errors?.length ?? 0) > 0;

interface PickPersonProps extends StepProps {
  readonly now: Date;
  readonly service: string;
  readonly people: readonly {
    readonly id: string;
    readonly name: string;
    readonly themes: readonly string[];
    readonly endsAt: Date;
    readonly method: string;
  }[];
  readonly total: number;
  readonly filter: NameFilter;
  readonly createHref: string;
  readonly previous?: string | Post;
  readonly next?: string | Post;
}

const PersonForm = ({ frame, post, errors, now, people }: PickPersonProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang);
  return (
    <PostForm post={post} id="pick-person">
      <Choices lang={lang} id="person-1" legend={words.delegation.person.legend} error={errorOf(errors, 'person-1')}>
        {people.map((person, index) => (
          <Choice kind="radio" id={`person-${index + 1}`} name="person" value={person.id} checked={people.length === 1} title={person.name}>
            <span>{person.themes.map((theme) => themeLabel(theme, lang)).join(' · ')}</span>
            <span class="choice__under">
              <span>
                {words.delegation.person.until} {until(person.endsAt, now, lang)}
              </span>{' '}
              <MethodBadge method={person.method} lang={lang} />
            </span>
          </Choice>
        ))}
      </Choices>
      <Actions>
        <Button id="continue">{words.shared.continue}</Button>
        <Button kind="quiet" form="abort" id="do-not-continue">
          {words.shared.doNotContinue}
        </Button>
      </Actions>
    </PostForm>
  );
};

/** Pick the person: only live mandates of the current structure that this service accepts. Sends `person`. */
export const PickPersonPage = (props: PickPersonProps): JSX.Element => {
  const { frame, errors, service, people, total, filter, previous, next } = props;
  const words = t(frame.lang);
  const nobody = people.length === 0 && filter.query === '';
  return (
    <Layout {...frame} title={words.delegation.person.title} error={failed(errors)} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.delegation.person.title}</h1>
      <p>{words.delegation.person.intro(service)}</p>
      <PostForm post={props.abort} id="abort" />
      {nobody ? (
        <Empty title={words.delegation.person.empty}>
          <Actions>
            <ButtonLink href={props.createHref} id="create-mandate">
              {words.aidant.create}
            </ButtonLink>
            <Button kind="quiet" form="abort" id="do-not-continue">
              {words.shared.doNotContinue}
            </Button>
          </Actions>
        </Empty>
      ) : (
        <>
          <FilterForm lang={frame.lang} filter={filter} />
          <p role="status" class="soft">
            {words.aidant.count(total, filter.query)}
            {filter.query === '' ? null : (
              <>
                {' '}
                <Link href={filter.clearHref} id="clear-filter">
                  {words.aidant.clearFilter}
                </Link>
              </>
            )}
          </p>
          {people.length === 0 ? <p>{words.aidant.emptyFilter}</p> : <PersonForm {...props} />}
          <Pager lang={frame.lang} {...(previous !== undefined && { previous })} {...(next !== undefined && { next })} />
        </>
      )}
    </Layout>
  );
};

/** Pick the theme, when the mandate and the service have several in common. Sends `theme`. */
export const PickThemePage = ({
  frame,
  post,
  abort,
  errors,
  person,
  themes,
}: StepProps & { person: string; themes: readonly string[] }): JSX.Element => {
  const { lang } = frame;
  const words = t(lang);
  const title = words.delegation.theme.title(person);
  const first = `theme-${themes[0] ?? ''}`;
  return (
    <Layout {...frame} title={title} error={failed(errors)} width="narrow">
      <ErrorSummary lang={lang} errors={errors} />
      <h1>{title}</h1>
      <PostForm post={abort} id="abort" />
      <PostForm post={post} id="pick-theme">
        <Choices lang={lang} id={first} legend={words.delegation.theme.legend} hint={words.delegation.theme.intro} error={errorOf(errors, first)}>
          {themes.map((theme) => (
            <Choice kind="radio" id={`theme-${theme}`} name="theme" value={theme} title={themeLabel(theme, lang)}>
              <span>{lookUp(words.themes.description, theme)}</span>
            </Choice>
          ))}
        </Choices>
        <Actions>
          <Button id="continue">{words.shared.continue}</Button>
          <Button kind="quiet" form="abort" id="do-not-continue">
            {words.shared.doNotContinue}
          </Button>
        </Actions>
      </PostForm>
    </Layout>
  );
};

interface ConfirmProps extends StepProps {
  readonly now: Date;
  readonly person: string;
  readonly service: string;
  readonly theme: string;
  readonly mandate: { readonly startsAt: Date; readonly endsAt: Date; readonly method: string };
  readonly privileges: readonly string[];
  readonly narrowing: Narrowing;
  /** Set when another person's sessions will be ended by this one. */
  readonly endsFirst?: { readonly person: string; readonly services: readonly string[] };
  /** Goes back to the choice of the person. */
  readonly anotherHref: string;
}

/** From what changes nothing to what does. */
const ORDER = ['read', 'declare', 'change'];

const WhatItAllows = ({ frame, now, mandate, privileges, narrowing }: ConfirmProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).delegation.confirm;
  const oneDay = lastDay(mandate.endsAt).getTime() - mandate.startsAt.getTime() < 86_400_000 && mandate.endsAt > now;
  const range = oneDay ? words.today : words.range(plainDay(mandate.startsAt, lang), plainDay(lastDay(mandate.endsAt), lang));
  return (
    <div class="fr-card">
      <Facts
        items={[
          [
            words.mandate,
            <span class="inline">
              {range} <MethodBadge method={mandate.method} lang={lang} />
            </span>,
          ],
          [
            words.can,
            ORDER.flatMap((privilege) => (privileges.includes(privilege) ? [lookUp(words.privileges, privilege) ?? privilege] : [])).join(', '),
          ],
          [t(lang).mandate.narrowed.label, narrowingList(narrowing, lang).join(' · ') || undefined],
          [words.cannot, words.never],
          [words.howLong, words.minutes],
        ]}
      />
    </div>
  );
};

/** "Vous allez agir pour … auprès de …": the last page before the service gets its answer. */
export const ConfirmPage = (props: ConfirmProps): JSX.Element => {
  const { frame, person, service, theme, endsFirst } = props;
  const words = t(frame.lang).delegation.confirm;
  const where = words.where(service, themeLabel(theme, frame.lang));
  return (
    <Layout {...frame} title={words.title(person)} width="narrow">
      <h1>{words.title(person)}</h1>
      <p class="lead">
        {where.before}
        <b>{where.service}</b>
        {where.between}
        <b>{where.theme}</b>
        {where.after}
      </p>
      <p>{words.known(service)}</p>
      {endsFirst === undefined ? null : (
        <Alert tone="warning" title={words.otherTitle(endsFirst.person)}>
          <p>{words.other(endsFirst.services.join(' · '), person)}</p>
          <p>{words.otherFinish}</p>
        </Alert>
      )}
      <WhatItAllows {...props} />
      <Alert>
        <p>
          <b>{words.written}</b> {words.writtenWhere(person)}
        </p>
      </Alert>
      <PostForm post={props.abort} id="abort" />
      <PostForm post={props.post} id="confirm">
        <Actions>
          <Button id="act">{endsFirst === undefined ? words.button(person) : words.switchButton(person)}</Button>
          <ButtonLink kind="secondary" href={props.anotherHref} id="another-person">
            {words.another}
          </ButtonLink>
          <Button kind="quiet" form="abort" id="do-not-continue">
            {t(frame.lang).shared.doNotContinue}
          </Button>
        </Actions>
      </PostForm>
    </Layout>
  );
};
