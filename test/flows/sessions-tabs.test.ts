import { after, before, describe } from 'node:test';
import { passFranceConnect } from '../../src/practice/story.ts';
import type { Walker } from '../../src/practice/walker.ts';
import { agreed } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { inEachWorld } from '../support/protocol.ts';
import { finish, heard, type Redeemed, redeemed, Tab, type Waiting, waitToConfirm } from '../support/tabs.ts';
import { authorize, entriesOf, openWorld, redeem, signedInAidant, type TestService, type World } from '../support/world.ts';

/** Two tabs of one browser, two people (delegated-session.md §1c): each acts for its own person or is refused. */

const COLETTE = 'Colette Martin';
const JEAN = 'Jean Petit';

/** What must hold whatever the order: nobody is swapped, one person at most is acted for, and what a service hears is what the table says. */
const sane = async (world: World, tabs: readonly Redeemed[], origin?: string): Promise<string[]> => {
  const live: string[] = [];
  for (const each of tabs) {
    const { active, name } = await heard(world, each, origin);
    assert.equal(active, name !== undefined, 'introspection and userinfo agree');
    if (active) assert.equal(name, each.waiting.person.split(' ')[0], 'the token is that of the tab’s own person');
    if (active) live.push(each.waiting.person);
  }
  const people = await world.sql(
    'select web_session from delegated_session where ended_at is null group by web_session having count(distinct usager_id) > 1',
  );
  assert.equal(people.length, 0, 'one person at a time in one browser');
  assert.ok(new Set(live).size <= 1, `never two people at once: ${live.join(', ')}`);
  return live;
};

/** A browser where an aidant has signed in and the provider has never seen anybody. */
const blank = async (world: World, aidant: Walker): Promise<void> => {
  await world.app.site.sessions.end({}, 'signed_out');
  for (const key of [...aidant.cookies.keys()]) if (!key.includes(' relais_session ')) aidant.cookies.delete(key);
};

inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let a: TestService;
  let b: TestService;

  const begin = async (): Promise<{ one: (person: string) => Promise<Waiting>; two: (person: string) => Promise<Waiting> }> => {
    if (!aidant) {
      await agreed(world(), 'colette', ['logement']);
      a = await world().service('onglet-a');
      b = await world().service('onglet-b');
      aidant = await signedInAidant(world());
    }
    await blank(world(), aidant);
    return {
      one: (person) => waitToConfirm(new Tab(world(), aidant), a, person),
      two: (person) => waitToConfirm(new Tab(world(), aidant), b, person),
    };
  };
  const done = async (waiting: Waiting): Promise<Redeemed> => redeemed(world(), waiting, await finish(waiting));
  const endings = async (reason: string): Promise<number> =>
    Number((await world().sql('select count(*)::int n from delegated_session where end_reason = $1', [reason]))[0]?.['n']);

  for (const [first, second] of [
    [COLETTE, JEAN],
    [JEAN, COLETTE],
  ] as const)
    test(`S13 from a blank browser, ${first} finished then ${second}: the last one wins, the earlier is over`, { database: kind }, async () => {
      const { one, two } = await begin();
      const [tab1, tab2] = [await one(first), await two(second)];
      const [ended, entries] = [await endings('other_person'), await entriesOf(world(), 'session.ended')];
      const x = await done(tab1);
      assert.deepEqual(await sane(world(), [x]), [first]);
      const y = await done(tab2);
      assert.deepEqual(await sane(world(), [x, y]), [second]);
      assert.equal(await endings('other_person'), ended + 1);
      assert.equal(await entriesOf(world(), 'session.ended'), entries + 1, 'one entry says it');
    });

  test('S13 tabs finished in the other order than they were opened act for their own person', { database: kind }, async () => {
    const { one, two } = await begin();
    const [tab1, tab2] = [await one(COLETTE), await two(JEAN)];
    const y = await done(tab2);
    const x = await done(tab1);
    assert.deepEqual(await sane(world(), [x, y]), [COLETTE]);
  });

  test('S13 a code that waited while the other person was confirmed gives nothing', { database: kind }, async () => {
    const { one, two } = await begin();
    const [tab1, tab2] = [await one(COLETTE), await two(JEAN)];
    const callback = await finish(tab1);
    const issued = await entriesOf(world(), 'token.issued');
    const y = await done(tab2);
    const x = await redeemed(world(), tab1, callback);
    assert.equal(x.accessToken, undefined);
    assert.equal(x.refused, 'invalid_grant');
    assert.deepEqual(await sane(world(), [x, y]), [JEAN]);
    assert.equal(await entriesOf(world(), 'token.issued'), issued + 1);
  });

  test('S13 with a person live, two tabs finished in either order: own person or a refusal', { database: kind }, async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ] as const) {
      const { one, two } = await begin();
      const before = await done(await one(COLETTE));
      assert.deepEqual(await sane(world(), [before]), [COLETTE]);
      const tabs = [await one(COLETTE), await two(JEAN)] as const;
      const first = await done(tabs[order[0]]);
      const opened = await entriesOf(world(), 'session.opened');
      const noted = world().logged.length;
      const second = await done(tabs[order[1]]);
      const security = world()
        .logged.slice(noted)
        .filter(({ line }) => line['event'] === 'security');
      const live = await sane(world(), [before, first, second]);
      assert.deepEqual(live, [second.accessToken ? second.waiting.person : first.waiting.person], 'somebody is acted for, once');
      if (second.accessToken) continue;
      // The provider's session, under which this request began, is over: our page says so, and nothing was opened for it.
      assert.equal(second.refused, 'page 410');
      assert.equal(await entriesOf(world(), 'session.opened'), opened);
      assert.deepEqual(
        security.map(({ line }) => line['code']),
        ['interaction_expired'],
      );
    }
  });

  test('S13 one person at two services, and twice at one service: the services live together, the second request of one replaces the first', {
    database: kind,
  }, async () => {
    const { one, two } = await begin();
    const [tab1, tab2, again] = [await one(COLETTE), await two(COLETTE), await one(COLETTE)];
    const [x, y] = [await done(tab1), await done(tab2)];
    assert.deepEqual(await sane(world(), [x, y]), [COLETTE, COLETTE]);
    const z = await done(again);
    assert.deepEqual(await sane(world(), [x, y, z]), [COLETTE, COLETTE]);
    assert.equal((await heard(world(), x)).active, false, 'superseded');
  });

  test('S13 the confirmation of one tab sent with the other tab’s person acts for nobody but whom it names', { database: kind }, async () => {
    const { one } = await begin();
    const [tab1, tab2] = [await one(COLETTE), await one(JEAN)];
    const person = /name="person" value="([^"]+)"/.exec(tab2.tab.page?.html ?? '')?.[1] ?? '';
    const page = await tab1.tab.send('confirm', { person }, a.redirectUri);
    const x = await redeemed(world(), { ...tab1, person: JEAN }, page);
    assert.deepEqual(await sane(world(), [x]), [JEAN]);
    const [opened] = await world().sql(
      'select m.usager_id = d.usager_id as own from delegated_session d join mandate m on m.id = d.mandate_id where d.ended_at is null',
    );
    assert.equal(opened?.['own'], true);
  });

  test('S13 somebody who signs in alone in the same browser ends what was done for another', { database: kind }, async () => {
    const { one } = await begin();
    const x = await done(await one(COLETTE));
    assert.deepEqual(await sane(world(), [x]), [COLETTE]);
    const request = await authorize(b, 'openid given_name');
    const back = await passFranceConnect(aidant, await aidant.open(request.url, undefined, b.redirectUri), 'jean', b.redirectUri);
    const tokens = await redeem(b, request, back.url);
    assert.equal(tokens.claims()?.['act'], undefined);
    assert.deepEqual(await sane(world(), [x]), []);
  });
});

