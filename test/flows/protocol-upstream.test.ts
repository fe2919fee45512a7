import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { faults, inEachWorld, stateOf } from '../support/protocol.ts';
import { entriesOf, type World } from '../support/world.ts';

/** Claim P14: an answer of one federation is worth nothing at the other, nor when it says that it comes from elsewhere. */
inEachWorld(({ world, kind }) => {
  const refusals = async (it: World): Promise<number> =>
    (await entriesOf(it, 'aidant.sign-in-refused')) + (await entriesOf(it, 'usager.sign-in-refused'));

  /** Whether the browser holds a session that somebody signed in to. */
  const signedIn = async (it: World): Promise<number> =>
    Number((await it.sql("select count(*)::int n from web_session where kind <> 'anonymous' and ended_at is null"))[0]?.['n']);

  /** Starts a sign-in and stops at the callback, which is not opened. */
  const answerOf = async (walker: Walker, from: 'proconnect' | 'franceconnect', identity: string): Promise<URL> => {
    const { relais } = world().places;
    const page = await walker.open(`${relais}/connexion/${from}`);
    const back = await walker.open(page.url, { identity }, `${relais}/connexion/${from}/retour`);
    assert.equal(back.url.pathname, `/connexion/${from}/retour`);
    assert.ok(back.url.searchParams.get('code') && back.url.searchParams.get('iss'));
    return back.url;
  };

  const assertRefused = async (walker: Walker, url: URL | string): Promise<void> => {
    const it = world();
    const before = {
      state: await stateOf(it),
      refused: await refusals(it),
      sessions: await signedIn(it),
      signedIn: await entriesOf(it, 'usager.signed-in'),
    };
    const page = await walker.open(url);
    assert.equal(page.status, 403, `${url} ${page.status}`);
    assert.equal(page.url.origin, it.places.relais);
    assert.deepEqual(
      [await stateOf(it), await refusals(it), await signedIn(it), await entriesOf(it, 'usager.signed-in')],
      [before.state, before.refused + 1, before.sessions, before.signedIn],
    );
    for (const space of ['/usager', '/aidant']) assert.equal((await walker.ask(`${it.places.relais}${space}`)).status, 303);
  };

  for (const [from, to, identity] of [
    ['franceconnect', 'proconnect', 'colette'],
    ['proconnect', 'franceconnect', 'karim'],
  ] as const)
    test(`P14 a code of ${from} at the callback of ${to} opens nothing`, { database: kind }, async () => {
      const walker = new Walker();
      const right = await answerOf(walker, from, identity);
      const wrong = new URL(right);
      wrong.pathname = `/connexion/${to}/retour`;
      await assertRefused(walker, wrong);
      // The attempt is used up: its own callback no longer takes it either.
      await assertRefused(walker, right);
      // With the state of a sign-in that really waits at the other one, and the issuer of either.
      for (const iss of ['kept', 'theirs'] as const) {
        const mixer = new Walker();
        const code = (await answerOf(mixer, from, identity)).searchParams;
        const waiting = await mixer.ask(`${world().places.relais}/connexion/${to}`);
        const state = new URL(waiting.headers.get('location') ?? '').searchParams.get('state') ?? '';
        const mixed = new URL(wrong);
        mixed.search = new URLSearchParams({
          code: code.get('code') ?? '',
          state,
          iss: iss === 'kept' ? (code.get('iss') ?? '') : world().demonstration[to].issuer,
        }).toString();
        const before = { refused: await refusals(world()), sessions: await signedIn(world()) };
        const page = await mixer.open(mixed);
        assert.deepEqual([page.status, page.url.origin], [403, world().places.relais], iss);
        assert.deepEqual([await refusals(world()), await signedIn(world())], [before.refused + 1, before.sessions]);
      }
    });

  for (const name of ['franceconnect', 'proconnect'] as const)
    test(`P14 an answer of ${name} that names another issuer, or none, opens nothing`, { database: kind }, async () => {
      const it = world();
      const identity = name === 'proconnect' ? 'karim' : 'colette';
      it.demonstration[name].setFault('wrong-callback-iss');
      try {
        const walker = new Walker();
        const url = await answerOf(walker, name, identity);
        assert.match(url.searchParams.get('iss') ?? '', /another-issuer/);
        await assertRefused(walker, url);
      } finally {
        it.demonstration[name].setFault(undefined);
      }
      const walker = new Walker();
      const url = await answerOf(walker, name, identity);
      url.searchParams.delete('iss');
      await assertRefused(walker, url);
    });

  test('P14 an error or a code that the federation did not give is refused, and is no fault of ours', { database: kind }, async () => {
    for (const changes of [
      { code: 'x'.repeat(43) },
      { code: '' },
      { error: 'access_denied' },
      { error: '<script>' },
      { error: 'invalid_request' },
    ] as Record<string, string>[]) {
      const walker = new Walker();
      const url = await answerOf(walker, 'franceconnect', 'colette');
      if (changes['error'] !== undefined) url.searchParams.delete('code');
      for (const [key, value] of Object.entries(changes)) url.searchParams.set(key, value);
      await assertRefused(walker, url);
    }
  });

  test('P14 a state that this browser did not start is refused, whatever it looks like', { database: kind }, async () => {
    const theirs = await answerOf(new Walker(), 'franceconnect', 'colette');
    await assertRefused(new Walker(), theirs);
    const walker = new Walker();
    await walker.open(`${world().places.relais}/connexion/franceconnect`);
    await assertRefused(walker, theirs);
    for (const state of ['', '__proto__', 'constructor', 'toString', 'x'.repeat(3000)]) {
      const url = new URL(theirs);
      url.searchParams.set('state', state);
      await assertRefused(walker, url);
    }
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
