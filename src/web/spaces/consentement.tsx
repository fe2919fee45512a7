import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isId } from '../../kernel/ids.ts';
import { waitingFor } from '../../mandates/remote-consent.ts';
import { maskPhone } from '../../usagers/phone.ts';
import { displayName } from '../../usagers/usager.ts';
import { type AidantHere, requireDraft } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import { RemoteAskPage, RemoteWaitPage } from '../views/remote-consent.tsx';
import { proveFor } from './securite.tsx';

const draftPath = (id: string): string => `/aidant/mandats/brouillon/${id}`;

/** Refusals that the page of the question can show beside a field. */
const BESIDE: Readonly<Record<string, string>> = {
  phone_missing: 'person-1',
  phone_weak: 'person-1',
  sms_capped: 'person-1',
  already_asked: 'person-1',
};

/** Consent by SMS, the person being on the phone: whom to ask, then the waiting room. Nothing here can say yes for her. */
export const consentement =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const { sms } = site;
    if (!sms) return;
    type Params = { Params: { id: string } };
    type Found = NonNullable<Awaited<ReturnType<typeof site.mandates.findDraft>>>;

    /** The aidant and the draft of this request; otherwise the answer is already given. */
    const open = (request: FastifyRequest, reply: FastifyReply) => requireDraft(kit, request, reply);

    const askPage = async (
      request: FastifyRequest,
      reply: FastifyReply,
      { here, found }: { here: AidantHere; found: Found },
      more: { errors?: readonly { field: string; code: string }[]; chosen?: string; noted?: boolean } = {},
    ): Promise<FastifyReply> => {
      const path = draftPath(found.draft.id);
      const [people, fresh] = await Promise.all([sms.consents.people(here.organisationId), site.recovery.isFresh(here.aidantId, here.session.hash)]);
      return kit.page(
        reply,
        <RemoteAskPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, `${path}/sms`)}
          note={fresh ? kit.post(here.session, `${path}/sms/numero`) : undefined}
          proveHref={proveFor(`${path}/sms`)}
          backHref={path}
          people={people.map(({ usager, phone }) => ({
            id: usager.id,
            name: displayName(usager),
            birthdate: usager.birthdate,
            phone: phone && maskPhone(phone.address),
            weak: phone?.weak ?? [],
          }))}
          {...more}
        />,
        { status: more.errors ? 422 : 200 },
      );
    };

    app.get<Params>('/aidant/mandats/brouillon/:id/sms', async (request, reply) => {
      const it = await open(request, reply);
      if (!it) return reply;
      const asked = await sms.consents.find(it.here, it.found.draft.id);
      if (asked && waitingFor(asked, site.clock.now()) !== 'expired' && asked.state === 'asked')
        return reply.redirect(`${draftPath(it.found.draft.id)}/attente`, 303);
      return askPage(request, reply, it);
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/sms', async (request, reply) => {
      const it = await open(request, reply);
      if (!it) return reply;
      const fields = kit.fields(request);
      const person = fields.text('person');
      if (!isId('usg', person)) return askPage(request, reply, it, { errors: [{ field: 'person-1', code: 'person_required' }] });
      if (fields.text('recap_asked') !== 'yes')
        return askPage(request, reply, it, { chosen: person, errors: [{ field: 'recap-asked', code: 'recap_asked_required' }] });
      const done = await sms.consents.ask(it.here, it.found.draft.id, person);
      if (!('refused' in done)) {
        site.nudgeDeliveries();
        return reply.redirect(`${draftPath(it.found.draft.id)}/attente`, 303);
      }
      if (done.refused === 'already_asked') return reply.redirect(`${draftPath(it.found.draft.id)}/attente`, 303);
      const field = BESIDE[done.refused];
      if (field) return askPage(request, reply, it, { chosen: person, errors: [{ field, code: done.refused }] });
      const code = done.refused === 'theme_missing' ? 'invalid_request' : done.refused;
      return kit.refuse(request, reply, code, { session: it.here.session, who: it.here.who });
    });
    app.post<Params>('/aidant/mandats/brouillon/:id/sms/numero', async (request, reply) => {
      const it = await open(request, reply);
      if (!it) return reply;
      const fields = kit.fields(request);
      const person = fields.text('person');
      const done = isId('usg', person)
        ? await sms.channels.enterFor(
            { aidantId: it.here.aidantId, organisationId: it.here.organisationId, webSession: it.here.session.hash },
            person,
            fields.text('phone'),
          )
        : { refused: 'not_found' as const };
      site.nudgeDeliveries();
      if (!('refused' in done)) return askPage(request, reply, it, { noted: true });
      if (done.refused === 'factor_not_fresh') return reply.redirect(proveFor(`${draftPath(it.found.draft.id)}/sms`), 303);
      if (done.refused === 'not_found') return kit.refuse(request, reply, 'not_found', { session: it.here.session, who: it.here.who });
      return askPage(request, reply, it, { errors: [{ field: 'phone', code: done.refused }] });
    });

    app.get<Params>('/aidant/mandats/brouillon/:id/attente', async (request, reply) => {
      const it = await open(request, reply);
      if (!it) return reply;
      const path = draftPath(it.found.draft.id);
      const asked = await sms.consents.find(it.here, it.found.draft.id);
      const person = asked && (await site.usagers.find(asked.usagerId));
      if (!asked || !person) return reply.redirect(`${path}/sms`, 303);
      return kit.page(
        reply,
        <RemoteWaitPage
          frame={kit.frame(request, it.here.session, it.here.who)}
          following={kit.query(request, 'suivre') === '1'}
          state={waitingFor(asked, site.clock.now())}
          person={displayName(person)}
          phone={maskPhone(asked.phone)}
          askedAt={asked.askedAt}
          selfHref={`${path}/attente`}
          signHref={`${path}/signer`}
          otherWayHref={path}
          againHref={`${path}/sms`}
        />,
      );
    });
  };
