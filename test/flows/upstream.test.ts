import { type App, createApp } from '../../src/app.ts';
import { startSignerWorker } from '../../src/journal/signer-client.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { FAULTS, type Fault } from '../../src/practice/faults.ts';
import { startFranceConnect } from '../../src/practice/franceconnect.ts';
import { franceConnectSub, STAFF } from '../../src/practice/identities.ts';
import { startProConnect } from '../../src/practice/proconnect.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { stateOf } from '../support/state.ts';
import { Tab } from '../support/tabs.ts';
import { entriesOf, signedInAidant, type World } from '../support/world.ts';

type Name = 'proconnect' | 'franceconnect';
const DOORS: Readonly<Record<Name, { readonly door: string; readonly identity: string; readonly entry: string }>> = {
  proconnect: { door: '/connexion/proconnect?vers=/aidant', identity: 'karim', entry: 'aidant.sign-in-refused' },
  franceconnect: { door: '/connexion/franceconnect', identity: 'colette', entry: 'usager.sign-in-refused' },
};

/** What each fault is answered with; those that hang are timed apart (claim U1). */
const ANSWERS: Readonly<Record<Exclude<Fault, 'hang' | 'hang-discovery' | 'hang-userinfo'>, string>> = {
  garbage: 'upstream_invalid',
  'http-500': 'upstream_unavailable',
  'wrong-nonce': 'upstream_invalid',
  'wrong-aud': 'upstream_invalid',
  'wrong-iss': 'upstream_invalid',
  'wrong-callback-iss': 'upstream_invalid',
  'low-acr': 'upstream_weak',
  'no-acr': 'upstream_weak',
  'none-alg': 'upstream_invalid',
  hs256: 'upstream_invalid',
  'bad-signature': 'upstream_invalid',
  expired: 'upstream_invalid',
  'userinfo-sub': 'upstream_invalid',
  'userinfo-unsigned': 'upstream_invalid',
  'ignore-mfa': 'upstream_weak',
};

const arrive = async (world: World, name: Name, walker: Walker, identity = DOORS[name].identity): Promise<Page> => {
  const idp = await walker.open(new URL(DOORS[name].door, world.places.relais));
  return idp.url.pathname.startsWith('/interaction/') ? walker.open(idp.url, { identity }) : idp;
};

const heldBy = async (world: World, walker: Walker): Promise<string | undefined> => {
  const cookie = /relais_session=([^;]+)/.exec(walker.cookieHeader(new URL(world.places.relais)))?.[1];
  const session = await world.app.site.webSessions.find(cookie);
  assert.equal(session?.data.pending, undefined, 'nobody waits for a second factor');
  return session?.kind;
};

/** A second application on the same database, in front of another federation; for one test. */
const appWith = async <T>(
  world: World,
  change: Partial<World['demonstration']['config']>,
  work: (app: App, origin: string) => Promise<T>,
): Promise<T> => {
  const { config } = world.demonstration;
  const app = await createApp({
    config: { ...config, ...change },
    database: world.database,
    clock: systemClock,
    log: () => undefined,
    signer: (origin) =>
      startSignerWorker({ folder: `${config.varFolder}/signer`, privateKeyPem: config.keys.pem('journal-ed25519').reveal(), origin }),
    sendMessage: async () => undefined,
  });
  try {
    const { port } = new URL(await app.http.listen({ host: 'localhost', port: 0 }));
    return await work(app, `http://localhost:${port}`);
  } finally {
    await app.close();
  }
};

