import type { FastifyInstance } from 'fastify';
import { randomUuid } from '../../kernel/crypto.ts';
import { MANDATES_SCOPE, VALIDITY_TYPE } from '../../provider/names.ts';
import type { Site } from '../site.ts';
import { createTries } from '../tries.ts';
import { refuseToken, sendProblem } from './actions.ts';

const A_MINUTE = 120;

const textOf = (query: unknown, name: string): string | undefined => {
  const value = typeof query === 'object' && query !== null ? (Object.getOwnPropertyDescriptor(query, name)?.value as unknown) : undefined;
  return value === undefined ? undefined : typeof value === 'string' ? value : ''; // said twice: malformed
};

/** `GET /api/v1/mandates/{ref}/validity?theme=&at=&demarche=`: whether a mandate held, signed (`application/jwt`), or as JSON to whoever accepts it alone. */
export const mandatesApi =
  (site: Site) =>
  async (app: FastifyInstance): Promise<void> => {
    const allows = createTries(site.clock, A_MINUTE);

    app.get<{ Params: { ref: string } }>('/api/v1/mandates/:ref/validity', async (request, reply) => {
      const { authorization, dpop, accept = '' } = request.headers;
      const token = await site.provider.bearer({
        authorization,
        dpop: typeof dpop === 'string' ? dpop : undefined,
        method: 'GET',
        url: `${site.publicUrl}${request.url.split('?')[0] ?? ''}`,
      });
      if ('refused' in token || !token.scopes.includes(MANDATES_SCOPE)) {
        site.notice({ code: 'api_token_refused' });
        return refuseToken(reply, authorization, 'refused' in token ? token : undefined, MANDATES_SCOPE);
      }
      const service = token.clientId;
      if (!allows(service)) {
        site.notice({ code: 'api_too_many_requests', service });
        return sendProblem(reply.header('retry-after', '60'), 'too_many_requests');
      }
      const [theme, demarche, at] = ['theme', 'demarche', 'at'].map((name) => textOf(request.query, name));
      const answer = await site.validities.check(service, { ref: request.params.ref, theme, demarche, at });
      if ('refused' in answer) {
        site.notice({ code: `api_${answer.refused}`, service });
        return sendProblem(reply, answer.refused);
      }
      const claims = { iss: site.issuer, aud: service, iat: Math.floor(site.clock.now().getTime() / 1000), jti: randomUuid(), ...answer };
      reply.header('vary', 'accept');
      if (accept.includes('application/json') && !accept.includes('application/jwt')) return reply.send(claims);
      return reply.type('application/jwt').send(await site.provider.sign(claims, VALIDITY_TYPE));
    });
  };
