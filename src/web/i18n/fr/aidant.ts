/** The aidant's home. */
export const aidant = {
  title: 'Accompagner une personne',
  create: 'Créer un mandat',
  people: 'Les personnes qui ont un mandat avec vous',
  count: (total: number, query: string) => {
    const people = total === 0 ? 'Aucune personne' : total === 1 ? '1 personne' : `${total} personnes`;
    return query === '' ? people : `${people} pour « ${query} »`;
  },
  filter: 'Chercher un nom dans cette liste',
  clearFilter: 'Voir toute la liste',
  themes: 'Pour',
  end: 'Fin du mandat',
  consent: 'Accord donné par',
  actOn: 'Agir sur',
  forPerson: (person: string) => ` pour ${person}`,
  noService: 'Aucun site ne correspond encore à ces thématiques.',
  empty: {
    title: 'Personne n’a encore de mandat avec votre structure',
    text: 'Pour commencer, installez-vous avec la personne et créez un mandat. Cela prend environ 5 minutes.',
    steps: [
      'Choisissez avec elle ce qu’il faut faire, et pour combien de temps.',
      'Lisez-lui le mandat à voix haute.',
      'Elle se connecte avec FranceConnect, puis vous signez avec un code.',
    ],
  },
  emptyFilter: 'Aucun nom ne correspond. Seules les personnes qui ont un mandat avec votre structure sont dans cette liste.',
  open: {
    title: 'Vous agissez en ce moment',
    line: (person: string, service: string) => `Vous agissez pour ${person} sur ${service}.`,
    detail: (theme: string, minutes: string) => `Thématique ${theme}. Fin automatique : ${minutes}.`,
    stop: 'Arrêter',
    stopLong: (person: string, service: string) => ` d’agir pour ${person} sur ${service}`,
  },
};
