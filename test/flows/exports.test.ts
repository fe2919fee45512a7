import { after, before, describe } from 'node:test';
import { leafHash } from '../../src/journal/tree.ts';
import { newId } from '../../src/kernel/ids.ts';
import { row } from '../../src/persistence/database.ts';
import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { csvCell } from '../../src/web/spaces/export-file.ts';
import { agreed, csrfOf, entriesSince, eventOf, inTheMorning, mark, personOf, post, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

const FILE = /^attachment; filename="journal-\d{4}-\d{2}-\d{2}\.(csv|json)"$/;
const EXPORTS = '/administration/exports';

interface Exported {
  readonly entries: { readonly index: number; readonly aidant?: string; readonly usager?: string; readonly leaf: { hash: string; bytes: string } }[];
}

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let nora: Walker;
    let hugo: Walker;
    let service: TestService;
    let administration: string;
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    const agent = async (id: string, who: string): Promise<Walker> => {
      const walker = new Walker();
      await signInStaff(walker, world.places, id, who, '/connexion/proconnect?vers=/administration', (places, name) => world.code(places, name));
      return walker;
    };
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      service = await world.service('j9-service');
      const karim = await signedInAidant(world);
      await agreed(world, 'colette', ['logement', 'famille']);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:logement');
      const events = Array.from({ length: 12 }, (_, i) => eventOf(service, sessionOf(claims), `j9-${i}`, { reference: `=1+${i}` }));
      assert.equal((await reportAt(world, tokens.access_token, events)).status, 202);
      administration = String((await world.sql('select administration_id from service where id = $1', [service.id]))[0]?.['administration_id']);
      nora = await agent('nora', 'Nora Lefèvre');
      hugo = await agent('hugo', 'Hugo Roux');
      await world.app.flushJournal();
    });
    after(() => world.close());

    const ask = async (walker: Walker, path: string, fields: Readonly<Record<string, string>>): Promise<Response> =>
      post(world, walker, path, { _csrf: await csrfOf(world, walker, '/administration'), ...fields });
    const asked = (walker: Walker, more: Readonly<Record<string, string>> = {}): Promise<Response> =>
      ask(walker, EXPORTS, { reason: 'contrôle annuel', format: 'json', ...more });
    /** What exports and approvals wrote since a mark: jobs of the house write meanwhile. */
    const exportedSince = async (from: number) => (await entriesSince(world, from)).filter(({ type }) => /^(journal|approval)\./.test(type));
    /** Acts of many people at the service, written as its reports are. */
    const crowd = async (people: number, demarche: string, more: { signInAgain?: boolean } = {}): Promise<void> => {
      const entries = Array.from({ length: people }, () => ({
        entry: {
          type: 'action.reported' as const,
          usager: newId('usg'),
          aidant: newId('aid'),
          service: service.id,
          administration,
          theme: 'logement',
          demarche,
          verb: 'send',
          outcome: 'success',
          detail: { demarcheLabel: 'x', demarcheLabelEn: 'x', at: new Date().toISOString(), outsideMandate: false, ...more },
        },
      }));
      for (let i = 0; i < entries.length; i += 500) await world.database.run((tx) => world.app.journal.recordAll(tx, entries.slice(i, i + 500)));
      await world.app.flushJournal();
    };
    const idOf = async (): Promise<string> =>
      String((await world.sql('select id from journal_export where done_at is null order by asked_at desc, id desc limit 1'))[0]?.['id']);

    test(title('J7 an administration’s file, her page and her statement hold the same leaves of its services'), on, async () => {
      const usager = await personOf(world, 'colette');
      const size = await mark(world);
      const answer = await asked(nora, { service: service.id });
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-disposition') ?? '', FILE);
      const file = (await answer.json()) as Exported;
      const colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      await world.app.flushJournal();
      const statement = await colette.open(`${world.places.relais}/usager/releve?periode=tout`);
      const printed: number[] = [];
      for (let page: Page | undefined = statement; page; ) {
        printed.push(...[...page.html.matchAll(/Ligne (\d+) · code/g)].map(([, index]) => Number(index)));
        const next: string | undefined = /<a (?=[^>]*rel="next")[^>]*href="([^"]+)"/.exec(page.html)?.[1]?.replaceAll('&amp;', '&');
        page = next === undefined ? undefined : await colette.open(new URL(next, world.places.relais));
      }
      const mine = (await (await colette.ask(`${world.places.relais}/api/v1/journal/me?limit=500`)).json()) as Exported;
      const rows = await world.sql(
        "select idx::int idx from journal.projection where usager = $1 and service = $2 and idx < $3 and type like 'action.reported' order by idx",
        [usager, service.id, size],
      );
      const held = rows.map((each) => Number(each['idx']));
      assert.equal(held.length, 12);
      const only = (indexes: readonly number[]): number[] => indexes.filter((index) => held.includes(index)).sort((a, b) => a - b);
      assert.deepEqual(only(file.entries.map(({ index }) => index)), held, 'the file');
      assert.deepEqual(only(printed), held, 'the statement');
      assert.deepEqual(only(mine.entries.map(({ index }) => index)), held, 'her own entries');
      const leaves = await world.sql('select idx::int idx, leaf_hash from journal.leaf');
      const hashes = new Map(leaves.map((each) => [Number(each['idx']), Buffer.from(each['leaf_hash'] as Buffer).toString('base64url')]));
      for (const { index, leaf } of [...file.entries, ...mine.entries]) {
        assert.equal(leaf.hash, hashes.get(index));
        assert.equal(leafHash(Buffer.from(leaf.bytes)).toString('base64url'), leaf.hash);
      }
      // Nothing of the person, and no aidant but under a pseudonym.
      const text = JSON.stringify(file);
      assert.ok(!text.includes(usager) && !text.includes('Karim') && !/aid_|usg_/.test(text.replaceAll(/"bytes":"(?:[^"\\]|\\.)*"/g, '')));
      assert.ok(file.entries.some(({ aidant }) => aidant !== undefined));
      await crowd(1, 'j7.old', { signInAgain: true });
      const csv = await (await asked(nora, { service: service.id, format: 'csv' })).text();
      assert.ok(csv.startsWith('"index","at","type"'));
      for (const index of held) assert.ok(csv.includes(`\r\n"${index}",`), String(index));
      assert.ok(csv.includes(`"'=1+3"`), 'a formula is text');
      assert.match(csv, /"outside_mandate","sign_in_again","leaf"/);
      assert.match(csv, /"j7\.old".*"false","true","[^"]+"\r\n/, 'another sign-in was needed: not outside the mandate');
    });

    test(title('J8 each file is an entry with its reason for each person in it; a file that cannot be written down does not leave'), on, async () => {
      const usager = await personOf(world, 'colette');
      const from = await mark(world);
      assert.equal((await asked(nora, { service: service.id, reason: 'dossier 2026-118' })).status, 200);
      const made = await exportedSince(from);
      assert.deepEqual(
        made.map(({ type, administration: by }) => [type, by]),
        made.map(() => ['journal.exported', administration]),
      );
      const hers = made.find((entry) => entry.usager === usager);
      assert.equal((hers?.detail as { reason: string } | undefined)?.reason, 'dossier 2026-118');
      assert.equal((await asked(nora, { service: service.id, reason: '  ' })).status, 400);
      const size = await mark(world);
      await world.sql(`create function journal.test_no_export() returns trigger language plpgsql as $$
        begin if new.type = 'journal.exported' then raise exception 'no'; end if; return new; end $$`);
      await world.sql('create trigger test_no_export before insert on journal.queue for each row execute function journal.test_no_export()');
      const refused = await asked(nora, { service: service.id });
      await world.sql('drop trigger test_no_export on journal.queue');
      assert.ok(refused.status >= 500 && !/leaf/.test(await refused.text()));
      assert.deepEqual(await exportedSince(size), []);
      assert.deepEqual(await world.sql("select 1 from journal_export where reason = 'dossier 2026-118' and done_at is null"), []);
    });

    test(title('J7 an administration’s file holds nothing of another’s services, and its program no more than its page'), on, async () => {
      const theirs = (await (await asked(hugo, { service: service.id })).json()) as Exported;
      const rows = await world.sql('select distinct administration from journal.projection where idx = any($1::bigint[])', [
        theirs.entries.map(({ index }) => index),
      ]);
      assert.ok(rows.every((each) => each['administration'] !== administration));
      const url = `${world.places.relais}/api/v1/journal/org?service=${service.id}&limit=5`;
      const header = { 'relais-reason': encodeURIComponent('contrôle d’un dossier') };
      const program = async (walker: Walker, address: string, headers: Record<string, string>) => {
        const answer = await walker.ask(address, undefined, headers);
        return { status: answer.status, body: (await answer.json()) as Exported & { next?: string; code?: string } };
      };
      for (const headers of [{}, { 'relais-reason': '' }, { 'relais-reason': '%' }, { 'relais-reason': 'x'.repeat(300) }]) {
        const from = await mark(world);
        const refused = await program(nora, url, headers as Record<string, string>);
        assert.deepEqual([refused.status, refused.body.code], [400, 'reason_required']);
        assert.deepEqual(await exportedSince(from), []);
      }
      const from = await mark(world);
      const first = await program(nora, url, header);
      assert.equal(first.status, 200);
      assert.equal(first.body.entries.length, 5);
      const second = await program(nora, new URL(first.body.next ?? '', world.places.relais).href, header);
      assert.ok((second.body.entries[0]?.index ?? 0) < (first.body.entries.at(-1)?.index ?? 0));
      const made = await exportedSince(from);
      assert.ok(made.length >= 2 && made.every((entry) => entry.type === 'journal.exported'), 'each page is written down');
      assert.equal((await program(new Walker(), url, header)).status, 401);
      assert.equal((await program(await signedInAidant(world), url, header)).status, 401);
      assert.equal((await program(nora, `${url}&before=x`, header)).body.code, 'invalid_request');
    });

    test(
      title('J9 more than 1,000 people in a day leave only with a second agent’s approval, both with a fresh factor, once, and as it was asked'),
      on,
      async () => {
        await crowd(501, 'j9.a');
        await crowd(501, 'j9.b');
        world.advance(11 * 60_000);
        const crowdOf = { theme: 'logement', service: service.id, reason: 'audit annuel' };
        const from = await mark(world);
        const stale = await asked(nora, crowdOf);
        assert.equal(stale.status, 403);
        assert.match(await stale.text(), /Confirmez que c’est vous/);
        assert.deepEqual(await world.sql('select 1 from journal_export where done_at is null'), []);
        assert.deepEqual(await exportedSince(from), [], 'nothing has left, nothing waits');

        nora = await agent('nora', 'Nora Lefèvre');
        const waits = await asked(nora, crowdOf);
        assert.deepEqual([waits.status, waits.headers.get('location')], [303, EXPORTS]);
        const id = await idOf();
        const [it] = await world.sql('select entries, persons, approval_id from journal_export where id = $1', [id]);
        assert.equal(it?.['persons'], 1004, 'and Colette, and who was there before');
        await crowd(3, 'j9.c'); // after it was asked: not in what is approved
        assert.match(textOf(await nora.open(`${world.places.relais}${EXPORTS}`)), /\d+ lignes, 1004 personnes.*Ce ne peut pas être vous/);
        for (const [walker, path, status] of [
          [nora, `${EXPORTS}/fichier`, 409],
          [nora, `${EXPORTS}/accord`, 409],
          [hugo, `${EXPORTS}/accord`, 404],
          [hugo, `${EXPORTS}/fichier`, 404],
        ] as const)
          assert.equal((await ask(walker, path, { export: id })).status, status, path);
        for (const unknown of [newId('exp'), 'x', '', '\u0000'])
          assert.equal((await ask(nora, `${EXPORTS}/fichier`, { export: unknown })).status, 404);

        const [moved] = await world.sql(
          "select a.staff_id, a.administration_id from agent a join staff s on s.id = a.staff_id where s.email like 'hugo@%'",
        );
        await world.sql('update agent set administration_id = $1 where staff_id = $2', [administration, moved?.['staff_id']]);
        assert.equal((await ask(hugo, `${EXPORTS}/accord`, { export: id })).status, 403, 'a factor of more than five minutes ago');
        hugo = await agent('hugo', 'Hugo Roux');
        assert.match(textOf(await hugo.open(`${world.places.relais}${EXPORTS}`)), /audit annuel.*Donner mon accord/);
        const approvals = await Promise.all([ask(hugo, `${EXPORTS}/accord`, { export: id }), ask(hugo, `${EXPORTS}/accord`, { export: id })]);
        assert.deepEqual(approvals.map(({ status }) => status).sort(), [303, 409]);
        assert.equal((await ask(hugo, `${EXPORTS}/fichier`, { export: id })).status, 404, 'whoever asked takes it');

        const before = await mark(world);
        const taken = await Promise.all([1, 2].map(() => ask(nora, `${EXPORTS}/fichier`, { export: id, format: 'json' })));
        assert.deepEqual(taken.map(({ status }) => status).sort(), [200, 410], 'once');
        const file = (await taken.find(({ status }) => status === 200)?.json()) as Exported;
        assert.equal(file.entries.length, it?.['entries']);
        await world.app.flushJournal();
        const [told] = await world.sql("select count(distinct usager)::int n from journal.projection where type = 'journal.exported' and idx >= $1", [
          before,
        ]);
        assert.equal(told?.['n'], 1004, 'each person reads it');
        await world.sql('update agent set administration_id = $1 where staff_id = $2', [moved?.['administration_id'], moved?.['staff_id']]);
      },
    );

    test(
      title('J9 many small files count together; neither a program nor two requests at once nor SQL as the application goes round it'),
      on,
      async () => {
        const both = await Promise.all([asked(nora, { demarche: 'j9.a' }), asked(nora, { demarche: 'j9.b' })]);
        assert.deepEqual(both.map(({ status }) => status).sort(), [200, 303], 'one leaves, the other waits');
        const headers = { 'relais-reason': 'encore' };
        const program = await nora.ask(`${world.places.relais}/api/v1/journal/org?demarche=j9.b&limit=500`, undefined, headers);
        assert.deepEqual([program.status, ((await program.json()) as { code: string }).code], [403, 'second_agent_required']);
        const id = await idOf();
        await assert.rejects(
          world.database.run((tx) => row(tx, { name: 'j9-done', text: 'update journal_export set done_at = now() where id = $1', values: [id] })),
          /second person/,
        );
        await assert.rejects(
          world.database.run((tx) => row(tx, { name: 'j9-persons', text: 'update journal_export set persons = 1 where id = $1', values: [id] })),
          /permission denied/,
        );
        world.advance(86_400_000 + 60_000);
        nora = await agent('nora', 'Nora Lefèvre');
        assert.equal((await asked(nora, { demarche: 'j9.b' })).status, 200, 'a day later');
      },
    );

    test(title('a cell that a spreadsheet would compute is text'), on, () => {
      for (const cell of ['=1+1', '+33', '-1', '@x', '\tx', '\rx']) assert.equal(csvCell(cell), `"'${cell}"`);
      assert.deepEqual([csvCell('a "b", c'), csvCell(undefined), csvCell(12)], ['"a ""b"", c"', '""', '"12"']);
    });
  });
