import type { Catalogue } from './fr.ts';
import { type Lang, t } from './language.ts';
import type { RefusalFacts } from './refusal-shape.ts';

export type { RefusalFacts } from './refusal-shape.ts';
export type RefusalCode = keyof Catalogue['refusals'];

export interface WrittenRefusal {
  readonly code: string;
  readonly title: string;
  readonly what: string;
  readonly changes: string;
  readonly todo: string;
}

const isRefusalCode = (code: string, lang: Lang): code is RefusalCode => Object.hasOwn(t(lang).refusals, code);

/** Writes a refusal in its three parts. A code without its own sentence gets the general one, and keeps its code. */
export const refusalOf = (code: string, lang: Lang, facts: RefusalFacts = {}): WrittenRefusal => {
  const found = t(lang).refusals[isRefusalCode(code, lang) ? code : 'unexpected'];
  return { code, title: found.title, what: found.what(facts), changes: found.changes, todo: found.todo };
};
