import './guard.ts';
import { type MirrorService, required, whole } from './mirror-service.ts';

const euros = whole(0, 9_999_999, 'Écrivez une somme en euros, sans les centimes, par exemple : 14200.');

/** The mirror service of profile `fapi2`: pushed request, signed client assertion, token bound to a key. */
export const TAXES: MirrorService = {
  id: 'impots',
  name: 'Impôts de démonstration',
  profile: 'fapi2',
  to: 'aux Impôts de démonstration',
  welcome: 'Déclarer ses revenus, retrouver son avis, demander un délai pour payer.',
  themes: [{ code: 'argent', label: 'Argent, impôts' }],
  example: { slug: 'declaration', values: { pensions: '14200', autres: '0' } },
  programme: {
    name: 'Impôts de démonstration',
    line: 'Impôts des particuliers',
    theme: 'impots',
    practice: 'Entraînement – fausses données. Ce service n’existe pas.',
    help: '0 800 00 00 02',
  },
  demarches: [
    {
      code: 'impots.declaration',
      slug: 'declaration',
      title: 'Déclarer les revenus de 2025',
      intro: 'Deux sommes suffisent. Elles se trouvent sur les relevés de la caisse de retraite.',
      label: { fr: 'votre déclaration de revenus', en: 'your income tax return' },
      themes: ['argent'],
      effect: 'declare',
      send: 'Envoyer la déclaration',
      fields: [
        { name: 'pensions', label: 'Pensions et retraites de l’année, en euros', hint: 'Par exemple : 14200', check: euros },
        { name: 'autres', label: 'Autres revenus de l’année, en euros', hint: 'Écrivez 0 s’il n’y en a pas', check: euros },
      ],
    },
    {
      code: 'impots.avis',
      slug: 'avis',
      title: 'Voir l’avis d’impôt',
      intro: 'Le dernier avis, et ce qui reste à payer.',
      label: { fr: 'votre avis d’impôt', en: 'your tax notice' },
      themes: ['argent'],
      effect: 'read',
      fields: [],
      rows: () => ({
        caption: 'Avis de 2025',
        head: ['Impôt', 'Somme', 'À payer avant le'],
        lines: [
          ['Impôt sur le revenu', '312 euros', '15 décembre 2026'],
          ['Taxe foncière', '640 euros', 'déjà payée'],
        ],
      }),
    },
    {
      code: 'impots.delai',
      slug: 'delai',
      title: 'Demander un délai pour payer',
      intro: 'La somme sera payée en plusieurs fois, chaque mois.',
      label: { fr: 'votre délai de paiement', en: 'your payment schedule' },
      themes: ['argent'],
      effect: 'change',
      send: 'Demander le délai',
      fields: [
        { name: 'mois', label: 'Nombre de mois', hint: 'De 2 à 6', check: whole(2, 6, 'Écrivez un nombre de mois, de 2 à 6.') },
        {
          name: 'raison',
          label: 'Pour quelle raison ?',
          choices: [
            { value: '', label: 'Choisir' },
            { value: 'revenus', label: 'Les revenus ont baissé' },
            { value: 'depense', label: 'Il y a eu une grosse dépense' },
            { value: 'autre', label: 'Une autre raison' },
          ],
          check: required('Choisissez une raison dans la liste.'),
        },
      ],
    },
  ],
};
