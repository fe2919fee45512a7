import { after, before, describe } from 'node:test';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { routesOf } from '../support/routes.ts';
import { type Stage, stage } from '../support/stage.ts';
import { openWorld, type World } from '../support/world.ts';

/** What every answer says to a browser; what is not an asset also says that it must not be kept. */
/** What the log, the keys and the description of the API say to anybody, the same for everybody: a cache may keep it. */
const OF_EVERYBODY = /^\/(log\/|api\/docs|api\/v1\/openapi\.json|ssf\/jwks|api\/v1\/journal\/(erasures|proof|consistency))/;

const look = (what: string, headers: Headers, asset = false, script = false): void => {
  const said = headers.get('content-security-policy') ?? '';
  // A page of somebody who is signed in, and one that fills itself or checks the journal, runs scripts of ours; no other page runs any.
  const policy = script ? said.replace("script-src 'self'; ", '').replace("connect-src 'self'; ", '') : said;
  assert.match(policy, /(^|; )frame-ancestors 'none'(;|$)/, `${what}: frame-ancestors`);
  assert.match(policy, /(^|; )default-src 'none'(;|$)/, `${what}: default-src`);
  assert.match(policy, /(^|; )base-uri 'none'(;|$)/, `${what}: base-uri`);
  assert.match(policy, /(^|; )form-action 'self'/, `${what}: form-action`);
  assert.doesNotMatch(policy, /unsafe|\*|script-src|connect-src|http:\/\/(?!localhost)/, `${what}: nothing loosened`);
  assert.equal(headers.get('x-frame-options')?.toUpperCase(), 'DENY', `${what}: x-frame-options`);
  assert.equal(headers.get('x-content-type-options'), 'nosniff', `${what}: nosniff`);
  assert.match(headers.get('referrer-policy') ?? '', /^same-origin$/, `${what}: referrer-policy`);
  assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin', `${what}: opener`);
  assert.equal(headers.get('x-powered-by'), null, `${what}: says what it is made of`);
  assert.equal(headers.get('server'), null, `${what}: says what it is made of`);
  if (!what.includes('.well-known')) assert.equal(headers.get('access-control-allow-origin'), null, `${what}: readable by another site`);
  if (!asset) assert.match(headers.get('cache-control') ?? '', /^no-store(,|$)/, `${what}: no-store`);
};

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let staged: Stage;
    before(async () => {
      world = await openWorld(kind);
      staged = await stage(world);
    });
    after(() => world.close());

    test('S2 V4 every page, redirect and refusal forbids framing, and is kept by nobody', { database: kind.kind, atLeast: 500 }, async () => {
      const routes = routesOf(world).filter(({ method, path }) => method === 'GET' && !path.includes('*'));
      assert.ok(routes.length >= 33, routes.map(({ path }) => path).join(' '));
      const personal: string[] = [];
      for (const { path: route } of routes) {
        const { walker, path } = staged.target(route);
        assert.doesNotMatch(path, /:/, `say in stage.ts what stands for the parameter of ${route}`);
        for (const [who, browser] of [
          ['signed in', walker],
          ['nobody', new Walker()],
        ] as const) {
          if (who === 'signed in' && /\/connexion\/|structures/.test(route)) continue; // would move the session on; asked as nobody below
          const answer = await browser.ask(`${world.places.relais}${path}`);
          const html = await answer.text();
          const signedIn = who === 'signed in' && html.includes('action="/deconnexion"');
          const scripted = signedIn || /data-(fill|log)=/.test(html);
          look(`${route}, ${who}`, answer.headers, route.startsWith('/assets/') || OF_EVERYBODY.test(route), scripted);
          assert.ok(answer.status < 500, `${route}, ${who}: ${answer.status}`);
          if (answer.status === 200 && who === 'signed in' && html.includes('action="/deconnexion"')) personal.push(route);
          if (who === 'nobody') assert.doesNotMatch(html, /Colette|Jean Petit|Karim|Nora/, `${route}: nothing personal for nobody`);
        }
      }
      for (const route of [
        '/aidant',
        '/usager',
        '/usager/entrees/:id',
        '/usager/mandats/:id',
        '/aidant/mandats/:id',
        '/interaction/:uid',
        '/administration',
        '/administration/sites/:id',
      ])
        assert.ok(personal.includes(route), `${route} was seen with its person: ${personal.join(' ')}`);
      for (const path of ['/nothing', '/usager/%00', `/usager/${'a'.repeat(300)}`, '/api/v1/nothing', '/log/nothing', '/oidc/nothing', '/%ff'])
        look(path, (await new Walker().ask(`${world.places.relais}${path}`)).headers);
    });

    test('V4 the endpoints of the provider and of the API are kept by nobody', { database: kind.kind }, async () => {
      const { service, tokens } = staged;
      const basic = { authorization: `Basic ${Buffer.from(`${service.id}:${service.secret}`).toString('base64')}` };
      const bearer = { authorization: `Bearer ${tokens.access_token}` };
      const { relais } = world.places;
      const form = (path: string, fields: Record<string, string>, headers: Record<string, string> = basic) =>
        fetch(`${relais}${path}`, { method: 'POST', redirect: 'manual', headers, body: new URLSearchParams(fields) });
      const answers: [string, Response, number][] = [
        ['introspection', await form('/oidc/introspection', { token: tokens.access_token }), 200],
        ['introspection of nothing', await form('/oidc/introspection', { token: 'nothing' }), 200],
        ['userinfo', await fetch(`${relais}/oidc/userinfo`, { headers: bearer }), 200],
        ['userinfo refused', await fetch(`${relais}/oidc/userinfo`), 401],
        ['token refused', await form('/oidc/token', { grant_type: 'authorization_code', code: 'x' }), 400],
        ['client credentials', await form('/oidc/token', { grant_type: 'client_credentials', scope: 'actions:write' }), 200],
        ['client refused', await form('/oidc/token', { grant_type: 'client_credentials' }, { authorization: 'Basic eDp5' }), 401],
        ['pushed request refused', await form('/oidc/par', { scope: 'openid' }), 400],
        ['authorization refused', await fetch(`${relais}/oidc/auth?client_id=unknown`, { redirect: 'manual' }), 400],
        ['an interaction of nobody', await fetch(`${relais}/oidc/auth/nothing`, { redirect: 'manual' }), 400],
        ['end of session', await fetch(`${relais}/oidc/session/end`, { redirect: 'manual' }), 303],
        ['session ended', await fetch(`${relais}/oidc/session/end/success`), 200],
        ['keys', await fetch(`${relais}/oidc/jwks`), 200],
        ['metadata', await fetch(`${relais}/oidc/.well-known/openid-configuration`), 200],
        ['metadata, RFC 8414', await fetch(`${relais}/.well-known/oauth-authorization-server/oidc`), 200],
        [
          'report refused',
          await fetch(`${relais}/api/v1/actions`, { method: 'POST', headers: { 'content-type': 'application/cloudevents+json' }, body: '{}' }),
          401,
        ],
        ['revocation', await form('/oidc/revocation', { token: tokens.access_token }), 200],
      ];
      for (const [what, answer, status] of answers) {
        assert.equal(answer.status, status, `${what}: ${await answer.clone().text()}`);
        // Public keys are kept for five minutes: one that was revoked must be forgotten (claim K2).
        assert.match(answer.headers.get('cache-control') ?? '', what === 'keys' ? /^public, max-age=300$/ : /^no-store(,|$)/, what);
        assert.match(answer.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/, what);
        await answer.body?.cancel();
      }
    });
  });
