import type { Catalogue } from '../fr.ts';

export const ending: Catalogue['ending'] = {
  others: {
    title: 'Another organisation can already act for you',
    forYou: (name) => `This page is for you, ${name}. The professional does not answer for you.`,
    why: (organisation) =>
      `You are about to give a mandate to ${organisation}. You have already given a mandate for the same theme. What do you want to do with it?`,
    which: (organisation, themes) => `The mandate with ${organisation}, for: ${themes}`,
    keep: 'Keep it',
    keepText: 'Both organisations will be able to act for you.',
    stop: 'Stop it',
    stopText: (themes) => `The other organisation will no longer be able to act for you for: ${themes}. This is immediate and for good.`,
    later: 'You can change your mind: a mandate that you keep can be stopped at any time.',
    button: 'Continue',
    leave: 'Give no mandate',
  },
};
