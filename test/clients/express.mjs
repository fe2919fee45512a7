import { createHash, randomBytes, randomUUID } from 'node:crypto';
import express from 'express';
import connect from 'express-openid-connect';
import { decodeJwt } from 'jose';

/** The service of docs/integrate.md with express-openid-connect, which has its own routes for signing in and out and for the back channel. */

const { auth, requiresAuth } = connect;
const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env;
const here = `http://localhost:${PORT}`;

/** A session store with the interface of express-session; sessions that were signed out are kept here too. */
const rows = new Map();
const store = {
  get: (id, done) => done(null, rows.get(id)),
  set: (id, value, done) => done(null, void rows.set(id, value)),
  destroy: (id, done) => done(null, void rows.delete(id)),
};

const acts = [];
const app = express();
app.use(
  auth({
    issuerBaseURL: ISSUER,
    baseURL: here,
    clientID: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    clientAuthMethod: 'client_secret_basic',
    secret: createHash('sha256').update(randomBytes(32)).digest('hex'),
    idTokenSigningAlg: 'ES256', // RS256 unless told
    authorizationParams: { response_type: 'code', response_mode: 'query', scope: 'openid given_name family_name dlg:logement' },
    authRequired: false,
    session: { store },
    backchannelLogout: true,
    idpLogout: true,
    // A mandate was asked: without one, this is an aidant who must not be taken for the person.
    afterCallback: (_request, _response, session) => {
      const claims = decodeJwt(session.id_token);
      if (!claims.act || !String(claims.acr).startsWith('urn:relais:acr:delegated:')) throw new Error('no mandate');
      return session;
    },
    routes: { callback: '/retour', logout: '/sortir', postLogoutRedirect: '/au-revoir', backchannelLogout: '/deconnexion' },
  }),
);

const text = (response, body, status = 200) => response.status(status).type('text/plain').set('cache-control', 'no-store').send(`${body}\n`);

/** Introspection, and reporting, are two posts of which the library knows nothing. */
const active = async (request) => {
  const answer = await fetch(`${ISSUER}/introspection`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${CLIENT_ID}:${encodeURIComponent(CLIENT_SECRET)}`).toString('base64')}` },
    body: new URLSearchParams({ token: request.oidc.accessToken.access_token }),
  });
  return (await answer.json()).active === true;
};
const report = async (request, verb, more = {}) => {
  const [{ session }] = request.oidc.idTokenClaims.authorization_details;
  const answer = await fetch(new URL('/api/v1/actions', ISSUER), {
    method: 'POST',
    headers: { authorization: `Bearer ${request.oidc.accessToken.access_token}`, 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({
      specversion: '1.0',
      id: randomUUID(),
      source: here,
      type: 'fr.relais.action.v1',
      time: new Date().toISOString(),
      data: { session, verb, demarche: `${CLIENT_ID}.demande`, outcome: 'success', ...more },
    }),
  });
  if (!answer.ok) throw new Error(`report refused: ${answer.status}`);
  return answer.json();
};

app.get('/', requiresAuth(), async (request, response) => {
  await report(request, 'open');
  response.redirect(303, '/moi');
});
app.get('/moi', async (request, response) => {
  if (!request.oidc.isAuthenticated()) return text(response, 'Personne n’est connecté.', 401);
  const person = await request.oidc.fetchUserInfo();
  const { act, authorization_details: details } = request.oidc.idTokenClaims;
  const name = `${person.given_name} ${person.family_name}`;
  const [mandate] = details;
  return text(
    response,
    `Un aidant de ${mandate.organisation.name} agit pour ${name}\naidant ${act.sub}, mandat ${mandate.identifier}, session ${mandate.session}`,
  );
});
const allows = ({ privileges, demarches }) => privileges.includes('declare') && (demarches?.includes(`${CLIENT_ID}.demande`) ?? true);
app.post('/envoyer', async (request, response) => {
  if (request.oidc.isAuthenticated() && !allows(request.oidc.idTokenClaims.authorization_details[0]))
    return text(response, 'Le mandat ne permet pas cette démarche.', 403);
  if (!request.oidc.isAuthenticated() || !(await active(request))) return text(response, 'Ce mandat a été arrêté. Rien n’a été transmis.', 403);
  const { act, authorization_details: details } = request.oidc.idTokenClaims;
  acts.push({ act, identifier: details[0].identifier, session: details[0].session });
  const receipt = await report(request, 'send', { reference: '2026-11893' });
  return text(response, `Envoyé, numéro 2026-11893, inscrit au journal à la ligne ${receipt.index}`);
});
app.get('/actes.json', (_request, response) => response.json(acts));
app.get('/au-revoir', (_request, response) => text(response, 'C’est terminé.'));

app.listen(Number(PORT), 'localhost');
