import type { JSX } from 'hono/jsx/jsx-runtime';
import type { StoredEntry } from '../../journal/journal.ts';
import type { Evidence } from '../evidence.ts';
import { dayAndTime, exactTime } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { namedOrganisation, siteOf } from '../i18n/names.ts';
import { sentence, themeLabel, themeList } from '../i18n/sentence.ts';
import { EvidenceStatus } from './evidence.tsx';
import { PartChoices } from './fields.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, Badge, Button, ButtonLink, Facts, Link, type Post, PostForm } from './parts.tsx';
import { PATHS } from './paths.ts';

interface EntryProps {
  readonly frame: Frame;
  readonly entry: StoredEntry;
  /** The journal's origin, with which index and fingerprint make the receipt. */
  readonly origin: string;
  /** The first signed checkpoint that covers the entry. */
  readonly checkpoint?: { readonly size: number; readonly at: Date };
  /** What lets her browser check it. */
  readonly evidence?: Evidence;
  /** The proof as a file, offered once the entry is sealed. */
  readonly proofHref?: string;
  readonly withoutReport?: boolean;
  readonly mandateReference?: string;
  /** For an end: its receipt. */
  readonly receiptHref?: string;
  readonly backHref: string;
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

const text = (detail: object | null, member: string): string | undefined => {
  const value: unknown = detail === null ? undefined : Object.entries(detail).find(([key]) => key === member)?.[1];
  return typeof value === 'string' ? value : undefined;
};

const WhatHappened = ({ frame, entry, mandateReference }: EntryProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).usager.entry;
  const of = (member: string): string | undefined => text(entry.detail, member);
  return (
    <Facts
      items={[
        [words.when, <time datetime={entry.at.toISOString()}>{dayAndTime(entry.at, lang)}</time>],
        [words.who, of('aidantName')],
        [words.organisation, of('organisationName')],
        [words.service, of('serviceName')],
        [words.administration, of('administrationName')],
        [words.theme, entry.theme === undefined ? undefined : themeLabel(entry.theme, lang)],
        [words.demarche, of(lang === 'en' ? 'demarcheLabelEn' : 'demarcheLabel')],
        [words.erased, entry.erased && dayAndTime(entry.erased.at, lang)],
        [words.result, entry.outcome === undefined ? undefined : entry.outcome === 'failure' ? words.failure : words.success],
        [words.reference, entry.type === 'action.reported' ? of('reference') : undefined],
        [words.mandate, mandateReference],
        [words.reason, entry.type === 'journal.read' || entry.type === 'mandate.barred' ? of('reason') : undefined],
      ]}
    />
  );
};

