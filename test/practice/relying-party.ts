import * as client from 'openid-client';
import { Browser, type Page } from './browser.ts';

export const REDIRECT = 'http://localhost:9/retour';
export const BYE = 'http://localhost:9/au-revoir';
export const SECRET = 'a-secret-of-the-tests-a-secret-of-the-tests';
export const CLIENT = { id: 'relais', name: 'Relais', secret: SECRET, redirectUris: [REDIRECT], postLogoutRedirectUris: [BYE] } as const;

/** Discovers a simulator as a relying party does, every check on. */
export const discover = async (issuer: string): Promise<client.Configuration> =>
  client.discovery(
    new URL(issuer),
    CLIENT.id,
    { client_secret: SECRET, id_token_signed_response_alg: 'ES256', userinfo_signed_response_alg: 'ES256' },
    client.ClientSecretPost(SECRET),
    { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks], timeout: 2 },
  );

/** The request that the contract asks for: nothing less, nothing more. */
export const franceConnectRequest = (): Record<string, string> => ({
  redirect_uri: REDIRECT,
  scope: 'openid identite_pivot preferred_username email',
  acr_values: 'eidas1',
  state: client.randomState(),
  nonce: client.randomNonce(),
});

export const MFA = ['eidas0-mfa', 'eidas1-mfa', 'eidas2', 'eidas3'];

export const proConnectRequest = (): Record<string, string> => ({
  redirect_uri: REDIRECT,
  scope: 'openid given_name usual_name email uid siret idp_id roles organization_label',
  claims: JSON.stringify({ id_token: { acr: { essential: true, values: MFA }, amr: null } }),
  state: client.randomState(),
  nonce: client.randomNonce(),
});

/** Sends a browser to the simulator and answers its page; gives where it ends. */
export const signIn = async (
  config: client.Configuration,
  request: Record<string, string>,
  answer: Record<string, string>,
  browser = new Browser(),
): Promise<Page> => {
  const page = await browser.open(client.buildAuthorizationUrl(config, request));
  return page.url.pathname.startsWith('/interaction/') ? browser.open(page.url, answer) : page;
};

/** Redeems the code that a browser brought back. */
export const redeem = async (config: client.Configuration, request: Record<string, string>, page: Page, pkceCodeVerifier?: string) =>
  client.authorizationCodeGrant(config, page.url, {
    expectedState: request['state'] ?? '',
    expectedNonce: request['nonce'] ?? '',
    idTokenExpected: true,
    ...(pkceCodeVerifier ? { pkceCodeVerifier } : {}),
  });