inEachWorld(({ world, kind }) => {
  for (const name of ['proconnect', 'franceconnect'] as const)
    test(`U4 each bad answer of ${name} is refused: nobody is signed in, nothing is written but one entry`, {
      database: kind,
      atLeast: 90,
    }, async () => {
      const it = world();
      assert.deepEqual(
        FAULTS.filter((fault) => !fault.startsWith('hang')).sort(),
        Object.keys(ANSWERS).sort(),
        'a new fault of the simulators has its answer here',
      );
      const { entry } = DOORS[name];
      for (const [fault, code] of Object.entries(ANSWERS) as [Fault, string][]) {
        if (fault === 'ignore-mfa' && name === 'franceconnect') continue;
        const walker = new Walker();
        const entries = await entriesOf(it, entry);
        const apart = [
          'public.web_session',
          'journal.queue',
          'journal.leaf',
          'journal.head',
          'journal.payload',
          'journal.projection',
          'journal.receipt',
          'journal.checkpoint',
        ];
        const start = await stateOf(it, apart);
        it.demonstration[name].setFault(fault);
        const page = await arrive(it, name, walker, fault === 'ignore-mfa' ? 'sans-mfa' : undefined).finally(() =>
          it.demonstration[name].setFault(undefined),
        );
        const stays = !page.url.href.startsWith(it.places.relais);
        assert.equal(stays, false, `${fault}: back at ours: ${page.url.href}`);
        assert.ok(page.status >= 400 && page.status < 600, `${fault}: ${page.status}`);
        assert.match(page.html, new RegExp(code), `${fault}: ${textOf(page).slice(0, 300)}`);
        assert.equal(await heldBy(it, walker), 'anonymous', fault);
        assert.equal(await entriesOf(it, entry), entries + 1, `${fault}: one entry`);
        assert.deepEqual(await stateOf(it, apart), start, `${fault}: nothing else`);
        const [last] = await it.sql('select usager, aidant, outcome from journal.projection where type = $1 order by idx desc limit 1', [entry]);
        assert.deepEqual(last, { usager: null, aidant: null, outcome: 'refused' }, `${fault}: of nobody`);
      }
      const good = await arrive(it, name, new Walker());
      assert.equal(good.status, 200, 'an honest answer is accepted again');
    });

  test('U4 a person who gives up at the federation comes back to a page that says so', { database: kind }, async () => {
    const it = world();
    for (const name of ['proconnect', 'franceconnect'] as const) {
      const walker = new Walker();
      const entries = await entriesOf(it, DOORS[name].entry);
      const idp = await walker.open(new URL(DOORS[name].door, it.places.relais));
      const page = await walker.open(idp.url, { abort: 'oui' });
      assert.equal(page.status, 403);
      assert.match(page.html, /upstream_refused/);
      assert.equal(await entriesOf(it, DOORS[name].entry), entries + 1);
    }
  });

  test('U1 a federation that does not answer costs 5 s and a page, then nothing for a while; everything else goes on', {
    database: kind,
  }, async () => {
    const it = world();
    it.advance(0); // the clock stands still: how long the door stays closed is decided below
    const aidant = await signedInAidant(it);
    const entries = await entriesOf(it, 'aidant.sign-in-refused');
    it.demonstration.proconnect.setFault('hang');
    try {
      const hung = async (): Promise<{ page: Page; ms: number }> => {
        const walker = new Walker();
        const idp = await walker.open(new URL(DOORS.proconnect.door, it.places.relais));
        const start = performance.now();
        const page = await walker.open(idp.url, { identity: 'karim' });
        assert.equal(await heldBy(it, walker), 'anonymous');
        return { page, ms: performance.now() - start };
      };
      const waiting = Promise.all([hung(), hung(), hung()]);
      await new Promise((resolve) => setTimeout(resolve, 300)); // they are in front of the silent endpoint by now
      const start = performance.now();
      const usager = new Walker();
      await signInUsager(usager, it.places, 'colette');
      assert.equal((await aidant.ask(`${it.places.relais}/aidant`)).status, 200);
      assert.equal((await new Walker().ask(`${it.places.relais}/health/ready`)).status, 200);
      assert.ok(performance.now() - start < 4000, 'the rest does not wait for it');
      for (const { page, ms } of await waiting) {
        assert.equal(page.status, 503);
        assert.match(page.html, /upstream_unavailable/);
        assert.match(textOf(page), /essayez encore/, 'what to do');
        assert.ok(ms > 4000 && ms < 8000, `${Math.round(ms)} ms`);
      }
      assert.equal(await entriesOf(it, 'aidant.sign-in-refused'), entries + 3, 'one entry each');
      const closed = performance.now();
      const refused = await new Walker().ask(new URL(DOORS.proconnect.door, it.places.relais));
      assert.equal(refused.status, 503, 'the door is closed: nobody else waits');
      assert.match(await refused.text(), /upstream_unavailable/);
      assert.ok(performance.now() - closed < 2000);
      assert.equal((await new Walker().ask(new URL(DOORS.franceconnect.door, it.places.relais))).status, 303, 'the other federation’s is open');
      it.demonstration.proconnect.setFault(undefined);
      it.advance(3001);
      assert.equal((await arrive(it, 'proconnect', new Walker())).url.pathname, '/connexion/code', 'and opens again by itself');
    } finally {
      it.demonstration.proconnect.setFault(undefined);
    }
  });

  test('U1 metadata or userinfo that do not come: 5 s as well', { database: kind }, async () => {
    const it = world();
    const timed = async (work: () => Promise<Page>): Promise<void> => {
      const start = performance.now();
      const page = await work();
      const ms = performance.now() - start;
      assert.equal(page.status, 503);
      assert.match(page.html, /upstream_unavailable/);
      assert.ok(ms > 4000 && ms < 8000, `${Math.round(ms)} ms`);
    };
    it.demonstration.franceconnect.setFault('hang-userinfo');
    it.demonstration.proconnect.setFault('hang-discovery');
    try {
      await Promise.all([
        timed(() => arrive(it, 'franceconnect', new Walker())),
        appWith(it, {}, (_app, origin) => timed(() => arrive(it, 'proconnect', new Tab(it, new Walker(), origin)))),
      ]);
    } finally {
      it.demonstration.franceconnect.setFault(undefined);
      it.demonstration.proconnect.setFault(undefined);
    }
  });

  test('U5 the same subject from another federation is somebody else', { database: kind }, async () => {
    const it = world();
    const { config } = it.demonstration;
    const client = (name: Name) => ({
      id: config[name].clientId,
      secret: config[name].clientSecret.reveal(),
      redirectUris: [`${it.places.relais}/connexion/${name}/retour`],
      postLogoutRedirectUris: [`${it.places.relais}/connexion/${name}/sortie`],
    });
    const [pro, france] = await Promise.all([
      startProConnect({ port: 0, clients: [client('proconnect')] }),
      startFranceConnect({ port: 0, clients: [client('franceconnect')] }),
    ]);
    const change = { proconnect: { ...config.proconnect, issuer: pro.issuer }, franceconnect: { ...config.franceconnect, issuer: france.issuer } };
    try {
      await signInUsager(new Walker(), it.places, 'colette');
      await appWith(it, change, async (_app, origin) => {
        const stranger = new Tab(it, new Walker(), origin);
        const page = await arrive(it, 'proconnect', stranger);
        assert.equal(page.status, 403);
        assert.match(page.html, /not_habilitated/, 'Karim’s subject at another issuer is not Karim');
        assert.equal(await heldBy(it, stranger), 'anonymous');
        await signInUsager(new Tab(it, new Walker(), origin), it.places, 'colette');
      });
      const sub = franceConnectSub('colette', config.franceconnect.clientId);
      const known = await it.sql('select iss, usager_id from usager_identity where sub = $1 order by iss', [sub]);
      assert.equal(known.length, 2);
      assert.equal(new Set(known.map((row) => row['usager_id'])).size, 2, 'two issuers, two people');
      const karim = STAFF.find(({ id }) => id === 'karim')?.sub ?? '';
      const crossed = await it.app.aidants.recognise(config.franceconnect.issuer, karim);
      assert.deepEqual('refused' in crossed && crossed.refused, 'not_habilitated', 'an aidant’s subject said by FranceConnect');
      assert.equal(await it.app.site.usagers.findByIdentity(config.proconnect.issuer, sub), undefined);
      assert.ok('staff' in (await it.app.aidants.recognise(config.proconnect.issuer, karim)));
    } finally {
      await Promise.all([pro.close(), france.close()]);
    }
  });
});
