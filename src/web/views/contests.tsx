import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Said } from '../../actions/contests.ts';
import type { StoredEntry } from '../../journal/journal.ts';
import type { Evidence } from '../evidence.ts';
import { dayAndTime } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { namedOrganisation, siteOf } from '../i18n/names.ts';
import { sentence, themeLabel } from '../i18n/sentence.ts';
import { EvidenceStatus } from './evidence.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Badge, Button, ButtonLink, Empty, Facts, Link, Pager, type Post, PostForm } from './parts.tsx';

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

/** What lets whoever reads check the entries of a page. */
interface Checked {
  readonly evidence?: Evidence;
}
const Status = ({ frame: { lang, helpNumber }, evidence }: Checked & { frame: Frame }): JSX.Element | null =>
  evidence === undefined ? null : <EvidenceStatus lang={lang} helpNumber={helpNumber} evidence={evidence} />;

const text = (entry: Pick<StoredEntry, 'detail'>, member: string): string | undefined => {
  const value: unknown = Object.entries(entry.detail ?? {}).find(([key]) => key === member)?.[1];
  return typeof value === 'string' ? value : undefined;
};

interface ContestProps extends Checked {
  readonly frame: Frame;
  readonly entry: StoredEntry;
  readonly said: Said;
  readonly post: Post;
  /** Where she stops the mandate, while it lives. */
  readonly stopHref?: string;
  readonly backHref: string;
}

