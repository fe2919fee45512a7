import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { agreed } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { signedInAidant } from '../support/world.ts';

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;

  test('the text of a mandate is read aloud, or beside the translations of its own template and no other', on, async () => {
    const it = world();
    const karim = await signedInAidant(it);
    const mandate = await agreed(it, 'jean', ['logement']);
    const path = `${it.places.relais}/aidant/mandats/${mandate.id}`;
    assert.match((await karim.open(path)).html, /id="read-aloud"/);
    const aloud = await karim.open(`${path}/lecture`);
    assert.match(aloud.html, /id="in-ar" lang="ar" dir="rtl"[\s\S]*<ol class="sentences" start="1">[\s\S]*Monsieur Jean Petit/);
    const arabic = await karim.open(`${path}/lecture?langue=ar`);
    assert.match(arabic.html, /id="translation" lang="ar" dir="rtl"/);
    assert.match(textOf(arabic), /Seul le texte français engage.*ما أسمح به.*Monsieur Jean Petit/);
    for (const unknown of ['pt', 'fr', '../../x', '<script>']) {
      const refused = await karim.open(`${path}/lecture?langue=${encodeURIComponent(unknown)}`);
      assert.equal(refused.status, 404, unknown);
    }
    const languages = it.app.site.translations as unknown as { template: string }[];
    const [first] = languages;
    assert.ok(first);
    const { template } = first;
    try {
      first.template = '2031-01'; // the operator has translated another text
      assert.doesNotMatch((await karim.open(`${path}/lecture`)).html, /id="in-ar"/);
      assert.equal((await karim.open(`${path}/lecture?langue=ar`)).status, 404);
    } finally {
      first.template = template;
    }
  });

  test('a translation says beside it what narrows the mandate, to whoever reads it aloud and to the person herself', on, async () => {
    const it = world();
    const karim = await signedInAidant(it);
    const mandate = await agreed(it, 'jean', ['logement'], 31, undefined, undefined, { readOnly: true, singleUse: true });
    const limits = /La traduction ne le dit pas.*regarder.*une seule fois.*ما أسمح به/;
    assert.match(textOf(await karim.open(`${it.places.relais}/aidant/mandats/${mandate.id}/lecture?langue=ar`)), limits);
    const jean = new Walker();
    await signInUsager(jean, it.places, 'jean');
    const own = `${it.places.relais}/usager/mandats/${mandate.id}`;
    assert.match((await jean.open(own)).html, /id="read-aloud"/);
    assert.match(textOf(await jean.open(`${own}/lecture`)), /Lire mon mandat en grand/);
    assert.match(textOf(await jean.open(`${own}/lecture?langue=ar`)), limits);
    const whole = await agreed(it, 'jean', ['famille']);
    assert.doesNotMatch(textOf(await jean.open(`${it.places.relais}/usager/mandats/${whole.id}/lecture?langue=ar`)), /ne le dit pas/);
  });
});
