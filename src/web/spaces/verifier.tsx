import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Kit } from '../kit.tsx';
import { createTries } from '../tries.ts';
import { PATHS } from '../views/paths.ts';
import { VerdictPage, VerifyPage } from '../views/verifier.tsx';

const TRIES_A_MINUTE = 30;

/** Where anybody checks a paper: by its code, nobody signed in. */
export const verifier =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    const allows = createTries(site.clock, TRIES_A_MINUTE);

    /** A frame that repeats nothing of an address that somebody typed (claim V1). */
    const frame = (request: FastifyRequest) => {
      const found = kit.frame(request);
      return { ...found, languageHref: `${PATHS.verifyAttestation}?lang=${found.lang === 'fr' ? 'en' : 'fr'}` };
    };

    app.get(PATHS.verifyAttestation, (request, reply) => {
      const typed = kit.query(request, 'code')?.trim();
      if (typed === undefined) return kit.page(reply, <VerifyPage frame={kit.frame(request)} />);
      return reply.redirect(`${PATHS.verifyAttestation}/${encodeURIComponent(typed.slice(0, 60).toWellFormed()) || '-'}`, 303);
    });

    app.get<{ Params: { code: string } }>(`${PATHS.verifyAttestation}/:code`, async (request, reply): Promise<FastifyReply> => {
      reply.header('x-robots-tag', 'noindex');
      if (!allows(request.ip)) {
        site.notice({ code: 'too_many_requests', detail: request.routeOptions.url });
        return kit.refuse(request, reply.header('retry-after', '60'), 'too_many_requests');
      }
      const verdict = await site.attestations.verify(request.params.code);
      if (!verdict)
        return kit.page(reply, <VerifyPage frame={frame(request)} errors={[{ field: 'code', code: 'attestation_unknown' }]} />, { status: 404 });
      if (verdict.kind === 'altered') site.notice({ code: 'attestation_altered' });
      return kit.page(reply, <VerdictPage frame={kit.frame(request)} verdict={verdict} now={site.clock.now()} />);
    });

    app.get('/.well-known/relais-attestation-keys.json', async (_request, reply) =>
      reply.type('application/jwk-set+json').send(JSON.stringify({ keys: await site.attestations.publicKeys() })),
    );
  };
