import { signInStaff } from '../../src/practice/story.ts';
import { type Page, Walker } from '../../src/practice/walker.ts';
import { agreed, eventOf, inesAt, inTheMorning, personOf, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { as, desk } from '../support/desk.ts';
import { evidenceIn, script, untilWitnessed } from '../support/evidence.ts';
import { inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant } from '../support/world.ts';

inEachWorld(
  ({ world, kind }) => {
    test(`L6 after a person is erased, the pages of the administration, of the structure and of the aidant still verify, and say what was erased (§6.32) (${kind})`, {
      database: kind,
    }, async () => {
      const it = world();
      inTheMorning(it);
      const karim = await signedInAidant(it);
      const service = await it.service('erased-service');
      await agreed(it, 'jean', ['logement']);
      const { tokens, claims } = await delegatedTokens(it, karim, service, 'Jean Petit', 'openid dlg:logement');
      const session = sessionOf(claims);
      assert.equal((await reportAt(it, tokens.access_token, eventOf(service, session, 'act'))).status, 202);
      const usager = await personOf(it, 'jean');
      for (const { id, state } of await it.app.site.mandates.ofUsager(usager))
        if (state.kind === 'active') await it.app.site.mandates.revokeByUsager(usager, id);
      await it.app.flushJournal();
      const asked = await desk(it)('journal', 'erase', '--usager', usager, '--ground', 'person-asked', ...(await as(it, 'Alice Fontaine')));
      const approval = /(apr_[a-z0-9]+)/.exec(asked.text)?.[1] ?? '';
      const done = await desk(it)('journal', 'erase', '--approve', approval, ...(await as(it, 'Marc Dubreuil')));
      assert.match(done.text, /^Erased/);
      await untilWitnessed(it);

      const at = (path: string): string => `${it.places.relais}${path}`;
      const search = async (who: Walker, path: string, form: string): Promise<Page> => {
        await who.open(at(path));
        return who.send(form, { reason: 'après l’effacement', service: service.id });
      };
      const nora = new Walker();
      await signInStaff(nora, it.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (_, who) => it.code(it.places, who));
      const pages: Readonly<Record<string, Page>> = {
        administration: await search(nora, '/administration', 'journal-query'),
        structure: await search(await inesAt(it, 'Thénac'), '/aidant/journal', 'structure-query'),
        acts: await karim.open(at('/aidant/actes')),
      };
      for (const [name, { html }] of Object.entries(pages)) {
        if (name === 'acts' && !html.includes('id="evidence"')) continue; // nothing leads from the aidant to what is erased
        const { evidence, lines } = evidenceIn(html);
        const found = await script.checkEvidence(evidence);
        assert.deepEqual([name, found.problem ?? script.compareLines(lines, found.entries, evidence), found.state], [name, undefined, 'verified']);
        const erased = found.entries.filter(({ fields }) => fields === null);
        assert.ok(erased.length > 0, name);
        assert.ok(!html.includes('Petit') || name === 'structure', name);
      }
    });
  },
  { witnessed: true },
);
