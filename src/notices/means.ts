import { asParty } from '../aidants/aidant.ts';
import type { MeansNews } from '../aidants/recovery.ts';
import type { StaffId } from '../kernel/ids.ts';
import type { Message } from './deliveries.ts';

const WORDS: { readonly [N in MeansNews]: readonly [subject: string, text: string] } = {
  locked: [
    'Trop de codes faux sur votre compte Relais',
    'Plusieurs codes faux ont été écrits à la suite avec votre compte. Vos codes sont bloqués pendant 15 minutes. Vos clés d’accès marchent toujours.',
  ],
  passkey_added: ['Une clé d’accès a été ajoutée', 'Une clé d’accès a été ajoutée à votre compte Relais.'],
  passkey_revoked: ['Une clé d’accès a été retirée', 'Une clé d’accès a été retirée de votre compte Relais. Elle ne sert plus à rien.'],
  recovery_made: [
    'De nouveaux codes de secours',
    'De nouveaux codes de secours ont été créés pour votre compte Relais. Les anciens ne marchent plus.',
  ],
  recovery_used: ['Un code de secours a servi', 'Quelqu’un est entré dans votre compte Relais avec un code de secours. Ce code ne peut plus servir.'],
};

interface Addressee {
  readonly id: StaffId;
  readonly email: string;
  readonly givenName: string;
}

const mail = (to: Addressee, template: string, subject: string, paragraphs: readonly string[]): Message => ({
  about: { template, ...asParty(to.id) },
  to: to.email,
  subject,
  text: `${[`Bonjour ${to.givenName},`, ...paragraphs].join('\n\n')}\n`,
});

/**
 * Writes what a member of staff is told of their own means, so that they notice what was not theirs (claim S10). `link` opens the page that suspends
 * their access; it does nothing until its button is pressed.
 */
export const meansMail = (news: MeansNews, to: Addressee, helpNumber: string, link: string): Message => {
  const [subject, text] = WORDS[news];
  return mail(to, `means_${news}`, subject, [
    text,
    'C’était vous ? Il n’y a rien à faire.',
    `Ce n’était pas vous ? Ouvrez cette page dans les 24 heures, et suspendez votre accès :\n${link}`,
    `Vous pouvez aussi appeler l’aide : ${helpNumber}.`,
  ]);
};

/** Carries the link that somebody asked for because a means was lost (claim S16). */
export const lossMail = (to: Addressee, helpNumber: string, link: string): Message =>
  mail(to, 'loss_link', 'Vous avez perdu votre moyen de connexion ?', [
    'Quelqu’un a écrit votre adresse sur la page « J’ai perdu mon moyen de connexion » de Relais.',
    `C’est vous ? Ouvrez cette page dans l’heure, et appuyez sur le bouton pour suspendre votre accès :\n${link}`,
    'Ce n’est pas vous ? Ne faites rien : rien n’a changé.',
    `Une question ? Appelez l’aide : ${helpNumber}.`,
  ]);

const stopped = (sessions: number): string =>
  sessions === 0 ? 'Aucune démarche n’était ouverte.' : `Démarches ouvertes qui ont été arrêtées : ${sessions}. Leurs sites sont prévenus.`;

/** Tells a member of staff that their access is suspended, and how to come back. */
export const suspendedMail = (to: Addressee, helpNumber: string, sessions: number): Message =>
  mail(to, 'suspended', 'Votre accès à Relais est suspendu', [
    `Vous l’avez demandé : votre accès à Relais est suspendu, sur tous les appareils. ${stopped(sessions)}`,
    `Pour revenir, parlez à votre référent, ou appelez l’aide : ${helpNumber}. Vous recevrez un lien pour préparer de nouveaux moyens de connexion. Les anciens ne marcheront plus.`,
  ]);

/** Tells a référent that somebody of their structure lost a means. */
export const referentMail = (to: Addressee, who: string, helpNumber: string, sessions: number): Message =>
  mail(to, 'aidant_suspended', 'L’accès d’un aidant de votre structure est suspendu', [
    `${who} a signalé la perte de son moyen de connexion. Son accès à Relais est suspendu. ${stopped(sessions)}`,
    'Les mandats de la structure ne changent pas : les autres aidants peuvent continuer.',
    `Vérifiez avec cette personne, de vive voix, que c’est bien elle. Puis appelez l’aide pour lui rendre son accès : ${helpNumber}.`,
  ]);
