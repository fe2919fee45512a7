import { createArtefactStore } from '../../src/persistence/artefacts.ts';
import { passFranceConnect } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { get, inEachWorld, noted, post } from '../support/protocol.ts';
import { authorize, redeem } from '../support/world.ts';

inEachWorld(({ world: of, kind }) => {
  test(`D9 authorizations begun by the thousand are refused beyond a limit, what was begun goes on, and their rows go when their time is over (${kind})`, {
    database: kind,
  }, async () => {
    const world = of();
    inTheMorning(world);
    const service = await world.service('spammed');
    const rows = async (): Promise<number> =>
      Number((await world.sql("select count(*)::int n from oidc_artefact where model in ('Interaction', 'PushedAuthorizationRequest')"))[0]?.['n']);
    const before = await rows();
    const begun = await authorize(service, 'openid given_name');
    const walker = new Walker();
    const page = await walker.open(begun.url, undefined, service.redirectUri);
    for (let i = 0; i < 40; i++) assert.equal((await get((await authorize(service, 'openid given_name')).url)).status, 303);
    assert.equal(await rows(), before + 41);
    const par = `${world.app.site.issuer}/par`;
    const statuses = new Map<number, number>();
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 300; i++) {
        const { status } = await post(par, {});
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: 20 }, flood));
    assert.deepEqual([...statuses.keys()].sort(), [400, 429], 'without a client, then too many');
    assert.equal(statuses.get(429), 41, '6,000 a minute');
    const refused = await get((await authorize(service, 'openid given_name')).url, { accept: 'text/html' });
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '60']);
    const said = textOf({ url: begun.url, status: 429, html: refused.text, headers: refused.headers });
    assert.match(said, /Rien n’a été changé|minute/);
    const pushed = await post(par, {});
    assert.deepEqual([pushed.status, pushed.json['error'], pushed.headers.get('retry-after')], [429, 'temporarily_unavailable', '60']);
    assert.equal(await rows(), before + 41, 'nothing was written for them');
    assert.ok(noted(world, 'too_many_flows') >= 43);
    const callback = await passFranceConnect(walker, page, 'colette', service.redirectUri);
    assert.ok((await redeem(service, begun, callback.url)).access_token, 'what was begun before goes on');
    world.advance(60_000);
    assert.equal((await get((await authorize(service, 'openid given_name')).url)).status, 303, 'a minute later everybody goes on');
    world.advance(31 * 60_000);
    const store = createArtefactStore({ transactions: world.database, journal: world.app.journal, sessions: () => world.app.site.sessions });
    assert.equal((await store.purge(new Date())) > 40, true);
    assert.equal(await rows(), 0);
  });
});
