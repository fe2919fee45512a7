import { KINDS_SEEN } from '../../src/journal/visible.ts';
import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { type Page, textOf, Walker } from '../../src/practice/walker.ts';
import type { Evidence } from '../../src/web/evidence.ts';
import { en } from '../../src/web/i18n/en.ts';
import { fr } from '../../src/web/i18n/fr.ts';
import { agreed, csrfOf, entriesSince, eventOf, inesAt, inTheMorning, mark, personOf, post, reportAt, sessionOf, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { evidenceIn, type PageLine, script, untilWitnessed } from '../support/evidence.ts';
import { inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type World } from '../support/world.ts';

/** A référent reads what the structure may of its own entries: after a reason that people read, verified, and nothing of what was done for them. */

const REASON = 'point du mois avec l’équipe';
const PATH = '/aidant/journal';

inEachWorld(
  ({ world, kind }) => {
    const on = { database: kind } as const;
    const title = (what: string): string => `${what} (${kind})`;
    let it: World;
    let karim: Walker;
    let ines: Walker; // leads the aidants of Thénac, and helps in Saintes
    let session = '';
    const at = (path: string): string => `${it.places.relais}${path}`;
    const ask = async (fields: Readonly<Record<string, string>> = {}): Promise<Page> => {
      await ines.open(at(PATH));
      return ines.send('structure-query', { reason: REASON, ...fields });
    };
    const linesOf = ({ html }: Page): PageLine[] => (html.includes('id="evidence"') ? evidenceIn(html).lines : []);
    const verdict = async (page: Page) => {
      const { evidence, lines } = evidenceIn(page.html);
      const found = await script.checkEvidence(evidence);
      return { evidence, lines, found, problem: found.problem ?? script.compareLines(lines, found.entries, evidence) };
    };

    test(
      title('J8 a référent gives a reason, which each person concerned reads; it shows what the structure may see, and no démarche'),
      on,
      async () => {
        it = world();
        inTheMorning(it);
        karim = await signedInAidant(it);
        const service = await it.service('structure-service');
        for (const [person, name] of [
          ['colette', 'Colette Martin'],
          ['jean', 'Jean Petit'],
        ] as const) {
          await agreed(it, person, ['logement']);
          const { tokens, claims } = await delegatedTokens(it, karim, service, name, 'openid dlg:logement');
          session = sessionOf(claims);
          const event = eventOf(service, session, `${person}-1`, { reference: `REF-${person}` });
          assert.equal((await reportAt(it, tokens.access_token, event)).status, 202);
        }
        await untilWitnessed(it);
        ines = await inesAt(it, 'Thénac');
        const start = await ines.open(at(PATH));
        assert.equal(start.status, 200);
        assert.match(textOf(start), /Donnez un motif pour lire le journal/);
        assert.doesNotMatch(start.html, /data-entry/);
        const from = await mark(it);
        const page = await ask();
        assert.equal(page.status, 200);
        const who = await whoIs(it, 'ines');
        const read = (await entriesSince(it, from)).filter(({ type }) => type === 'journal.read');
        const people = [await personOf(it, 'colette'), await personOf(it, 'jean')];
        for (const person of people) assert.equal(read.filter(({ usager }) => usager === person).length, 1);
        for (const { organisation, aidant, detail } of read)
          assert.deepEqual([organisation, aidant, detail && 'reason' in detail && detail.reason], [who.organisationId, who.aidantId, REASON]);
        const words = textOf(page);
        for (const shown of [
          'Madame Colette Martin',
          'Monsieur Jean Petit',
          'Karim',
          'Service structure-service',
          'Acte déclaré par le site',
          session,
        ])
          assert.ok(words.includes(shown), shown);
        const label = (await it.app.journal.read(it.database.auto, { session, types: ['action.reported'] }))[0]?.detail as { demarcheLabel: string };
        for (const hidden of ['REF-', label.demarcheLabel, 'a envoyé', 'demarche.']) assert.ok(!page.html.includes(hidden), hidden);
        const colette = new Walker();
        await signInUsager(colette, it.places, 'colette');
        assert.match(
          textOf(await colette.open(at('/usager'))),
          /Inès, mairie de Thénac, a consulté ce journal\. Motif : « point du mois avec l’équipe »/,
        );
      },
    );

    test(title('J1 the page is verified line by line, and without a filter nothing is missing between its lines'), on, async () => {
      await untilWitnessed(it);
      const { evidence, lines, found, problem } = await verdict(await ask());
      assert.deepEqual([problem, found.state, evidence.party.complete?.oldest], [undefined, 'verified', true]);
      assert.ok(lines.length >= 10);
      const key = await it.app.journal.tagKey(it.database.auto, (await whoIs(it)).organisationId);
      assert.equal(evidence.party.key, key?.toString('base64url'));
      const shown = structuredClone(evidence) as { entries: Evidence['entries'][number][] } & Evidence;
      shown.entries.splice(3, 1);
      assert.equal((await script.checkEvidence(shown)).problem?.code, 'gap');
      const changed = lines.map((line) => ({ ...line, text: line.text.replace('Karim', 'Farid') }));
      assert.equal(script.compareLines(changed, found.entries, evidence)?.code, 'text');
    });

    test(title('filters leave out, each by itself and together, and then no completeness is claimed'), on, async () => {
      const all = linesOf(await ask());
      const own = (await whoIs(it)).aidantId;
      const rows = await it.sql('select idx, aidant, session, theme, service from journal.projection where organisation = $1 and type = any($2)', [
        (await whoIs(it)).organisationId,
        [...KINDS_SEEN.organisation],
      ]);
      const cases: readonly (readonly [fields: Readonly<Record<string, string>>, keep: (row: Record<string, unknown>) => boolean])[] = [
        [{ session }, (row) => row['session'] === session],
        [{ theme: 'logement' }, (row) => row['theme'] === 'logement'],
        [{ service: 'structure-service' }, (row) => row['service'] === 'structure-service'],
        [{ aidant: own, session }, (row) => row['aidant'] === own && row['session'] === session],
        [{ theme: 'argent' }, () => false],
        [{ to: '01/01/2020' }, () => false],
      ];
      assert.ok(all.length > 0);
      for (const [fields, keep] of cases) {
        const page = await ask(fields);
        const wanted = rows.filter(keep).map((row) => Number(row['idx']));
        assert.deepEqual(
          linesOf(page).map(({ index }) => index),
          wanted.sort((a, b) => b - a).slice(0, 50),
          JSON.stringify(fields),
        );
        if (wanted.length) assert.equal(evidenceIn(page.html).evidence.party.complete, undefined);
        else assert.match(textOf(page), /Rien ne correspond à ces filtres/);
      }
      for (const [fields, words] of [
        [{ reason: '' }, /motif/i],
        [{ from: '31/02/2026' }, /date/i],
        [{ session: 'x' }, /session/i],
      ] as const) {
        const refused = await ask(fields);
        assert.equal(refused.status, 422, JSON.stringify(fields));
        assert.match(textOf(refused), words);
        assert.deepEqual(linesOf(refused), []);
      }
      assert.equal((await ask({ aidant: 'aid_somebody_else' })).status, 200, 'an aidant who is not theirs is no filter');
    });

    test(title('pages follow each other without a hole, and one taken out between two of them shows'), on, async () => {
      for (let i = 0; i < 40; i++) await ask({ theme: 'argent' }); // each reading is an entry of the structure
      await untilWitnessed(it);
      const newest = await ask();
      const first = await verdict(newest);
      assert.deepEqual([first.problem, first.found.state, first.lines.length], [undefined, 'verified', 50]);
      await untilWitnessed(it);
      const older = await ines.send('older');
      const second = await verdict(older);
      assert.deepEqual([second.problem, second.found.state], [undefined, 'verified']);
      assert.ok((second.lines[0]?.index ?? 0) < (first.lines.at(-1)?.index ?? 0));
      assert.equal(second.evidence.party.anchor, first.lines.at(-1)?.index);
      const cut = structuredClone(second.evidence) as { entries: Evidence['entries'][number][] } & Evidence;
      cut.entries.splice(1, 1);
      assert.equal((await script.checkEvidence(cut)).problem?.code, 'gap');
    });

    test(
      title('M1 it is not there for an aidant who leads no structure, another structure shows only its own, and leaves are the référent’s alone'),
      on,
      async () => {
        const there = await inesAt(it, 'Saintes');
        const from = await mark(it);
        for (const plain of [karim, there]) {
          for (const answer of [
            await plain.ask(at(PATH)),
            await post(it, plain, PATH, { _csrf: await csrfOf(it, plain), reason: REASON }),
            await plain.ask(at(`${PATH}/suite?de=0&avant=9&taille=1`)),
          ])
            assert.equal(answer.status, 404);
          assert.ok(!(await plain.open(at('/aidant'))).html.includes('id="structure-journal"'));
        }
        ines = await inesAt(it, 'Thénac');
        assert.ok((await ines.open(at('/aidant'))).html.includes('id="structure-journal"'));
        const nora = new Walker();
        await signInStaff(nora, it.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (_, name) =>
          it.code(it.places, name),
        );
        assert.equal((await nora.ask(at(PATH))).status, 404);
        assert.deepEqual(
          (await entriesSince(it, from)).filter(({ type }) => type === 'journal.read'),
          [],
        );
        const { organisationId } = await whoIs(it);
        const own = new Set(
          (await it.sql('select idx from journal.projection where organisation = $1', [organisationId])).map((row) => Number(row['idx'])),
        );
        for (const { index } of linesOf(await ask())) assert.ok(own.has(index));
        const size = (await it.app.site.checkpoint())?.size ?? 0;
        const leaves = await ines.open(at(`${PATH}/suite?de=0&avant=${size}&taille=${size}`));
        const { entries } = JSON.parse(leaves.html) as { entries: { index: number; sealed?: unknown }[] };
        assert.ok(entries.length > 5 && entries.every(({ index, sealed }) => own.has(index) && sealed === undefined));
      },
    );

    test(title('the name of a person is shown while a mandate lives, and never after'), on, async () => {
      const usager = await personOf(it, 'jean');
      for (const { id, state } of await it.app.site.mandates.ofUsager(usager))
        if (state.kind === 'active') await it.app.site.mandates.revokeByUsager(usager, id);
      await it.app.flushJournal();
      const page = await ask({ session });
      assert.ok(linesOf(page).length > 0);
      for (const hidden of ['Jean Petit', usager])
        assert.ok(!page.html.includes(hidden), page.html.slice(page.html.indexOf(hidden) - 150, page.html.indexOf(hidden) + 50));
      assert.match(textOf(page), /Non montrée/);
    });

    test(title('every kind that a structure has a row for is named in both languages'), on, () => {
      for (const { structure } of [fr, en]) assert.deepEqual(Object.keys(structure.types).sort(), [...KINDS_SEEN.organisation].sort());
    });
  },
  { witnessed: true },
);
