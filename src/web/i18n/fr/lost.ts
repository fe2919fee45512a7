/** A lost means of signing in, reported without signing in. */
export const lost = {
  title: 'J’ai perdu mon moyen de connexion',
  intro: 'Votre téléphone ou votre clé est perdu, volé, ou utilisé par quelqu’un d’autre ? Suspendez tout de suite votre accès à Relais.',
  steps: [
    'Écrivez votre adresse e-mail professionnelle.',
    'Relais y envoie un lien, valable 24 heures.',
    'Ouvrez le lien et appuyez sur le bouton. Votre accès est alors suspendu.',
  ],
  label: 'Adresse e-mail professionnelle',
  hint: 'L’adresse de votre invitation, par exemple prenom.nom@mairie.example.',
  button: 'Recevoir le lien',
  sent: {
    title: 'Ouvrez votre messagerie',
    text: 'Si cette adresse est connue, un e-mail part maintenant. Rien n’est encore suspendu.',
    next: 'Ouvrez le lien de cet e-mail, puis appuyez sur le bouton.',
    help: (number: string) => `Pas d’e-mail au bout de 5 minutes, ou plus de messagerie ? Appelez l’aide : ${number}.`,
  },
  confirm: {
    title: 'Suspendre votre accès à Relais',
    intro: 'Si vous appuyez sur le bouton, tout de suite :',
    effects: [
      'vous êtes déconnecté partout ;',
      'les démarches que vous avez ouvertes s’arrêtent, et leurs sites sont prévenus ;',
      'votre référent est prévenu.',
    ],
    kept: 'Les mandats restent. Vos collègues peuvent continuer à aider les personnes.',
    button: 'Suspendre mon accès',
    mistake: 'Vous avez encore vos moyens de connexion ? Fermez cette page : rien ne change.',
  },
  done: {
    title: 'Votre accès est suspendu',
    text: 'Plus personne ne peut entrer dans Relais avec votre compte.',
    back: (number: string) =>
      `Pour revenir, parlez à votre référent, ou appelez l’aide : ${number}. Vous préparerez de nouveaux moyens de connexion.`,
  },
};
