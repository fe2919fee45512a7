import Provider from 'oidc-provider';
import { createAccounts } from './accounts.ts';
import { adjust } from './adjust.ts';
import { cachedClients } from './clients.ts';
import { readFrontScopes } from './front.ts';
import { createInteractions } from './interactions.ts';
import { inForceFirst, publicSet, type SigningKey, signerOf, signingKey } from './key-set.ts';
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
  /** What is here and not revoked, once the database knows that it is published. */
  const usable = async (): Promise<readonly SigningKey[]> => {
    const keys = await Promise.all(parts.signing.keys().map(({ pem, alg }) => signingKey(pem, alg)));
    let times = await parts.signing.times();
    if (keys.some(({ kid }) => !times.some((known) => known.kid === kid))) {
      await parts.signing.publish(keys);
      times = await parts.signing.times();
    }
    return inForceFirst(keys, times);
  };
  const named = (keys: readonly SigningKey[]): string => keys.map(({ kid }) => kid).join();

  const first = await usable();
  let [current, names] = [build(first), named(first)];
  return {
    ...following(current, () => current),
    async refreshKeys() {
      const keys = await usable().catch((error: unknown) => {
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
