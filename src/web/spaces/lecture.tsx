import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isId } from '../../kernel/ids.ts';
import { type AidantHere, requireAidant } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import type { MandateTextData } from '../views/mandate-blocks.ts';
import { ReadAloudPage } from '../views/read-aloud.tsx';
import { attestedText, textOfDraft } from './attested.ts';

/** The text of a draft or of a mandate, to be read aloud, or beside one of its translations. */
export const lecture =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };

    const page = (request: FastifyRequest, reply: FastifyReply, here: AidantHere, data: MandateTextData, backHref: string): FastifyReply => {
      const languages = site.translations.filter((each) => each.template === data.template);
      const asked = kit.query(request, 'langue');
      const translation = languages.find((each) => each.lang === asked);
      if (asked !== undefined && !translation) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      return kit.page(
        reply,
        <ReadAloudPage
          frame={kit.frame(request, here.session, here.who)}
          data={data}
          languages={languages}
          {...(translation ? { translation } : {})}
          selfHref={`${backHref}/lecture`}
          backHref={backHref}
        />,
      );
    };

    app.get<Params>('/aidant/mandats/brouillon/:id/lecture', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      const found = isId('dra', id) ? await site.mandates.findDraft(here, id) : undefined;
      if (!found) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      return page(request, reply, here, textOfDraft(site, found.draft, found.actor, found.usager), `/aidant/mandats/brouillon/${id}`);
    });
    app.get<Params>('/aidant/mandats/:id/lecture', async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      if (!here) return reply;
      const { id } = request.params;
      const mandate = isId('man', id) ? await site.mandates.find(id) : undefined;
      if (mandate?.organisationId !== here.organisationId) return kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      const siret = here.dossier.memberships.find((each) => each.organisation.id === here.organisationId)?.organisation.siret;
      const { data } = await attestedText(site, mandate, siret, await site.usagers.find(mandate.usagerId));
      return page(request, reply, here, data, `/aidant/mandats/${id}`);
    });
  };
