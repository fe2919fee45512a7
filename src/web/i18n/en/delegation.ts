import type { Catalogue } from '../fr.ts';

export const delegation: Catalogue['delegation'] = {
  person: {
    title: 'Who are you acting for?',
    intro: (service) => `These people have a mandate with your organisation that the ${service} website accepts.`,
    legend: 'Choose the person',
    until: 'Mandate',
    empty: 'Nobody has a mandate that this website accepts. Create a mandate with the person first.',
  },
  theme: {
    title: (person) => `What needs to be done for ${person}?`,
    intro: 'The website will know only this theme.',
    legend: 'Choose a theme',
  },
  confirm: {
    title: (person) => `You are going to act for ${person}`,
    where: (service, theme) => ({ before: 'At ', service, between: ', for the theme ', theme, after: '.' }),
    known: (service) => `The ${service} website will know that a helper of your organisation acts for this person.`,
    mandate: 'Mandate',
    range: (from, to) => `from ${from} to ${to}`,
    today: 'today, until midnight',
    can: 'You can',
    cannot: 'You cannot',
    never: 'sell, give away, make a bank transfer, change the bank account',
    privileges: { read: 'look', declare: 'fill in, send', change: 'change' },
    howLong: 'Duration',
    minutes: '30 minutes at most',
    written: 'Everything you do will be written',
    writtenWhere: (person) => `in the log of ${person}. This person will be able to read it.`,
    otherTitle: (person) => `You are now acting for ${person}`,
    other: (services, person) => `If you continue, you will no longer act for this person on: ${services}. You will act only for ${person}.`,
    otherFinish: 'Finish first what you are doing if it has not been sent yet.',
    button: (person) => `Act for ${person}`,
    switchButton: (person) => `Stop, then act for ${person}`,
    another: 'Choose another person',
  },
};
