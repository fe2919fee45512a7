import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { asInput, overlap, readUntil } from '../../services/rotation.ts';
import type { Registration, Service } from '../../services/service.ts';
import type { ServiceRefusal } from '../../services/services.ts';
import { type AgentHere, requireIntegrator } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import type { FieldError } from '../views/fields.tsx';
import { IntegrationPage, type IntegrationProps, ServicesPage } from '../views/integration.tsx';
import { PATHS } from '../views/paths.ts';

type Params = { Params: { id: string } };
type Values = NonNullable<IntegrationProps['values']>;

const parse = (text: string): { keys: object[] } | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    const keys: unknown = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined;
    return Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null) ? { keys } : undefined;
  } catch {
    return undefined;
  }
};

/** Addresses, one a line; lines without anything are none. */
const linesOf = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);

const registrationOf = (service: Service): Registration => {
  const { administrationName: _a, status: _s, version: _v, revision: _r, createdAt: _c, ...registration } = service;
  return registration;
};

/** Which field of the form a refusal speaks of; the first of its forms when it speaks of none. */
const errorsOf = (refused: ServiceRefusal, first: 'jwks' | 'redirect'): FieldError[] => {
  const fields = 'faults' in refused ? refused.faults.map(({ field }) => field) : [];
  if (fields.some((field) => field.startsWith('jwks'))) return [{ field: 'jwks', code: 'integration_jwks' }];
  if (fields.some((field) => field.startsWith('postLogoutRedirectUris'))) return [{ field: 'after', code: 'integration_addresses' }];
  if (fields.some((field) => field.startsWith('redirectUris'))) return [{ field: 'redirect', code: 'integration_addresses' }];
  return [{ field: first, code: 'integration_other' }];
};

/** The services of an administration, for the agent who integrates them: another administration's is not there. */
export const integrationSpace =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;

    const found = async (request: FastifyRequest<Params>, reply: FastifyReply): Promise<{ here: AgentHere; service: Service } | undefined> => {
      const here = await requireIntegrator(kit, request, reply);
      if (!here) return undefined;
      const service = await site.services.find(request.params.id);
      if (service?.administrationId === here.administration.id) return { here, service };
      kit.refuse(request, reply, 'not_found', { session: here.session, who: here.who });
      return undefined;
    };

    const page = async (
      request: FastifyRequest,
      reply: FastifyReply,
      { here, service }: { here: AgentHere; service: Service },
      wrong?: { values: Values; errors: readonly FieldError[] },
    ): Promise<FastifyReply> => {
      const [waits, requests, told, stream, deaf] = await Promise.all([
        site.services.waiting(service.id),
        site.requests.recent(service.id),
        site.requests.told(service.id),
        site.streams?.ofService(service.id),
        site.deaf(),
      ]);
      const silent = deaf.find(({ target }) => target === service.id);
      const path = `${PATHS.services}/${service.id}`;
      return kit.page(
        reply,
        <IntegrationPage
          frame={kit.frame(request, here.session, here.who)}
          service={service}
          {...(waits ? { waiting: { at: waits.revision.askedAt, differences: waits.differences, fingerprint: waits.hash.toString('hex') } } : {})}
          requests={requests}
          told={told}
          {...(stream ? { stream } : {})}
          {...(silent ? { silent } : {})}
          keysPost={kit.post(here.session, `${path}/cles`)}
          addressesPost={kit.post(here.session, `${path}/adresses`)}
          {...wrong}
        />,
        { status: wrong ? 422 : 200 },
      );
    };

    const ask = async (
      request: FastifyRequest,
      reply: FastifyReply,
      it: { here: AgentHere; service: Service },
      change: Partial<Registration> | { jwks: object },
      values: Values,
    ): Promise<FastifyReply> => {
      const asked = { ...asInput(registrationOf(it.service)), ...change };
      const done = await site.services.change(asked, { askedBy: it.here.session.staffId });
      if ('refused' in done) return page(request, reply, it, { values, errors: errorsOf(done, 'jwks' in change ? 'jwks' : 'redirect') });
      return reply.redirect(`${PATHS.services}/${it.service.id}`, 303);
    };

    app.get(PATHS.services, async (request, reply) => {
      const here = await requireIntegrator(kit, request, reply);
      if (!here) return reply;
      const services = (await site.services.list()).filter(({ administrationId }) => administrationId === here.administration.id);
      const waits = await Promise.all(services.map(({ id }) => site.services.waiting(id)));
      return kit.page(
        reply,
        <ServicesPage
          frame={kit.frame(request, here.session, here.who)}
          administration={here.administration.name}
          services={services.map(({ id, name, status }, i) => ({ id, name, status, waits: waits[i] !== undefined, href: `${PATHS.services}/${id}` }))}
        />,
      );
    });

    app.get<Params>(`${PATHS.services}/:id`, async (request, reply) => {
      const it = await found(request, reply);
      return it ? page(request, reply, it) : reply;
    });

    app.post<Params>(`${PATHS.services}/:id/cles`, async (request, reply) => {
      const it = await found(request, reply);
      if (!it) return reply;
      const fields = kit.fields(request);
      const values = { jwks: fields.text('jwks'), until: fields.text('until') };
      const now = site.clock.now();
      const [next, until] = [parse(values.jwks), readUntil(values.until, now)];
      if (!next || !until || !it.service.jwks)
        return page(request, reply, it, {
          values,
          errors: [...(next ? [] : [{ field: 'jwks', code: 'integration_jwks' }]), ...(until ? [] : [{ field: 'until', code: 'integration_until' }])],
        });
      return ask(request, reply, it, { jwks: overlap(it.service.jwks, next, until, now) }, values);
    });

    app.post<Params>(`${PATHS.services}/:id/adresses`, async (request, reply) => {
      const it = await found(request, reply);
      if (!it) return reply;
      const fields = kit.fields(request);
      const values = { redirect: fields.text('redirect'), after: fields.text('after') };
      const change = { redirectUris: linesOf(values.redirect), postLogoutRedirectUris: linesOf(values.after) };
      return ask(request, reply, it, change, values);
    });
  };
