import Provider from 'oidc-provider';
import { createAccounts } from './accounts.ts';
import { adjust } from './adjust.ts';
import { cachedClients } from './clients.ts';
import { createInteractions } from './interactions.ts';
import { keySet } from './key-set.ts';
import { adapterOf, configure } from './options.ts';
import type { OpenIdProvider, ProviderParts } from './parts.ts';
import { createResources } from './resources.ts';
import { writeSignedTokens } from './signed-tokens.ts';
import { sayingUnavailable } from './unavailable.ts';

/** Makes the OpenID provider. `origin` names the journal in receipts, once it is known. */
export const createOpenIdProvider = async (given: ProviderParts, origin: () => string): Promise<OpenIdProvider> => {
  const store = sayingUnavailable(given.store, given.passes);
  const parts: ProviderParts = { ...given, store, services: sayingUnavailable({ find: given.services }, given.passes).find };
  const keys = await keySet({ es256: parts.keys.es256, rs256: parts.keys.rs256 });
  const client = cachedClients(parts.services, () => parts.clock.now().getTime());
  const accounts = createAccounts(parts, origin);
  const Adapter = adapterOf(parts, client);
  const provider = new Provider(parts.issuer, configure(parts, keys, Adapter, accounts));
  provider.proxy = true; // `http` sets host and protocol from the issuer before the library looks (the Host header never decides a URL)
  adjust(provider, parts);
  writeSignedTokens(provider, new Adapter('SignedAccessToken'));
  return {
    ...createInteractions(provider, parts, client),
    ...createResources(provider, parts),
    handler: provider.callback(),
    jwks: { keys: keys.keys.map(({ d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...pub }) => pub) },
  };
};
