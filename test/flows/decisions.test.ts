import { AsyncLocalStorage } from 'node:async_hooks';
import { globSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join, resolve } from 'node:path';
import { after, before, describe } from 'node:test';
import { commands } from '../../src/cli/run.ts';
import { effectiveSettings } from '../../src/config/effective.ts';
import { isPublic } from '../../src/journal/entry.ts';
import { type Entry, type EventType, KINDS, PARTIES } from '../../src/journal/event.ts';
import { noteSettings } from '../../src/persistence/settings.ts';
import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { markedDetail, TYPES } from '../journal/made.ts';
import { csrfOf, entriesSince, eventOf, inTheMorning, introspectAt, mark, post, redeemAt, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { COMMANDS, ENDPOINTS, JOBS, NOT_YET, ROUTES, type Says } from '../support/declared.ts';
import { routesOf } from '../support/routes.ts';
import { delegatedTokens, entriesOf, mandateByPages, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

const root = resolve(import.meta.dirname, '../..');
const undeclared = (there: readonly string[], declared: Readonly<Record<string, Says>>): string[] =>
  there.filter((name) => !Object.hasOwn(declared, name));
const gone = (there: readonly string[], declared: Readonly<Record<string, Says>>): string[] =>
  Object.keys(declared).filter((name) => !there.includes(name));

/** Says which route, endpoint or job an entry was written from, without asking the code that writes it. */
const observe = (world: World) => {
  const { app } = world;
  const within = new AsyncLocalStorage<string>();
  const seen = new Map<string, Set<EventType>>();
  const patterns = routesOf(world)
    .filter(({ path }) => path !== '/*')
    .map((route) => ({ ...route, pattern: new RegExp(`^${route.path.replace(/:[a-z]+/g, '[^/]+').replace(/\*/g, '.*')}$`) }))
    .sort((a, b) => Number(a.path.includes(':')) - Number(b.path.includes(':')));
  const nameOf = ({ method, url = '' }: IncomingMessage): string => {
    const path = url.split('?')[0] ?? '';
    if (path.startsWith('/oidc/')) return path;
    const route = patterns.find((each) => each.method === method && each.pattern.test(path));
    return route ? `${route.method} ${route.path}` : `${method} ${path}`;
  };
  app.http.server.prependListener('request', (request: IncomingMessage) => within.enterWith(nameOf(request)));
  const note = (entry: Entry): void => {
    const door = within.getStore() ?? 'itself';
    seen.set(door, (seen.get(door) ?? new Set()).add(entry.type));
  };
  const { journal } = app;
  const { record, recordAll, seal } = journal;
  Object.assign(journal, {
    record: (...given: Parameters<typeof record>) => {
      note(given[1]);
      return record(...given);
    },
    recordAll: (...given: Parameters<typeof recordAll>) => {
      for (const { entry } of given[1]) note(entry);
      return recordAll(...given);
    },
    seal: (...given: Parameters<typeof seal>) => {
      note(given[0]);
      return seal(...given);
    },
  });
  return seen;
};

/** Doors that other tests compare with their own lists: files of the page, and the log that anybody may copy. */
const FILES = /^(?:GET|HEAD) (?:\/assets\/|\/log\/|\/\*)|^HEAD |^[A-Z]+ \/\*$/;

describe('decisions', () => {
  let world: World;
  let karim: Walker;
  let service: TestService;
  let seen: Map<string, Set<EventType>>;
  const [database] = databases();

  before(async () => {
    if (!database) throw new Error('no database');
    world = await openWorld(database);
    inTheMorning(world);
    seen = observe(world);
    service = await world.service('decided');
  });
  after(() => world.close());

  test('J1 every route says what it decides, or why it decides nothing', () => {
    const there = routesOf(world)
      .map(({ method, path }) => `${method} ${path}`)
      .filter((route) => !FILES.test(route));
    assert.deepEqual(undeclared(there, ROUTES), [], 'declare it in test/support/declared.ts');
    assert.deepEqual(gone(there, ROUTES), []);
  });

  test('J1 every endpoint of the provider says what it decides', async () => {
    const metadata = (await (await fetch(`${world.app.site.issuer}/.well-known/openid-configuration`)).json()) as Record<string, unknown>;
    const there = Object.keys(metadata).filter((name) => /_endpoint$|^jwks_uri$/.test(name));
    assert.deepEqual(undeclared(there, ENDPOINTS), []);
    assert.deepEqual(gone(there, ENDPOINTS), []);
  });

  test('J1 every command and every job says what it decides', () => {
    const names = commands.map(({ name }) => name);
    assert.deepEqual(undeclared(names, COMMANDS), [], 'declare it in test/support/declared.ts');
    assert.deepEqual(gone(names, COMMANDS), []);
    const joined = ['app-jobs.ts', 'app-signals.ts'].map((file) => readFileSync(join(root, 'src', file), 'utf8')).join('\n');
    const jobs = [...joined.matchAll(/name: '([a-z-]+)',\s+everyMs/g)].map(([, name = '']) => name);
    assert.ok(jobs.length > 5);
    assert.deepEqual(undeclared(jobs, JOBS), [], 'declare it in test/support/declared.ts');
    assert.deepEqual(gone(jobs, JOBS), []);
  });

  test('J1 every kind of the set is written somewhere, but those that wait for their part', () => {
    const files = globSync('src/**/*.{ts,tsx}', { cwd: root }).filter((file) => file !== 'src/journal/event.ts');
    const code = files.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
    const unwritten = (Object.keys(KINDS) as EventType[]).filter((type) => !new RegExp(`(?:type: |[?:] )'${type}'`).test(code));
    assert.deepEqual(
      unwritten.filter((type) => !NOT_YET.includes(type)),
      [],
    );
  });

  test('J1 what is driven through its door writes the entries that the door declares, and no other', async () => {
    const { places } = world;
    karim = await signedInAidant(world);
    const mandate = await mandateByPages(world, karim, 'colette', ['logement', 'famille']);
    const { tokens, claims, request, callback } = await delegatedTokens(world, karim, service, 'Colette Martin');
    assert.equal((await reportAt(world, tokens.access_token, eventOf(service, sessionOf(claims), 'one'))).status, 202);
    assert.ok((await introspectAt(world, service, tokens.access_token)).active);
    const colette = new Walker();
    await signInUsager(colette, places, 'colette');
    const [act] = (await entriesSince(world, 0)).filter(({ type }) => type === 'action.reported');
    const csrf = await csrfOf(world, colette, '/usager');
    assert.equal((await post(world, colette, `/usager/entrees/${act?.index}/desaccord`, { _csrf: csrf })).status, 303);
    const nora = new Walker();
    await signInStaff(nora, places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (at, name) => world.code(at, name));
    await nora.send('journal-query', { reason: 'contrôle' });
    assert.equal((await post(world, colette, `/usager/mandats/${mandate}/arreter`, { _csrf: csrf })).status, 303);
    const inactive = await mark(world);
    for (let i = 0; i < 3; i++) assert.equal((await introspectAt(world, service, tokens.access_token)).active, false);
    assert.equal((await entriesSince(world, inactive)).filter(({ type }) => type === 'token.inactive').length, 1, 'the same question is one');
    assert.equal((await redeemAt(world, service, request, callback)).status, 400);
    assert.equal((await post(world, karim, '/deconnexion', { _csrf: await csrfOf(world, karim) })).status, 303);
    await world.app.flushJournal();

    const expected: readonly (readonly [string, EventType])[] = [
      ['POST /connexion/code', 'factor.accepted'],
      ['POST /connexion/code', 'aidant.signed-in'],
      ['POST /connexion/code', 'staff.signed-in'],
      ['POST /aidant/mandats/nouveau/duree', 'mandate.drafted'],
      ['GET /connexion/franceconnect/retour', 'mandate.consented'],
      ['GET /connexion/franceconnect/retour', 'usager.signed-in'],
      ['POST /aidant/mandats/brouillon/:id/signer', 'mandate.created'],
      ['POST /interaction/:uid/confirmer', 'session.opened'],
      ['/oidc/token', 'token.issued'],
      ['/oidc/token', 'token.refused'],
      ['/oidc/introspection', 'token.inactive'],
      ['POST /api/v1/actions', 'action.reported'],
      ['POST /usager/entrees/:id/desaccord', 'action.contested'],
      ['POST /administration/journal', 'journal.read'],
      ['POST /usager/mandats/:id/arreter', 'mandate.revoked'],
      ['POST /usager/mandats/:id/arreter', 'session.ended'],
      ['POST /deconnexion', 'aidant.signed-out'],
    ];
    for (const [door, type] of expected) assert.ok(seen.get(door)?.has(type), `${door} writes ${type}: ${[...(seen.get(door) ?? [])].join(', ')}`);
    const endpoints: Readonly<Record<string, Says>> = {
      '/oidc/token': ENDPOINTS['token_endpoint'] ?? '',
      '/oidc/introspection': ENDPOINTS['introspection_endpoint'] ?? '',
    };
    for (const [door, types] of seen) {
      if (door === 'itself') continue;
      const says = ROUTES[door] ?? endpoints[door] ?? '';
      // What was queued may leave while the request that queued it is still being answered.
      for (const type of types)
        if (!JOBS['deliver']?.includes(type))
          assert.ok(typeof says !== 'string' && says.includes(type), `${door} writes ${type}, which it does not declare`);
    }
  });

  test('J1 a detail that is not as the set says is a fault, and nothing is written', async () => {
    const from = await mark(world);
    const { journal, site } = world.app;
    const wrong = { type: 'mandate.barred', detail: { reason: 'x' } } as unknown as Entry;
    const more = { type: 'log.heartbeat', detail: { name: 'Colette' } } as unknown as Entry;
    for (const entry of [wrong, more, { type: 'nothing', detail: {} } as unknown as Entry]) {
      await assert.rejects(
        site.transactions.run((tx) => journal.record(tx, entry)),
        { code: 'journal_detail' },
      );
      await assert.rejects(
        site.transactions.run((tx) => journal.recordAll(tx, [{ entry }])),
        { code: 'journal_detail' },
      );
    }
    assert.deepEqual(
      (await entriesSince(world, from)).filter(({ type }) => type !== 'log.heartbeat'),
      [],
    );
  });

  test('J1 settings that changed since the last start are one entry, by their names; nothing of what they hold is kept', async () => {
    const [first] = (await entriesSince(world, 0)).filter(({ type }) => type === 'configuration.changed');
    assert.equal(await entriesOf(world, 'configuration.changed'), 1);
    const { what } = (first?.detail ?? { what: [] }) as { what: string[] };
    assert.ok(['mode', 'publicUrl', 'helpNumber', 'key payload-kek'].every((name) => what.includes(name)));
    const { config } = world.demonstration;
    const settings = effectiveSettings(config);
    assert.deepEqual([...effectiveSettings({ ...config, port: 1, logLevel: config.logLevel, varFolder: '/elsewhere' })], [...settings]);
    const kept = JSON.stringify(await world.sql('select * from setting'));
    for (const said of [config.publicUrl, config.helpNumber, config.proconnect.clientSecret.reveal(), config.proconnect.clientId])
      assert.ok(!kept.includes(said));
    const note = (given: Parameters<typeof noteSettings>[1]) => world.app.site.transactions.run((tx) => noteSettings(tx, given));
    assert.deepEqual(await note(settings), [], 'the next start changes nothing');
    const changed = effectiveSettings({ ...config, helpNumber: '0 800 11 11 11', mailFrom: 'autre@relais.example' });
    const both = await Promise.all([note(changed), note(changed)]);
    assert.deepEqual(both.flat().sort(), ['helpNumber', 'mailFrom'], 'of two that start at once, one is told');
  });

  test('V1 whatever kind is written, the bytes of its leaf hold nothing of its parties nor of its detail', async () => {
    const from = await mark(world);
    const canary = 'zqxjk';
    const parties = Object.fromEntries(PARTIES.map((party) => [party, `${canary}-${party}`]));
    // The others say in clear what everybody must be able to account for; written by hand they would mislead the verifier.
    const kinds = TYPES.filter((type) => !isPublic(type));
    const entries = kinds.map((type) => ({
      entry: { type, ...parties, detail: markedDetail(type, (name) => `${canary} ${name}`) } as unknown as Entry,
    }));
    await world.app.site.transactions.run((tx) => world.app.journal.recordAll(tx, entries));
    await world.app.flushJournal();
    const leaves = await world.sql("select convert_from(leaf, 'utf8') leaf from journal.leaf where idx >= $1", [from]);
    assert.ok(leaves.length >= kinds.length);
    for (const { leaf } of leaves) assert.ok(!String(leaf).includes(canary), String(leaf));
    const read = (await world.app.journal.read(world.database.auto, { usager: `${canary}-usager`, limit: 500 })).map(({ type }) => type);
    assert.deepEqual([...new Set(read)].sort(), [...kinds].sort(), 'and all of them were written');
  });

  test('J1 a checkpoint that the signer refuses is an entry, once an hour', async () => {
    await world.app.flushJournal();
    const written = () =>
      world.sql(`select type from journal.queue where type = 'checkpoint.refused'
        union all select type from journal.projection where type = 'checkpoint.refused'`);
    const before = (await written()).length;
    await world.sql("update journal.head set root = decode(repeat('ab', 32), 'hex')");
    for (const end = performance.now() + 8000; performance.now() < end && (await written()).length === before; )
      await world.app.flushJournal().catch(() => undefined);
    for (let i = 0; i < 3; i++) await world.app.flushJournal().catch(() => undefined);
    assert.equal((await written()).length - before, 1);
  });
});
