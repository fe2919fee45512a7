import type { Lang } from './language.ts';

export interface PersonName {
  readonly givenName: string;
  readonly familyName: string;
  /** Name of use, which is shown instead of the name of birth when there is one. */
  readonly preferredName?: string;
  readonly gender?: string;
}

const CIVILITY: Record<Lang, Record<string, string>> = { fr: { female: 'Madame', male: 'Monsieur' }, en: { female: 'Ms', male: 'Mr' } };
const civility = (gender: string | undefined, lang: Lang): string => (gender === undefined ? '' : (CIVILITY[lang][gender] ?? ''));
const join = (...parts: readonly string[]): string => parts.filter((part) => part.trim() !== '').join(' ');

/** Writes a person's name as every page shows it: « Madame Colette Martin » (first given name only). */
export const fullName = (person: PersonName, lang: Lang): string =>
  join(civility(person.gender, lang), person.givenName.split(' ')[0] ?? '', person.preferredName || person.familyName);

/** Writes a person's name as a greeting does: « Madame Martin », or the whole name when no civility is known. */
export const greetingName = (person: PersonName, lang: Lang): string => {
  const title = civility(person.gender, lang);
  return title === '' ? fullName(person, lang) : join(title, person.preferredName || person.familyName);
};

/** Nouns that a structure's name may start with: inside a sentence they lose their capital, as in « Karim, mairie de Thénac, ». */
const COMMON_NOUNS = /^(Mairie|Ville|Commune|Centre|Association|Maison|Département|Communauté|Métropole|Espace|Antenne|Point) /;

/** Writes a structure's name as it stands inside a sentence. */
export const insideSentence = (organisation: string): string =>
  COMMON_NOUNS.test(organisation) ? organisation.charAt(0).toLowerCase() + organisation.slice(1) : organisation;

const FEMININE = /^(Mairie|Ville|Commune|Maison|Communauté|Métropole) /;
const ELIDED = /^(Association|Espace|Antenne) /;

/** Names a structure with its article: « la mairie de Thénac », « l’association … », « la structure CCAS de Saintes ». */
export const namedOrganisation = (organisation: string, lang: Lang): string => {
  if (lang === 'en') return organisation;
  if (ELIDED.test(organisation)) return `l’${insideSentence(organisation)}`;
  if (FEMININE.test(organisation)) return `la ${insideSentence(organisation)}`;
  return COMMON_NOUNS.test(organisation) ? `le ${insideSentence(organisation)}` : `la structure ${organisation}`;
};

/** Names the site of a service with the right article: « le site de la CAF », « le site des impôts », « le site Allocations ». */
export const siteOf = (service: string, lang: Lang): string => {
  if (lang === 'en') return `the ${service} website`;
  const article = /^(la |l['’]|le |les )/i.exec(service)?.[0];
  if (article === undefined) return `le site ${service}`;
  const rest = service.slice(article.length);
  if (/^les /i.test(article)) return `le site des ${rest}`;
  if (/^le /i.test(article)) return `le site du ${rest}`;
  return `le site de ${article.toLowerCase()}${rest}`;
};
