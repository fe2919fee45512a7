import type { Narrowing } from '../../mandates/narrowing.ts';
import { birthday, day, dayAndTime, lastDay } from '../i18n/dates.ts';
import { type Lang, t } from '../i18n/language.ts';
import { lookUp } from '../i18n/look-up.ts';
import { namedOrganisation } from '../i18n/names.ts';
import { narrowingList } from '../i18n/narrowing.ts';
import { methodLabel, themeLabel } from '../i18n/sentence.ts';
import { templateWords } from '../i18n/templates.ts';

/** What the mandate's text says. Before the person has signed in, `person`, `consent` and `acceptance` are missing. */
export interface MandateTextData {
  /** Name of the template; kept for ever, a changed sentence is a new name. */
  readonly template: string;
  readonly organisation: { readonly name: string; readonly siret?: string };
  readonly themes: readonly string[];
  readonly days: number;
  readonly narrowing: Narrowing;
  readonly helpNumber: string;
  readonly person?: { readonly name: string; readonly birthdate: string; readonly birthplace?: string };
  readonly dates?: { readonly from: Date; readonly endsAt: Date };
  readonly reference?: string;
  readonly consent?: { readonly method: string; readonly at: Date };
  readonly acceptance?: { readonly name: string; readonly at: Date };
}

/** What the paper says beside the mandate's text. */
export interface AttestationData {
  /** In groups, as it is read. */
  readonly code: string;
  /** Addresses in full: of this attestation's verification, of the page with the field, of the page where the person stops the mandate. */
  readonly verifyUrl: string;
  readonly checkUrl: string;
  readonly stopUrl: string;
  /** Any instant of the day of printing. */
  readonly today: Date;
  readonly endedAt?: Date;
  /** Themes that have not been stopped alone. */
  readonly themes: readonly string[];
}

/** A line of a statement; `index` and `instant` name its entry. */
interface PrintedLine {
  readonly at: string;
  readonly said: string;
  readonly under: string;
  readonly index: number;
  readonly instant: Date;
}

/** One piece of a document: the page and the PDF are written from the same pieces, so that they say the same. */
export type Block =
  | { readonly kind: 'title' | 'section'; readonly text: string }
  | { readonly kind: 'text'; readonly text: string; readonly tone?: 'reference' | 'soft' | 'small' }
  | { readonly kind: 'list'; readonly items: readonly { readonly lead?: string; readonly text: string }[] }
  | { readonly kind: 'table'; readonly caption: string; readonly rows: readonly (readonly [head: string, cell: string])[] }
  /** Room to sign by hand: who, and the words before each line. */
  | { readonly kind: 'signature'; readonly label: string; readonly lines: readonly string[] }
  /** `dense`: it holds a sheet's lines, not an address, and is drawn larger. */
  | { readonly kind: 'qr'; readonly url: string; readonly alternative: string; readonly dense?: true }
  /** Lines of the journal: when, what, and what names each. */
  | { readonly kind: 'lines'; readonly items: readonly PrintedLine[] }
  | { readonly kind: 'code'; readonly label: string; readonly code: string };

const section = (text: string): Block => ({ kind: 'section', text });
const text = (value: string, tone?: 'reference' | 'soft' | 'small'): Block => ({ kind: 'text', text: value, ...(tone ? { tone } : {}) });

/** Whoever was erased has no date of birth any more. */
const nameOf = (person: MandateTextData['person'], words: ReturnType<typeof templateWords>, lang: Lang): string => {
  if (person === undefined) return words.meUnknown;
  return person.birthdate === '' ? person.name : words.me(person.name, birthday(person.birthdate, lang), person.birthplace ?? '');
};

