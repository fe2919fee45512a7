import { readName, readReason } from '../../src/organisations/name.ts';
import { readSiret } from '../../src/organisations/organisation.ts';
import { commonThemes, isTheme, readThemes, THEMES } from '../../src/organisations/theme.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases } from '../support/database.ts';
import { granted, house, queued } from '../support/staff.ts';

test('the ten themes are those of the database, in the order of the screens', () => {
  assert.equal(THEMES.length, 10);
  assert.ok(isTheme('argent'));
  for (const wrong of ['tout', '', 'Famille', undefined, null, 3, ['famille']]) assert.ok(!isTheme(wrong));
  assert.deepEqual(readThemes(['loisirs', 'papiers', 'loisirs']), ['papiers', 'loisirs']);
  assert.equal(readThemes(['famille', 'tout']), undefined);
  assert.equal(readThemes('famille'), undefined);
  assert.deepEqual(commonThemes(['famille', 'social'], ['social', 'argent']), ['social']);
});

test('a SIRET has 14 digits and a right Luhn sum, or follows the rule of La Poste', () => {
  assert.equal(readSiret('21750001600019'), '21750001600019');
  assert.equal(readSiret('217 500 016 00019'), '21750001600019');
  assert.equal(readSiret('35600000000048'), '35600000000048');
  assert.equal(readSiret('35600000049837'), '35600000049837'); // La Poste: the plain sum is a multiple of 5, Luhn is not right
  for (const wrong of ['21750001600018', '2175000160001', 'abc', '', undefined, 21750001600019, '35600000049838', '２1750001600019'])
    assert.equal(readSiret(wrong), undefined, String(wrong));
});

test('I9 names that look like others or hide something are refused at registration', () => {
  assert.equal(readName('Mairie de Thénac'), 'Mairie de Thénac'.normalize('NFC'));
  assert.equal(readName('  L’Haÿ-les-Roses   '), 'L’Haÿ-les-Roses'.normalize('NFC'));
  assert.equal(readName('France Services – n° 12 (17)'), 'France Services – n° 12 (17)');
  const wrong = [
    '',
    '   ',
    'a'.repeat(121),
    'Мairie',
    'Mаirie de Thénac',
    'Mairie\u202e ed',
    'Mai\u200brie',
    'Mairie\u0000',
    'Mairie\r\nBcc: x',
    '\u001b[31mMairie',
    'Ｍairie',
    'Mairie\u0336',
    'ﬁsc',
    'Mairie\u2028x',
    '\ud800',
    'Mairie\u2066',
    'A\u0301\u0301\u0301',
  ];
  for (const name of wrong) assert.equal(readName(name), undefined, JSON.stringify(name));
  assert.equal(readReason('Contrôle du 3 mars : pièces absentes.'), 'Contrôle du 3 mars : pièces absentes.');
  for (const reason of ['', 'a\nb', 'x\u202e', 'a'.repeat(201)]) assert.equal(readReason(reason), undefined);
});

test('I8 validators answer long hostile text at once', () => {
  const started = performance.now();
  for (const text of ['a'.repeat(50_000), ' '.repeat(50_000), 'a '.repeat(25_000), 'é'.repeat(50_000), '1'.repeat(50_000)]) {
    assert.equal(readName(text), undefined);
    assert.equal(readSiret(text), undefined);
    assert.equal(readReason(text), undefined);
  }
  assert.ok(performance.now() - started < 500);
});

for (const kind of databases()) {
  test(`organisations on ${kind.kind}: added once a SIRET, suspended once, each with its entry`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const clock = frozenClock();
      const ended: unknown[] = [];
      const it = await house(database, clock, async (_tx, whose, reason) => ended.push([whose, reason]));
      const asked = { name: 'Mairie de Thénac', siret: '21750001600019', themes: ['logement', 'famille'], actor: 'cli' };
      const { organisation } = granted(await it.organisations.add(asked));
      assert.deepEqual(organisation.themes, ['famille', 'logement']);
      assert.deepEqual(await it.organisations.find(organisation.id), organisation);
      assert.deepEqual(await it.organisations.find('217 500 016 00019'), organisation);
      assert.deepEqual(await it.organisations.add(asked), { refused: 'siret_known' });
      assert.deepEqual(await it.organisations.add({ ...asked, name: 'Мairie' }), { refused: 'name_malformed' });
      assert.deepEqual(await it.organisations.add({ ...asked, siret: '1' }), { refused: 'siret_malformed' });
      assert.deepEqual(await it.organisations.add({ ...asked, themes: [] }), { refused: 'themes_malformed' });
      assert.deepEqual(await it.organisations.suspend(organisation.id, { reason: '', actor: 'cli' }), { refused: 'reason_malformed' });
      assert.deepEqual(await it.organisations.suspend('org_x', { reason: 'contrôle', actor: 'cli' }), { refused: 'unknown_organisation' });
      const both = await Promise.all([1, 2].map(() => it.organisations.suspend(organisation.id, { reason: 'contrôle', actor: 'cli' })));
      assert.equal(both.filter((answer) => 'refused' in answer && answer.refused === 'not_active').length, 1);
      assert.deepEqual(ended, [[{ organisationId: organisation.id }, 'suspended']]);
      assert.equal((await it.organisations.find(organisation.id))?.status, 'suspended');
      assert.equal((await it.organisations.list()).length, 1);
      assert.deepEqual(await queued(database), ['organisation.habilitated', 'organisation.suspended']);
    } finally {
      await drop();
    }
  });
}
