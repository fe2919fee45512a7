/** What ends, and what is said of it. */
export const ending = {
  others: {
    title: 'Une autre structure peut déjà agir pour vous',
    forYou: (name: string) => `Cette page est pour vous, ${name}. L’aidant ne répond pas à votre place.`,
    why: (organisation: string) =>
      `Vous allez donner un mandat à la structure ${organisation}. Vous avez déjà donné un mandat pour la même thématique. Que voulez-vous en faire ?`,
    which: (organisation: string, themes: string) => `Le mandat avec ${organisation}, pour : ${themes}`,
    keep: 'Le garder',
    keepText: 'Les deux structures pourront agir pour vous.',
    stop: 'L’arrêter',
    stopText: (themes: string) => `L’autre structure ne pourra plus agir pour vous pour : ${themes}. C’est immédiat et pour toujours.`,
    later: 'Vous pourrez changer d’avis : un mandat gardé peut être arrêté à tout moment.',
    button: 'Continuer',
    leave: 'Ne pas donner de mandat',
  },
};
