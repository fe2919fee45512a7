import './guard.ts';
import { sha256 } from '../kernel/crypto.ts';

/** Someone who signs in through the ProConnect simulator. Claim names are the federation's (federations.md §2.2). */
export interface StaffIdentity {
  /** Stable name of the identity: value of the button, and what one types. */
  readonly id: string;
  /** Public subject: one uuid an account, the same at every service, stable across restarts. */
  readonly sub: string;
  readonly given_name: string;
  readonly usual_name: string;
  readonly email: string;
  readonly uid: string;
  readonly siret: string;
  readonly organization_label: string;
  readonly idp_id: string;
  readonly roles: readonly string[];
  /** The level this account really reaches at its identity provider. */
  readonly acr: string;
  readonly amr: readonly string[];
  /** What happens to this identity, in one plain line of French. */
  readonly story: string;
}

/** Someone who signs in through the FranceConnect simulator: the pivot identity of federations.md §2.1. */
export interface PersonIdentity {
  readonly id: string;
  readonly given_name: string;
  readonly family_name: string;
  readonly preferred_username?: string;
  readonly birthdate: string;
  readonly gender: 'female' | 'male';
  /** INSEE code of the commune; empty for somebody born abroad. */
  readonly birthplace: string;
  /** INSEE code of the country, 99100 for France. */
  readonly birthcountry: string;
  readonly email: string;
  readonly story: string;
}

export const THENAC = { siret: '21170444000018', name: 'Mairie de Thénac' } as const;
export const SAINTES = { siret: '26170041300014', name: 'CCAS de Saintes' } as const;
const ALLOWANCES = { siret: '13000548100010', name: 'Administration des allocations (démonstration)' } as const;
const TAXES = { siret: '13000477300011', name: 'Administration des impôts (démonstration)' } as const;
const OPERATOR = { siret: '11000001500013', name: 'Opérateur de Relais (démonstration)' } as const;

const idpId = '71144ab3-ee1a-4401-b7b3-79b44f7daeeb';
const STRONG = { acr: 'eidas2', amr: ['pwd', 'otp', 'mfa'] } as const;

const staff = (
  id: string,
  order: number,
  given_name: string,
  usual_name: string,
  employer: { readonly siret: string; readonly name: string },
  story: string,
  more: Partial<StaffIdentity> = {},
): StaffIdentity => ({
  id,
  sub: `5d1a0000-0000-4000-8000-${String(order).padStart(12, '0')}`,
  given_name,
  usual_name,
  email: `${id}@demonstration.example`,
  uid: `${idpId}-${id}`,
  siret: employer.siret,
  organization_label: employer.name,
  idp_id: idpId,
  roles: ['agent_public', 'agent_public_territorial'],
  ...STRONG,
  story,
  ...more,
});

const STATE = { roles: ['agent_public', 'agent_public_etat'] } as const;

/** Test identities at ProConnect, in the order in which the page shows them. */
export const STAFF: readonly StaffIdentity[] = [
  staff('karim', 1, 'Karim', 'Benali', THENAC, 'Aidant de la mairie de Thénac. C’est lui qui aide Madame Martin dans l’histoire.'),
  staff('ines', 2, 'Inès', 'Moreau', THENAC, 'Aidante de deux structures : la mairie de Thénac et le CCAS de Saintes. Elle doit choisir.'),
  staff('paul', 3, 'Paul', 'Garnier', SAINTES, 'Agent du CCAS de Saintes, non habilité dans Relais : il est refusé.'),
  staff('lea', 4, 'Léa', 'Petit', THENAC, 'Invitée par sa structure. Elle doit d’abord ouvrir le lien reçu par courriel.'),
  staff('nora', 5, 'Nora', 'Lefèvre', ALLOWANCES, 'Agente de l’administration des allocations. Elle consulte le journal de ses services.', STATE),
  staff('hugo', 6, 'Hugo', 'Roux', TAXES, 'Agent de l’administration des impôts. Il ne voit que les services des impôts.', STATE),
  staff('alice', 7, 'Alice', 'Fontaine', OPERATOR, 'Opératrice : elle fait fonctionner Relais et demande les changements.', STATE),
  staff('marc', 8, 'Marc', 'Dubreuil', OPERATOR, 'Opérateur : il est la seconde personne, celle qui approuve.', STATE),
  staff('sans-mfa', 9, 'Simon', 'Sansdouble', THENAC, 'Se connecte avec un mot de passe seul : refusé quand le service demande deux preuves.', {
    acr: 'eidas1',
    amr: ['pwd'],
  }),
  staff('courriel', 10, 'Camille', 'Courrier', THENAC, 'Sa seconde preuve est un code reçu par courriel : niveau eidas1-mfa.', {
    acr: 'eidas1-mfa',
    amr: ['pwd', 'mail', 'mfa'],
  }),
  staff(
    'sofia',
    11,
    'Sofia',
    'Marchand',
    ALLOWANCES,
    'Intégratrice de l’administration des allocations. Elle voit ses sites et leurs appels, jamais le journal.',
    STATE,
  ),
];

