import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UsagerId } from '../kernel/ids.ts';
import type { Consent } from '../mandates/mandate.ts';
import type { OthersAnswer } from '../mandates/mandates.ts';
import type { PhoneLink } from '../mandates/phone-link.ts';
import { openLink } from './hint.ts';
import type { Kit } from './kit.tsx';
import type { Session } from './session.ts';

/** Where the person's telephone is led once the link is answered. The address holds nothing: the browser's own session knows which link it was. */
export const OUTCOME = '/accord/suite';

/** Remembers, for this browser alone, what came of the link that it opened. */
export const keepOutcome = async (
  kit: Kit,
  request: FastifyRequest,
  reply: FastifyReply,
  session: Session,
  link: string,
  outcome: string,
): Promise<Session> => {
  const kept = await kit.site.webSessions.save(session, { ...session.data, answered: { link, outcome } });
  kit.keep(request, reply, kept);
  return kept;
};

/** The secret of a link that this browser session sealed; of anything else, nothing. */
export const secretIn = (kit: Kit, session: Session, link: string): string => openLink(kit.site.cookieKey.reveal(), session.hash, link) ?? '';

/** The link itself, while it is open. */
export const linkOf = async (kit: Kit, session: Session, link: string): Promise<PhoneLink | undefined> => {
  const found = await kit.site.phoneLinks.read(secretIn(kit, session, link));
  return 'refused' in found ? undefined : found.link;
};

/** Records the will of whoever came back from FranceConnect for a link, or why there is none; says what came of it. */
export const answerLink = async (
  kit: Kit,
  session: Session,
  link: string,
  answer: { readonly usagerId: UsagerId; readonly consent: Consent; readonly others?: OthersAnswer } | { readonly refused: string },
): Promise<string> => {
  const { phoneLinks } = kit.site;
  const secret = secretIn(kit, session, link);
  if ('refused' in answer) {
    await phoneLinks.fail(secret, answer.refused);
    return answer.refused;
  }
  const done = await phoneLinks.agree(secret, answer.usagerId, answer.consent, answer.others);
  return 'refused' in done ? done.refused : 'yes';
};
