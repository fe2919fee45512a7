import { after, before } from 'node:test';
import { THEMES } from '../../src/organisations/theme.ts';
import { PERSONS, STAFF } from '../../src/practice/identities.ts';
import { RECEIVED } from '../../src/practice/identities-page.tsx';
import { whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
before(async () => {
  const [kind] = databases();
  if (!kind) throw new Error('no database');
  world = await openWorld(kind);
});
after(() => world.close());

test('the page of test identities has a line for each, and says what the site receives for each person', async () => {
  const html = await (await fetch(`${world.places.messages}/identites`)).text();
  for (const { id, story } of [...STAFF, ...PERSONS]) {
    assert.ok(html.includes(`<code>${id}</code>`), id);
    assert.ok(html.includes(story.replaceAll("'", '&#39;')), story);
  }
  assert.deepEqual(Object.keys(RECEIVED).sort(), PERSONS.map(({ id }) => id).sort());
  assert.ok((await (await fetch(world.places.messages)).text()).includes('href="/identites"'));
});

test('what the page says of each person is so: for whom, and in what, an aidant may act at the start', async () => {
  const service = await world.service('essai', { themes: THEMES });
  const who = await whoIs(world);
  const found = await world.app.site.sessions.candidates({ ...who, serviceId: service.id, asked: undefined, authTime: new Date(), limit: 50 });
  const themesOf = new Map(found.map(({ usager, themes }) => [usager.familyName, [...themes].sort()]));
  for (const { id, family_name } of PERSONS) {
    const themes = themesOf.get(family_name);
    const said = RECEIVED[id] ?? '';
    assert.equal(themes !== undefined, /jeton délégué[, ]/.test(said) ? !said.startsWith('Sans mandat') : id === 'mauvais-theme', id);
  }
  assert.deepEqual(themesOf.get('Petit'), ['argent', 'famille', 'logement']);
  assert.deepEqual(themesOf.get('Autrethème'), ['transports']);
  assert.deepEqual(themesOf.get('Révoquée'), ['logement']);
});
