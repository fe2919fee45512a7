import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isId } from '../../kernel/ids.ts';
import { displayName } from '../../usagers/usager.ts';
import { requireAidant, requireUsager } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import type { MandateTextData } from '../views/mandate-blocks.ts';
import { ReadAloudPage } from '../views/read-aloud.tsx';
import { attestedText, textOfDraft } from './attested.ts';

/** Who reads: somebody who reads it to the person, or the person herself. */
interface Reader {
  readonly session: NonNullable<Parameters<Kit['frame']>[1]>;
  readonly who: NonNullable<Parameters<Kit['frame']>[2]>;
  readonly self?: boolean;
}

/** The text of a draft or of a mandate, to be read aloud, or beside one of its translations. */
export const lecture =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };

    const page = (request: FastifyRequest, reply: FastifyReply, reader: Reader, data: MandateTextData, backHref: string): FastifyReply => {
      const languages = site.translations.filter((each) => each.template === data.template);
      const asked = kit.query(request, 'langue');
      const translation = languages.find((each) => each.lang === asked);
      if (asked !== undefined && !translation) return kit.refuse(request, reply, 'not_found', reader);
      return kit.page(
        reply,
        <ReadAloudPage
          frame={kit.frame(request, reader.session, reader.who)}
          self={reader.self ?? false}
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
    app.get<Params>('/usager/mandats/:id/lecture', async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const { id } = request.params;
      const [usager, mandate] = await Promise.all([site.usagers.find(session.usagerId), isId('man', id) ? site.mandates.find(id) : undefined]);
      const who = { name: usager ? displayName(usager) : '' };
      if (mandate?.usagerId !== session.usagerId) return kit.refuse(request, reply, 'not_found', { session, who });
      const { data } = await attestedText(site, mandate, undefined, usager);
      return page(request, reply, { session, who, self: true }, data, `/usager/mandats/${id}`);
    });
  };
