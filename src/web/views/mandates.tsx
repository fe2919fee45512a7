import type { Child } from 'hono/jsx';
import type { JSX } from 'hono/jsx/jsx-runtime';
import { lastDay, plainDay, until } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { themeLabel, themeList } from '../i18n/sentence.ts';
import { Input, PartChoices, Select } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Button, ButtonLink, Link, MethodBadge, Pager, type Post, PostForm } from './parts.tsx';

export interface ListedMandate {
  readonly href: string;
  readonly reference: string;
  readonly person: string;
  /** Those that live, or for an ended mandate those that it had. */
  readonly themes: readonly string[];
  readonly endsAt: Date;
  readonly method: string;
  readonly ended?: { readonly at: Date; readonly reason: string };
}

interface ListProps {
  readonly frame: Frame;
  readonly now: Date;
  readonly mandates: readonly ListedMandate[];
  /** How many the filters leave, over all pages. */
  readonly total: number;
  readonly filter: { readonly post: Post; readonly state: string; readonly theme: string; readonly end: string; readonly name: string };
  readonly themes: readonly string[];
  readonly clearHref: string;
  readonly backHref: string;
  readonly previous?: Post;
  readonly next?: Post;
}

const Filters = ({ frame, filter, themes }: Pick<ListProps, 'frame' | 'filter' | 'themes'>): JSX.Element => {
  const words = t(frame.lang).mandates.filter;
  return (
    <search>
      <PostForm post={filter.post} id="filter" class="filter">
        <Select
          id="etat"
          label={words.state}
          value={filter.state}
          options={[
            ['live', words.live],
            ['ended', words.ended],
          ]}
        />
        <Select
          id="theme"
          label={words.theme}
          value={filter.theme}
          options={[['', words.anyTheme], ...themes.map((theme) => [theme, themeLabel(theme, frame.lang)] as const)]}
        />
        <Select
          id="fin"
          label={words.end}
          value={filter.end}
          options={[
            ['', words.anyEnd],
            ['30', words.soon],
          ]}
        />
        <Input lang={frame.lang} id="q" label={words.name} value={filter.name} type="search" autocomplete="off" />
        <Button kind="secondary" id="filter-button">
          {words.button}
        </Button>
      </PostForm>
    </search>
  );
};

const Cell = ({ label, children }: { label: string; children?: Child }): JSX.Element => (
  <td data-label={label}>
    <div>{children}</div>
  </td>
);

const Row = ({ mandate, frame, now }: { mandate: ListedMandate; frame: Frame; now: Date }): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).mandates;
  const { ended } = mandate;
  return (
    <tr>
      <th scope="row" data-label={words.columns.person}>
        {mandate.person}
      </th>
      <Cell label={words.columns.themes}>{themeList(mandate.themes, lang)}</Cell>
      <Cell label={words.columns.end}>
        {ended ? (
          <>
            {lookUp(words.reasons, ended.reason) ?? ended.reason}
            <div class="under">
              <time datetime={ended.at.toISOString()}>{words.endedOn(plainDay(ended.at, lang))}</time>
            </div>
          </>
        ) : (
          <time datetime={lastDay(mandate.endsAt).toISOString()}>{until(mandate.endsAt, now, lang)}</time>
        )}
      </Cell>
      <Cell label={words.columns.consent}>
        <MethodBadge method={mandate.method} lang={lang} />
      </Cell>
      <Cell label={words.columns.reference}>
        <Link href={mandate.href} class="nowrap">
          {mandate.reference}
        </Link>
      </Cell>
    </tr>
  );
};

/** Every mandate of the structure, soonest-ending first; ended ones stay in sight. */
export const MandatesPage = (props: ListProps): JSX.Element => {
  const { frame, now, mandates, total, filter, previous, next } = props;
  const words = t(frame.lang).mandates;
  const filtered = filter.state !== 'live' || [filter.theme, filter.end, filter.name].some((each) => each !== '');
  return (
    <Layout {...frame} title={words.title} width="wide">
      <h1>{words.title}</h1>
      <Filters {...props} />
      <p role="status" class="soft">
        {words.count(total)}.{' '}
        {filtered ? (
          <Link href={props.clearHref} id="clear-filter">
            {words.filter.clear}
          </Link>
        ) : (
          words.intro
        )}
      </p>
      {mandates.length === 0 ? (
        <p>{filtered ? words.none : words.nothingYet}</p>
      ) : (
        <section class="fr-table" aria-labelledby="mandates" tabindex={0}>
          <table>
            <caption class="fr-sr-only" id="mandates">
              {words.title}
            </caption>
            <thead>
              <tr>
                {(['person', 'themes', 'end', 'consent', 'reference'] as const).map((column) => (
                  <th scope="col">{words.columns[column]}</th>
                ))}
              </tr>
            </thead>
            <tbody>
              {mandates.map((mandate) => (
                <Row mandate={mandate} frame={frame} now={now} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      <Pager lang={frame.lang} {...(previous !== undefined && { previous })} {...(next !== undefined && { next })} />
      <Actions>
        <ButtonLink kind="quiet" href={props.backHref} id="back">
          {t(frame.lang).mandate.created.home}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

interface RenounceProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly person: string;
  readonly organisation: string;
  readonly themes: readonly string[];
  readonly backHref: string;
}

/** Asks once before the structure gives a mandate up, or one theme of it. */
export const RenouncePage = ({ frame, post, person, organisation, themes, backHref }: RenounceProps): JSX.Element => {
  const words = t(frame.lang).mandates.renounce;
  return (
    <Layout {...frame} title={words.title(person)} width="narrow">
      <h1>{words.title(person)}</h1>
      <p class="lead">{words.effect(organisation)}</p>
      <ul class="lead">
        {themes.map((theme) => (
          <li>
            <b>{themeLabel(theme, frame.lang)}</b>
          </li>
        ))}
      </ul>
      <p>
        {words.now} {words.told}
      </p>
      <p>{words.final}</p>
      <PostForm post={post} id="renounce-mandate">
        <PartChoices lang={frame.lang} id="renounce" themes={themes} words={words} />
        <Actions>
          <Button kind="stop" id="renounce">
            {words.button}
          </Button>
          <ButtonLink kind="quiet" href={backHref} id="keep">
            {words.keep}
          </ButtonLink>
        </Actions>
      </PostForm>
    </Layout>
  );
};

interface RenouncedProps {
  readonly frame: Frame;
  readonly person: string;
  readonly stopped: readonly string[];
  readonly left: readonly string[];
  readonly receiptHref: string;
  readonly backHref: string;
}

export const RenouncedPage = ({ frame, person, stopped, left, receiptHref, backHref }: RenouncedProps): JSX.Element => {
  const words = t(frame.lang).mandates.renounce;
  return (
    <Layout {...frame} title={words.doneTitle} width="narrow">
      <h1>{words.doneTitle}</h1>
      <Alert tone="success" role="status">
        <p class="lead">{words.done(person, themeList(stopped, frame.lang))}</p>
        {left.length ? <p>{words.left(themeList(left, frame.lang))}</p> : null}
      </Alert>
      <Actions>
        <ButtonLink href={backHref} id="back">
          {words.back}
        </ButtonLink>
        <ButtonLink kind="secondary" href={receiptHref} id="receipt">
          {t(frame.lang).ending.receipt.link}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
