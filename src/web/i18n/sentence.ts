import type { Details, EventType } from '../../journal/event.ts';
import type { StoredEntry } from '../../journal/journal.ts';
import { birthday, dayAndTime, exactTime, until } from './dates.ts';
import type { Line } from './fr/journal.ts';
import { type Lang, t } from './language.ts';
import { lookUp } from './look-up.ts';
import { insideSentence, namedOrganisation, siteOf } from './names.ts';

export interface SentenceBadge {
  readonly tone: 'success' | 'warning' | 'error';
  readonly word: string;
}

/** One line of *Ce qui a été fait pour vous*: `strong` and `text` follow each other, then the badge and the reference. */
export interface Sentence extends Line {
  readonly badge?: SentenceBadge;
  readonly reference?: string;
}

/** What the entry itself does not hold: whether a delegated session has ended with no report. */
export interface SentenceContext {
  readonly withoutReport?: boolean;
}

type Names = {
  readonly aidantName?: string;
  readonly organisationName?: string;
  readonly serviceName?: string;
  readonly administrationName?: string;
};
type Detail<T extends EventType> = (detail: Details[T], entry: StoredEntry, lang: Lang, context: SentenceContext) => Sentence;
type Shown =
  | 'usager.signed-in'
  | 'usager.linked'
  | 'usager.identity-accepted'
  | 'usager.entered'
  | 'mandate.consented'
  | 'mandate.refused'
  | 'channel.added'
  | 'consent.asked'
  | 'consent.witnessed'
  | 'paper.copied'
  | 'paper.copy-read'
  | 'consent.answered'
  | 'mandate.created'
  | 'mandate.imported'
  | 'mandate.replaced'
  | 'mandate.revoked'
  | 'mandate.barred'
  | 'mandate.checked'
  | 'mandate.renounced'
  | 'mandate.ended'
  | 'session.opened'
  | 'session.refused'
  | 'action.reported'
  | 'action.contested'
  | 'action.error-declared'
  | 'revocation.delivered'
  | 'journal.read'
  | 'message.sent'
  | 'message.failed'
  | 'journal.exported'
  | 'proof.downloaded'
  | 'statement.made'
  | 'erasure.asked'
  | 'erasure.executed'
  | 'erasure.refused';

const pick = (words: Readonly<Record<string, string>>, key: string | undefined): string => lookUp(words, key) ?? words['other'] ?? '';
const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Writes the title of a theme; an unknown one, as it is. */
export const themeLabel = (theme: string, lang: Lang): string => lookUp(t(lang).themes.label, theme) ?? theme;
export const themeList = (themes: readonly string[], lang: Lang): string =>
  themes.map((theme) => themeLabel(theme, lang)).join(lang === 'fr' ? ' ; ' : '; ');

const organisation = (names: Names, lang: Lang): string =>
  names.organisationName === undefined ? t(lang).journal.someOrganisation : namedOrganisation(names.organisationName, lang);
const actor = (names: Names, lang: Lang): string => {
  const words = t(lang).journal;
  return words.actor(names.aidantName ?? words.someone, names.organisationName === undefined ? '' : insideSentence(names.organisationName));
};
/** Whoever read, when it was not the person herself. */
const readerOf = (names: Names, lang: Lang): string | undefined =>
  names.administrationName !== undefined ? capital(names.administrationName) : names.organisationName === undefined ? undefined : actor(names, lang);
const site = (names: Names, lang: Lang): string => (names.serviceName === undefined ? t(lang).journal.someSite : siteOf(names.serviceName, lang));