const postgres = postgresOnly();
if (postgres)
  describe('two instances', () => {
    let world: World;
    let second: string;
    let aidant: Walker;
    let services: [TestService, TestService];
    before(async () => {
      world = await openWorld(postgres);
      second = (await world.secondInstance()).origin;
      await agreed(world, 'colette', ['logement']);
      services = [await world.service('onglet-a'), await world.service('onglet-b')];
      aidant = await signedInAidant(world);
    });
    after(() => world.close());

    const round = async (start: (tabs: [Walker, Walker]) => Promise<void>, people: [string, string]): Promise<string[]> => {
      await blank(world, aidant);
      const tabs: [Walker, Walker] = [new Tab(world, aidant), new Tab(world, aidant, second)];
      await start(tabs);
      const waiting = [await waitToConfirm(tabs[0], services[0], people[0]), await waitToConfirm(tabs[1], services[1], people[1])] as const;
      const results = await Promise.all(waiting.map(async (each, i) => redeemed(world, each, await finish(each), i ? second : undefined)));
      const [here, there] = [await sane(world, results), await sane(world, results, second)];
      assert.deepEqual(here, there, 'both instances say the same');
      return here;
    };

    test('S13 two people finished in parallel from a blank browser over two instances, 20 times: never both live, never swapped', {
      database: 'postgres',
      atLeast: 120,
    }, async () => {
      let alive = 0;
      for (let i = 0; i < 20; i++) alive += (await round(async () => undefined, [COLETTE, JEAN])).length;
      assert.ok(alive > 0, 'at least one of the races was won by somebody');
      assert.ok((await world.verifyJournal()).ok);
    });

    test('S13 the same with a person live, 5 times', { database: 'postgres', atLeast: 30 }, async () => {
      for (let i = 0; i < 5; i++)
        await round(
          async ([tab]) => {
            const waiting = await waitToConfirm(tab, services[0], COLETTE);
            await redeemed(world, waiting, await finish(waiting));
          },
          [COLETTE, JEAN],
        );
    });

    test('S13 one person at two services in parallel, 5 times: her own tokens or a refusal', { database: 'postgres', atLeast: 30 }, async () => {
      for (let i = 0; i < 5; i++) await round(async () => undefined, [COLETTE, COLETTE]);
    });
  });
