import type { Catalogue } from '../fr.ts';

export const aloud: Catalogue['aloud'] = {
  open: 'Read aloud, or in another language',
  large: 'Read in large letters, or in another language',
  title: 'Read aloud to the person',
  titleSelf: 'Read my mandate in large letters',
  how: 'Read one sentence at a time. Stop after each heading: ask the person whether they have understood.',
  languages: 'In another language',
  inFrench: 'Large, to be read aloud',
  current: '(shown)',
  none: 'No other language has been added for this text.',
  binding: 'The French text alone binds. The translation helps to understand it: it holds neither the names, nor the themes, nor the dates.',
  narrowed: 'This mandate gives less',
  narrowedText: 'The translation does not say so. Explain these limits to the person:',
  narrowedSelf: 'The translation does not say so. These limits are written in the French text:',
  french: 'The French text, which binds',
};
