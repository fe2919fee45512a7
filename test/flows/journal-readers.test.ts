import { after, before, describe } from 'node:test';
import { KINDS } from '../../src/journal/event.ts';
import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { formOf, type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, csrfOf, entriesSince, eventOf, inTheMorning, mark, personOf, post, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

const SHOWN = Object.entries(KINDS).flatMap(([type, { shown }]) => (shown === true ? [type] : []));
const indexesOn = (page: Page): number[] => [...page.html.matchAll(/<th[^>]*scope="row"[^>]*>(\d+)</g)].map(([, index]) => Number(index));
const linesOn = (page: Page): number[] => [...new Set([...page.html.matchAll(/\/usager\/entrees\/(\d+)/g)].map(([, index]) => Number(index)))];

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let nora: Walker;
    let colette: Walker;
    let service: TestService;
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      service = await world.service('j7-service');
      const karim = await signedInAidant(world);
      // Much happened: two people, acts in and outside the mandate, refusals, a stop, at services of two administrations.
      for (const [person, name] of [
        ['colette', 'Colette Martin'],
        ['jean', 'Jean Petit'],
        ['colette', 'Colette Martin'],
      ] as const) {
        const mandate = await agreed(world, person, ['logement']);
        const { tokens, claims } = await delegatedTokens(world, karim, service, name, 'openid dlg:logement');
        const session = sessionOf(claims);
        const events = Array.from({ length: 14 }, (_, i) =>
          eventOf(service, session, `${session}-${i}`, {
            outcome: i % 5 ? 'success' : 'failure',
            demarche: `${service.id}.${i === 3 ? 'famille' : 'logement'}`,
          }),
        );
        assert.equal((await reportAt(world, tokens.access_token, events)).status, 207);
        await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      }
      await world.app.flushJournal();
      colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      nora = new Walker();
      await signInStaff(nora, world.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (places, name) =>
        world.code(places, name),
      );
    });
    after(() => world.close());

    /** Every index that the agent's pages show, from the first to the last. */
    const readByAgent = async (fields: Readonly<Record<string, string>>): Promise<number[]> => {
      await nora.open(`${world.places.relais}/administration`);
      let page = await nora.send('journal-query', fields);
      const all = indexesOn(page);
      for (let turns = 0; page.html.includes('id="older"') && turns < 40; turns++) {
        page = await nora.send('older');
        all.push(...indexesOn(page));
      }
      return all;
    };
    /** Every index that her page shows. */
    const readByHer = async (): Promise<number[]> => {
      let page = await colette.open(`${world.places.relais}/usager`);
      const all = linesOn(page);
      for (let turns = 0; turns < 40; turns++) {
        const older = /href="(\/usager\?avant=\d+)"/.exec(page.html)?.[1];
        if (!older) break;
        page = await colette.open(new URL(older, world.places.relais));
        all.push(...linesOn(page));
      }
      return all;
    };

    test(
      title('J7 what the usager reads of an administration’s services is what that administration reads of her, and what the journal holds'),
      on,
      async () => {
        const usager = await personOf(world, 'colette');
        const [administration] = await world.sql('select administration_id from service where id = $1', [service.id]);
        const until = await mark(world); // the readings below are entries too
        const hers = (await readByHer()).filter((index) => index < until);
        const theirs = (await readByAgent({ reason: 'contrôle de la claim J7', service: service.id })).filter((index) => index < until);
        const rows = await world.sql('select idx::int idx, usager, type, service, administration from journal.projection where idx < $1', [until]);
        const row = new Map(rows.map((each) => [Number(each['idx']), each]));
        assert.equal(new Set(hers).size, hers.length);
        assert.equal(new Set(theirs).size, theirs.length);
        const of = (indexes: number[]): number[] =>
          indexes
            .filter(
              (index) =>
                row.get(index)?.['usager'] === usager &&
                row.get(index)?.['service'] === service.id &&
                SHOWN.includes(String(row.get(index)?.['type'])),
            )
            .sort((a, b) => a - b);
        const held = of([...row.keys()]);
        assert.ok(held.length >= 30, `enough happened: ${held.length}`);
        assert.deepEqual(of(hers), held, 'her page');
        assert.deepEqual(of(theirs), held, 'the administration’s page');
        // Nothing of hers is on neither page without the reason that event.ts gives, and nothing of another is on hers.
        for (const index of hers) assert.equal(row.get(index)?.['usager'], usager);
        for (const index of theirs) assert.equal(row.get(index)?.['administration'], administration?.['administration_id']);
        const unseen = [...row.values()].filter((each) => each['usager'] === usager && !hers.includes(Number(each['idx'])));
        for (const each of unseen) assert.ok(!SHOWN.includes(String(each['type'])), `${String(each['type'])} is shown`);
        // The act outside the mandate is on both, and says so.
        const outside = rows.filter((each) => each['type'] === 'action.reported' && each['usager'] === usager && held.includes(Number(each['idx'])));
        assert.equal(outside.length, 28);
        assert.match(textOf(await colette.open(`${world.places.relais}/usager`)), /hors mandat/i);
      },
    );

    test(title('J7 an administration reads nothing of another’s services, whatever it names'), on, async () => {
      const until = await mark(world);
      const hugo = new Walker();
      await signInStaff(hugo, world.places, 'hugo', 'Hugo Roux', '/connexion/proconnect?vers=/administration', (places, name) =>
        world.code(places, name),
      );
      const [session] = await world.sql('select id from delegated_session where service_id = $1 limit 1', [service.id]);
      for (const fields of [{}, { service: service.id }, { session: String(session?.['id']) }, { demarche: `${service.id}.logement` }]) {
        await hugo.open(`${world.places.relais}/administration`);
        const page = await hugo.send('journal-query', { reason: 'contrôle', ...fields });
        const rows = await world.sql('select distinct administration from journal.projection where idx = any($1::bigint[])', [
          indexesOn(page).filter((index) => index < until),
        ]);
        const own = await world.sql("select id from administration where name like 'Impôts%'");
        assert.ok(
          rows.every((each) => each['administration'] === own[0]?.['id']),
          JSON.stringify(fields),
        );
      }
    });

    test(title('J8 each reading is an entry with its reason, which the person reads; a page more is a reading more'), on, async () => {
      const usager = await personOf(world, 'colette');
      const jean = await personOf(world, 'jean');
      for (const [reason, fields] of [
        ['vérification du dossier 2026-77', { service: service.id }],
        ['« réclamation » d’août', { service: service.id, outcome: 'failure' }],
      ] as const) {
        const from = await mark(world);
        await nora.open(`${world.places.relais}/administration`);
        const page = await nora.send('journal-query', { reason, ...fields });
        const seen = indexesOn(page);
        assert.ok(seen.length > 0);
        const entries = (await entriesSince(world, from)).filter((entry) => entry.type === 'journal.read');
        const people = await world.sql('select distinct usager from journal.projection where idx = any($1::bigint[])', [seen]);
        assert.equal(entries.length, people.length, 'one entry a person concerned');
        for (const entry of entries) {
          const detail = entry.detail as { reason: string; entries: number; administrationName: string };
          assert.deepEqual([detail.reason, detail.administrationName], [reason, 'Allocations de démonstration']);
          const [count] = await world.sql(
            'select count(*)::int n from journal.projection where idx = any($1::bigint[]) and usager is not distinct from $2',
            [seen, entry.usager ?? null],
          );
          assert.equal(detail.entries, count?.['n'], 'and how many of hers were read');
        }
        assert.ok(entries.some((entry) => entry.usager === usager) && entries.some((entry) => entry.usager === jean));
        assert.ok(textOf(await colette.open(`${world.places.relais}/usager`)).includes(reason), 'she reads the reason');
        if (page.html.includes('id="older"')) {
          const next = await mark(world);
          nora.page = page;
          await nora.send('older');
          assert.ok(
            (await entriesSince(world, next)).some((entry) => entry.type === 'journal.read'),
            'the next page is another reading',
          );
        }
      }
      const from = await mark(world);
      await nora.open(`${world.places.relais}/administration`);
      const none = await nora.send('journal-query', { reason: 'recherche sans résultat', theme: 'justice' });
      assert.deepEqual(indexesOn(none), []);
      assert.equal(
        (await entriesSince(world, from)).filter((entry) => entry.type === 'journal.read').length,
        1,
        'a reading that finds nothing is written down too',
      );
      assert.equal((await colette.open(`${world.places.relais}/usager`)).status, 200);
      const written = (await entriesSince(world, from)).filter((entry) => entry.type !== 'log.heartbeat');
      assert.deepEqual(
        written.map((entry) => entry.type),
        ['journal.read'],
        'reading one’s own journal is no entry',
      );
    });

    test(title('J8 without a reason nothing is read; if the reading cannot be written down, nothing is shown'), on, async () => {
      const csrf = await csrfOf(world, nora, '/administration');
      const from = await mark(world);
      for (const reason of ['', '   ', '\u00a0', 'x'.repeat(201), 'deux\nlignes', '\u202Etrompeur', undefined]) {
        const answer = await post(world, nora, '/administration/journal', {
          _csrf: csrf,
          ...(reason === undefined ? {} : { reason }),
          service: service.id,
        });
        const page = { html: await answer.text() } as Page;
        assert.equal(answer.status, 422, JSON.stringify(reason));
        assert.deepEqual(indexesOn(page), []);
        assert.ok(!page.html.includes('dls_'));
      }
      const byAddress = await nora.ask(`${world.places.relais}/administration?reason=curiosit%C3%A9&service=${service.id}`);
      assert.deepEqual(indexesOn({ html: await byAddress.text() } as Page), [], 'an address reads nothing');
      const opened = await nora.ask(`${world.places.relais}/administration/journal?reason=curiosit%C3%A9`);
      assert.equal(opened.status, 404);
      assert.equal(await mark(world), from);
      await world.sql(`create function journal.test_no_read() returns trigger language plpgsql as $$
        begin if new.type = 'journal.read' then raise exception 'no'; end if; return new; end $$`);
      await world.sql('create trigger test_no_read before insert on journal.queue for each row execute function journal.test_no_read()');
      const answer = await post(world, nora, '/administration/journal', { _csrf: csrf, reason: 'un motif', service: service.id });
      await world.sql('drop trigger test_no_read on journal.queue');
      assert.ok(answer.status >= 500);
      const html = await answer.text();
      assert.ok(!html.includes('dls_') && indexesOn({ html } as Page).length === 0);
      assert.equal(await mark(world), from);
      assert.ok(formOf(await nora.open(`${world.places.relais}/administration`), 'journal-query'));
    });
  });
