import type { JSX } from 'hono/jsx/jsx-runtime';
import type { StoredEntry } from '../../journal/journal.ts';
import { parisDay } from '../../kernel/calendar.ts';
import type { Narrowing } from '../../mandates/narrowing.ts';
import type { Evidence } from '../evidence.ts';
import { day, dayAndTime, lastDay, plainDay, time } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { namedOrganisation } from '../i18n/names.ts';
import { narrowingList } from '../i18n/narrowing.ts';
import { methodLabel, sentence, themeLabel, themeList } from '../i18n/sentence.ts';
import { EvidenceStatus } from './evidence.tsx';
import { Icon } from './icons.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Badge, ButtonLink, Empty, Facts, Link, Pager } from './parts.tsx';
import { PATHS } from './paths.ts';

export interface UsagerLine {
  readonly entry: StoredEntry;
  readonly detailHref: string;
  /** A delegated session that ended with no report. */
  readonly withoutReport?: boolean;
  readonly disagreeHref?: string;
  /** She said so already: the same address says when. */
  readonly disagreed?: boolean;
}
export interface MandateCard {
  readonly organisation: string;
  /** First names of a few aidants, then how many others. */
  readonly aidants: readonly string[];
  readonly otherAidants: number;
  readonly themes: readonly string[];
  readonly narrowing: Narrowing;
  readonly used?: boolean;
  readonly endsAt: Date;
  readonly consent: { readonly method: string; readonly at: Date };
  /** Themes for which another structure may act too. */
  readonly shared?: readonly string[];
  readonly stopHref: string;
  readonly textHref?: string;
}
interface UsagerHomeProps {
  readonly frame: Frame;
  readonly now: Date;
  /** « Madame Martin ». */
  readonly greeting: string;
  /** Newest first; kinds without a sentence are left out. */
  readonly lines: readonly UsagerLine[];
  readonly mandates: readonly MandateCard[];
  /** Where she gives her phone number. */
  readonly phoneHref?: string;
  /** Last signed checkpoint; missing while the signature is late. */
  readonly checkpoint?: { readonly size: number; readonly at: Date };
  /** What lets her browser check these lines. */
  readonly evidence?: Evidence;
  readonly newer?: string;
  readonly older?: string;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const TimelineLine = ({ line, lang }: { line: UsagerLine; lang: Lang }): JSX.Element | null => {
  const words = t(lang).usager;
  const said = sentence(line.entry, lang, { withoutReport: line.withoutReport === true });
  if (said === undefined) return null;
  const about = words.about(`${said.strong}, ${time(line.entry.at, lang)}`);
  return (
    <li id={`line-${line.entry.index}`} data-entry={String(line.entry.index)}>
      <time datetime={line.entry.at.toISOString()}>{time(line.entry.at, lang)}</time>
      <div>
        <p>
          <b>{said.strong}</b> {said.text}
        </p>
        {said.badge === undefined && said.reference === undefined ? null : (
          <p class="under">
            {said.badge === undefined ? null : <Badge tone={said.badge.tone}>{said.badge.word}</Badge>}
            {said.reference === undefined ? null : <span class="soft">{said.reference}</span>}
          </p>
        )}
      </div>
      <p class="links">
        <Link href={line.detailHref} more={about}>
          {words.detail}
        </Link>
        {line.disagreeHref === undefined ? null : (
          <Link href={line.disagreeHref} more={about}>
            {line.disagreed ? t(lang).contests.person.noted : words.disagree}
          </Link>
        )}
      </p>
    </li>
  );
};

/** Groups lines by day of Paris, in the order received. */
const byDay = (lines: readonly UsagerLine[]): UsagerLine[][] => {
  const days = new Map<string, UsagerLine[]>();
  for (const line of lines) {
    const key = parisDay(line.entry.at);
    days.set(key, [...(days.get(key) ?? []), line]);
  }
  return [...days.values()];
};

/** A signature comes each second: lines that still wait for theirs after this long are worth a word. */
const LATE_MS = 60_000;

const Done = ({ frame, now, lines, newer, older, checkpoint, evidence }: UsagerHomeProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).usager;
  const shown = lines.filter((line) => sentence(line.entry, lang) !== undefined);
  const late = now.getTime() - (shown[0]?.entry.at.getTime() ?? 0) > LATE_MS;
  return (
    <section class="two__main" aria-labelledby="done">
      <h2 id="done">{words.done}</h2>
      {evidence === undefined ? null : <EvidenceStatus lang={lang} helpNumber={frame.helpNumber} evidence={evidence} />}
      {shown.length > 0 ? null : newer === undefined ? (
        <Empty title={words.empty.title}>
          <p>{words.empty.text}</p>
        </Empty>
      ) : (
        <p>{words.empty.page}</p>
      )}
      {byDay(shown).map((group) => (
        <>
          <h3 class="day">{group[0] === undefined ? '' : capital(day(group[0].entry.at, lang))}</h3>
          <ol class="timeline">
            {group.map((line) => (
              <TimelineLine line={line} lang={lang} />
            ))}
          </ol>
        </>
      ))}
      <Actions>
        <ButtonLink kind="quiet" href={PATHS.statement} id="my-statement">
          {t(lang).statement.link}
        </ButtonLink>
      </Actions>
      <Pager
        lang={lang}
        labels={[t(lang).shared.newer, t(lang).shared.older]}
        {...(newer !== undefined && { previous: newer })}
        {...(older !== undefined && { next: older })}
      />
      {shown.length === 0 ? null : (
        <div class="verified">
          <Icon name={checkpoint === undefined ? 'clock' : 'lock'} />
          <p>
            {checkpoint !== undefined ? words.verified : late ? words.notVerified : words.soon}{' '}
            {checkpoint === undefined ? null : words.verifiedDetail(checkpoint.size, dayAndTime(checkpoint.at, lang))}{' '}
            <Link href={PATHS.verify}>{words.how}</Link>
          </p>
        </div>
      )}
    </section>
  );
};