const person = (
  id: string,
  given_name: string,
  family_name: string,
  birthdate: string,
  gender: 'female' | 'male',
  story: string,
  more: Partial<PersonIdentity> = {},
): PersonIdentity => ({
  id,
  given_name,
  family_name,
  birthdate,
  gender,
  birthplace: '17415',
  birthcountry: '99100',
  email: `${id}@courriel.example`,
  story,
  ...more,
});

/** Test identities at FranceConnect, in the order in which the page shows them. */
export const PERSONS: readonly PersonIdentity[] = [
  person('colette', 'Colette', 'Martin', '1946-04-12', 'female', 'Madame Martin, la personne de l’histoire.', { birthplace: '17444' }),
  person('jean', 'Jean', 'Petit', '1951-09-30', 'male', 'Monsieur Petit, une deuxième personne.'),
  person('mineur', 'Lucas', 'Mineur', '2012-03-15', 'male', 'Mineur : aucun mandat n’est possible.'),
  person('revoquee', 'Rosa', 'Révoquée', '1939-11-02', 'female', 'Mandat arrêté pendant la démarche.'),
  person('expiree', 'Émile', 'Expiré', '1944-01-20', 'male', 'Mandat terminé.'),
  person('mauvais-theme', 'Thérèse', 'Autrethème', '1958-06-08', 'female', 'Mandat pour une autre thématique que celle du service.'),
  person('deux-structures', 'Denise', 'Deux', '1948-12-25', 'female', 'Mandats avec deux structures : la mairie de Thénac et le CCAS de Saintes.'),
  person(
    'noms-longs',
    'Marie-Antoinette Joséphine Philippine Éléonore',
    'de La Rochefoucauld-Montmorency-Saint-Germain-en-Laye',
    '1933-07-14',
    'female',
    'Noms très longs : les pages doivent tenir.',
    { preferred_username: 'Vandenbroucke-Delahaye-Lefebvre' },
  ),
  person('etranger', 'Nguyễn Thị', 'Hoa', '1955-02-01', 'female', 'Née à l’étranger : pas de commune de naissance.', {
    birthplace: '',
    birthcountry: '99243',
  }),
  person('incomplete', '', 'Incomplet', '1960-05-05', 'male', 'Identité incomplète : pas de prénom ni de lieu de naissance.', {
    birthplace: '',
    birthcountry: '',
  }),
  person('un-aidant', 'Karim', 'Benali', '1985-10-03', 'male', 'C’est Karim lui-même : un aidant ne peut pas se donner un mandat.'),
];

/** The subject that the FranceConnect simulator gives to one organisation (`sector`, the client id): 64 hexadecimal digits and `v1`. */
export const franceConnectSub = (identityId: string, sector: string): string =>
  `${sha256('practice/franceconnect\n', sector, '\n', identityId).toString('hex')}v1`;

/** Makes the ProConnect account of somebody who typed a name rather than chose one; the same words give the same account. */
export const typedStaff = (typed: Pick<StaffIdentity, 'given_name' | 'usual_name' | 'email' | 'siret'>): StaffIdentity => {
  const hash = sha256('practice/proconnect\n', typed.email.toLowerCase()).toString('hex');
  return {
    ...staff(`saisie-${hash.slice(0, 12)}`, 0, typed.given_name, typed.usual_name, { siret: typed.siret, name: '' }, 'Identité saisie.'),
    sub: `${hash.slice(0, 8)}-${hash.slice(8, 12)}-4${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`,
    email: typed.email,
  };
};

/** Makes the FranceConnect account of somebody whose civil status was typed; the same civil status gives the same account. */
export const typedPerson = (typed: Omit<PersonIdentity, 'id' | 'story' | 'email'>): PersonIdentity => {
  const pivot = [typed.given_name, typed.family_name, typed.birthdate, typed.gender, typed.birthplace, typed.birthcountry];
  const id = `saisie-${sha256('practice/pivot\n', JSON.stringify(pivot)).toString('hex').slice(0, 12)}`;
  return { ...typed, id, email: `${id}@courriel.example`, story: 'Identité saisie.' };
};
