import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { actionEvent, basic, get, post, redemption, report, sessionOf } from '../support/protocol.ts';
import { actFor, authorize, delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

const [kind] = databases();

/** What the two installations know, to see that neither learnt anything from the other. */
const known = async (world: World): Promise<unknown> =>
  world.sql(`select 'session' what, count(*)::int n, count(ended_at)::int ended from delegated_session
    union all select 'action', count(*)::int, 0 from action
    union all select 'token', count(*)::int, count(consumed_at)::int from oidc_artefact where model in ('AccessToken', 'AuthorizationCode')
    union all select 'web', count(*)::int, 0 from web_session order by 1`);

test('P23 nothing that the practice house gives counts in another house, nor the reverse: token, code, client, ID token, logout token, cookie, attestation', {
  database: 'pglite',
}, async (t) => {
  if (!kind) throw new Error('no database');
  const folder = mkdtempSync(join(tmpdir(), 'relais-keys-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const houses = [await openWorld(kind), await openWorld(kind, { keysFolder: folder })] as const;
  t.after(async () => {
    for (const house of houses) await house.close();
  });
  inTheMorning(houses[0]);
  const stands = await Promise.all(
    houses.map(async (world) => {
      const service = await world.service('guichet-commun');
      const mandate = await agreed(world, 'colette', ['logement']);
      const karim = await signedInAidant(world);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      const request = await authorize(service, 'openid dlg:logement');
      const { url: callback } = await actFor(karim, service, request, 'Colette Martin');
      const logout = await world.app.site.provider.logoutToken(service.id, { sid: sessionOf(claims), jti: 'dlv_x' });
      const code = String((await world.sql('select code from attestation where mandate_id = $1', [mandate.id]))[0]?.['code']);
      return { world, service, karim, tokens, claims, request, callback, logout: logout ?? '', code };
    }),
  );
  const [a, b] = stands;
  assert.ok(a && b);
  assert.notEqual(a.world.app.site.issuer, b.world.app.site.issuer);
  for (const [mine, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const before = await known(other.world);
    const { issuer } = other.world.app.site;
    const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
    const authorization = basic(other.service);
    const bearer = { authorization: `Bearer ${mine.tokens.access_token}` };
    assert.deepEqual((await post(`${issuer}/introspection`, { token: mine.tokens.access_token }, { authorization })).json, {
      active: false,
    });
    assert.equal((await get(`${issuer}/userinfo`, bearer)).status, 401);
    const event = actionEvent(mine.service.id, sessionOf(mine.claims));
    assert.equal((await report(`${other.world.places.relais}/api/v1/actions`, event, bearer)).status, 401);
    const redeemed = await post(`${issuer}/token`, redemption(mine.service, mine.request, mine.callback), { authorization });
    assert.deepEqual([redeemed.status, redeemed.json['error']], [400, 'invalid_grant']);
    const foreign = await post(`${issuer}/token`, redemption(mine.service, mine.request, mine.callback), { authorization: basic(mine.service) });
    assert.deepEqual([foreign.status, foreign.json['error']], [401, 'invalid_client'], 'the secret of the same name elsewhere');
    for (const [what, token] of [
      ['ID token', mine.tokens.id_token ?? ''],
      ['logout token', mine.logout],
    ] as const) {
      const own = createRemoteJWKSet(new URL(`${mine.world.app.site.issuer}/jwks`));
      assert.ok(
        (await jwtVerify(token, own, { issuer: mine.world.app.site.issuer, audience: mine.service.id, currentDate: new Date() })).payload,
        what,
      );
      await assert.rejects(jwtVerify(token, keys, { audience: mine.service.id }), { code: 'ERR_JWKS_NO_MATCHING_KEY' }, what);
    }
    const end = new URL(`${issuer}/session/end`);
    end.searchParams.set('id_token_hint', mine.tokens.id_token ?? '');
    assert.equal((await get(end)).status, 400);
    const home = new URL('/aidant', other.world.places.relais);
    const page = await fetch(home, { headers: { cookie: mine.karim.cookieHeader(home) }, redirect: 'manual' });
    assert.ok([302, 303].includes(page.status), `signed in with a cookie from elsewhere: ${page.status}`);
    const attestation = await new Walker().open(new URL(`/verifier/${mine.code}`, other.world.places.relais));
    assert.doesNotMatch(attestation.html, /Cette attestation est valide/);
    assert.deepEqual(await known(other.world), before, 'nothing was written, ended or used up');
  }
  for (const each of stands) {
    assert.ok(each);
    const done = await post(`${each.world.app.site.issuer}/token`, redemption(each.service, each.request, each.callback), {
      authorization: basic(each.service),
    });
    assert.equal(done.status, 200, 'at home the code still gives its token');
  }
});
