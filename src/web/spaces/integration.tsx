import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CLOCKS_APART_MS, seconds } from '../../kernel/clock.ts';
import { readName } from '../../organisations/name.ts';
import { isOfOperateur } from '../../services/revision.ts';
import { overlap, readUntil } from '../../services/rotation.ts';
import type { Demarche, Service } from '../../services/service.ts';
import type { Amendment, ServiceRefusal, Services } from '../../services/services.ts';
import { type AgentHere, requireIntegrator } from '../guards.ts';
import type { Kit } from '../kit.tsx';
import type { FieldError } from '../views/fields.tsx';
import { IntegrationPage, type IntegrationProps, ServicesPage } from '../views/integration.tsx';
import { DemarchePage, type DemarcheValues } from '../views/integration-forms.tsx';
import { PATHS } from '../views/paths.ts';

type Params = { Params: { id: string } };
type DemarcheParams = { Params: { id: string; code: string } };
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

/** A private key, as JSON or PEM: it is not even written back into the page. */
const PRIVATE_KEY = /"(?:d|p|q|dp|dq|qi|oth|k)"\s*:|PRIVATE KEY/;

/** Addresses, one a line; lines without anything are none. */
const linesOf = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);

type Form = 'jwks' | 'redirect' | 'word' | 'label-fr' | 'retire';

const DEMARCHE_FAULTS: Readonly<Record<string, string>> = {
  demarche_code: 'word',
  demarche_repeated: 'word',
  demarche_code_retired: 'word',
  demarche_themes: 'themes',
  demarche_effect: 'effect',
  demarche_effect_changed: 'effect',
  demarche_level: 'level',
  demarche_max_age: 'max-age',
  demarche_label: 'label-fr',
  demarche_never_delegable: 'label-fr',
};

/** How long the lists are followed: a page that is left open reads nothing for ever, and keeps nobody signed in. */
const FOLLOWED_SECONDS = 600;

/** Until when the address asks that the lists be followed; undefined: not, or for longer than may be (clocks of instances differ). */
const followedUntil = (query: unknown, now: Date): Date | undefined => {
  const asked = typeof query === 'object' && query !== null && 'suivre' in query ? Number(query.suivre) : Number.NaN;
  return asked > 0 && asked - seconds(now) <= FOLLOWED_SECONDS + CLOCKS_APART_MS / 1000 ? new Date(asked * 1000) : undefined;
};

/** Which field of the form a refusal speaks of; the first of its forms when it speaks of none. */
const errorsOf = (refused: ServiceRefusal, first: Form): FieldError[] => {
  if (refused.refused === 'nothing_changed') return [{ field: first, code: 'integration_same' }];
  if (refused.refused === 'change_waits') return [{ field: first, code: 'integration_waits' }];
  const faults = 'faults' in refused ? refused.faults : [];
  const fields = faults.map(({ field }) => field);
  if (faults.some(({ code }) => code === 'keys_private')) return [{ field: 'jwks', code: 'integration_keys_private' }];
  if (fields.some((field) => field.startsWith('jwks'))) return [{ field: 'jwks', code: 'integration_jwks' }];
  if (fields.some((field) => field.startsWith('postLogoutRedirectUris'))) return [{ field: 'after', code: 'integration_addresses' }];
  if (fields.some((field) => field.startsWith('redirectUris'))) return [{ field: 'redirect', code: 'integration_addresses' }];
  const known = faults.flatMap(({ code }) => (DEMARCHE_FAULTS[code] ? [{ field: DEMARCHE_FAULTS[code], code: `integration_${code}` }] : []));
  if (fields.includes('resources')) return [{ field: 'effect', code: 'integration_resource_not_read' }];
  return known.length ? known : [{ field: first, code: 'integration_other' }];
};

const NEW = 'nouvelle';
const NOTHING: DemarcheValues = { word: '', labelFr: '', labelEn: '', themes: [], effect: '', level: 'eidas1', maxAge: '' };
const valuesOf = (it: Demarche): DemarcheValues => ({
  ...it,
  word: it.code,
  level: it.level ?? 'eidas1',
  maxAge: it.maxAge === undefined ? '' : String(it.maxAge),
});

/** What was typed, as `readDemarche` takes it: what is empty is left out, a number is one. */
const inputOf = (serviceId: string, values: DemarcheValues): Record<string, unknown> => ({
  code: values.word.includes('.') ? values.word : `${serviceId}.${values.word}`,
  labelFr: values.labelFr,
  ...(values.labelEn === '' ? {} : { labelEn: values.labelEn }),
  themes: values.themes,
  effect: values.effect,
  level: values.level === '' ? undefined : values.level,
  ...(values.maxAge === '' ? {} : { maxAge: /^\d{1,6}$/.test(values.maxAge) ? Number(values.maxAge) : values.maxAge }),
});

