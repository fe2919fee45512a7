import { after, before, describe } from 'node:test';
import { passFranceConnect } from '../../src/practice/story.ts';
import { textOf, type Walker } from '../../src/practice/walker.ts';
import { agreed, introspectAt } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { endOf, type FapiService, fapiService, faults, push, sessionOf } from '../support/protocol.ts';
import { finish, Tab, waitToConfirm } from '../support/tabs.ts';
import { authorize, entriesOf, openWorld, redeem, signedInAidant, type TestService, type World } from '../support/world.ts';

/** Somebody alone and an aidant for somebody, in one browser, over two instances (delegated-session.md §1): nothing of one is ever the other's. */

interface Held {
  readonly kind: 'alone' | 'delegated';
  readonly person: string;
  readonly service: TestService;
  readonly token: string;
  readonly idToken: string;
  readonly session: string;
}

const NAMES: Readonly<Record<string, string>> = { colette: 'Colette Martin', jean: 'Jean Petit' };
const postgres = postgresOnly();
if (postgres)
  describe('alone and delegated, two instances', () => {
    let world: World;
    let second: string;
    let aidant: Walker;
    let a: TestService;
    let b: TestService;
    let fapi: FapiService;
    const on = { database: 'postgres' } as const;

    before(async () => {
      world = await openWorld(postgres);
      second = (await world.secondInstance()).origin;
      for (const person of ['colette', 'jean']) await agreed(world, person, ['logement']);
      [a, b] = [await world.service('seule-a'), await world.service('seule-b')];
      fapi = await fapiService(world, 'seule-par');
      aidant = await signedInAidant(world);
    });
    after(() => world.close());

    const blank = async (): Promise<void> => {
      await world.app.site.sessions.end({}, 'signed_out');
      for (const key of [...aidant.cookies.keys()]) if (!key.includes(' relais_session ')) aidant.cookies.delete(key);
    };
    const place = (here: boolean): string | undefined => (here ? undefined : second);

    /** One sign-in through one instance; undefined when it was refused, which is always on a page or at the service, in words. */
    const alone = async (person: string, service: TestService, here: boolean): Promise<Held | undefined> => {
      const tab = new Tab(world, aidant, place(here));
      const request = await authorize(service, 'openid given_name');
      const first = await tab.open(request.url, undefined, service.redirectUri);
      // FranceConnect may know her still, and then asks nothing.
      const known = first.url.href.startsWith(service.redirectUri);
      const page = known ? first : await passFranceConnect(tab, first, person, service.redirectUri);
      if (!page.url.searchParams.get('code')) {
        assert.ok(page.status < 500 && (page.url.searchParams.get('error') || textOf(page).includes('Code à donner')), textOf(page).slice(0, 200));
        return undefined;
      }
      const tokens = await redeem(service, request, page.url).catch((error: { error?: string }) => void assert.equal(error.error, 'invalid_grant'));
      return tokens && { kind: 'alone', person, service, token: tokens.access_token, idToken: tokens.id_token ?? '', session: '' };
    };
    const delegated = async (person: string, service: TestService, here: boolean): Promise<Held | undefined> => {
      const waiting = await waitToConfirm(new Tab(world, aidant, place(here)), service, NAMES[person] ?? '');
      const page = await finish(waiting);
      if (!page.url.searchParams.get('code')) {
        assert.ok(page.status < 500 && (page.url.searchParams.get('error') || textOf(page).includes('Code à donner')), textOf(page).slice(0, 200));
        return undefined;
      }
      const tokens = await redeem(service, waiting.request, page.url).catch(
        (error: { error?: string }) => void assert.equal(error.error, 'invalid_grant'),
      );
      return (
        tokens && {
          kind: 'delegated',
          person,
          service,
          token: tokens.access_token,
          idToken: tokens.id_token ?? '',
          session: sessionOf(tokens.claims()),
        }
      );
    };

    /** Which of these live, as both instances say it; each that does is of its own kind and its own person. */
    const live = async (all: readonly (Held | undefined)[]): Promise<string[]> => {
      const said: string[] = [];
      for (const each of all) {
        if (!each) continue;
        const [here, there] = [await introspectAt(world, each.service, each.token), await introspectAt(world, each.service, each.token, second)];
        assert.equal(here.active, there.active, 'both instances say the same');
        const info = await fetch(`${second}/oidc/userinfo`, { headers: { authorization: `Bearer ${each.token}` } });
        const facts = (await info.json()) as Record<string, unknown>;
        assert.equal(info.ok, here.active, 'introspection and userinfo agree');
        const claims = JSON.parse(Buffer.from(each.idToken.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
        const plain = each.kind === 'alone';
        assert.deepEqual([claims['act'] === undefined, claims['acr'] === 'eidas1'], [plain, plain], 'nobody alone has a second person');
        if (!here.active) continue;
        assert.deepEqual(
          [facts['given_name'], facts['act'] === undefined, (here as unknown as { act?: unknown }).act === undefined],
          [NAMES[each.person]?.split(' ')[0], plain, plain],
        );
        said.push(`${each.kind} ${each.person}`);
      }
      const rows = await world.sql(
        'select web_session from delegated_session where ended_at is null group by web_session having count(distinct usager_id) > 1',
      );
      assert.equal(rows.length, 0, 'one person at a time in one browser');
      return said;
    };

    for (const [first, other] of [
      ['colette', 'colette'],
      ['colette', 'jean'],
      ['jean', 'colette'],
    ] as const) {
      test(`S13 ${first} alone, an aidant for ${other}, ${first} alone: each its own, on either instance`, on, async () => {
        for (const here of [true, false]) {
          await blank();
          const one = await alone(first, a, here);
          assert.deepEqual(await live([one]), [`alone ${first}`]);
          const two = await delegated(other, b, !here);
          assert.deepEqual((await live([one, two])).at(-1), `delegated ${other}`);
          const three = await alone(first, a, here);
          const now = await live([one, two, three]);
          assert.equal(now.at(-1), `alone ${first}`);
          if (first !== other) assert.ok(!now.includes(`delegated ${other}`), 'whoever signs in ends what was done for another');
        }
      });

      test(`S13 an aidant for ${first}, ${other} alone, an aidant for ${first}: each its own, on either instance`, on, async () => {
        for (const here of [true, false]) {
          await blank();
          const one = await delegated(first, a, here);
          assert.deepEqual(await live([one]), [`delegated ${first}`]);
          const two = await alone(other, b, !here);
          const between = await live([one, two]);
          assert.equal(between.at(-1), `alone ${other}`);
          if (first !== other) assert.deepEqual(between, [`alone ${other}`]);
          assert.equal(await endOf(world, one?.session), first === other ? 'live' : 'other_person');
          const three = await delegated(first, a, here);
          assert.equal((await live([one, two, three])).at(-1), `delegated ${first}`);
          assert.equal(await endOf(world, three?.session), 'live');
        }
      });
    }

    test(
      'S13 alone and delegated finished in parallel over two instances, 10 times: own tokens or a refusal, never two people at once',
      on,
      async () => {
        let alive = 0;
        for (let i = 0; i < 10; i++) {
          await blank();
          const both = await Promise.all([delegated('colette', a, i % 2 === 0), alone(i % 2 ? 'colette' : 'jean', b, i % 2 !== 0)]);
          const said = await live(both);
          assert.ok(new Set(said.map((each) => each.split(' ')[1])).size <= 1, `never two people at once: ${said.join(', ')}`);
          alive += said.length;
        }
        assert.ok(alive > 0, 'somebody got through');
        assert.ok((await world.verifyJournal()).ok);
      },
    );

    test('S13 an answer that is taken up again gives no second code, on either instance', on, async () => {
      await blank();
      const tab = new Tab(world, aidant);
      const waiting = await waitToConfirm(tab, a, NAMES['colette'] ?? '');
      const kept = new Map(aidant.cookies);
      const response = await tab.ask(
        new URL(
          /<form[^>]*id="confirm"[^>]*action="([^"]*)"|<form[^>]*action="([^"]*)"[^>]*id="confirm"/
            .exec(tab.page?.html ?? '')
            ?.slice(1)
            .find(Boolean) ?? '',
          tab.page?.url,
        ),
        Object.fromEntries(
          [...(tab.page?.html ?? '').matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
            name,
            value,
          ]),
        ),
      );
      const resume = new URL(response.headers.get('location') ?? '', world.places.relais);
      assert.match(resume.pathname, /^\/oidc\/auth\//);
      const first = await tab.open(resume, undefined, a.redirectUri);
      assert.ok(first.url.searchParams.get('code'), textOf(first).slice(0, 200));
      const issued = await entriesOf(world, 'session.opened');
      for (const [key, value] of kept) if (!aidant.cookies.has(key)) aidant.cookies.set(key, value);
      for (const origin of [undefined, second]) {
        const again = await new Tab(world, aidant, origin).open(resume, undefined, a.redirectUri);
        assert.deepEqual([again.status, again.url.searchParams.get('code')], [400, null]);
        assert.ok(textOf(again).includes('interaction_expired'), textOf(again).slice(0, 300));
      }
      assert.equal(await entriesOf(world, 'session.opened'), issued);
      assert.ok((await redeem(a, waiting.request, first.url)).access_token, 'the first is as it was');
    });

    test('S13 P5 one pushed request finished in two tabs over two instances serves once', on, async () => {
      await blank();
      const request = await push(fapi, 'openid given_name dlg:logement');
      const opened = await entriesOf(world, 'session.opened');
      const tabs = [new Tab(world, aidant), new Tab(world, aidant, second)];
      const pages: (string | null)[] = [];
      for (const tab of tabs) {
        const page = await tab.open(request.url, undefined, fapi.redirectUri);
        const id = /<input[^>]*name="person"[^>]*value="([^"]+)"[^>]*>(?:(?!<input)[\s\S])*?Colette Martin/.exec(page.html)?.[1] ?? '';
        await tab.send('pick-person', { person: id });
      }
      for (const tab of tabs) {
        const done = await tab.send('confirm', {}, fapi.redirectUri);
        pages.push(done.url.searchParams.get('code') ? 'code' : (done.url.searchParams.get('error') ?? String(done.status)));
      }
      assert.equal(pages.filter((each) => each === 'code').length, 1, pages.join());
      assert.ok(
        pages.every((each) => each === 'code' || /^(invalid_request_uri|invalid_request|400|410)$/.test(each ?? '')),
        pages.join(),
      );
      assert.ok((await entriesOf(world, 'session.opened')) - opened <= 2);
    });

    for (const answer of ['no', 'yes'] as const)
      test(`P15 signing out of one of two services, asked on the other instance and answered ${answer}`, on, async () => {
        await blank();
        const [x, y] = [await delegated('colette', a, true), await delegated('colette', b, false)];
        assert.deepEqual(await live([x, y]), ['delegated colette', 'delegated colette']);
        const tab = new Tab(world, aidant, second);
        const out = new URL(`${world.app.site.issuer}/session/end`);
        out.search = new URLSearchParams({
          id_token_hint: y?.idToken ?? '',
          post_logout_redirect_uri: `http://localhost:9/${b.id}/bye`,
          state: 'e',
        }).toString();
        await tab.open(out);
        const back = await tab.send('op.logoutForm', answer === 'yes' ? { logout: 'yes' } : {}, `http://localhost:9/${b.id}/bye`);
        assert.deepEqual([back.url.pathname, back.url.searchParams.get('state')], [`/${b.id}/bye`, 'e']);
        assert.deepEqual(await live([x, y]), answer === 'yes' ? [] : ['delegated colette']);
        assert.equal(await endOf(world, y?.session), 'signed_out', 'the service that asked has its end, whatever was answered');
        assert.equal(await endOf(world, x?.session), answer === 'yes' ? 'signed_out' : 'live');
      });

    test('no fault of ours was logged meanwhile', on, () => {
      assert.deepEqual(
        faults(world).filter((line) => (line as { event?: string }).event !== 'delivery'),
        [],
      );
    });
  });
