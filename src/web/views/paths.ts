/** Addresses that every page links to. The others are given to the pages as props. */
export const PATHS = {
  home: '/',
  accessibility: '/accessibilite',
  personalData: '/donnees-personnelles',
  verify: '/verifier-le-journal',
  verifyAttestation: '/verifier',
  verifyStatement: '/verifier/releve',
  offlineCheck: '/verifier/releve/hors-ligne',
  statement: '/usager/releve',
  statementPdf: '/usager/releve.pdf',
  personalDataFile: '/usager/mes-donnees',
  exports: '/administration/exports',
  stop: '/arreter',
  stay: '/rester-connecte',
  lost: '/connexion/perdu',
  security: '/aidant/securite',
  switchOrganisation: '/aidant/structures',
} as const;
