import type Provider from 'oidc-provider';
import type { Profile, Service } from '../services/service.ts';

/**
 * FranceConnect in front of us, as our client (profile `franceconnect`; federations.md §2.3). It knows nothing of ours: neither our scopes, nor our
 * levels, nor PKCE. What it asks and what it is given are put in its own words here.
 */
export const isFront = (profile: unknown): boolean => profile === ('franceconnect' satisfies Profile);

/** The level that it is always told: its sign of representation is `rep_scope`. */
export const FRONT_ACR = 'eidas1';
/** It asks userinfo at once, and nothing more. */
export const FRONT_SECONDS = 60;
/** The themes granted, as it names them. */
export const REP_SCOPE = 'rep_scope';

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  profile: ['given_name', 'family_name', 'preferred_username', 'gender', 'birthdate'],
  birth: ['birthplace', 'birthcountry'],
};

/** The scopes that it asks, in our words. */
const inOurWords = (scope: string): string =>
  [...new Set(scope.split(' ').flatMap((each) => (Object.hasOwn(GROUPS, each) ? (GROUPS[each] ?? []) : each)))].join(' ');

/**
 * Reads FranceConnect's groups of scopes in its requests alone. Known to the provider as a whole they would be refused to every other service that
 * has not registered them, where they are ignored, as OpenID Connect has it.
 */
export const readFrontScopes = (provider: Provider, client: (id: string) => Promise<Service | undefined>): void => {
  provider.use(async (ctx, next) => {
    const { scope, client_id: id } = ctx.path === '/auth' ? ctx.query : {};
    if (typeof id === 'string' && typeof scope === 'string' && scope.split(' ').some((each) => Object.hasOwn(GROUPS, each))) {
      const service = await client(id).catch(() => undefined); // the library meets the same fault, and says so
      if (isFront(service?.profile)) {
        const { req } = ctx as unknown as { req: { url: string; originalUrl: string } };
        const mount = req.originalUrl.slice(0, -req.url.length);
        ctx.query = { ...ctx.query, scope: inOurWords(scope) };
        req.originalUrl = `${mount}${req.url}`; // the library finds its own place by comparing the two
      }
    }
    await next();
  });
};
