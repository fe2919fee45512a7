/** What a page says of its own lines, once the browser of whoever reads it has checked them. `{…}` is filled there. */
export const evidence = {
  checking: 'Votre navigateur vérifie ces lignes…',
  states: {
    verified: 'Vérifié par {witnesses}, à {time}.',
    recorded: 'Enregistré, scellement en cours…',
    sealed: 'Scellé, en attente des témoins indépendants.',
    alone: 'Scellé par la signature du journal. Ce journal n’a pas de témoins indépendants.',
    stale: 'Scellé. Les témoins indépendants n’ont rien confirmé depuis plus de cinq minutes : ces lignes ne sont pas vérifiées pour l’instant.',
    clock: 'Scellé. L’heure de cet appareil n’est pas juste : la date donnée par les témoins ne peut pas être vérifiée.',
    unable: 'Vérification impossible (navigateur ancien ou hors connexion).',
    mismatch: 'Ne correspond pas : gardez ce fichier.',
  },
  /** What was compared, and what could not be. */
  notes: {
    complete: 'Rien ne manque entre la première et la dernière ligne de cette page.',
    erased: 'Le contenu de certaines lignes a été effacé. Leur place dans le journal reste vérifiée.',
    withheld: 'Une ligne vous concerne et ne peut pas encore être montrée.',
    offline: 'Pas de réseau : la comparaison avec votre dernière visite n’a pas été faite.',
    same: 'Le journal continue celui de votre dernière visite.',
  },
  /** What mirrors answered: copies of the journal in other hands. */
  mirrors: {
    none: 'Le miroir {mirror} (une copie du journal, tenue ailleurs) ne connaît aucune ligne de plus.',
    more: 'Une ligne a été écrite depuis : rechargez la page pour la lire.',
    late: 'Le miroir {mirror} n’a pas encore copié les dernières lignes : il ne peut pas dire si une ligne manque à la fin.',
    silent: 'Le miroir {mirror} n’a pas répondu : il n’a pas dit si une ligne manque à la fin.',
  },
  mismatch: {
    what: (help: string) =>
      `Ce que montre cette page n’est pas ce que le journal a scellé. Téléchargez ce fichier, gardez-le, puis appelez le ${help}.`,
    private: 'Le fichier contient ces lignes : ne le donnez qu’à une personne de confiance.',
    download: 'Télécharger les preuves',
    line: 'Ligne {entry}. ',
    why: {
      text: 'Le texte affiché n’est pas celui qui a été scellé.',
      lines: 'Une ligne manque, ou n’est pas à sa place.',
      gap: 'Une ligne a été cachée : les numéros ne se suivent pas.',
      last: 'Des lignes que vous aviez vues ont disparu.',
      history: 'Le journal n’est plus celui de votre dernière visite.',
      witnesses: 'Les signatures du journal ou de ses témoins ne sont pas bonnes.',
      content: 'Le contenu de la ligne a été changé.',
      mirrorOne: 'Le miroir {mirror} connaît une ligne de plus que cette page : elle ne vous est pas montrée.',
      mirrorMany: 'Le miroir {mirror} connaît {more} lignes de plus que cette page : elles ne vous sont pas montrées.',
      mirrorOther: 'Le miroir {mirror} n’a pas la dernière ligne de cette page : il ne tient pas le même journal.',
      place: 'La ligne n’est pas dans le journal qui a été signé.',
    },
  },
  again: 'Vérifier de nouveau',
  how: 'Comment c’est vérifié',
  page: {
    title: 'Comment c’est vérifié',
    plain: [
      'Chaque chose faite est écrite dans un journal. Ce journal est signé chaque seconde.',
      'Des témoins indépendants gardent une copie de cette signature.',
      'Votre appareil compare lui-même ce que vous lisez avec ces signatures.',
      'Si une ligne était changée, ou retirée entre deux autres, votre appareil le dirait.',
      'Un miroir est une copie du journal, tenue par quelqu’un d’autre. Votre appareil lui demande s’il connaît une ligne de plus que cette page. Le miroir ne sait pas qui vous êtes.',
    ],
    statesTitle: 'Ce que la page peut dire',
    states: [
      'Vérifié : les témoins ont vu ces lignes il y a moins de cinq minutes.',
      'Enregistré : la ligne est toute nouvelle. Attendez quelques secondes.',
      'Scellé : le journal a signé la ligne. Les témoins ne l’ont pas encore vue.',
      'Vérification impossible : votre navigateur est trop ancien, ou vous n’avez pas de réseau. Cela ne veut pas dire qu’il y a un problème.',
      'Ne correspond pas : gardez le fichier que la page vous donne, et appelez l’aide.',
    ],
    expertTitle: 'Pour un spécialiste',
    expert: [
      'La page contient les octets de chaque feuille, les champs que vous pouvez lire avec leurs sels, les empreintes des autres, et les preuves d’inclusion (RFC 6962).',
      'Le script recalcule l’engagement de chaque feuille, son empreinte, sa marque et son numéro, la racine de l’arbre, la signature Ed25519 du journal et les cosignatures des témoins (C2SP tlog-cosignature) selon la politique publiée sur /log/policy.',
      'Il garde le dernier état signé dans IndexedDB et demande, à chaque visite, la preuve que le nouvel état le continue.',
      'Ce script vient du même site que la page : il ne vous protège pas d’un opérateur qui le changerait. Pour cela, téléchargez la preuve d’une ligne et vérifiez-la avec un autre programme.',
    ],
  },
};
