import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Entry } from '../journal/event.ts';
import { sha256 } from '../kernel/crypto.ts';
import type { Service } from '../services/service.ts';
import { rememberedGrant } from './adapter.ts';

/** Refusals that decide something about a token; the others are about how a request is written, or who sends it. */
const DECIDED: readonly unknown[] = ['invalid_grant', 'access_denied', 'unauthorized_client', 'invalid_scope', 'invalid_target'];
/** How many tokens this process remembers to have called inactive. */
const MOST = 4096;

/** Names the delegated session behind the code that was refused, when there is one. */
const sessionOf = (oidc: KoaContextWithOIDC['oidc']) => {
  const grantId = (oidc.entities.AuthorizationCode as { grantId?: string } | undefined)?.grantId;
  const session = grantId === undefined ? undefined : rememberedGrant(grantId)?.delegated;
  return (
    session && {
      usager: session.usager.id,
      aidant: session.aidantId,
      organisation: session.organisation.id,
      mandate: session.mandateId,
      session: session.id,
      theme: session.theme,
    }
  );
};

/** What an answer says, signed (RFC 9701) or not. */
const saidBy = (body: unknown): { active?: unknown; error?: unknown } => {
  if (typeof body !== 'string') return body ?? {};
  const [, payload = ''] = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(body) ?? [];
  return payload ? ((JSON.parse(Buffer.from(payload, 'base64url').toString()) as { token_introspection?: object }).token_introspection ?? {}) : {};
};

/** Writes down what a service that proved who it is was refused: a token, or the life of one (journal.md §1). */
export const recordRefusals = (
  provider: Provider,
  services: (id: string) => Promise<Service | undefined>,
  record: (entry: Entry) => Promise<void>,
): void => {
  const told = new Set<string>();
  const isNew = (service: string, token: string): boolean => {
    const key = sha256(service, '\0', token).toString('base64url');
    if (told.has(key)) return false; // the same question again decides nothing
    if (told.size >= MOST) told.clear();
    told.add(key);
    return true;
  };
  provider.use(async (ctx, next) => {
    await next();
    const { oidc } = ctx as KoaContextWithOIDC;
    const service = oidc?.entities.Client?.clientId;
    if (service === undefined) return;
    const body = saidBy(ctx.body);
    const inactive = oidc.route === 'introspection' && body.active === false && isNew(service, String(oidc.params?.['token']));
    const refused = oidc.route === 'token' && DECIDED.includes(body.error);
    if (!inactive && !refused) return;
    const parties = { service, administration: (await services(service))?.administrationId, outcome: 'refused' };
    await record(
      inactive
        ? { type: 'token.inactive', ...parties, detail: {} }
        : { type: 'token.refused', ...sessionOf(oidc), ...parties, detail: { reason: String(body.error) } },
    );
  });
};
