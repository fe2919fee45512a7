import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Narrowing } from '../../mandates/narrowing.ts';
import { lastDay, minutesLeft, until } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { narrowingList } from '../i18n/narrowing.ts';
import { themeLabel } from '../i18n/sentence.ts';
import { Choice, Choices, ErrorSummary, errorOf, type FieldError, FilterForm, type NameFilter } from './fields.tsx';
import { Icon } from './icons.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Button, ButtonLink, Empty, Facts, Link, MethodBadge, Pager, type Post, PostForm } from './parts.tsx';

export interface AccompaniedPerson {
  readonly id: string;
  readonly name: string;
  readonly themes: readonly string[];
  readonly narrowing: Narrowing;
  readonly used?: boolean;
  readonly endsAt: Date;
  readonly method: string;
  /** Sites that accept this mandate: where *Agir sur …* leads. */
  readonly services: readonly { readonly name: string; readonly href: string }[];
}
export interface OpenSession {
  readonly id: string;
  readonly person: string;
  readonly service: string;
  readonly theme: string;
  readonly expiresAt: Date;
  readonly stop: Post;
}
interface AidantHomeProps {
  readonly frame: Frame;
  readonly now: Date;
  readonly people: readonly AccompaniedPerson[];
  /** How many people the filter leaves, over all pages. */
  readonly total: number;
  readonly filter: NameFilter;
  readonly open: readonly OpenSession[];
  readonly createHref: string;
  readonly mandatesHref: string;
  /** For a référent. */
  readonly journalHref?: string;
  /** Sheets of other aidants that wait for a witness. */
  readonly witness: { readonly href: string; readonly waiting: number };
  readonly previous?: string | Post;
  readonly next?: string | Post;
}

const OpenSessions = ({ frame, now, open }: Pick<AidantHomeProps, 'frame' | 'now' | 'open'>): JSX.Element | null => {
  const words = t(frame.lang).aidant.open;
  if (open.length === 0) return null;
  return (
    <section class="acting" aria-labelledby="acting-title">
      <h2 id="acting-title">
        <Icon name="hand" />
        {words.title}
      </h2>
      <ul>
        {open.map((session, index) => (
          <li>
            <div>
              <p>
                <strong>{words.line(session.person, session.service)}</strong>
              </p>
              <p>{words.detail(themeLabel(session.theme, frame.lang), t(frame.lang).shared.minutes(minutesLeft(session.expiresAt, now)))}</p>
            </div>
            <PostForm post={session.stop} id={`stop-session-${index + 1}`}>
              <Button more={words.stopLong(session.person, session.service)}>{words.stop}</Button>
            </PostForm>
          </li>
        ))}
      </ul>
    </section>
  );
};

const Person = ({ frame, now, person, number }: { frame: Frame; now: Date; person: AccompaniedPerson; number: number }): JSX.Element => {
  const { aidant: words } = t(frame.lang);
  return (
    <li class="fr-card person">
      <div class="row">
        <h3 class="fr-card__title">{person.name}</h3>
        <MethodBadge method={person.method} lang={frame.lang} />
      </div>
      <Facts
        items={[
          [words.themes, person.themes.map((theme) => themeLabel(theme, frame.lang)).join(' · ')],
          [t(frame.lang).mandate.narrowed.label, narrowingList(person.narrowing, frame.lang).join(' · ') || undefined],
          [words.end, <time datetime={lastDay(person.endsAt).toISOString()}>{until(person.endsAt, now, frame.lang)}</time>],
        ]}
      />
      {person.services.length === 0 ? (
        <p class="soft">{person.used ? t(frame.lang).mandate.narrowed.used : words.noService}</p>
      ) : (
        <Actions>
          {person.services.map((service, index) => (
            <ButtonLink kind="secondary" href={service.href} id={`act-${number}-${index + 1}`} more={words.forPerson(person.name)}>
              {words.actOn} {service.name}
            </ButtonLink>
          ))}
        </Actions>
      )}
    </li>
  );
};

