import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { STREAM_SCOPES } from '../../provider/names.ts';
import type { BearerRefusal } from '../../provider/parts.ts';
import { EVENTS } from '../../signals/events.ts';
import type { Stream, StreamRefusal, Streams } from '../../signals/streams.ts';
import type { Site } from '../site.ts';
import { createTries } from '../tries.ts';
import { refuseToken, sendProblem } from './actions.ts';
import { isObject, METHODS, readPoll, readStatus, readSubject, readWish, streamJson } from './ssf-body.ts';

/** A stream is a service's own affair. */
const OF_A_PERSON: BearerRefusal = {
  refused: 'this token acts for a person: use one of the service itself (client_credentials)',
  error: 'invalid_token',
  scheme: 'Bearer',
};

const A_MINUTE = 600;
const HOLD_MS = 20_000;
const HELD_EACH = 2;

/** Shared Signals transmitter (SSF 1.0), as the CAEP interoperability profile asks for; there only where the installation has its key. */
export const ssfApi =
  (site: Site) =>
  async (app: FastifyInstance): Promise<void> => {
    const { streams, publicUrl, issuer } = site;
    if (!streams) return;
    const allows = createTries(site.clock, A_MINUTE);
    const held = new Map<string, number>();
    app.addHook('preClose', async () => site.bell.stop());
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: 65_536 }, (_request, body, done) => {
      try {
        done(null, JSON.parse(String(body)) as unknown);
      } catch {
        done(Object.assign(new Error('not JSON'), { statusCode: 400 }), undefined);
      }
    });

    /** The service that asks, by its own token (client credentials) and never one that acts for a person; or the answer that refuses it. */
    const caller = async (request: FastifyRequest, reply: FastifyReply, scopes: readonly string[]): Promise<string | undefined> => {
      const { authorization, dpop } = request.headers;
      const token = await site.provider.bearer({
        authorization,
        dpop: typeof dpop === 'string' ? dpop : undefined,
        method: request.method,
        url: `${publicUrl}${request.url.split('?')[0]}`,
      });
      const metadata = `resource_metadata="${publicUrl}/.well-known/oauth-protected-resource"`;
      if ('refused' in token || token.found) {
        site.notice({ code: 'ssf_token_refused' });
        refuseToken(reply, authorization, 'refused' in token ? token : OF_A_PERSON, STREAM_SCOPES.manage, {
          code: 'stream_token_refused',
          more: [metadata],
        });
        return undefined;
      }
      if (!scopes.some((scope) => token.scopes.includes(scope))) {
        site.notice({ code: 'ssf_insufficient_scope', service: token.clientId });
        refuseToken(reply, authorization, undefined, scopes[0] ?? '', { more: [metadata] });
        return undefined;
      }
      if (allows(token.clientId)) return token.clientId;
      sendProblem(reply.header('retry-after', '60'), 'too_many_requests');
      return undefined;
    };
    const READ = [STREAM_SCOPES.read, STREAM_SCOPES.manage];
    const MANAGE = [STREAM_SCOPES.manage];

    const malformed = (reply: FastifyReply, service: string): FastifyReply => {
      site.notice({ code: 'ssf_malformed', service });
      return sendProblem(reply, 'stream_malformed');
    };
    const answer = <T extends object>(reply: FastifyReply, found: T | StreamRefusal, status: number, body?: (found: T) => object): FastifyReply => {
      if ('refused' in found) {
        if (found.refused === 'too_many_requests') reply.header('retry-after', '60');
        return sendProblem(reply, String(found.refused), (found as StreamRefusal).detail);
      }
      const written = body?.(found as T);
      return written ? reply.code(status).type('application/json').send(JSON.stringify(written)) : reply.code(status).send();
    };
    const written = (stream: Stream): object => streamJson(stream, publicUrl, EVENTS);
    const idOf = (value: unknown): string | undefined => (typeof value === 'string' && /^[\w-]{1,100}$/.test(value) ? value : undefined);
    const queryId = (request: FastifyRequest): string | undefined => idOf((request.query as Record<string, unknown>)['stream_id']);
    const bodyId = (request: FastifyRequest): string | undefined => idOf(isObject(request.body) ? request.body['stream_id'] : undefined);

    app.get('/.well-known/ssf-configuration', async (_request, reply) =>
      reply.type('application/json').send(
        JSON.stringify({
          spec_version: '1_0',
          issuer: publicUrl,
          jwks_uri: `${publicUrl}/ssf/jwks`,
          delivery_methods_supported: METHODS,
          configuration_endpoint: `${publicUrl}/ssf/stream`,
          status_endpoint: `${publicUrl}/ssf/status`,
          add_subject_endpoint: `${publicUrl}/ssf/subjects/add`,
          remove_subject_endpoint: `${publicUrl}/ssf/subjects/remove`,
          verification_endpoint: `${publicUrl}/ssf/verify`,
          authorization_schemes: [{ spec_urn: 'urn:ietf:rfc:6749' }],
          default_subjects: 'ALL',
        }),
      ),
    );
    app.get('/.well-known/oauth-protected-resource', async (_request, reply) =>
      reply.type('application/json').send(
        JSON.stringify({
          resource: publicUrl,
          authorization_servers: [issuer],
          scopes_supported: [STREAM_SCOPES.manage, STREAM_SCOPES.read],
          bearer_methods_supported: ['header'],
        }),
      ),
    );
    app.get('/ssf/jwks', async (_request, reply) =>
      reply.header('cache-control', 'public, max-age=300').type('application/jwk-set+json').send(JSON.stringify(streams.jwks())),
    );

    app.post('/ssf/stream', async (request, reply) => {
      const service = await caller(request, reply, MANAGE);
      if (!service) return reply;
      const wish = readWish(request.body, {});
      return wish ? answer(reply, await streams.create(service, wish), 201, written) : malformed(reply, service);
    });
    app.get('/ssf/stream', async (request, reply) => {
      const service = await caller(request, reply, READ);
      if (!service) return reply;
      const id = queryId(request);
      if (id !== undefined) return answer(reply, await streams.find(service, id), 200, written);
      if ((request.query as Record<string, unknown>)['stream_id'] !== undefined) return sendProblem(reply, 'stream_unknown');
      const found = await streams.ofService(service);
      return reply.type('application/json').send(JSON.stringify(found ? [written(found)] : []));
    });
    const change = (whole: boolean) => async (request: FastifyRequest, reply: FastifyReply) => {
      const service = await caller(request, reply, MANAGE);
      if (!service) return reply;
      const id = bodyId(request);
      const wish = readWish(request.body, { iss: publicUrl, aud: service });
      return id && wish ? answer(reply, await streams.change(service, id, wish, whole), 200, written) : malformed(reply, service);
    };
    app.patch('/ssf/stream', change(false));
    app.put('/ssf/stream', change(true));
    app.delete('/ssf/stream', async (request, reply) => {
      const service = await caller(request, reply, MANAGE);
      if (!service) return reply;
      const id = queryId(request);
      return id ? answer(reply, await streams.remove(service, id), 204) : malformed(reply, service);
    });

    const status = (stream: Stream): object => ({
      stream_id: stream.id,
      status: stream.status,
      ...(stream.statusReason === undefined ? {} : { reason: stream.statusReason }),
    });
    app.get('/ssf/status', async (request, reply) => {
      const service = await caller(request, reply, READ);
      if (!service) return reply;
      const id = queryId(request);
      return id ? answer(reply, await streams.find(service, id), 200, status) : malformed(reply, service);
    });
    app.post('/ssf/status', async (request, reply) => {
      const service = await caller(request, reply, MANAGE);
      if (!service) return reply;
      const [id, asked] = [bodyId(request), readStatus(request.body)];
      return id && asked ? answer(reply, await streams.setStatus(service, id, asked.status, asked.reason), 200, status) : malformed(reply, service);
    });

    app.post('/ssf/verify', async (request, reply) => {
      const service = await caller(request, reply, MANAGE);
      if (!service) return reply;
      const id = bodyId(request);
      const state = isObject(request.body) ? request.body['state'] : undefined;
      if (!id || (state !== undefined && (typeof state !== 'string' || state.length > 255))) return malformed(reply, service);
      const done = await streams.verify(service, id, state);
      site.nudgeDeliveries();
      return answer(reply, done, 204);
    });
    const subject = (excluded: boolean, code: number) => async (request: FastifyRequest, reply: FastifyReply) => {
      const service = await caller(request, reply, MANAGE);
      if (!service) return reply;
      const [id, sub] = [bodyId(request), readSubject(request.body, issuer)];
      return id && sub ? answer(reply, await streams.subject(service, id, sub, excluded), code) : malformed(reply, service);
    };
    app.post('/ssf/subjects/add', subject(false, 200));
    app.post('/ssf/subjects/remove', subject(true, 204));

    app.post('/ssf/poll/:stream', async (request, reply) => {
      const service = await caller(request, reply, READ);
      if (!service) return reply;
      const asked = readPoll(request.body);
      if (!asked) return malformed(reply, service);
      const found = await streams.find(service, (request.params as { stream: string }).stream);
      if ('refused' in found) return sendProblem(reply, found.refused);
      if (asked.taken.length || asked.refused.length) await site.answered('set', found.id, asked.taken, asked.refused);
      const sent = asked.most === 0 ? { sets: {}, more: false } : await fetched(streams, found, asked.most, asked.immediately, reply);
      return reply.type('application/json').send(JSON.stringify({ sets: sent.sets, moreAvailable: sent.more }));
    });

    // Ours: OIDC Back-Channel Logout knows no poll, and a service that is developed is on a machine that Relais cannot reach. Answered at once.
    app.post('/ssf/logout', async (request, reply) => {
      const service = await caller(request, reply, MANAGE);
      if (!service) return reply;
      const asked = readPoll(request.body);
      if (!asked) return malformed(reply, service);
      if (asked.taken.length) await site.answered('logout', service, asked.taken, []);
      const found = asked.most === 0 ? [] : await site.untaken(service, asked.most + 1);
      const sets: Record<string, string> = {};
      for (const { id, ...named } of found.slice(0, asked.most)) {
        const token = await site.provider.logoutToken(service, { ...named, jti: id });
        if (token) sets[id] = token;
      }
      return reply.type('application/json').send(JSON.stringify({ sets, moreAvailable: found.length > asked.most }));
    });

    /** What waits for a stream: at once if there is anything, else as soon as there is, for at most twenty seconds. No connection of the database is held meanwhile. */
    const fetched = async (from: Streams, stream: Stream, most: number, immediately: boolean, reply: FastifyReply) => {
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort()); // of this answer, not of its connection, which outlives thousands
      const n = held.get(stream.serviceId) ?? 0;
      const until = performance.now() + (immediately || n >= HELD_EACH ? 0 : HOLD_MS);
      held.set(stream.serviceId, n + 1);
      try {
        for (let now: Stream | StreamRefusal = stream; ; now = await from.find(stream.serviceId, stream.id)) {
          if ('refused' in now) return { sets: {}, more: false };
          const found = await from.waiting(now, most);
          if (found.unwanted.length) await site.answered('set', stream.id, [], found.unwanted);
          const left = until - performance.now();
          if (Object.keys(found.sets).length || left <= 0 || gone.signal.aborted || site.bell.stopped) return found;
          await site.bell.wait(stream.id, left, gone.signal);
        }
      } finally {
        const left = (held.get(stream.serviceId) ?? 1) - 1;
        if (left > 0) held.set(stream.serviceId, left);
        else held.delete(stream.serviceId);
      }
    };
  };
