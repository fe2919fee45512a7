import type { AdapterPayload, ClientMetadata } from 'oidc-provider';
import { keysAt } from '../services/public-keys.ts';
import { stands } from '../services/rotation.ts';
import type { Service } from '../services/service.ts';
import { isFront } from './front.ts';
import { ACTIONS_SCOPE, MANDATE_TYPE, MANDATES_SCOPE, STREAM_SCOPES, scopeOf } from './names.ts';

/** Our own members of a client's metadata. */
export const OWN_METADATA = ['delegation_supported', 'relais_profile', 'relais_sector', 'relais_resources', 'relais_former_secret'] as const;

/**
 * Writes a registered service as the library's client metadata. Its profile decides everything that a request could otherwise choose
 * (protocol.md, "Client profiles"). A key or a former secret
 * whose end has come is not in it. A secret is known by its hash alone, which stands where the library wants a secret.
 */
export const clientMetadata = (service: Service, now: Date): AdapterPayload => {
  const fapi2 = service.profile === 'fapi2';
  const front = isFront(service.profile);
  const reports = service.delegationSupported && !front;
  const metadata: ClientMetadata = {
    client_id: service.id,
    client_name: service.name,
    redirect_uris: [...service.redirectUris],
    post_logout_redirect_uris: [...service.postLogoutRedirectUris],
    response_types: ['code'],
    // No refresh token, ever (claim P17): the access token lives as long as the session.
    grant_types: ['authorization_code', ...(reports ? ['client_credentials'] : [])],
    subject_type: 'pairwise',
    id_token_signed_response_alg: service.idTokenSignedResponseAlg,
    introspection_signed_response_alg: service.idTokenSignedResponseAlg, // given to whoever accepts it (RFC 9701 §4)
    token_endpoint_auth_method: service.tokenEndpointAuthMethod,
    scope: [
      'openid',
      ...service.scopes,
      ...(front ? [] : service.themes.map(scopeOf)),
      ...(reports ? [ACTIONS_SCOPE, MANDATES_SCOPE, ...Object.values(STREAM_SCOPES)] : []),
    ].join(' '),
    authorization_details_types: front ? [] : [MANDATE_TYPE],
    ...(service.clientSecretHash ? { client_secret: service.clientSecretHash } : {}),
    ...(service.jwks ? { jwks: keysAt(service.jwks, now) as NonNullable<ClientMetadata['jwks']> } : {}),
    ...(service.backchannelLogoutUri ? { backchannel_logout_uri: service.backchannelLogoutUri, backchannel_logout_session_required: true } : {}),
    ...(fapi2 ? { require_pushed_authorization_requests: true, dpop_bound_access_tokens: true } : {}),
    delegation_supported: service.delegationSupported,
    relais_profile: service.profile,
    relais_sector: service.sector,
    relais_resources: [...(service.resources ?? [])],
    ...(stands(service.formerSecret, now) ? { relais_former_secret: service.formerSecret.hash } : {}),
  };
  return metadata as AdapterPayload;
};

/**
 * Keeps each service in force for a second: long enough for the requests of one sign-in, short enough for a service to be disabled by a click.
 * One that is not in force is asked again each time, so that it works from the moment it is approved.
 */
export const cachedClients = (find: (id: string) => Promise<Service | undefined>, now: () => number, maxAgeMs = 1000) => {
  const kept = new Map<string, { at: number; service: Promise<Service | undefined> }>();
  return (id: string): Promise<Service | undefined> => {
    const known = kept.get(id);
    if (known && now() - known.at < maxAgeMs && now() >= known.at) return known.service;
    if (kept.size > 5000) kept.clear();
    const entry = { at: now(), service: find(id) };
    const forget = (): void => {
      if (kept.get(id) === entry) kept.delete(id);
    };
    entry.service.then((service) => service?.status === 'approved' || forget(), forget);
    kept.set(id, entry);
    return entry.service;
  };
};
