import type Provider from 'oidc-provider';
import type { AdapterPayload } from 'oidc-provider';
import { askedBy } from '../services/requests.ts';
import type { Service } from '../services/service.ts';
import { rememberedGrant } from './adapter.ts';
import { clientMetadata } from './clients.ts';
import { checkProof } from './dpop.ts';
import { LOGOUT_EVENT } from './names.ts';
import type { BearerRefusal, OpenIdProvider, ProviderParts } from './parts.ts';

type Client = NonNullable<Awaited<ReturnType<Provider['Client']['find']>>>;

/** A service that is out of use, as the client that it was: it is still told of what ended. */
const createFormer = (provider: Provider, parts: ProviderParts) => {
  const Made = provider.Client as unknown as new (metadata: AdapterPayload) => Client;
  return async (id: string): Promise<Client | undefined> => {
    const service = await parts.services(id);
    return service && new Made(clientMetadata(service, parts.clock.now()));
  };
};

/** What our own APIs and signals need of the provider. */
export const createResources = (
  provider: Provider,
  parts: ProviderParts,
  client: (id: string) => Promise<Service | undefined>,
): Pick<OpenIdProvider, 'bearer' | 'logoutToken'> => ({
  async bearer({ authorization, dpop, method, url }) {
    const [, scheme = 'Bearer', token] = /^(Bearer|DPoP) ([A-Za-z0-9._~+/=-]{1,2048})$/i.exec(authorization ?? '') ?? [];
    const spoken = scheme.toLowerCase() === 'dpop' ? 'DPoP' : 'Bearer';
    const no = (refused: string): BearerRefusal => ({ refused, error: 'invalid_token', scheme: spoken });
    if (!token) return no('an access token is required');
    const access = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
    askedBy(access?.clientId);
    if (!access || access.isExpired || !access.clientId) return no('the access token is unknown, expired or revoked');
    const grantId = (access as { grantId?: string }).grantId;
    // A token outlives by some minutes a service that was taken out of use: it opens nothing any more.
    if ((await client(access.clientId))?.status !== 'approved') return no('the access token is unknown, expired or revoked');
    const found = rememberedGrant(grantId);
    if (grantId && !(await provider.Grant.find(grantId))) return no('the access token is unknown, expired or revoked');
    const thumbprint = access.jkt;
    if (thumbprint) {
      const unproved = (refused: string): BearerRefusal => ({ refused, error: dpop ? 'invalid_dpop_proof' : 'invalid_token', scheme: 'DPoP' });
      if (spoken !== 'DPoP' || !dpop) return unproved('this access token needs a DPoP proof, and the scheme DPoP');
      const now = parts.clock.now();
      const fault = await checkProof(dpop, { method, url, accessToken: token, thumbprint, now }, (id, expiresAt) =>
        parts.store.unique(id, expiresAt, now),
      );
      if (fault) return unproved(fault);
    } else if (spoken === 'DPoP') return { ...no('this access token is not bound to a key'), scheme: 'Bearer' };
    return { clientId: access.clientId, scopes: [...access.scopes], found };
  },
  async logoutToken(serviceId, { sid, sub, jti }) {
    const client = (await provider.Client.find(serviceId)) ?? (await createFormer(provider, parts)(serviceId));
    if (!client) return undefined;
    const token = new provider.IdToken(sub === undefined ? {} : { sub }, { client, ctx: undefined as never });
    (token as unknown as { mask: object }).mask = sub === undefined ? {} : { sub: null };
    token.set('events', { [LOGOUT_EVENT]: {} });
    token.set('jti', jti);
    token.set('sid', sid);
    return token.issue({ use: 'logout' });
  },
});
