/** The pages shown between a service's request and its answer. */
export const delegation = {
  person: {
    title: 'Pour qui agissez-vous ?',
    intro: (service: string) => `Voici les personnes qui ont un mandat avec votre structure, et que le site ${service} accepte.`,
    legend: 'Choisissez la personne',
    until: 'Mandat',
    empty: 'Aucune personne n’a de mandat que ce site accepte. Créez d’abord un mandat avec elle.',
  },
  theme: {
    title: (person: string) => `Que faut-il faire pour ${person} ?`,
    intro: 'Le site saura seulement cette thématique.',
    legend: 'Choisissez une thématique',
  },
  confirm: {
    title: (person: string) => `Vous allez agir pour ${person}`,
    where: (service: string, theme: string) => ({ before: 'Auprès du site ', service, between: ', pour la thématique ', theme, after: '.' }),
    known: (service: string) => `Le site ${service} saura qu’un aidant de votre structure agit pour cette personne.`,
    mandate: 'Mandat',
    range: (from: string, to: string) => `du ${from} au ${to}`,
    today: 'aujourd’hui, jusqu’à minuit',
    can: 'Vous pouvez',
    cannot: 'Vous ne pouvez pas',
    never: 'vendre, donner, faire un virement, changer le compte bancaire',
    privileges: { read: 'regarder', declare: 'remplir, envoyer', change: 'modifier' } as Record<string, string>,
    howLong: 'Durée',
    minutes: '30 minutes au plus',
    written: 'Tout ce que vous ferez sera écrit',
    writtenWhere: (person: string) => `dans le journal de ${person}. Cette personne pourra le lire.`,
    otherTitle: (person: string) => `Vous agissez en ce moment pour ${person}`,
    other: (services: string, person: string) =>
      `Si vous continuez, vous n’agirez plus pour cette personne sur : ${services}. Vous agirez seulement pour ${person}.`,
    otherFinish: 'Terminez d’abord ce qui est en cours si ce n’est pas encore envoyé.',
    button: (person: string) => `Agir pour ${person}`,
    switchButton: (person: string) => `Arrêter, puis agir pour ${person}`,
    another: 'Choisir une autre personne',
  },
};