/** The person says once that she did not agree: what that does, no reason asked. Afterwards, the same page says when she said it. */
export const ContestPage = ({ frame, entry, said, post, stopHref, backHref, evidence }: ContestProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).contests.person;
  const line = sentence(entry, lang);
  const organisation = text(entry, 'organisationName');
  const service = text(entry, 'serviceName');
  const title = said.contest ? words.doneTitle : words.title;
  return (
    <Layout {...frame} title={title} width="narrow" checks={evidence !== undefined}>
      <h1>{title}</h1>
      {said.contest ? (
        <Alert tone="success" role="status">
          <p>{words.done(dayAndTime(said.contest, lang))}</p>
        </Alert>
      ) : null}
      <h2>{words.about(entry.index)}</h2>
      <div data-entry={String(entry.index)} data-entry-words="">
        <p class="soft">
          <time datetime={entry.at.toISOString()}>{capital(dayAndTime(entry.at, lang))}</time>
        </p>
        <p class="lead">
          <b>{line?.strong}</b> {line?.text}
        </p>
        {line?.reference === undefined ? null : <p class="soft">{line.reference}</p>}
      </div>
      <Status frame={frame} {...(evidence ? { evidence } : {})} />
      {said.error ? (
        <Alert tone="warning">
          <p>{words.error(dayAndTime(said.error, lang))}</p>
        </Alert>
      ) : null}
      {said.contest ? null : <h2>{words.effects}</h2>}
      <ul>
        <li>{words.written}</li>
        <li>{words.organisation(organisation === undefined ? t(lang).journal.someOrganisation : namedOrganisation(organisation, lang))}</li>
        <li>{words.administration(service === undefined ? t(lang).journal.someSite : siteOf(service, lang))}</li>
        <li>{words.stays}</li>
      </ul>
      {said.contest ? null : (
        <>
          <p>{words.noReason}</p>
          <PostForm post={post} id="contest">
            <Actions>
              <Button id="contest-button">{words.button}</Button>
            </Actions>
          </PostForm>
        </>
      )}
      <p>{words.talk(frame.helpNumber)}</p>
      <Actions>
        {stopHref === undefined ? null : (
          <ButtonLink kind="stop" href={stopHref} id="stop">
            {words.stop}
          </ButtonLink>
        )}
        <ButtonLink kind="secondary" href={backHref} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

const verbOf = (entry: Pick<StoredEntry, 'verb'>, lang: Lang): string => lookUp(t(lang).administration.verbs, entry.verb) ?? t(lang).contests.opened;

interface ActProps {
  readonly entry: StoredEntry;
  /** The mandate, by its reference. */
  readonly mandate?: { readonly reference: string; readonly href: string };
}
/** What was done and where: what staff read of an entry, the person by her mandate alone. */
const ActFacts = ({ entry, mandate, lang, what, state }: ActProps & { lang: Lang; what?: string; state?: JSX.Element }): JSX.Element => {
  const words = t(lang).contests.facts;
  const line = entry.detail && 'entry' in entry.detail ? entry.detail.entry : undefined;
  return (
    <Facts
      items={[
        [words.at, <time datetime={entry.at.toISOString()}>{dayAndTime(entry.at, lang)}</time>],
        [words.what, what],
        [words.about, line === undefined ? undefined : words.line(line)],
        [words.aidant, text(entry, 'aidantName')],
        [words.site, text(entry, 'serviceName')],
        [words.demarche, text(entry, lang === 'en' ? 'demarcheLabelEn' : 'demarcheLabel')],
        [words.administration, text(entry, 'administrationName')],
        [words.reason, text(entry, 'reason')],
        [words.theme, entry.theme === undefined ? undefined : themeLabel(entry.theme, lang)],
        [words.mandate, mandate && <Link href={mandate.href}>{mandate.reference}</Link>],
        [words.state, state],
      ]}
    />
  );
};

const State = ({ said, lang }: { said: Said; lang: Lang }): JSX.Element | undefined => {
  const words = t(lang).contests.all;
  if (said.contest && said.error) return <Badge tone="warning">{words.both}</Badge>;
  if (said.contest) return <Badge tone="error">{words.open}</Badge>;
  return said.error ? <Badge tone="warning">{words.alone}</Badge> : undefined;
};

interface ListProps extends Checked {
  readonly frame: Frame;
  readonly lines: readonly (ActProps & { readonly said: Said; readonly href?: string })[];
  readonly newer?: string;
  readonly older?: string;
  readonly backHref: string;
}

/** Acts of one aidant, or what was said of those of the whole organisation; newest first. */
const List = ({ frame, lines, newer, older, backHref, evidence, of }: ListProps & { of: 'mine' | 'all' }): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).contests;
  const said = new Map([
    ['action.contested', words.all.contest],
    ['action.error-declared', words.all.error],
    ['mandate.barred', words.all.barred],
  ]);
  const labelOf = ({ entry }: ActProps): string => said.get(entry.type) ?? verbOf(entry, lang);
  return (
    <Layout {...frame} title={words[of].title} width="narrow" checks={evidence !== undefined}>
      <h1>{words[of].title}</h1>
      <p>{words[of].text}</p>
      <Status frame={frame} {...(evidence ? { evidence } : {})} />
      {lines.length === 0 ? <Empty title={words[of].empty} /> : null}
      <ul class="people">
        {lines.map((line) => (
          <li class="fr-card" id={`line-${line.entry.index}`} data-entry={String(line.entry.index)} data-entry-words="">
            <h2 class="fr-card__title">{words.facts.line(line.entry.index)}</h2>
            <ActFacts
              {...line}
              lang={lang}
              what={labelOf(line)}
              {...(Object.keys(line.said).length ? { state: <State said={line.said} lang={lang} /> } : {})}
            />
            {line.href === undefined ? null : (
              <Actions>
                <ButtonLink kind="secondary" href={line.href} id={`declare-${line.entry.index}`} more={` : ${words.facts.line(line.entry.index)}`}>
                  {words.mine.declare}
                </ButtonLink>
              </Actions>
            )}
          </li>
        ))}
      </ul>
      <Pager
        lang={lang}
        labels={[t(lang).shared.newer, t(lang).shared.older]}
        {...(newer !== undefined && { previous: newer })}
        {...(older !== undefined && { next: older })}
      />
      <Actions>
        <ButtonLink kind="quiet" href={backHref} id="back">
          {words.backHome}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
export const OwnActsPage = (props: ListProps): JSX.Element => <List {...props} of="mine" />;
export const DisagreementsPage = (props: ListProps): JSX.Element => <List {...props} of="all" />;

interface DeclareProps extends ActProps, Checked {
  readonly frame: Frame;
  readonly said: Said;
  readonly post: Post;
  readonly backHref: string;
}

/** The aidant says once that it was an error. Afterwards, the same page says when. */
export const DeclareErrorPage = ({ frame, entry, mandate, said, post, backHref, evidence }: DeclareProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).contests.error;
  const title = said.error ? words.doneTitle : words.title;
  return (
    <Layout {...frame} title={title} width="narrow" checks={evidence !== undefined}>
      <h1>{title}</h1>
      {said.error ? (
        <Alert tone="success" role="status">
          <p>{words.done(dayAndTime(said.error, lang))}</p>
        </Alert>
      ) : (
        <p class="lead">{words.lead}</p>
      )}
      <div class="fr-card" data-entry={String(entry.index)} data-entry-words="">
        <h2 class="fr-card__title">{t(lang).contests.facts.line(entry.index)}</h2>
        <ActFacts entry={entry} lang={lang} what={verbOf(entry, lang)} {...(mandate ? { mandate } : {})} />
      </div>
      <Status frame={frame} {...(evidence ? { evidence } : {})} />
      {said.contest ? (
        <Alert tone="warning">
          <p>{words.contested(dayAndTime(said.contest, lang))}</p>
        </Alert>
      ) : null}
      <ul>
        <li>{words.written}</li>
        <li>{words.told}</li>
        <li>{words.stays}</li>
      </ul>
      {said.error ? null : (
        <>
          <p>{words.noReason}</p>
          <PostForm post={post} id="declare-error">
            <Actions>
              <Button id="declare-button">{words.button}</Button>
            </Actions>
          </PostForm>
        </>
      )}
      <Actions>
        <ButtonLink kind="quiet" href={backHref} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
