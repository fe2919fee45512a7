import { endOfMandate } from '../../kernel/calendar.ts';
import type { Narrowing } from '../../mandates/narrowing.ts';
import type { ConsentTexts } from '../../mandates/remote-consents.ts';
import type { EndTexts } from '../../notices/ends.ts';
import type { IdentityTexts } from '../../notices/identity.ts';
import type { ReminderTexts } from '../../notices/reminders.ts';
import type { ChannelTexts } from '../../usagers/channels.ts';
import { lastDay, plainDay } from './dates.ts';
import { insideSentence } from './names.ts';
import { narrowingList } from './narrowing.ts';
import { themeList } from './sentence.ts';

/** Letters that cost a whole message its short alphabet (3GPP TS 23.038) are written with the ones it has. */
const short = (text: string): string =>
  text
    .replace(/[\u00a0\u202f]/g, ' ')
    .replace(/[‘’]/g, "'")
    .replace(/[«»“”]/g, '"')
    .replace(/[–—]/g, '-');

/**
 * Every SMS that Relais writes, in French. A lock screen may show them to anybody: none names a theme, a service or a procedure (claim V10), except
 * `recap`, which the person on the phone asked for.
 */
export const smsTexts = (helpNumber: string): ConsentTexts & ChannelTexts & EndTexts & IdentityTexts & ReminderTexts => {
  const help = `Aide : ${helpNumber}.`;
  const only = (narrowing: Narrowing): string => {
    const said = narrowingList(narrowing, 'fr');
    return said.length ? ` Seulement : ${said.join(', ')}.` : '';
  };
  const texts: ConsentTexts & ChannelTexts & EndTexts & IdentityTexts & ReminderTexts = {
    recap: ({ organisation, aidant, themes, narrowing, from, days }) =>
      `Relais : ${aidant}, ${insideSentence(organisation)}, vous propose un mandat pour faire des démarches en ligne à votre place. Pour : ${themeList(themes, 'fr')}.${only(narrowing)} Jusqu'au ${plainDay(lastDay(endOfMandate(from, days)), 'fr')}. Vous pourrez l'arrêter quand vous voulez.`,
    question: () => `Relais : êtes-vous d'accord ? Répondez OUI ou NON, aujourd'hui avant minuit. Sans réponse, rien n'est fait. ${help}`,
    again: () => `Relais : nous n'avons pas compris. Répondez seulement OUI ou NON. ${help}`,
    thanks: (reply, others) =>
      reply === 'yes'
        ? `Relais : votre OUI est noté. ${others ? "Une autre structure peut déjà agir pour vous, et le peut toujours. Pour l'arrêter" : "Pour changer d'avis"} : ${helpNumber}.`
        : `Relais : votre NON est noté. Rien ne sera fait. ${others ? 'Pour arrêter aussi vos mandats en cours, répondez STOP. ' : ''}${help}`,
    tooLate: () => `Relais : cette demande est terminée. Votre réponse n'a rien changé. ${help}`,
    already: () => `Relais : votre OUI était déjà noté. Pour tout arrêter, répondez STOP ou appelez le ${helpNumber}.`,
    stopped: (count) =>
      count === 0
        ? `Relais : vous n'avez aucun mandat en cours. Personne ne peut agir pour vous. ${help}`
        : `Relais : c'est arrêté. ${count === 1 ? 'Votre mandat est terminé' : `Vos ${count} mandats sont terminés`}. Plus personne ne peut agir pour vous. Pour donner un nouveau mandat, voyez un aidant habilité. ${help}`,
    howToStop: () => `Relais : nous n'avons rien changé. Pour arrêter tous vos mandats, répondez STOP. ${help}`,
    whoIsIt: () => `Relais : ce numéro ne suffit pas pour savoir qui vous êtes. Rien n'est changé. Pour arrêter un mandat, appelez le ${helpNumber}.`,
    day: (endsAt) => plainDay(lastDay(endsAt), 'fr'),
    ending: (endsAt) =>
      `Relais : un de vos mandats se termine le ${plainDay(lastDay(endsAt), 'fr')}. Pour le continuer, voyez un aidant de la structure avant ce jour. Sinon, il n'y a rien à faire. ${help}`,
    ended: () =>
      `Relais : un de vos mandats est arrêté. Vous pouvez le voir dans votre espace. Ce n'est pas ce que vous vouliez ? Appelez le ${helpNumber}.`,
    code: (code) => `Relais : votre code est ${code}. Ne le donnez à personne. Valable 10 minutes.`,
    otherNumber: () => `Relais : un aidant a noté un autre numéro pour vous. Ce n'est pas vous qui l'avez demandé ? Appelez le ${helpNumber}.`,
    replaced: () => `Relais : vous avez choisi un autre numéro. Ce n'est pas vous ? Appelez le ${helpNumber}.`,
    identityChanged: () =>
      `Relais : votre état civil a changé dans Relais, comme FranceConnect le donne. Ce n'est pas ce que vous vouliez ? Appelez le ${helpNumber}.`,
  };
  return {
    recap: (facts) => short(texts.recap(facts)),
    question: () => short(texts.question()),
    again: () => short(texts.again()),
    thanks: (reply, others) => short(texts.thanks(reply, others)),
    tooLate: () => short(texts.tooLate()),
    already: () => short(texts.already()),
    stopped: (count) => short(texts.stopped(count)),
    howToStop: () => short(texts.howToStop()),
    whoIsIt: () => short(texts.whoIsIt()),
    ended: () => short(texts.ended()),
    day: texts.day,
    ending: (endsAt) => short(texts.ending(endsAt)),
    code: (code) => short(texts.code(code)),
    otherNumber: () => short(texts.otherNumber()),
    replaced: () => short(texts.replaced()),
    identityChanged: () => short(texts.identityChanged()),
  };
};
