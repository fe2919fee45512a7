import type { MeansNews } from '../aidants/recovery.ts';
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

/** Writes what a member of staff is told of their own means, so that they notice what was not theirs (claim S10). */
export const meansMail = (news: MeansNews, to: { readonly email: string; readonly givenName: string }, helpNumber: string): Message => {
  const [subject, text] = WORDS[news];
  return {
    to: to.email,
    subject,
    text: `Bonjour ${to.givenName},\n\n${text}\n\nC’était vous ? Il n’y a rien à faire. Sinon, appelez tout de suite l’aide : ${helpNumber}.\n`,
  };
};
