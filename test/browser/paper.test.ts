import type { Browser } from 'playwright-core';
import { inTheMorning } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import type { World } from '../support/world.ts';
import { inBrowser, newWitness, Someone, signIn } from './people.ts';

/** A mandate on paper, by two aidants in two browsers, neither of which runs a script. */
const witness = newWitness();
let world: World;
let browser: Browser;

inBrowser((opened) => {
  ({ world, browser } = opened);
  inTheMorning(world);
});

test('M11 Karim prepares the sheet, Inès says that she saw it signed, Karim signs: each with a code of their own', {
  database: 'pglite',
}, async () => {
  const karim = await Someone.arrive(browser, 'Karim', witness);
  await signIn(karim, world, 'aidant', 'karim', 'Karim Benali');
  await karim.open(`${world.places.relais}/aidant/mandats/nouveau`);
  await karim.tick('#demarche-1');
  await karim.press('#continue');
  await karim.press('#continue');
  await karim.press('#sign-on-paper');
  await karim.tick('#gender-female');
  await karim.write('#given-name', 'Odette Lucie');
  await karim.write('#family-name', 'Bernard');
  await karim.write('#birthdate', '11/02/1939');
  await karim.write('#birth-code', '17415');
  await karim.look('paper-person');
  await karim.press('#paper-enter');
  assert.match(await karim.text('main'), /En attente de la signature/);
  await karim.look('paper-sheet');
  await karim.press('#paper-print');
  assert.match(await karim.text('#paper-sheet'), /Je m’appelle Madame Odette Bernard.*Signature :.*Signature :/);
  await karim.look('paper-print');
  await karim.press('#back');
  await karim.press('#refresh');
  assert.match(await karim.text('main'), /En attente de la signature/, 'nobody has confirmed it');

  const ines = await Someone.arrive(browser, 'Inès', witness);
  await signIn(ines, world, 'aidant', 'ines', 'Inès Moreau');
  await ines.page.getByLabel('Mairie de Thénac').check();
  await ines.press('#choose-organisation');
  await ines.press('#witness-link');
  await ines.look('paper-list');
  await ines.press('#sheet-1');
  const sheet = await ines.text('#mandate-text');
  assert.match(sheet, /Je m’appelle Madame Odette Bernard.*Madame Odette Bernard et Karim Benali ont signé à la main/);
  assert.doesNotMatch(sheet, /pas encore signé/);
  await ines.look('paper-witness');
  await ines.press('#confirm-witness');
  assert.match(await ines.title(), /^Erreur/, 'neither box nor code');
  await ines.look('paper-witness-error');
  await ines.tick('#seen');
  await ines.write('#code', await ines.readCode(world, 'Inès Moreau'));
  await ines.press('#confirm-witness');
  assert.match(await ines.text('main'), /confirmation est enregistrée/);
  const [unsigned] = await world.sql("select count(*)::int made from mandate where consent_method = 'paper'");
  assert.equal(unsigned?.['made'], 0, 'one will of two');

  await karim.press('#refresh');
  await karim.look('paper-seen');
  await karim.press('#sign');
  await karim.tick('#said-aloud');
  await karim.write('#code', await karim.readCode(world, 'Karim Benali'));
  await karim.look('paper-sign');
  await karim.press('#sign-mandate');
  assert.match(karim.path, /^\/aidant\/mandats\/man_[a-z0-9]+\/cree$/);
  const [made] = await world.sql(
    "select m.accepted_by, p.witness_id, m.ended_at from mandate m join paper_consent p on p.draft_id = m.draft_id where m.consent_method = 'paper'",
  );
  assert.ok(made?.['witness_id'] && made['accepted_by'] !== made['witness_id'] && made['ended_at'] === null);
  await witness.axe;
  assert.deepEqual(witness.faults, []);
});
