import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import { errors } from 'oidc-provider';
import { accountOf, SESSION_MINUTES } from '../delegation/session.ts';
import { seconds } from '../kernel/clock.ts';
import type { Service } from '../services/service.ts';
import { writingIn } from './adapter.ts';
import { FRONT_ACR, isFront, REP_SCOPE } from './front.ts';
import type { Parameters } from './interaction.ts';
import { delegatedAcr, IDENTITY_SCOPES, MANDATE_TYPE, OWN_CLAIMS, scopeOf } from './names.ts';
import type { OpenIdProvider, ProviderParts } from './parts.ts';

const askedClaims = (params: Readonly<Record<string, unknown>>): string[] => {
  const raw = params['claims'];
  let parsed: unknown = raw;
  if (typeof raw === 'string') {
    try {
      parsed = JSON.parse(raw);
    } catch {
      parsed = undefined;
    }
  }
  const members = typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  const standing = new Set(['sub', 'acr', 'auth_time', 'sid', 'amr', 'iss', 'aud', 'exp', 'iat', 'nonce']);
  return [...new Set(['id_token', 'userinfo'].flatMap((part) => Object.keys((members[part] as object | undefined) ?? {})))].filter(
    (claim) => !standing.has(claim),
  );
};

/** How an authorization request, waiting for a person, is answered. */
export const createInteractions = (
  provider: Provider,
  parts: ProviderParts,
  client: (id: string) => Promise<Service | undefined>,
): Pick<OpenIdProvider, 'interaction' | 'grantDelegated' | 'finishDelegated' | 'finishPlain' | 'fail'> => {
  type Model = Awaited<ReturnType<typeof provider.interactionDetails>>;

  const loaded = new WeakMap<IncomingMessage, Model>();

  /** The interaction of a request, read once a request. */
  const load = async (req: IncomingMessage, res: ServerResponse): Promise<Model | undefined> => {
    try {
      const found = loaded.get(req) ?? (await provider.interactionDetails(req, res));
      loaded.set(req, found);
      return found;
    } catch (error) {
      if (error instanceof errors.SessionNotFound) return undefined;
      throw error;
    }
  };

  const live = new WeakMap<IncomingMessage, ReturnType<typeof provider.Session.get>>();

  /** The provider's session of this browser, read once a request. */
  const liveSession = (req: IncomingMessage, res: ServerResponse): ReturnType<typeof provider.Session.get> => {
    const found = live.get(req) ?? provider.Session.get(provider.createContext(req, res) as never);
    live.set(req, found);
    return found;
  };

  /** Of which service a request's interaction is. */
  const services = new WeakMap<IncomingMessage, Service>();

  /** Says whether this browser holds the provider's session of another account. Then resuming must meet a blank browser (delegated-session.md §1b). */
  const holdsOther = async (req: IncomingMessage, res: ServerResponse, accountId: string): Promise<boolean> => {
    const { accountId: held } = await liveSession(req, res);
    return Boolean(held) && held !== accountId;
  };

  const finish = async (interaction: Model, result: Model['result']): Promise<string> => {
    (interaction as { result: unknown }).result = result;
    await interaction.save(interaction.exp - seconds(parts.clock.now()));
    return interaction.returnTo;
  };

  /** A grant holds an answer to everything asked, granted or rejected: otherwise the library would ask again. */
  const grantFor = (interaction: Model, accountId: string, service: Service, expiresIn: number, granted: (scope: string) => boolean) => {
    const grant = new provider.Grant({ accountId, clientId: service.id, expiresIn } as never);
    const scopes = String(interaction.params['scope'] ?? '')
      .split(' ')
      .filter(Boolean);
    grant.addOIDCScope(scopes.filter(granted).join(' '));
    const refused = scopes.filter((scope) => !granted(scope));
    if (refused.length) grant.rejectOIDCScope(refused.join(' '));
    const allowed = new Set([
      ...OWN_CLAIMS,
      ...(isFront(service.profile) ? [REP_SCOPE] : []),
      ...service.scopes.flatMap((scope) => [...((IDENTITY_SCOPES as Record<string, readonly string[]>)[scope] ?? [])]),
    ]);
    const asked = askedClaims(interaction.params);
    const given = asked.filter((claim) => allowed.has(claim));
    const denied = asked.filter((claim) => !allowed.has(claim));
    if (given.length) grant.addOIDCClaims(given);
    if (denied.length) grant.rejectOIDCClaims(denied);
    return grant;
  };

  return {
    async interaction(req, res) {
      const found = await load(req, res);
      const service = found && (await client(String(found.params['client_id'])));
      if (!found || !service) return undefined;
      services.set(req, service);
      const live = await liveSession(req, res);
      return {
        uid: found.uid,
        params: found.params as Parameters,
        service,
        requestedAt: new Date((found.iat ?? 0) * 1000),
        currentAccount: live.accountId,
      };
    },
    async grantDelegated(tx, req, res, session) {
      const interaction = loaded.get(req);
      const service = services.get(req);
      if (!interaction || service?.id !== session.serviceId) throw new errors.SessionNotFound('interaction not found');
      const accountId = accountOf(session.usagerId, session.aidantId, session.organisationId);
      const theme = scopeOf(session.theme);
      const front = isFront(service.profile);
      const granted = new Set(['openid', ...service.scopes, ...(front ? [] : [theme])]);
      const scopes = String(interaction.params['scope'] ?? '')
        .split(' ')
        .filter(Boolean);
      // Both ways of asking end with the same scope; FranceConnect has none of ours.
      if (!front && !scopes.includes(theme)) interaction.params['scope'] = [...scopes, theme].join(' ');
      const lifetime = Math.max(1, seconds(session.expiresAt) - seconds(parts.clock.now()));
      const grant = grantFor(interaction, accountId, service, lifetime, (scope) => granted.has(scope));
      grant.jti = session.grantId;
      grant.addRar({ type: MANDATE_TYPE, session: session.id });
      if (await holdsOther(req, res, accountId)) interaction.session = undefined as never;
      const result = {
        login: {
          accountId,
          acr: front ? FRONT_ACR : delegatedAcr(session.acr),
          amr: [...session.aidantAmr],
          ts: seconds(session.authTime),
          remember: false,
        },
        consent: { grantId: session.grantId },
      };
      await writingIn(tx, () => Promise.all([finish(interaction, result), grant.save()]));
    },
    async finishDelegated(req, res) {
      const interaction = loaded.get(req);
      const account = (interaction?.result as { login?: { accountId?: string } } | undefined)?.login?.accountId;
      if (!interaction || !account) throw new errors.SessionNotFound('interaction not found');
      if (await holdsOther(req, res, account)) await (await liveSession(req, res)).destroy();
      return interaction.returnTo;
    },
    async finishPlain(req, res, usager, beside) {
      const interaction = await load(req, res);
      const service = interaction && (await client(String(interaction.params['client_id'])));
      if (!interaction || !service) throw new errors.SessionNotFound('interaction not found');
      const granted = new Set(['openid', ...service.scopes]);
      const grant = grantFor(interaction, usager.id, service, SESSION_MINUTES * 60, (scope) => granted.has(scope));
      let grantId = '';
      const write = async (): Promise<void> => {
        grantId = await grant.save();
      };
      await (beside ? beside.within((tx) => writingIn(tx, write, beside.browser)) : write());
      if (await holdsOther(req, res, usager.id)) {
        await (await liveSession(req, res)).destroy();
        interaction.session = undefined as never;
      }
      return finish(interaction, {
        login: { accountId: usager.id, acr: usager.acr, ts: seconds(usager.authTime), remember: false },
        consent: { grantId },
      });
    },
    async fail(req, res, { error, description }) {
      const interaction = await load(req, res);
      if (!interaction) throw new errors.SessionNotFound('interaction not found');
      return finish(interaction, { error, error_description: description });
    },
  };
};
