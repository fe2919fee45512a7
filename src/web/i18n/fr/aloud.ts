/** The mandate's text to be read aloud, and beside its translation. */
export const aloud = {
  open: 'Lire à voix haute, ou dans une autre langue',
  large: 'Lire en grand, ou dans une autre langue',
  title: 'Lire à la personne',
  titleSelf: 'Lire mon mandat en grand',
  how: 'Lisez une phrase à la fois. Après chaque titre, arrêtez-vous : demandez à la personne si elle a compris.',
  languages: 'Dans une autre langue',
  inFrench: 'En français, en grand',
  current: '(affiché)',
  none: 'Aucune autre langue n’a été ajoutée pour ce texte.',
  binding: 'Seul le texte français engage. La traduction aide à le comprendre : elle ne contient ni les noms, ni les thématiques, ni les dates.',
  narrowed: 'Ce mandat donne moins',
  narrowedText: 'La traduction ne le dit pas. Expliquez à la personne ces limites :',
  narrowedSelf: 'La traduction ne le dit pas. Ces limites sont écrites dans le texte français :',
  french: 'Le texte français, qui engage',
};
