import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isId } from '../../kernel/ids.ts';
import { shortHash, witnessedHash } from '../../mandates/paper-consent.ts';
import { displayName } from '../../usagers/usager.ts';
import { type AidantHere, requireAidant, requireFound } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import type { Site } from '../site.ts';
import { WitnessListPage, WitnessPage } from '../views/witness.tsx';
import { textOfSheet } from './papier.tsx';

const PATH = '/aidant/temoin';

/** Codes that are shown beside the field they concern, with the page as it was. */
const FIELD_ERRORS = ['wrong_code', 'code_already_used', 'too_many_codes', 'passkey_expired', 'passkey_refused'];

type Sheet = NonNullable<Awaited<ReturnType<Site['papers']['read']>>>;

/** The second aidant, who saw a person sign a mandate that another one prepared. */
export const temoin =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    type Params = { Params: { id: string } };

    const list = async (request: FastifyRequest, reply: FastifyReply, here: AidantHere, done?: string): Promise<FastifyReply> =>
      kit.page(
        reply,
        <WitnessListPage
          frame={kit.frame(request, here.session, here.who)}
          sheets={(await site.papers.waiting(here)).map((paper) => ({
            reference: paper.reference,
            person: paper.usagerName,
            aidant: paper.askedByName,
            at: paper.askedAt,
            href: `${PATH}/${paper.id}`,
          }))}
          {...(done ? { done } : {})}
        />,
      );

    const page = async (
      request: FastifyRequest,
      reply: FastifyReply,
      here: AidantHere,
      it: Sheet,
      errors: readonly { field: string; code: string }[] = [],
    ): Promise<FastifyReply> => {
      const passkey = await site.passkeys.ask(here.aidantId, 'mandate', witnessedHash(it.paper));
      return kit.page(
        reply,
        <WitnessPage
          frame={kit.frame(request, here.session, here.who)}
          post={kit.post(here.session, `${PATH}/${it.paper.id}`, [['text_hash', it.paper.textHash.toString('base64url')]])}
          person={displayName(it.usager)}
          reference={it.paper.reference}
          hash={shortHash(it.paper.textHash)}
          aidant={it.paper.askedByName}
          text={textOfSheet(it, site.helpNumber)}
          passkey={passkey}
          errors={errors}
        />,
        { status: errors.length ? 422 : 200, script: passkey !== undefined },
      );
    };

    /** The sheet of this request, in the organisation that is selected; otherwise the answer is already given. */
    const open = (request: FastifyRequest, reply: FastifyReply) =>
      requireFound(kit, request, reply, async (here, id) => (isId('pap', id) ? site.papers.read(here, id) : undefined));

    app.get(PATH, async (request, reply) => {
      const here = await requireAidant(kit, request, reply);
      return here ? list(request, reply, here) : reply;
    });
    app.get<Params>('/aidant/temoin/:id', async (request, reply) => {
      const opened = await open(request, reply);
      if (!opened) return reply;
      const { here, found: it } = opened;
      const said = it.paper.askedBy === here.aidantId ? 'witness_is_aidant' : it.paper.witness ? 'already_witnessed' : undefined;
      if (said) return kit.refuse(request, reply, said, { session: here.session, who: here.who });
      if (it.paper.endedAt || it.draft.closedAt || it.paper.expiresAt <= site.clock.now())
        return kit.refuse(request, reply, 'draft_expired', { session: here.session, who: here.who });
      return page(request, reply, here, it);
    });
    app.post<Params>('/aidant/temoin/:id', async (request, reply) => {
      const opened = await open(request, reply);
      if (!opened) return reply;
      const { here, found: it } = opened;
      const fields = kit.fields(request);
      if (fields.text('seen') !== 'yes') return page(request, reply, here, it, [{ field: 'seen', code: 'seen_required' }]);
      const done = await site.papers.witness(
        here,
        it.paper.id,
        Buffer.from(fields.text('text_hash'), 'base64url'),
        fields.text('assertion') ? { assertion: fields.text('assertion') } : fields.text('code'),
      );
      if (!('refused' in done)) return list(request, reply, here, done.witnessed.reference);
      if (FIELD_ERRORS.includes(done.refused)) return page(request, reply, here, it, [{ field: 'code', code: done.refused }]);
      return kit.refuse(request, reply, done.refused, { session: here.session, who: here.who });
    });
  };
