import type { JSX } from 'hono/jsx/jsx-runtime';
import type { Evidence } from '../evidence.ts';
import { exactDayAndTime } from '../i18n/dates.ts';
import { t } from '../i18n/language.ts';
import { siteOf } from '../i18n/names.ts';
import { themeList } from '../i18n/sentence.ts';
import { EvidenceStatus } from './evidence.tsx';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Badge, ButtonLink, Facts, Unbroken } from './parts.tsx';

/** One end, whole or in part. */
export interface EndLine {
  readonly at: Date;
  readonly who: string;
  readonly themes: readonly string[];
  readonly left: readonly string[];
  readonly index: number;
  readonly leaf: string;
}
interface ReceiptProps {
  readonly frame: Frame;
  readonly reference: string;
  readonly organisation: string;
  readonly person: string;
  /** Newest first; empty while the journal has not put them in order. */
  readonly ends: readonly EndLine[];
  /** Services that relied on the mandate, and when each acknowledged. */
  readonly services: readonly { readonly name: string; readonly knownAt?: Date }[];
  /** Name of the journal. */
  readonly origin: string;
  /** What lets whoever reads check the ends. */
  readonly evidence?: Evidence;
  readonly backHref: string;
}

const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);

/** The receipt of an end, to keep or to print: what stopped, when, who was told, and what proves it. */
export const ReceiptPage = ({ frame, reference, organisation, person, ends, services, origin, evidence, backHref }: ReceiptProps): JSX.Element => {
  const { lang } = frame;
  const words = t(lang).ending.receipt;
  const told = t(lang).usager.stopped;
  return (
    <Layout {...frame} title={words.title(reference)} width="narrow" checks={evidence !== undefined}>
      <h1>
        <Unbroken text={words.title(reference)} piece={reference} />
      </h1>
      <p class="lead">{words.parties(organisation, person)}</p>
      {ends.length ? null : <p role="status">{words.soon}</p>}
      {evidence === undefined ? null : (
        <div class="no-print">
          <EvidenceStatus lang={lang} helpNumber={frame.helpNumber} evidence={evidence} />
        </div>
      )}
      {ends.map((end) => (
        <div class="fr-card" data-entry={String(end.index)}>
          <div data-entry-words="">
            <Facts
              items={[
                [words.at, <time datetime={end.at.toISOString()}>{capital(exactDayAndTime(end.at, lang))}</time>],
                [words.who, end.who],
              ]}
            />
          </div>
          <div data-entry-facts="">
            <Facts
              items={[
                [words.themes, themeList(end.themes, lang)],
                [words.left, end.left.length ? themeList(end.left, lang) : undefined],
                [words.number, <span class="number">{String(end.index)}</span>],
                [words.leaf, <code>{end.leaf}</code>],
              ]}
            />
          </div>
        </div>
      ))}
      <h2>{told.sites}</h2>
      {services.length === 0 ? (
        <p>{told.none}</p>
      ) : (
        <ul class="told">
          {services.map(({ name, knownAt }) => (
            <li>
              {knownAt === undefined ? (
                <Badge tone="warning">{told.waiting(capital(siteOf(name, lang)))}</Badge>
              ) : (
                <Badge tone="success">{words.knew(capital(siteOf(name, lang)), exactDayAndTime(knownAt, lang))}</Badge>
              )}
            </li>
          ))}
        </ul>
      )}
      <p class="soft">{words.proof(origin)}</p>
      <Actions>
        <ButtonLink kind="secondary" href={backHref} id="back">
          {words.back}
        </ButtonLink>
      </Actions>
    </Layout>
  );
};
