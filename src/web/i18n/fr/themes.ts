/** The ten families of procedures (product.md): title, plain description, and a warning where one is due. */
export const themes = {
  label: {
    papiers: 'Papiers, citoyenneté',
    famille: 'Famille, école',
    social: 'Santé, social',
    travail: 'Travail, formation',
    logement: 'Logement',
    transports: 'Transports',
    argent: 'Argent, impôts',
    justice: 'Justice',
    etranger: 'Étranger, Europe',
    loisirs: 'Loisirs, sport, culture',
  } as Record<string, string>,
  description: {
    papiers: 'Carte d’identité, passeport, élections',
    famille: 'Allocations, naissance, inscription à l’école',
    social: 'Carte Vitale, handicap, retraite',
    travail: 'Recherche d’emploi, chômage, formation',
    logement: 'Aide au logement, logement social, permis de construire',
    transports: 'Permis de conduire, carte grise',
    argent: 'Impôts, amendes, timbres fiscaux, consommation',
    justice: 'Casier judiciaire, aide pour payer un avocat',
    etranger: 'Titre de séjour, démarches dans un autre pays d’Europe',
    loisirs: 'Sport, vacances, associations, musées',
  } as Record<string, string>,
  warning: { argent: 'Attention : un dossier de surendettement est signé par la personne seule.' } as Record<string, string>,
};