/** One entry: who, what, and what proves it. */
export const EntryPage = (props: EntryProps): JSX.Element => {
  const { frame, entry, origin, checkpoint } = props;
  const { lang } = frame;
  const words = t(lang).usager.entry;
  const said = sentence(entry, lang, { withoutReport: props.withoutReport === true });
  return (
    <Layout {...frame} title={words.title(entry.index)} width="narrow" checks={props.evidence !== undefined}>
      <h1>{words.title(entry.index)}</h1>
      {props.evidence === undefined ? null : <EvidenceStatus lang={lang} helpNumber={frame.helpNumber} evidence={props.evidence} />}
      <div data-entry={String(entry.index)}>
        {said === undefined ? null : (
          <p class="lead">
            <b>{said.strong}</b> {said.text} {said.badge === undefined ? null : <Badge tone={said.badge.tone}>{said.badge.word}</Badge>}
          </p>
        )}
        {said?.reference === undefined ? null : <p class="soft">{said.reference}</p>}
        <div class="fr-card" data-entry-facts="">
          <WhatHappened {...props} />
        </div>
      </div>
      <h2>{words.proof}</h2>
      <div class="fr-card">
        <Facts
          items={[
            [
              words.index,
              <span class="number" id="entry-index">
                {String(entry.index)}
              </span>,
            ],
            [words.leaf, <code id="entry-leaf">{entry.leaf}</code>],
            [words.origin, <code id="entry-origin">{origin}</code>],
          ]}
        />
        <p>{checkpoint === undefined ? words.unsealed : words.sealed(checkpoint.size, dayAndTime(checkpoint.at, lang))}</p>
        <p class="soft">
          {words.keep} <Link href={PATHS.verify}>{t(lang).usager.how}</Link>
        </p>
        {props.proofHref === undefined || checkpoint === undefined ? null : (
          <>
            <p>{words.proofFile}</p>
            <ButtonLink kind="secondary" href={props.proofHref} id="proof">
              {words.download}
            </ButtonLink>
          </>
        )}
      </div>
      <Actions>
        {props.receiptHref === undefined ? null : (
          <ButtonLink href={props.receiptHref} id="receipt">
            {t(lang).ending.receipt.link}
          </ButtonLink>
        )}
        <ButtonLink kind="secondary" href={props.backHref} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};

interface StopProps {
  readonly frame: Frame;
  readonly post: Post;
  readonly organisation: string;
  readonly themes: readonly string[];
  /** Services where an aidant is acting right now. */
  readonly running: readonly string[];
  readonly backHref: string;
}

/** Asks once before stopping a mandate: says what stops, asks no reason. */
export const StopMandatePage = ({ frame, post, organisation, themes, running, backHref }: StopProps): JSX.Element => {
  const words = t(frame.lang).usager.stop;
  return (
    <Layout {...frame} title={words.title(namedOrganisation(organisation, frame.lang))} width="narrow">
      <h1>{words.title(namedOrganisation(organisation, frame.lang))}</h1>
      <p class="lead">{words.effect(organisation)}</p>
      <ul class="lead">
        {themes.map((theme) => (
          <li>
            <b>{themeLabel(theme, frame.lang)}</b>
          </li>
        ))}
      </ul>
      {running.length === 0 ? null : (
        <Alert tone="warning">
          <p>{words.running(running.join(' · '))}</p>
        </Alert>
      )}
      <p>
        {words.now} {words.past}
      </p>
      <p>
        {words.noReason} {words.final}
      </p>
      <PostForm post={post} id="stop-mandate">
        <PartChoices lang={frame.lang} id="stop" themes={themes} words={words} />
        <Actions>
          <Button kind="stop" id="stop">
            {themes.length < 2 ? words.button : words.buttonSome}
          </Button>
          <ButtonLink kind="quiet" href={backHref} id="keep">
            {words.keep}
          </ButtonLink>
        </Actions>
      </PostForm>
    </Layout>
  );
};

interface StoppedProps {
  readonly frame: Frame;
  readonly organisation: string;
  readonly at: Date;
  /** When the mandate goes on: the themes that have stopped, and those that have not. */
  readonly part?: { readonly stopped: readonly string[]; readonly left: readonly string[] };
  /** Services that relied on the mandate, and when each acknowledged. */
  readonly services: readonly { readonly name: string; readonly knownAt?: Date }[];
  readonly receiptHref?: string;
  readonly refreshHref: string;
  readonly backHref: string;
}

/** The mandate is stopped: who has been told, to the second. */
export const MandateStoppedPage = ({ frame, organisation, at, part, services, receiptHref, refreshHref, backHref }: StoppedProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).usager.stopped;
  const waiting = services.some((service) => service.knownAt === undefined);
  return (
    <Layout {...frame} title={part ? words.titleSome : words.title} width="narrow">
      <h1>{part ? words.titleSome : words.title}</h1>
      <Alert tone="success" role="status">
        <p class="lead">{part ? words.some(organisation, themeList(part.stopped, lang)) : words.text(organisation, dayAndTime(at, lang))}</p>
        {part ? <p>{words.left(themeList(part.left, lang))}</p> : null}
      </Alert>
      <h2>{words.sites}</h2>
      {services.length === 0 ? (
        <p>{words.none}</p>
      ) : (
        <ul class="told">
          {services.map(({ name, knownAt }) => (
            <li>
              {knownAt === undefined ? (
                <Badge tone="warning">{words.waiting(capital(siteOf(name, lang)))}</Badge>
              ) : (
                <Badge tone="success">{words.knew(capital(siteOf(name, lang)), exactTime(knownAt, lang))}</Badge>
              )}
            </li>
          ))}
        </ul>
      )}
      {waiting ? <p class="soft">{words.waitingNote}</p> : null}
      <Actions>
        <ButtonLink href={backHref} id="back">
          {words.back}
        </ButtonLink>
        {receiptHref === undefined ? null : (
          <ButtonLink kind="secondary" href={receiptHref} id="receipt">
            {t(lang).ending.receipt.link}
          </ButtonLink>
        )}
        {waiting ? (
          <ButtonLink kind="secondary" href={refreshHref} id="refresh">
            {words.refresh}
          </ButtonLink>
        ) : null}
      </Actions>
    </Layout>
  );
};
