import './guard.ts';
import { type MirrorService, required, whole } from './mirror-service.ts';

const address = required('Écrivez une adresse, par exemple : 3 rue des Tilleuls, 17460 Thénac.');

/** The mirror service of profile `standard`: secret, PKCE, bearer token. */
export const ALLOWANCES: MirrorService = {
  id: 'allocations',
  name: 'Allocations de démonstration',
  profile: 'standard',
  to: 'aux Allocations de démonstration',
  welcome: 'Demander une aide, suivre ses paiements, dire que l’on a changé d’adresse.',
  themes: [
    { code: 'famille', label: 'Famille, école' },
    { code: 'logement', label: 'Logement' },
    { code: 'social', label: 'Santé, social' },
  ],
  example: { slug: 'aide-logement', values: { adresse: '3 rue des Tilleuls, 17460 Thénac', loyer: '420', personnes: '1' } },
  programme: {
    name: 'Allocations de démonstration',
    line: 'Aides aux familles et au logement',
    theme: 'allocations',
    practice: 'Entraînement – fausses données. Ce service n’existe pas.',
    help: '0 800 00 00 01',
  },
  demarches: [
    {
      code: 'allocations.aide-logement',
      slug: 'aide-logement',
      title: 'Demander une aide au logement',
      intro: 'L’aide dépend du loyer et du nombre de personnes dans le logement.',
      label: { fr: 'votre demande d’aide au logement', en: 'your housing benefit application' },
      themes: ['logement'],
      effect: 'declare',
      send: 'Envoyer la demande',
      fields: [
        { name: 'adresse', label: 'Adresse du logement', hint: 'Par exemple : 3 rue des Tilleuls, 17460 Thénac', check: address },
        {
          name: 'loyer',
          label: 'Loyer de chaque mois, en euros',
          hint: 'Sans les centimes, par exemple : 420',
          check: whole(1, 5000, 'Écrivez le loyer en euros, par exemple : 420.'),
        },
        {
          name: 'personnes',
          label: 'Nombre de personnes dans le logement',
          hint: 'La personne elle-même compte pour une',
          check: whole(1, 15, 'Écrivez un nombre de personnes, par exemple : 1.'),
        },
      ],
    },
    {
      code: 'allocations.paiements',
      slug: 'paiements',
      title: 'Voir les paiements',
      intro: 'Les sommes versées ces trois derniers mois.',
      label: { fr: 'vos paiements', en: 'your payments' },
      themes: ['famille', 'logement', 'social'],
      effect: 'read',
      fields: [],
      rows: () => ({
        caption: 'Paiements',
        head: ['Date', 'Aide', 'Somme'],
        lines: [
          ['5 novembre 2026', 'Aide au logement', '187 euros'],
          ['5 octobre 2026', 'Aide au logement', '187 euros'],
          ['5 septembre 2026', 'Aide au logement', '183 euros'],
        ],
      }),
    },
    {
      code: 'allocations.changer-adresse',
      slug: 'changer-adresse',
      title: 'Changer d’adresse',
      intro: 'La nouvelle adresse servira pour tous les courriers.',
      label: { fr: 'votre adresse', en: 'your address' },
      themes: ['famille', 'logement', 'social'],
      effect: 'change',
      send: 'Changer l’adresse',
      fields: [{ name: 'nouvelle-adresse', label: 'Nouvelle adresse', hint: 'Par exemple : 12 place de l’Église, 17100 Saintes', check: address }],
      apply: (dossier, values) => {
        dossier.address = values['nouvelle-adresse'] ?? dossier.address;
      },
    },
  ],
};
