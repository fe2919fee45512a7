import { Failure } from '../../kernel/failure.ts';
import type { Catalogue } from './fr.ts';
import { type Lang, t } from './language.ts';

/**
 * The texts of mandates, each kept for ever under its name: whoever signed one reads it again, word for word. test/web/templates.test.ts pins the
 * SHA-256 of each as it is read.
 *
 * To change a sentence, make another template: copy `mandate.text` of both catalogues, as it stands, into `fr/mandate-2026-11.ts` and
 * `en/mandate-2026-11.ts` (with the names and descriptions of themes that it shows, if they change), name those here under `2026-11`, write the new
 * text in the catalogues, name that here, set TEMPLATE of mandates/mandate.ts to the new name, and pin its hash in the test. The pin of the former
 * one stays as it is.
 */
const TEMPLATES: Readonly<Record<string, (lang: Lang) => Catalogue['mandate']['text']>> = {
  '2026-11': (lang) => t(lang).mandate.text,
};

export const isTemplate = (name: string): boolean => Object.hasOwn(TEMPLATES, name);

/** Gives the words of a template. Fails as `template_unknown`: a text that was never written cannot be shown. */
export const templateWords = (template: string, lang: Lang): Catalogue['mandate']['text'] => {
  const words = isTemplate(template) ? TEMPLATES[template] : undefined;
  if (!words) throw new Failure('template_unknown', `no template ${template}`);
  return words(lang);
};