const Card = ({ card, now, lang }: { card: MandateCard; now: Date; lang: Lang }): JSX.Element => {
  const words = t(lang).usager.card;
  const last = lastDay(card.endsAt);
  const end = parisDay(last) === parisDay(now) ? words.endToday : words.endDay(day(last, lang));
  return (
    <li class="fr-card">
      <h3 class="fr-card__title">{card.organisation}</h3>
      <p class="soft">{words.aidants(card.aidants, card.otherAidants)}</p>
      <Facts
        items={[
          [words.themes, card.themes.map((theme) => themeLabel(theme, lang)).join(' · ')],
          [t(lang).mandate.narrowed.label, narrowingList(card.narrowing, lang).join(' · ') || undefined],
          [words.end, end],
          [words.consent, words.consentText(methodLabel(card.consent.method, lang), plainDay(card.consent.at, lang))],
        ]}
      />
      {card.shared?.length ? (
        <Alert tone="warning">
          <p>{words.shared(themeList(card.shared, lang))}</p>
        </Alert>
      ) : null}
      {card.used ? <p class="soft">{t(lang).mandate.narrowed.used}</p> : null}
      <Actions>
        <ButtonLink kind="stop" href={card.stopHref} more={words.stopLong(namedOrganisation(card.organisation, lang))}>
          {words.stop}
        </ButtonLink>
        {card.textHref === undefined ? null : (
          <ButtonLink kind="quiet" href={card.textHref} more={words.textLong(namedOrganisation(card.organisation, lang))}>
            {words.text}
          </ButtonLink>
        )}
      </Actions>
    </li>
  );
};

/** The usager's page: who can act, with the way to stop it, and what was done, newest first. */
export const UsagerHomePage = (props: UsagerHomeProps): JSX.Element => {
  const { frame, now, mandates } = props;
  const words = t(frame.lang).usager;
  return (
    <Layout {...frame} title={words.done} width="wide" checks={props.evidence !== undefined}>
      <h1>{words.hello(props.greeting)}</h1>
      <div class="two">
        <section class="two__side" aria-labelledby="who">
          <h2 id="who">{words.who}</h2>
          {mandates.length === 0 ? (
            <Empty title={words.nobody.title}>
              <p>{words.nobody.text}</p>
            </Empty>
          ) : (
            <ul class="cards">
              {mandates.map((card) => (
                <Card card={card} now={now} lang={frame.lang} />
              ))}
            </ul>
          )}
          {props.phoneHref === undefined ? null : (
            <Actions>
              <ButtonLink kind="quiet" href={props.phoneHref} id="my-phone">
                {t(frame.lang).remote.phone.link}
              </ButtonLink>
            </Actions>
          )}
        </section>
        <Done {...props} />
      </div>
    </Layout>
  );
};