/** The aidant's home: what is open now, then the people who have a live mandate with the structure. */
export const AidantHomePage = (props: AidantHomeProps): JSX.Element => {
  const { frame, now, people, total, filter, previous, next } = props;
  const words = t(frame.lang).aidant;
  const filtered = filter.query !== '';
  const nobody = people.length === 0 && !filtered;
  const create = (
    <ButtonLink href={props.createHref} id="create-mandate">
      {words.create}
    </ButtonLink>
  );
  return (
    <Layout {...frame} title={words.title} width="wide">
      <div class="row page-title">
        <h1>{words.title}</h1>
        {nobody ? null : create}
      </div>
      <OpenSessions {...props} />
      <h2>{words.people}</h2>
      {nobody ? (
        <Empty title={words.empty.title}>
          <p>{words.empty.text}</p>
          <ol class="steps">
            {words.empty.steps.map((text) => (
              <li>{text}</li>
            ))}
          </ol>
          <Actions>{create}</Actions>
        </Empty>
      ) : (
        <>
          <FilterForm lang={frame.lang} filter={filter} />
          <p role="status" class="soft">
            {words.count(total, filter.query)}
            {filtered ? (
              <>
                {' '}
                <Link href={filter.clearHref} id="clear-filter">
                  {words.clearFilter}
                </Link>
              </>
            ) : null}
          </p>
          {people.length === 0 ? <p>{words.emptyFilter}</p> : null}
          <ul class="people">
            {people.map((person, index) => (
              <Person frame={frame} now={now} person={person} number={index + 1} />
            ))}
          </ul>
          <Pager lang={frame.lang} {...(previous !== undefined && { previous })} {...(next !== undefined && { next })} />
        </>
      )}
      <p>
        <Link href={props.witness.href} id="witness-link">
          {t(frame.lang).paper.witness.link(props.witness.waiting)}
        </Link>
      </p>
      <p>
        <Link href={props.mandatesHref} id="all-mandates">
          {t(frame.lang).mandates.link}
        </Link>
      </p>
      <p>
        <Link href="/aidant/actes" id="own-acts">
          {t(frame.lang).contests.mine.link}
        </Link>
      </p>
      <p>
        <Link href="/aidant/desaccords" id="disagreements">
          {t(frame.lang).contests.all.link}
        </Link>
      </p>
      {props.journalHref === undefined ? null : (
        <p>
          <Link href={props.journalHref} id="structure-journal">
            {t(frame.lang).structure.link}
          </Link>
        </p>
      )}
      <p>
        <Link href="/aidant/arret" id="stop-by-paper-link">
          {t(frame.lang).ending.stop.link}
        </Link>
      </p>
    </Layout>
  );
};

interface OrganisationsProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly organisations: readonly { readonly id: string; readonly name: string; readonly current: boolean }[];
  readonly errors?: readonly FieldError[];
}

/** Lets an aidant of several structures say which one they are working for. */
export const OrganisationPage = ({ frame, post, organisations, errors }: OrganisationsProps): JSX.Element => {
  const words = t(frame.lang).signIn.organisations;
  return (
    <Layout {...frame} title={words.title} error={(errors?.length ?? 0) > 0} width="narrow">
      <ErrorSummary lang={frame.lang} errors={errors} />
      <h1>{words.title}</h1>
      <PostForm post={post} id="organisation">
        <Choices lang={frame.lang} id="organisation-1" legend={words.text} error={errorOf(errors, 'organisation-1')}>
          {organisations.map(({ id, name, current }, index) => (
            <Choice kind="radio" id={`organisation-${index + 1}`} name="organisation" value={id} checked={current} title={name}>
              {current ? <span class="soft">{words.current}</span> : null}
            </Choice>
          ))}
        </Choices>
        <Actions>
          <Button id="choose-organisation">{words.button}</Button>
        </Actions>
      </PostForm>
    </Layout>
  );
};
