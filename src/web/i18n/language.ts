import { en } from './en.ts';
import { type Catalogue, fr } from './fr.ts';

export type Lang = 'fr' | 'en';

/** Gives the words of a language. */
export const t = (lang: Lang): Catalogue => (lang === 'en' ? en : fr);