/** A label that starts with its determiner stands in the sentence as it is: « votre demande d’aide au logement ». */
const DETERMINER = /^(votre |vos |un |une |des |le |la |les |l['’]|your |the |an? )/;
const demarche = (label: string, lang: Lang): string => (DETERMINER.test(label) ? label : t(lang).journal.demarche(label));

const objectOf = ({ demarcheLabel, demarcheLabelEn }: Details['action.contested'], lang: Lang): string => {
  const label = lang === 'en' ? demarcheLabelEn : demarcheLabel;
  return label === undefined ? '' : demarche(label, lang);
};

const reporter: Detail<'action.reported'> = (detail, entry, lang) => {
  const words = t(lang).journal;
  const failed = entry.outcome === 'failure';
  const verbs = failed ? words.failed : words.verbs;
  const verb = lookUp(verbs, entry.verb);
  const label = demarche(lang === 'en' ? detail.demarcheLabelEn : detail.demarcheLabel, lang);
  const said = words.lines.action(actor(detail, lang), verb ?? (failed ? words.someFailedVerb : words.someVerb), label, site(detail, lang));
  const done = new Map([
    ['send', words.badges.send],
    ['change', words.badges.change],
    ['cancel', words.badges.cancel],
    ['request', words.badges.request],
  ]).get(entry.verb ?? '');
  const badge: SentenceBadge | undefined = detail.outsideMandate
    ? { tone: 'error', word: words.badges.outsideMandate }
    : detail.signInAgain
      ? { tone: 'warning', word: words.badges.signInAgain }
      : failed
        ? { tone: 'warning', word: words.badges.failure }
        : done === undefined
          ? undefined
          : { tone: 'success', word: done };
  return {
    strong: said.strong,
    text: [said.text, ...(detail.outsideMandate ? [words.lines.outside] : detail.signInAgain ? [words.lines.signInAgain] : [])].join(' '),
    ...(badge && { badge }),
    ...(detail.reference !== undefined && { reference: words.reference(detail.reference) }),
  };
};

const revoker = (by: string, lang: Lang): string => {
  const known: Record<string, string> = { aid: 'aidant', org: 'aidant', adm: 'administration', agt: 'administration', opr: 'operateur' };
  return pick(t(lang).journal.revokers, known[by.split('_')[0] ?? ''] ?? by);
};

const andKept = (said: Line, kept: number, lang: Lang): Line =>
  kept === 0 ? said : { ...said, text: `${said.text} ${t(lang).journal.lines.kept(kept)}` };

/** Says why, where somebody had to say it, and what is left of a mandate that was stopped in part. */
const goesOn = (said: Line, { left, reason }: { readonly left: readonly string[]; readonly reason?: string }, lang: Lang): Line => {
  const { lines } = t(lang).journal;
  return {
    ...said,
    text: [said.text, ...(reason === undefined ? [] : [lines.motive(reason)]), ...(left.length ? [lines.goesOn(themeList(left, lang))] : [])].join(
      ' ',
    ),
  };
};

/** One writer a kind of entry that the usager sees. The compiler refuses one without its sentence as long as `Shown` names it; a test compares `Shown` with KINDS. */
const WRITERS: { readonly [T in Shown]: Detail<T> } = {
  'usager.signed-in': (_, __, lang) => t(lang).journal.lines.signedIn(),
  'usager.linked': (_, __, lang) => t(lang).journal.lines.linked(),
  'usager.identity-accepted': (detail, _, lang) => {
    const { lines, traits } = t(lang).journal;
    const said = lines.identityAccepted(detail.traits.map((trait) => pick(traits, trait)).join(', '));
    return { ...said, text: `${said.text} ${lines.motive(detail.reason)}` };
  },
  'usager.entered': (detail, _, lang) => t(lang).journal.lines.entered(actor(detail, lang)),
  'mandate.consented': (detail, _, lang) => ({
    ...andKept(
      t(lang).journal.lines.consented(organisation(detail, lang), themeList(detail.themes, lang), methodLabel(detail.method, lang)),
      detail.kept ?? 0,
      lang,
    ),
    badge: { tone: 'success', word: t(lang).journal.badges.agreed },
  }),
  'mandate.refused': (detail, _, lang) => t(lang).journal.lines.mandateRefused(pick(t(lang).journal.because, detail.reason)),
  'channel.added': (detail, _, lang) => (detail.by === 'usager' ? t(lang).journal.lines.phoneByYou() : t(lang).journal.lines.phoneByAidant()),
  'consent.asked': (detail, _, lang) => {
    const { lines } = t(lang).journal;
    const asked = { sms: lines.consentAsked, paper: lines.paperAsked, franceconnect: lines.consentAskedHere }[detail.method];
    return asked(actor(detail, lang), themeList(detail.themes, lang));
  },
  'consent.witnessed': (detail, _, lang) => ({
    ...t(lang).journal.lines.witnessed(actor(detail, lang)),
    reference: t(lang).journal.paperReference(detail.reference),
  }),
  'paper.copied': (detail, _, lang) => ({
    ...t(lang).journal.lines.paperCopied(actor(detail, lang)),
    reference: t(lang).journal.paperReference(detail.reference),
  }),
  'paper.copy-read': (detail, _, lang) => ({
    ...t(lang).journal.lines.paperCopyRead(actor(detail, lang)),
    reference: t(lang).journal.paperReference(detail.reference),
  }),
  'consent.answered': (detail, _, lang) => {
    const { lines } = t(lang).journal;
    if (detail.method === 'franceconnect') return lines.declinedHere();
    return detail.answer === 'no' ? lines.consentNo() : lines.consentExpired();
  },
  'mandate.created': (detail, entry, lang) => ({
    ...t(lang).journal.lines.created(actor(detail, lang), themeList(detail.themes, lang), until(new Date(detail.endsAt), entry.at, lang)),
    reference: t(lang).journal.mandateReference(detail.reference),
  }),
  'mandate.imported': (detail, entry, lang) => ({
    ...t(lang).journal.lines.imported(
      organisation(detail, lang),
      themeList(detail.themes, lang),
      birthday(detail.signedOn, lang),
      [detail.aidantName ?? t(lang).journal.someone, detail.witnessName],
      until(new Date(detail.endsAt), entry.at, lang),
    ),
    reference: t(lang).journal.mandateReference(detail.reference),
  }),
  'mandate.replaced': (detail, _, lang) => t(lang).journal.lines.replaced(organisation(detail, lang), themeLabel(detail.theme, lang)),
  'mandate.revoked': (detail, _, lang) => {
    const { lines, badges } = t(lang).journal;
    const themes = themeList(detail.themes, lang);
    const byUsager = detail.by === 'usager' || detail.by.startsWith('usg_');
    const said = byUsager
      ? lines.revokedByYou(organisation(detail, lang), themes)
      : lines.revokedBy(revoker(detail.by, lang), organisation(detail, lang), themes);
    const { through, receivedBy = '', receivedAt = '' } = detail;
    const how = through === undefined ? undefined : through === 'paper' ? lines.through.paper(receivedBy, receivedAt) : lines.through[through];
    return {
      ...goesOn(how === undefined ? said : { ...said, text: `${said.text} ${how}` }, detail, lang),
      badge: { tone: 'success', word: badges.stopped },
    };
  },
  'mandate.barred': (detail, _, lang) => ({
    ...goesOn(
      t(lang).journal.lines.barred(capital(detail.administrationName ?? t(lang).journal.someAdministration), organisation(detail, lang)),
      { left: [], reason: detail.reason },
      lang,
    ),
    badge: { tone: 'warning', word: t(lang).journal.badges.stoppedThere },
  }),
  'mandate.checked': (detail, _, lang) =>
    t(lang).journal.lines.checked(capital(site(detail, lang)), organisation(detail, lang), dayAndTime(new Date(detail.at), lang), detail.valid),
  'mandate.renounced': (detail, _, lang) =>
    goesOn(t(lang).journal.lines.renounced(actor(detail, lang), themeList(detail.themes, lang)), detail, lang),
  'mandate.ended': (detail, _, lang) =>
    t(lang).journal.lines.ended(organisation(detail, lang), themeList(detail.themes, lang), pick(t(lang).journal.endReasons, detail.reason)),
  'session.opened': (detail, entry, lang, context) => ({
    ...t(lang).journal.lines[detail.continues ? 'goesOnThere' : 'opened'](
      actor(detail, lang),
      site(detail, lang),
      entry.theme === undefined ? '' : themeLabel(entry.theme, lang),
    ),
    ...(context.withoutReport && { badge: { tone: 'warning', word: t(lang).journal.badges.withoutReport } }),
  }),
  'session.refused': (detail, _, lang) => t(lang).journal.lines.sessionRefused(pick(t(lang).journal.because, detail.reason)),
  'action.reported': reporter,
  'action.contested': (detail, _, lang) => ({
    ...t(lang).journal.lines.contested(actor(detail, lang), site(detail, lang), objectOf(detail, lang), detail.entry),
    badge: { tone: 'warning', word: t(lang).journal.badges.contested },
  }),
  'action.error-declared': (detail, _, lang) => ({
    ...t(lang).journal.lines.errorDeclared(actor(detail, lang), site(detail, lang), objectOf(detail, lang), detail.entry),
    badge: { tone: 'warning', word: t(lang).journal.badges.error },
  }),
  'revocation.delivered': (detail, _, lang) =>
    t(lang).journal.lines.delivered(capital(site(detail, lang)), exactTime(new Date(detail.acknowledgedAt), lang)),
  'journal.read': (detail, _, lang) =>
    t(lang).journal.lines.read(readerOf(detail, lang) ?? capital(t(lang).journal.someAdministration), detail.reason),
  'message.sent': (detail, _, lang) => {
    const { lines, channels, messages } = t(lang).journal;
    return lines.messageSent(channels[detail.channel], pick(messages, detail.template));
  },
  'message.failed': (detail, _, lang) => {
    const { lines, channels, messages } = t(lang).journal;
    return lines.messageFailed(channels[detail.channel], pick(messages, detail.template));
  },
  'journal.exported': (detail, _, lang) => {
    const { lines } = t(lang).journal;
    const who = readerOf(detail, lang);
    return who === undefined ? lines.exportedByYou() : goesOn(lines.exportedBy(who), { left: [], ...detail }, lang);
  },
  'proof.downloaded': (detail, _, lang) => {
    const { lines } = t(lang).journal;
    const who = readerOf(detail, lang);
    return who === undefined ? lines.proofByYou(detail.entry) : lines.proofBy(who, detail.entry);
  },
  'statement.made': (detail, _, lang) => {
    const { lines } = t(lang).journal;
    const days = [birthday(detail.from, lang), birthday(detail.to, lang)] as const;
    const who = readerOf(detail, lang);
    return who === undefined ? lines.statementByYou(days) : lines.statementBy(who, days);
  },
  'erasure.asked': (_, __, lang) => t(lang).journal.lines.erasureAsked(),
  'erasure.executed': (_, __, lang) => t(lang).journal.lines.erasureExecuted(),
  'erasure.refused': (detail, _, lang) => goesOn(t(lang).journal.lines.erasureRefused(), { left: [], ...detail }, lang),
};

/** The kinds of entries that have a sentence. */
export const SHOWN: readonly string[] = Object.keys(WRITERS);
const isShown = (type: EventType): type is Shown => Object.hasOwn(WRITERS, type);

/** Names how the usager agreed. */
export const methodLabel = (method: string, lang: Lang): string => lookUp(t(lang).shared.methods, method) ?? method;

/** Writes what an entry says to the usager. Undefined for the kinds that she is not shown (journal/event.ts, KINDS). */
export const sentence = (entry: StoredEntry, lang: Lang, context: SentenceContext = {}): Sentence | undefined => {
  if (!isShown(entry.type)) return undefined;
  if (entry.detail === null) return t(lang).journal.lines.erased();
  // `detail` is the member of Details that `type` names: the journal opened both from the same entry.
  const write = WRITERS[entry.type] as Detail<EventType>;
  return write(entry.detail, entry, lang, context);
};