const whatIAllow = (data: MandateTextData, lang: Lang): Block[] => {
  const words = templateWords(data.template, lang);
  const { person, dates, narrowing } = data;
  return [
    section(words.who),
    text(nameOf(person, words, lang)),
    text(words.capable),
    section(words.allow),
    text(words.organisation(data.organisation.name, data.organisation.siret ?? '')),
    text(words.themes),
    {
      kind: 'list',
      items: data.themes.map((theme) => ({
        lead: themeLabel(theme, lang),
        text: `${lang === 'fr' ? '\u00a0: ' : ': '}${lookUp(t(lang).themes.description, theme) ?? ''}`,
      })),
    },
    ...(narrowing.demarches
      ? [
          text(words.only),
          {
            kind: 'list' as const,
            items: narrowing.demarches.map((each) => ({ text: words.onlyItem(lang === 'fr' ? each.fr : each.en, each.service) })),
          },
        ]
      : []),
    ...(narrowing.readOnly ? [text(words.readOnly)] : []),
    ...(narrowing.singleUse ? [text(words.singleUse)] : []),
    text(words.free),
    section(words.limits),
    text(words.limitsText),
    section(words.duration),
    text(
      dates === undefined
        ? words.durationText(t(lang).mandate.days[data.days] ?? String(data.days))
        : words.dates(day(dates.from, lang), day(lastDay(dates.endsAt), lang)),
    ),
    text(words.noRenewal),
    text(words.endsAlso),
  ];
};

const signatures = (data: MandateTextData, lang: Lang): Block[] => {
  const words = templateWords(data.template, lang);
  const { consent, acceptance } = data;
  if (consent === undefined) return [text(words.unsigned)];
  return [
    text(words.mySignature(methodLabel(consent.method, lang), dayAndTime(consent.at, lang))),
    ...(acceptance === undefined
      ? []
      : [text(words.theirSignature(acceptance.name, namedOrganisation(data.organisation.name, lang), dayAndTime(acceptance.at, lang)))]),
  ];
};

/** The mandate, in the first person and plain words: what is read aloud, what is signed, what is printed. */
export const mandateBlocks = (data: MandateTextData, lang: Lang): Block[] => {
  const words = templateWords(data.template, lang);
  return [
    { kind: 'title', text: words.title },
    ...(data.reference === undefined ? [] : [text(words.referenceLine(data.reference), 'reference')]),
    ...(words.note === '' ? [] : [text(words.note, 'soft')]),
    ...whatIAllow(data, lang),
    section(words.stop),
    ...words.stopText.map((each) => text(each)),
    text(words.stopPhone(data.helpNumber)),
    text(words.stopPlace),
    section(words.see),
    text(words.seeText),
    text(words.disagree),
    section(words.duties),
    { kind: 'list', items: words.dutiesText.map((each) => ({ text: each })) },
    section(words.data),
    text(words.dataText),
    section(words.signatures),
    ...signatures(data, lang),
    text(words.template(data.template), 'small'),
  ];
};

const essentials = (data: MandateTextData, attestation: AttestationData, lang: Lang): (readonly [string, string])[] => {
  const words = t(lang).attestation;
  const { rows } = words;
  const { person, dates, consent, acceptance } = data;
  const found: (readonly [string, string | undefined])[] = [
    [rows.reference, data.reference],
    [rows.person, person?.name],
    [rows.organisation, data.organisation.name],
    [rows.siret, data.organisation.siret],
    [rows.themes, attestation.themes.map((theme) => themeLabel(theme, lang)).join(' · ')],
    [t(lang).mandate.narrowed.label, narrowingList(data.narrowing, lang).join(' · ')],
    [rows.from, dates && day(dates.from, lang)],
    [rows.to, dates && words.toMidnight(day(lastDay(dates.endsAt), lang))],
    [rows.consent, consent && words.signed(methodLabel(consent.method, lang), dayAndTime(consent.at, lang))],
    [rows.acceptance, acceptance && words.signed(acceptance.name, dayAndTime(acceptance.at, lang))],
    [rows.state, attestation.endedAt ? words.ended(dayAndTime(attestation.endedAt, lang)) : words.live],
  ];
  return found.flatMap(([head, cell]) => (cell ? [[head, cell] as const] : []));
};

/** What follows the text on paper: the essentials, how to stop it, how to verify it. */
export const attestationBlocks = (data: MandateTextData, attestation: AttestationData, lang: Lang): Block[] => {
  const words = t(lang).attestation;
  return [
    section(words.title),
    text(words.made(day(attestation.today, lang))),
    { kind: 'table', caption: words.caption, rows: essentials(data, attestation, lang) },
    section(words.stopTitle),
    text(words.stop(attestation.stopUrl, data.helpNumber)),
    section(words.verifyTitle),
    text(words.verify(attestation.checkUrl)),
    { kind: 'qr', url: attestation.verifyUrl, alternative: words.qr },
    { kind: 'code', label: words.code, code: attestation.code },
  ];
};