/** FranceConnect's contract knows no démarche, and a service that takes no delegation has none. */
const hasDemarches = ({ profile, delegationSupported, status }: Service): boolean =>
  delegationSupported && profile !== 'franceconnect' && status !== 'disabled';

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
      const until = followedUntil(request.query, site.clock.now());
      const over = until !== undefined && until <= site.clock.now();
      return kit.page(
        reply,
        <IntegrationPage
          frame={kit.frame(request, here.session, here.who)}
          service={service}
          {...(waits
            ? {
                waiting: {
                  at: waits.revision.askedAt,
                  differences: waits.differences,
                  fingerprint: waits.hash.toString('hex'),
                  asked: waits.revision.registration,
                  ofOperateur: isOfOperateur(waits.revision),
                  ...(service.revision === undefined ? {} : { withdraw: kit.post(here.session, `${path}/retirer`) }),
                },
              }
            : {})}
          requests={requests}
          told={told}
          {...(stream ? { stream } : {})}
          {...(silent ? { silent } : {})}
          follow={{ until, over, href: until && !over ? `${path}#requests` : `${path}?suivre=1` }}
          keysPost={kit.post(here.session, `${path}/cles`)}
          addressesPost={kit.post(here.session, `${path}/adresses`)}
          {...(hasDemarches(service) ? { demarcheHref: (code: string = NEW) => `${path}/demarches/${code}` } : {})}
          {...wrong}
        />,
        { status: wrong ? 422 : 200 },
      );
    };

    const ask = async (
      request: FastifyRequest,
      reply: FastifyReply,
      it: { here: AgentHere; service: Service },
      form: { first: Form; to: Parameters<Services['amend']>[1]; values: Values },
    ): Promise<FastifyReply> => {
      const done = await site.services.amend(it.service.id, form.to, it.here.session.staffId);
      if ('refused' in done) return page(request, reply, it, { values: form.values, errors: errorsOf(done, form.first) });
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
      if (!it) return reply;
      // The ten minutes begin with the click, whenever the page was opened.
      const asked = (request.query as { suivre?: unknown }).suivre === '1';
      const until = seconds(site.clock.now()) + FOLLOWED_SECONDS;
      return asked ? reply.redirect(`${PATHS.services}/${it.service.id}?suivre=${until}#requests`, 303) : page(request, reply, it);
    });

    app.post<Params>(`${PATHS.services}/:id/cles`, async (request, reply) => {
      const it = await found(request, reply);
      if (!it) return reply;
      const fields = kit.fields(request);
      const values = { jwks: fields.text('jwks'), until: fields.text('until') };
      if (PRIVATE_KEY.test(values.jwks))
        return page(request, reply, it, { values: { until: values.until }, errors: [{ field: 'jwks', code: 'integration_keys_private' }] });
      const now = site.clock.now();
      const [next, until] = [parse(values.jwks), readUntil(values.until, now)];
      if (!next || !until || !it.service.jwks)
        return page(request, reply, it, {
          values,
          errors: [...(next ? [] : [{ field: 'jwks', code: 'integration_jwks' }]), ...(until ? [] : [{ field: 'until', code: 'integration_until' }])],
        });
      // Beside the keys in force: what was asked by mistake and never approved is not kept.
      const to = (_: unknown, inForce: Service): Amendment => ({ jwks: overlap(inForce.jwks ?? { keys: [] }, next, until, now) });
      return ask(request, reply, it, { first: 'jwks', to, values });
    });

    app.post<Params>(`${PATHS.services}/:id/adresses`, async (request, reply) => {
      const it = await found(request, reply);
      if (!it) return reply;
      const fields = kit.fields(request);
      const values = { redirect: fields.text('redirect'), after: fields.text('after') };
      const change = { redirectUris: linesOf(values.redirect), postLogoutRedirectUris: linesOf(values.after) };
      return ask(request, reply, it, { first: 'redirect', to: () => change, values });
    });

    app.post<Params>(`${PATHS.services}/:id/retirer`, async (request, reply) => {
      const it = await found(request, reply);
      if (!it) return reply;
      await site.services.withdraw(it.service.id, it.here.session.staffId); // taken back or approved meanwhile: the page says how it stands
      return reply.redirect(`${PATHS.services}/${it.service.id}`, 303);
    });

    /** The démarche that the address names, as it is asked, or declared if its withdrawal is asked; undefined once the answer is sent. */
    const named = async (request: FastifyRequest<DemarcheParams>, reply: FastifyReply) => {
      const it = await found(request, reply);
      if (!it) return undefined;
      const { code } = request.params;
      const waits = (await site.services.waiting(it.service.id))?.revision;
      const [asked, inForce] = [waits?.registration ?? it.service, it.service].map(({ demarches }) => demarches.find((each) => each.code === code));
      const ofOperateur = waits !== undefined && isOfOperateur(waits);
      if (hasDemarches(it.service) && (asked || inForce || code === NEW)) return { ...it, demarche: asked ?? inForce, asked, inForce, ofOperateur };
      kit.refuse(request, reply, 'not_found', { session: it.here.session, who: it.here.who });
      return undefined;
    };

    const demarchePage = (
      request: FastifyRequest<DemarcheParams>,
      reply: FastifyReply,
      { here, service, demarche, asked, inForce }: NonNullable<Awaited<ReturnType<typeof named>>>,
      wrong?: { values: DemarcheValues; errors: readonly FieldError[] },
    ): FastifyReply => {
      const path = `${PATHS.services}/${service.id}`;
      return kit.page(
        reply,
        <DemarchePage
          frame={kit.frame(request, here.session, here.who)}
          service={service}
          {...(demarche ? { code: demarche.code } : {})}
          {...(inForce ? { effect: inForce.effect } : {})}
          values={demarche ? valuesOf(demarche) : NOTHING}
          post={kit.post(here.session, `${path}/demarches/${request.params.code}`)}
          {...(asked && inForce
            ? { retire: { post: kit.post(here.session, `${path}/demarches/${inForce.code}/retrait`), last: service.demarches.length === 1 } }
            : {})}
          backHref={path}
          {...wrong}
        />,
        { status: wrong ? 422 : 200 },
      );
    };

    app.get<DemarcheParams>(`${PATHS.services}/:id/demarches/:code`, async (request, reply) => {
      const it = await named(request, reply);
      if (!it) return reply;
      // No form that would be refused: the page of the site says why.
      return it.ofOperateur ? reply.redirect(`${PATHS.services}/${it.service.id}`, 303) : demarchePage(request, reply, it);
    });

    app.post<DemarcheParams>(`${PATHS.services}/:id/demarches/:code`, async (request, reply) => {
      const it = await named(request, reply);
      if (!it) return reply;
      const fields = kit.fields(request);
      const values: DemarcheValues = {
        word: it.demarche?.code ?? fields.text('word').trim(),
        labelFr: fields.text('label-fr'),
        labelEn: fields.text('label-en').trim(),
        themes: fields.all('themes'),
        effect: it.service.demarches.find(({ code }) => code === it.demarche?.code)?.effect ?? fields.text('effect'),
        level: fields.text('level'),
        maxAge: fields.text('max-age').trim(),
      };
      const input = inputOf(it.service.id, values);
      const code = it.demarche?.code;
      const done = await site.services.amend(
        it.service.id,
        ({ demarches }) => ({ demarches: [...demarches.filter((each) => each.code !== code), input] }),
        it.here.session.staffId,
      );
      if (!('refused' in done)) return reply.redirect(`${PATHS.services}/${it.service.id}`, 303);
      const errors = errorsOf(done, code === undefined ? 'word' : 'label-fr').map((error) =>
        error.code === 'integration_demarche_label' && readName(values.labelFr) !== undefined ? { ...error, field: 'label-en' } : error,
      );
      return demarchePage(request, reply, it, { values, errors });
    });

    app.post<DemarcheParams>(`${PATHS.services}/:id/demarches/:code/retrait`, async (request, reply) => {
      const it = await named(request, reply);
      if (!it) return reply;
      const { demarche, service, here, asked, inForce } = it;
      const done =
        asked && inForce
          ? await site.services.amend(
              service.id,
              ({ demarches }) => ({ demarches: demarches.filter(({ code }) => code !== inForce.code) }),
              here.session.staffId,
            )
          : ({ refused: 'nothing_changed' } as const);
      // Twice is once.
      if (!('refused' in done) || (inForce && done.refused === 'nothing_changed')) return reply.redirect(`${PATHS.services}/${service.id}`, 303);
      return demarchePage(request, reply, it, {
        values: demarche ? valuesOf(demarche) : NOTHING,
        errors: errorsOf(done, 'retire').map((error) => ({ ...error, field: 'retire' })),
      });
    });
  };
