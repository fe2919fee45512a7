import type { Catalogue } from '../fr.ts';

export const aidant: Catalogue['aidant'] = {
  title: 'Help someone',
  create: 'Create a mandate',
  people: 'People who have a mandate with you',
  count: (total, query) => {
    const people = total === 0 ? 'Nobody' : total === 1 ? '1 person' : `${total} people`;
    return query === '' ? people : `${people} for “${query}”`;
  },
  filter: 'Search for a name in this list',
  clearFilter: 'See the whole list',
  themes: 'For',
  end: 'End of the mandate',
  consent: 'Agreement given by',
  actOn: 'Act on',
  forPerson: (person) => ` for ${person}`,
  noService: 'No website matches these themes yet.',
  empty: {
    title: 'Nobody has a mandate with your organisation yet',
    text: 'To start, sit down with the person and create a mandate. It takes about 5 minutes.',
    steps: [
      'Choose together what needs to be done, and for how long.',
      'Read the mandate aloud to them.',
      'They sign in with FranceConnect, then you sign with a code.',
    ],
  },
  emptyFilter: 'No name matches. Only people who have a mandate with your organisation are in this list.',
  open: {
    title: 'You are acting now',
    line: (person, service) => `You are acting for ${person} on ${service}.`,
    detail: (theme, minutes) => `Theme: ${theme}. Ends by itself: ${minutes}.`,
    stop: 'Stop',
    stopLong: (person, service) => ` acting for ${person} on ${service}`,
  },
};
