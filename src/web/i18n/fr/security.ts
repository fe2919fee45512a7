/** A person's own means of signing in: passkeys, codes, recovery codes. */
export const security = {
  title: 'Mes moyens de connexion',
  link: 'Mes moyens de connexion',
  use: 'Utiliser ma clé d’accès',
  sign: 'Signer avec ma clé d’accès',
  orCode: 'Utiliser plutôt un code',
  failed: 'La clé d’accès n’a pas répondu. Essayez encore, ou utilisez un code.',
  keyIntro: 'Une clé d’accès est prête : votre doigt, votre visage ou le code de votre appareil suffit.',
  done: {
    ajoutee: 'La clé d’accès est ajoutée. Vous pouvez l’utiliser dès la prochaine connexion.',
    retiree: 'La clé d’accès est retirée. Elle ne sert plus à rien.',
    secours:
      'Vous êtes entré avec un code de secours. Il ne peut plus servir. Pour changer vos moyens, il faut une clé d’accès ou votre code. Vous n’avez plus ni l’un ni l’autre ? Choisissez « J’ai perdu mon moyen de connexion » à l’accueil.',
  } as Record<string, string>,
  fresh: {
    title: 'Pour changer quelque chose ici, confirmez d’abord que c’est vous',
    text: 'Votre dernière confirmation a plus de 5 minutes.',
    button: 'Confirmer que c’est moi',
  },
  keys: {
    title: 'Clés d’accès',
    none: 'Vous n’avez pas encore de clé d’accès',
    why: 'Une clé d’accès remplace le code à recopier. Elle ne marche que sur Relais : un faux site ne peut pas s’en servir.',
    added: 'Ajoutée',
    used: 'Dernière utilisation',
    never: 'Jamais',
    revoke: 'Retirer',
    revokeMore: (name: string) => ` la clé ${name}`,
    name: 'Nom de la nouvelle clé',
    nameHint: 'Pour la reconnaître plus tard, par exemple : ordinateur du bureau.',
    add: 'Ajouter une clé d’accès',
  },
  code: {
    title: 'Code de vérification',
    text: 'Votre application de codes est prête. Elle marche toujours, même sans clé d’accès.',
  },
  recovery: {
    title: 'Codes de secours',
    text: 'Un code de secours permet d’entrer une fois, quand vous n’avez ni clé ni téléphone. Il ne permet pas de signer un mandat.',
    left: (count: number) =>
      count === 0
        ? 'Vous n’avez aucun code de secours.'
        : count === 1
          ? 'Il vous reste 1 code de secours.'
          : `Il vous reste ${count} codes de secours.`,
    make: 'Créer 10 codes de secours',
    again: 'Remplacer par 10 nouveaux codes',
    madeTitle: 'Vos 10 codes de secours',
    once: 'Imprimez ou recopiez ces codes maintenant. Ils ne seront plus affichés. Les anciens codes ne marchent plus.',
    kept: 'J’ai gardé mes codes',
    signInTitle: 'Entrer avec un code de secours',
    signInText: 'Écrivez un des codes que vous avez gardés. Chaque code sert une seule fois.',
    label: 'Code de secours',
    hint: '16 lettres et chiffres, par exemple ABCD-EFGH-2345-6723.',
    button: 'Entrer',
    link: 'Utiliser un code de secours',
  },
  create: {
    title: 'Ajouter une clé d’accès',
    text: (name: string) => `Votre appareil va créer la clé « ${name} ». Il vous demandera votre doigt, votre visage ou son code.`,
    button: 'Créer la clé sur cet appareil',
    noScript: 'Votre navigateur bloque les scripts : il ne peut pas créer de clé d’accès. Votre code de vérification marche toujours.',
  },
  stepUp: {
    title: 'Confirmez que c’est vous',
    text: 'Relais le demande avant un changement important. C’est valable 5 minutes.',
    forSite: 'Le site demande une preuve récente que c’est vous. Ensuite, vous continuez où vous en étiez.',
    proconnect: 'Passer plutôt par ProConnect',
  },
};
