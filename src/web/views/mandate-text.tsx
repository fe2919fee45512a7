import type { JSX } from 'hono/jsx/jsx-runtime';
import { birthday, day, dayAndTime, lastDay } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { namedOrganisation } from '../i18n/names.ts';
import { methodLabel, themeLabel } from '../i18n/sentence.ts';
import { type Frame, Layout } from './layout.tsx';
import { Actions, Alert, ButtonLink } from './parts.tsx';

/** What the mandate's text says. Before the person has signed in, `person`, `consent` and `acceptance` are missing. */
export interface MandateTextData {
  /** Name of the template; kept for ever, a changed sentence is a new name. */
  readonly template: string;
  readonly organisation: { readonly name: string; readonly siret?: string };
  readonly themes: readonly string[];
  readonly days: number;
  readonly helpNumber: string;
  readonly person?: { readonly name: string; readonly birthdate: string; readonly birthplace?: string };
  readonly dates?: { readonly from: Date; readonly endsAt: Date };
  readonly reference?: string;
  readonly consent?: { readonly method: string; readonly at: Date };
  readonly acceptance?: { readonly name: string; readonly at: Date };
}

interface TextProps {
  readonly data: MandateTextData;
  readonly lang: Lang;
  readonly titleAs: 'h1' | 'h2';
}

const Signatures = ({ data, lang }: Omit<TextProps, 'titleAs'>): JSX.Element => {
  const words = t(lang).mandate.text;
  const { consent, acceptance } = data;
  if (consent === undefined) return <p>{words.unsigned}</p>;
  return (
    <>
      <p>{words.mySignature(methodLabel(consent.method, lang), dayAndTime(consent.at, lang))}</p>
      {acceptance === undefined ? null : (
        <p>{words.theirSignature(acceptance.name, namedOrganisation(data.organisation.name, lang), dayAndTime(acceptance.at, lang))}</p>
      )}
    </>
  );
};

const WhatIAllow = ({ data, lang, Section }: { data: MandateTextData; lang: Lang; Section: 'h2' | 'h3' }): JSX.Element => {
  const words = t(lang).mandate.text;
  const { person, dates } = data;
  return (
    <>
      <Section>{words.who}</Section>
      <p>{person === undefined ? words.meUnknown : words.me(person.name, birthday(person.birthdate, lang), person.birthplace ?? '')}</p>
      <p>{words.capable}</p>
      <Section>{words.allow}</Section>
      <p>{words.organisation(data.organisation.name, data.organisation.siret ?? '')}</p>
      <p>{words.themes}</p>
      <ul>
        {data.themes.map((theme) => (
          <li>
            <b>{themeLabel(theme, lang)}</b>
            {lang === 'fr' ? '\u00a0: ' : ': '}
            {lookUp(t(lang).themes.description, theme)}
          </li>
        ))}
      </ul>
      <p>{words.free}</p>
      <Section>{words.limits}</Section>
      <p>{words.limitsText}</p>
      <Section>{words.duration}</Section>
      <p>
        {dates === undefined
          ? words.durationText(t(lang).mandate.days[data.days] ?? String(data.days))
          : words.dates(day(dates.from, lang), day(lastDay(dates.endsAt), lang))}
      </p>
      <p>{words.noRenewal}</p>
      <p>{words.endsAlso}</p>
    </>
  );
};

/** The mandate, in the first person and plain words: what is read aloud, what is signed, what is printed. */
export const MandateText = ({ data, lang, titleAs: Title }: TextProps): JSX.Element => {
  const words = t(lang).mandate.text;
  const Section = Title === 'h1' ? 'h2' : 'h3';
  return (
    <article class="mandate" id="mandate-text">
      <Title>{words.title}</Title>
      {data.reference === undefined ? null : (
        <p class="mandate__reference">
          <b>{words.referenceLine(data.reference)}</b>
        </p>
      )}
      {words.note === '' ? null : <p class="soft">{words.note}</p>}
      <WhatIAllow data={data} lang={lang} Section={Section} />
      <Section>{words.stop}</Section>
      {words.stopText.map((text) => (
        <p>{text}</p>
      ))}
      <p>{words.stopPhone(data.helpNumber)}</p>
      <p>{words.stopPlace}</p>
      <Section>{words.see}</Section>
      <p>{words.seeText}</p>
      <p>{words.disagree}</p>
      <Section>{words.duties}</Section>
      <ul>
        {words.dutiesText.map((text) => (
          <li>{text}</li>
        ))}
      </ul>
      <Section>{words.data}</Section>
      <p>{words.dataText}</p>
      <Section>{words.signatures}</Section>
      <Signatures data={data} lang={lang} />
      <p class="soft small">{words.template(data.template)}</p>
    </article>
  );
};

/** The mandate alone on its page, to read or to print. */
export const MandatePage = ({ frame, data, backHref }: { frame: Frame; data: MandateTextData; backHref: string }): JSX.Element => {
  const words = t(frame.lang);
  return (
    <Layout {...frame} title={words.mandate.text.title} width="narrow">
      <MandateText data={data} lang={frame.lang} titleAs="h1" />
      <div class="no-print">
        <Alert>
          <p>{words.shared.printHint}</p>
        </Alert>
        <Actions>
          <ButtonLink kind="secondary" href={backHref} id="back">
            {words.shared.back}
          </ButtonLink>
        </Actions>
      </div>
    </Layout>
  );
};
