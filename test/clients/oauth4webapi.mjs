import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createRemoteJWKSet, importJWK, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';

/** The service of docs/integrate.md at profile `fapi2`, with oauth4webapi: pushed requests, an assertion signed with its key, tokens bound by DPoP. */

const { ISSUER, CLIENT_ID, CLIENT_KEY, PORT } = process.env;
const here = `http://localhost:${PORT}`;
const plain = { [oauth.allowInsecureRequests]: true };

const issuer = new URL(ISSUER);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plain));
const client = { client_id: CLIENT_ID, id_token_signed_response_alg: 'ES256' };
const jwk = JSON.parse(CLIENT_KEY);
const authentication = oauth.PrivateKeyJwt({ key: await importJWK(jwk, 'ES256'), kid: jwk.kid });
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
const options = { ...plain, DPoP };
const keys = createRemoteJWKSet(new URL(as.jwks_uri));

/** Asks, and once more when Relais answers with a DPoP nonce. */
const withNonce = (ask) => ask().catch((error) => (oauth.isDPoPNonceError(error) ? ask() : Promise.reject(error)));

const asked = new Map();
const sessions = new Map();
const acts = [];

const report = async (session, verb, more = {}) => {
  const event = {
    specversion: '1.0',
    id: randomUUID(),
    source: here,
    type: 'fr.relais.action.v1',
    time: new Date().toISOString(),
    data: { session: session.claims.authorization_details[0].session, verb, demarche: `${CLIENT_ID}.demande`, outcome: 'success', ...more },
  };
  const headers = () => new Headers({ 'content-type': 'application/cloudevents+json' });
  const address = new URL('/api/v1/actions', ISSUER);
  const answer = await withNonce(() => oauth.protectedResourceRequest(session.token, 'POST', address, headers(), JSON.stringify(event), options));
  return answer.json();
};

const allows = ({ privileges, demarches }) => privileges.includes('declare') && (demarches?.includes(`${CLIENT_ID}.demande`) ?? true);

const pages = {
  'GET /': async ({ id }) => {
    const state = oauth.generateRandomState();
    const nonce = oauth.generateRandomNonce();
    const verifier = oauth.generateRandomCodeVerifier();
    asked.set(id, { state, nonce, verifier });
    const { request_uri } = await withNonce(async () => {
      const params = {
        response_type: 'code',
        redirect_uri: `${here}/retour`,
        scope: 'openid given_name family_name dlg:logement',
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      };
      return oauth.processPushedAuthorizationResponse(
        as,
        client,
        await oauth.pushedAuthorizationRequest(as, client, authentication, params, options),
      );
    });
    const to = new URL(as.authorization_endpoint);
    to.search = new URLSearchParams({ client_id: CLIENT_ID, request_uri }).toString();
    return { to: to.href };
  },
  'GET /retour': async ({ id, url }) => {
    const { state, nonce, verifier } = asked.get(id) ?? {};
    asked.delete(id);
    const params = oauth.validateAuthResponse(as, client, url, state); // state, and `iss` (RFC 9207)
    const result = await withNonce(async () => {
      const answer = await oauth.authorizationCodeGrantRequest(as, client, authentication, params, `${here}/retour`, verifier, options);
      const given = await oauth.processAuthorizationCodeResponse(as, client, answer, { expectedNonce: nonce, requireIdToken: true });
      await oauth.validateApplicationLevelSignature(as, answer, plain);
      return given;
    });
    const claims = oauth.getValidatedIdTokenClaims(result);
    if (!claims.act || !claims.acr?.startsWith('urn:relais:acr:delegated:')) return { status: 403, text: 'Aucun mandat\n' };
    const person = await withNonce(async () =>
      oauth.processUserInfoResponse(as, client, claims.sub, await oauth.userInfoRequest(as, client, result.access_token, options)),
    );
    sessions.set(id, { claims, person, token: result.access_token, idToken: result.id_token });
    await report(sessions.get(id), 'open');
    return { to: '/moi' };
  },
  'GET /moi': async ({ id }) => {
    const session = sessions.get(id);
    if (!session) return { status: 401, text: 'Personne n’est connecté.\n' };
    const name = `${session.person.given_name} ${session.person.family_name}`;
    const [mandate] = session.claims.authorization_details;
    return {
      text: `Un aidant de ${mandate.organisation.name} agit pour ${name}
aidant ${session.claims.act.sub}, mandat ${mandate.identifier}, session ${mandate.session}\n`,
    };
  },
  'POST /envoyer': async ({ id }) => {
    const session = sessions.get(id);
    if (session && !allows(session.claims.authorization_details[0])) return { status: 403, text: 'Le mandat ne permet pas cette démarche.\n' };
    const active = async () =>
      (await oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, authentication, session.token, plain)))
        .active;
    if (!session || !(await active())) return { status: 403, text: 'Ce mandat a été arrêté. Rien n’a été transmis.\n' };
    const [mandate] = session.claims.authorization_details;
    acts.push({ act: session.claims.act, identifier: mandate.identifier, session: mandate.session });
    const receipt = await report(session, 'send', { reference: '2026-11893' });
    return { text: `Envoyé, numéro 2026-11893, inscrit au journal à la ligne ${receipt.index}\n` };
  },
  'GET /sortir': async ({ id }) => {
    const session = sessions.get(id);
    sessions.delete(id);
    if (!session) return { to: '/au-revoir' };
    const to = new URL(as.end_session_endpoint);
    to.search = new URLSearchParams({ id_token_hint: session.idToken, post_logout_redirect_uri: `${here}/au-revoir` }).toString();
    return { to: to.href };
  },
  'GET /actes.json': async () => ({ text: JSON.stringify(acts) }),
  'GET /au-revoir': async () => ({ text: 'C’est terminé.\n' }),
  'POST /deconnexion': async ({ body }) => {
    const { payload } = await jwtVerify(new URLSearchParams(body).get('logout_token') ?? '', keys, {
      issuer: ISSUER,
      audience: CLIENT_ID,
      typ: 'logout+jwt',
      algorithms: ['ES256'],
    });
    if (payload.nonce !== undefined || !payload.events?.['http://schemas.openid.net/event/backchannel-logout']) return { status: 400 };
    for (const [id, { claims }] of sessions) if (claims.sid === payload.sid) sessions.delete(id);
    return { status: 204 };
  },
};

createServer(async (request, response) => {
  let body = '';
  for await (const part of request) body += part;
  const url = new URL(request.url, here);
  const known = /(?:^|; )service=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1];
  const id = known ?? randomUUID();
  const page = pages[`${request.method} ${url.pathname}`] ?? (async () => ({ status: 404 }));
  const { status = 200, text = '', to } = await page({ id, url, body }).catch((error) => ({ status: 400, text: `${error.code ?? error.message}\n` }));
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' };
  if (!known) headers['set-cookie'] = `service=${id}; HttpOnly; SameSite=Lax; Path=/`;
  response.writeHead(to ? 303 : status, to ? { ...headers, location: to } : headers).end(text);
}).listen(Number(PORT), 'localhost');
