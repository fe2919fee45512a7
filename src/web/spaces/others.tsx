import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { MandateId } from '../../kernel/ids.ts';
import type { Consent } from '../../mandates/mandate.ts';
import type { OthersAnswer } from '../../mandates/mandates.ts';
import { shortName } from '../../usagers/usager.ts';
import type { Kit } from '../kit.tsx';
import { answerLink, keepOutcome, OUTCOME, secretIn } from '../phone-outcome.ts';
import type { Data, Session } from '../session.ts';
import { OthersPage } from '../views/others.tsx';

/** Where the person who has just signed in to consent says what becomes of the mandates that she gave to other structures (claim M22). */
export const OTHERS = '/consentement/autres-mandats';
const ANSWER_MS = 10 * 60_000;

type Asked = NonNullable<Data['asked']>;
type Consented = { refused: string } | object;

/** The aidant's page that follows a consent, or its refusal. */
export const afterConsent = (draft: string, consented: Consented): string =>
  `/aidant/mandats/brouillon/${draft}/${'refused' in consented ? `refus?motif=${consented.refused}` : 'signer'}`;

/** Keeps who signed in, in the session of the browser where she did, until she has answered. */
export const askAboutOthers = (kit: Kit, session: Session, given: Omit<Asked, 'evidence' | 'at'> & { readonly evidence: Buffer }): Promise<Session> =>
  kit.site.webSessions.save(session, {
    ...session.data,
    asked: { ...given, evidence: given.evidence.toString('base64url'), at: kit.site.clock.now().getTime() },
  });

export const otherMandates =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    /** What this browser's person was asked, with the draft and the mandates in question; nothing once it is answered or too old. */
    const open = async (request: FastifyRequest) => {
      const session = await kit.session(request);
      const asked = session?.data.asked;
      if (!session || !asked || site.clock.now().getTime() - asked.at > ANSWER_MS) return undefined;
      const found = await site.mandates.findDraft(asked, asked.draft);
      const usager = await site.usagers.find(asked.usagerId);
      if (!found || !usager) return undefined;
      return { session, asked, found, usager, others: await site.mandates.overlaps(found.draft, asked.usagerId) };
    };
    type Open = NonNullable<Awaited<ReturnType<typeof open>>>;

    const page = (request: FastifyRequest, reply: FastifyReply, it: Open, unanswered: readonly MandateId[] = []): FastifyReply =>
      kit.page(
        reply,
        <OthersPage
          frame={kit.frame(request)}
          post={kit.post(it.session, OTHERS, [['draft', it.asked.draft]])}
          person={shortName(it.usager)}
          organisation={it.found.actor.organisationName}
          others={it.others.map(({ mandate, themes }) => ({ id: mandate.id, organisation: mandate.organisationName, themes }))}
          errors={unanswered.map((id) => ({ field: `keep-${id}`, code: 'keep_or_stop' }))}
          leaveHref={
            it.asked.link === undefined ? `/aidant/mandats/brouillon/${it.asked.draft}` : `/accord/${secretIn(kit, it.session, it.asked.link)}`
          }
        />,
        { status: unanswered.length ? 422 : 200 },
      );

    /** Records the will where it was asked: at the counter, or for the link that her telephone opened. */
    const record = async ({ session, asked }: Open, consent: Consent, answers: OthersAnswer): Promise<Consented> => {
      if (asked.link === undefined)
        return site.mandates.consent(
          asked,
          asked.draft,
          asked.usagerId,
          consent,
          answers,
          asked.instead === undefined ? undefined : new Date(asked.instead),
        );
      const outcome = await answerLink(kit, session, asked.link, { usagerId: asked.usagerId, consent, others: answers });
      return outcome === 'yes' ? {} : { refused: outcome };
    };

    app.get(OTHERS, async (request, reply) => {
      const it = await open(request);
      return it ? page(request, reply, it) : kit.refuse(request, reply, 'draft_expired');
    });
    app.post(OTHERS, async (request, reply) => {
      const it = await open(request);
      const fields = kit.fields(request);
      // Another tab has asked since: what is answered here was not asked there.
      if (it?.asked.draft !== fields.text('draft')) return kit.refuse(request, reply, 'draft_expired');
      const answers: OthersAnswer = new Map(
        it.others.flatMap(({ mandate: { id } }) => {
          const answer = fields.text(id);
          return answer === 'keep' || answer === 'stop' ? [[id, answer] as const] : [];
        }),
      );
      const { asked } = it;
      const consent = { method: 'franceconnect', acr: asked.acr, evidence: Buffer.from(asked.evidence, 'base64url') } as const;
      const consented = await record(it, consent, answers);
      if ('refused' in consented && consented.refused === 'overlap_unanswered') {
        const now = await open(request); // a structure may have been given a mandate while she read
        if (!now) return kit.refuse(request, reply, 'draft_expired');
        return page(
          request,
          reply,
          now,
          now.others.flatMap(({ mandate: { id } }) => (answers.has(id) ? [] : [id])),
        );
      }
      site.nudgeDeliveries();
      const { asked: _answered, ...data } = it.session.data;
      const answered = await site.webSessions.save(it.session, data);
      kit.keep(request, reply, answered);
      if (asked.link !== undefined) {
        await keepOutcome(kit, request, reply, answered, asked.link, 'refused' in consented ? consented.refused : 'yes');
        return reply.redirect(OUTCOME, 303);
      }
      return reply.redirect(afterConsent(asked.draft, consented), 303);
    });
  };
