import { after, before, describe } from 'node:test';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { routesOf } from '../support/routes.ts';
import { type Stage, stage } from '../support/stage.ts';
import { stateOf } from '../support/state.ts';
import { openWorld, type World } from '../support/world.ts';

/**
 * POST routes that a cookie alone can never use: they answer to a token of their own, not to a browser's session, or ask the same again as a GET.
 */
const OTHERS = ['/*', '/oidc/*', '/oidc/auth', '/oidc/session/end', '/api/v1/actions', '/api/v1/sms/replies', '/api/v1/sms/receipts'];

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let target: Stage['target'];
    before(async () => {
      world = await openWorld(kind);
      target = (await stage(world)).target;
    });
    after(() => world.close());

    test('S1 every form that did not come from our pages is refused: 403, one line of the security log, not one row changed', {
      database: kind.kind,
      atLeast: 300,
    }, async () => {
      const routes = routesOf(world)
        .filter(({ method, path }) => method === 'POST' && !OTHERS.includes(path) && !path.startsWith('/ssf/'))
        .map(({ path }) => path);
      assert.ok(routes.length >= 17, `the server's routes were read: ${routes.join(' ')}`);
      const stranger = await world.app.site.webSessions.start({});
      const foreign = world.app.site.webSessions.formToken(stranger);
      const start = await stateOf(world);
      for (const route of routes) {
        const { walker, path, fields } = target(route);
        assert.doesNotMatch(path, /:/, `say in this test what stands for the parameter of ${route}`);
        const cookie = /relais_session=([^;]+)/.exec(walker.cookieHeader(new URL(path, world.places.relais)))?.[1];
        const own = await world.app.site.webSessions.find(cookie);
        assert.ok(own, 'a session is open: only the form is false');
        const mine = world.app.site.webSessions.formToken(own);
        const attempts: [string, Record<string, string>, Record<string, string>][] = [
          ['no token', {}, {}],
          ['an empty token', { _csrf: '' }, {}],
          ['a token of another session', { _csrf: foreign }, {}],
          ['a token cut short', { _csrf: mine.slice(0, -1) }, {}],
          ['from another site', { _csrf: mine }, { 'sec-fetch-site': 'cross-site' }],
          ['from another origin of the same site', { _csrf: mine }, { 'sec-fetch-site': 'same-site' }],
          ['typed into the address bar', { _csrf: mine }, { 'sec-fetch-site': 'none' }],
          ['from an opaque origin', { _csrf: mine }, { origin: 'null' }],
          ['from another origin', { _csrf: mine }, { origin: 'https://evil.example' }],
          ['from another port', { _csrf: mine }, { origin: world.places.allowances }],
        ];
        for (const [what, more, headers] of attempts) {
          const before = world.logged.length;
          const answer = await walker.ask(`${world.places.relais}${path}`, { ...fields, ...more }, headers);
          const html = await answer.text();
          assert.equal(answer.status, 403, `${route}: ${what}`);
          assert.match(html, /csrf/, `${route}: ${what}: the page has its code`);
          const lines = world.logged.slice(before).filter(({ line }) => line['event'] === 'security');
          assert.deepEqual(
            lines.map(({ line }) => line['code']),
            ['form_csrf'],
            `${route}: ${what}`,
          );
        }
        const nobody = await new Walker().ask(`${world.places.relais}${path}`, { ...fields, _csrf: mine });
        assert.equal(nobody.status, 401, `${route}: without a session`);
        await nobody.body?.cancel();
      }
      assert.deepEqual(await stateOf(world), start);
    });

    test('S1 other methods, media types and the endpoints without a form do not go around the guard', { database: kind.kind }, async () => {
      const start = await stateOf(world);
      const { walker, path, fields } = target('/usager/mandats/:id/arreter');
      const url = `${world.places.relais}${path}`;
      const cookie = walker.cookieHeader(new URL(url));
      const as = (method: string, type: string, body: string) =>
        fetch(url, { method, redirect: 'manual', headers: { cookie, 'content-type': type }, ...(body ? { body } : {}) });
      for (const [method, type, body, status] of [
        ['POST', 'text/plain', '_csrf=x', 403],
        ['POST', 'application/json', JSON.stringify(fields), 403],
        ['POST', 'multipart/form-data; boundary=x', '--x--', 415],
        ['PUT', 'application/x-www-form-urlencoded', 'a=b', 404],
        ['PATCH', 'application/x-www-form-urlencoded', 'a=b', 404],
        ['DELETE', 'application/x-www-form-urlencoded', 'a=b', 404],
      ] as const)
        assert.equal((await as(method, type, body)).status, status, `${method} ${type}`);
      const api = await fetch(`${world.places.relais}/api/v1/actions`, {
        method: 'POST',
        headers: { cookie, 'content-type': 'application/cloudevents+json' },
        body: '{}',
      });
      assert.equal(api.status, 401, 'a cookie gives no right to the API');
      const logout = await walker.ask(`${world.places.relais}/oidc/session/end/confirm`, { logout: 'yes' });
      assert.equal(logout.status, 400, 'the provider asks for its own token');
      assert.deepEqual(await stateOf(world), start);
    });
  });
