import type Provider from 'oidc-provider';
import type { Adapter } from 'oidc-provider';

/**
 * A signed access token is stored nowhere by the library, yet its code is used up, its mandate looked at and its entry written by the write of a
 * token (claims P1, M17): the trace that is written here, in one statement, without which the token is not given.
 */
export const writeSignedTokens = (provider: Provider, traces: Adapter): void => {
  interface Token {
    readonly jti: string;
    readonly accountId: string;
    readonly grantId: string;
    readonly clientId: string;
    readonly expiration: number;
    readonly resourceServer?: { readonly accessTokenFormat?: string };
    save(): Promise<string>;
  }
  const { prototype } = provider.AccessToken as unknown as { prototype: Token };
  const library = prototype.save;
  prototype.save = async function save(this: Token): Promise<string> {
    const value = await library.call(this);
    if (this.resourceServer?.accessTokenFormat !== 'jwt') return value;
    const { jti, accountId, grantId, clientId, expiration } = this;
    await traces.upsert(jti, { jti, accountId, grantId, clientId }, expiration);
    return value;
  };
};
