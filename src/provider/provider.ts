import Provider from 'oidc-provider';
import { createAccounts } from './accounts.ts';
import { adjust } from './adjust.ts';
import { cachedClients } from './clients.ts';
import { readFrontScopes } from './front.ts';
import { createInteractions } from './interactions.ts';
import { named, publicSet, type SigningKey, signerOf, usableKeys } from './key-set.ts';
import { adapterOf, configure } from './options.ts';
import type { OpenIdProvider, ProviderParts } from './parts.ts';
import { createResources } from './resources.ts';
import { writeSignedTokens } from './signed-tokens.ts';
import { closed, sayingUnavailable } from './unavailable.ts';

/** Every function of `current()`, whichever that is when it is called. */
const following = <T extends object>(first: T, current: () => T): T =>
  Object.fromEntries(
    Object.keys(first).map((name) => [
      name,
      (...given: unknown[]) => (current() as Record<string, (...all: unknown[]) => unknown>)[name]?.(...given),
    ]),
  ) as T;

/**
 * Makes the OpenID provider. `origin` names the journal in receipts, once it is known. The library reads its keys when it is made: `refreshKeys` makes
 * another one behind the same functions when what is published, or which key signs, has changed. Whatever is under way is in the database.
 */
export const createOpenIdProvider = async (given: ProviderParts, origin: () => string): Promise<OpenIdProvider> => {
  const store = sayingUnavailable(given.store, given.passes);
  const parts: ProviderParts = { ...given, store, services: sayingUnavailable({ find: given.services }, given.passes).find };
  const client = cachedClients(parts.services, () => parts.clock.now().getTime());
  const accounts = createAccounts(parts, origin);
  const Adapter = adapterOf(parts, client);

  const build = (keys: readonly SigningKey[]) => {
    const provider = new Provider(parts.issuer, configure(parts, { keys: [...keys] }, Adapter, accounts));
    provider.proxy = true; // `http` sets host and protocol from the issuer before the library looks (the Host header never decides a URL)
    readFrontScopes(provider, client);
    adjust(provider, parts);
    writeSignedTokens(provider, new Adapter('SignedAccessToken'));
    return {
      ...createInteractions(provider, parts, client),
      ...createResources(provider, parts, client),
      handler: provider.callback() as OpenIdProvider['handler'],
      sign: signerOf(keys),
      jwks: () => publicSet(keys),
    };
  };
  const first = await usableKeys(parts.signing);
  let [current, names] = [build(first), named(first)];
  return {
    ...following(current, () => current),
    async refreshKeys() {
      const keys = await usableKeys(parts.signing).catch((error: unknown) => {
        // What is left may sign nothing: better no answer than one that a thief could have signed.
        if ((error as { code?: string }).code === 'signing_key_missing') [current, names] = [closed(current, error), ''];
        throw error;
      });
      if (named(keys) === names) return false;
      [current, names] = [build(keys), named(keys)];
      return true;
    },
  };
};
