import type { Narrowing } from '../../mandates/narrowing.ts';
import { type Lang, t } from './language.ts';

/** Says how a mandate is narrower than its themes, a few words each; empty when it is not. */
export const narrowingList = ({ demarches, readOnly, singleUse }: Narrowing, lang: Lang): string[] => {
  const words = t(lang).mandate.narrowed;
  return [
    ...(demarches ?? []).map((each) => words.demarche(lang === 'fr' ? each.fr : each.en, each.service)),
    ...(readOnly ? [words.readOnly] : []),
    ...(singleUse ? [words.singleUse] : []),
  ];
};
