import './guard.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errors } from 'oidc-provider';
import { type Account, type Federation, readDemand } from './federation.ts';
import { render, TroublePage } from './page.tsx';
import { troubleOf } from './simulator-op.ts';
import { SignInPage } from './simulator-page.tsx';
import type { Running } from './simulator-running.ts';

/** Adds the sign-in pages. */
export const signIn = (app: FastifyInstance, running: Running): void => {
  const details = async (request: FastifyRequest, reply: FastifyReply) => {
    try {
      return await running.provider.interactionDetails(request.raw, reply.raw);
    } catch (error) {
      if (!(error instanceof errors.SessionNotFound)) throw error;
      const trouble = troubleOf({ refused: 'session_not_found', description: 'Cette page de connexion n’est plus valable.' });
      void reply
        .code(400)
        .type('text/html; charset=utf-8')
        .send(render(TroublePage({ programme: running.federation.programme, trouble })));
      return undefined;
    }
  };
  const page = async (reply: FastifyReply, clientId: unknown, typed: Record<string, string> = {}, faults: Readonly<Record<string, string>> = {}) => {
    const { federation } = running;
    const accounts = [...federation.accounts.values()].filter((account) => !account.id.startsWith('saisie-'));
    const client = (await running.provider.Client.find(String(clientId)))?.clientName ?? String(clientId);
    const props = { programme: federation.programme, client, accounts, form: federation.form, typed, errors: faults };
    return reply
      .code(Object.keys(faults).length ? 422 : 200)
      .type('text/html; charset=utf-8')
      .send(render(SignInPage(props)));
  };
  app.get('/interaction/:uid', async (request, reply) => {
    const found = await details(request, reply);
    return found ? page(reply, found.params['client_id']) : reply;
  });
  app.post('/interaction/:uid', async (request, reply) => {
    const found = await details(request, reply);
    if (!found) return reply;
    const { provider, federation, fault } = running;
    const body = readBody(request.body);
    const finish = async (result: Parameters<typeof provider.interactionResult>[2]) =>
      reply.redirect(await provider.interactionResult(request.raw, reply.raw, result, { mergeWithLastSubmission: false }), 303);
    if (body['abort']) return finish({ error: 'access_denied', error_description: 'User auth aborted' });
    const account = chosen(federation, body);
    if ('errors' in account) return page(reply, found.params['client_id'], body, account.errors);
    federation.accounts.set(account.key, account);
    const level = federation.level(account, readDemand(found.params), fault);
    if ('refused' in level) return finish({ error: level.refused, error_description: level.description });
    return finish({ login: { accountId: account.key, acr: level.acr, amr: [...level.amr] } });
  });
};

/** One click, a typed identifier, or the words of somebody's own. */
const chosen = (federation: Federation, body: Readonly<Record<string, string>>): Account | { readonly errors: Readonly<Record<string, string>> } => {
  if (body['saisie']) return federation.typed(body);
  const wanted = (body['identity'] ?? body['identifiant'] ?? '').toLowerCase();
  const account = [...federation.accounts.values()].find(({ id, claims }) => id === wanted || claims['email'] === wanted);
  return account ?? { errors: { identifiant: wanted ? 'Aucune identité de test ne porte ce nom.' : 'Tapez un identifiant.' } };
};

const readBody = (body: unknown): Record<string, string> =>
  typeof body === 'object' && body !== null
    ? Object.fromEntries(Object.entries(body).map(([name, value]) => [name, typeof value === 'string' ? value.trim().slice(0, 200) : '']))
    : {};
