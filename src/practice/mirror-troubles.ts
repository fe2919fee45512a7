import './guard.ts';
import * as client from 'openid-client';
import type { Trouble } from './page.tsx';

const home = { href: '/', text: 'Revenir à l’accueil' } as const;
const NOTHING = 'Vous n’êtes pas connecté. Rien n’a été transmis.';

const what: Readonly<Record<string, { readonly title: string; readonly what: string; readonly todo: string }>> = {
  access_denied: {
    title: 'La connexion a été refusée',
    what: 'Relais a refusé, ou vous avez choisi de ne pas continuer.',
    todo: 'Regardez avec la personne si un mandat couvre ce service, puis recommencez.',
  },
  login_required: {
    title: 'Il faut choisir une personne',
    what: 'Relais doit vous demander pour qui vous agissez.',
    todo: 'Recommencez depuis l’accueil.',
  },
  unmet_authentication_requirements: {
    title: 'La preuve demandée est trop forte',
    what: 'Ce service demande une preuve que cette connexion ne donne pas.',
    todo: 'Demandez à votre référent quel moyen de connexion utiliser.',
  },
  state_mismatch: {
    title: 'Cette connexion n’est plus valable',
    what: 'Elle a été commencée dans un autre navigateur, ou il y a trop longtemps.',
    todo: 'Recommencez depuis l’accueil.',
  },
  relais_unavailable: {
    title: 'Relais ne répond pas',
    what: 'La connexion avec Relais n’a pas pu se faire.',
    todo: 'Attendez quelques minutes, puis recommencez.',
  },
  unknown_issuer: {
    title: 'Cette adresse ne vient pas de Relais',
    what: 'Le lien suivi nomme un fournisseur que ce service ne connaît pas.',
    todo: 'Revenez à Relais et choisissez de nouveau ce service.',
  },
  unknown_theme: {
    title: 'Cette thématique n’est pas traitée ici',
    what: 'Le lien suivi nomme une thématique que ce service n’a pas.',
    todo: 'Revenez à l’accueil et choisissez une démarche.',
  },
};
const OTHER = {
  title: 'La connexion n’a pas abouti',
  what: 'La réponse de Relais n’a pas pu être acceptée.',
  todo: 'Recommencez. Si cela se répète, appelez l’aide en donnant le code.',
};

/** Words a failed sign-in by its code; `alone` for somebody who signs in for herself, and has no mandate to look at. */
export const signInTrouble = (code: string, alone = false): Trouble => ({
  ...(what[code] ?? OTHER),
  ...(alone && code === 'access_denied' ? { todo: 'Vous pouvez recommencer quand vous voulez.' } : {}),
  changes: NOTHING,
  code,
  link: home,
});

const UNREACHABLE: readonly string[] = ['OAUTH_TIMEOUT', 'OAUTH_RESPONSE_IS_NOT_CONFORM', 'OAUTH_RESPONSE_IS_NOT_JSON'];

/** Finds the code of what stopped a sign-in: the error that Relais returned, or the check that failed. */
export const codeOf = (error: unknown): string => {
  if (error instanceof client.AuthorizationResponseError || error instanceof client.ResponseBodyError) return error.error;
  if (error instanceof client.ClientError && error.code) return UNREACHABLE.includes(error.code) ? 'relais_unavailable' : error.code.toLowerCase();
  return error instanceof TypeError ? 'relais_unavailable' : 'sign_in_failed';
};

/** A démarche that asks for a newer or stronger sign-in than that of the session. */
export const signInAgain = (href: string, changes: string): Trouble => ({
  title: 'Connectez-vous de nouveau',
  what: 'Cette démarche demande une connexion plus récente, ou plus sûre.',
  changes,
  todo: 'Entrez de nouveau avec Relais, et choisissez la même personne. Vous reviendrez ensuite à cette démarche.',
  code: 'insufficient_authentication',
  link: { href, text: 'Se connecter de nouveau avec Relais' },
});

export const UNAVAILABLE: Trouble = {
  title: 'Relais ne répond pas',
  what: 'Il faut vérifier le mandat avant chaque démarche, et Relais ne répond pas.',
  changes: 'Rien n’a été transmis. Ce que vous avez écrit n’est pas perdu : revenez en arrière dans le navigateur.',
  todo: 'Attendez quelques minutes, puis recommencez.',
  code: 'relais_unavailable',
  link: home,
};
export const NOT_COVERED: Trouble = {
  title: 'Le mandat ne permet pas cette démarche',
  what: 'La personne a donné un mandat pour autre chose.',
  changes: 'Rien n’a été transmis.',
  todo: 'Choisissez une autre démarche, ou demandez à la personne si elle veut un nouveau mandat.',
  code: 'not_covered',
  link: home,
};
export const NOT_REPORTED: Trouble = {
  title: 'Cette démarche ne peut pas être ouverte',
  what: 'Chaque ouverture doit être écrite dans le journal, et Relais ne l’a pas acceptée.',
  changes: 'Rien n’a été montré ni transmis.',
  todo: 'Attendez quelques minutes, puis recommencez.',
  code: 'not_reported',
  link: home,
};
export const OTHER_TAB: Trouble = {
  title: 'Cette page n’est plus valable',
  what: 'La page appartenait à une autre session : une autre personne a été choisie, ou vous vous êtes déconnecté.',
  changes: 'Rien n’a été transmis.',
  todo: 'Revenez à l’accueil et vérifiez pour qui vous agissez.',
  code: 'session_mismatch',
  link: home,
};
