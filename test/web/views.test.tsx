import { KINDS } from '../../src/journal/event.ts';
import { endOfMandate } from '../../src/kernel/calendar.ts';
import { FILL_SCRIPT, PASSKEY_SCRIPT, SESSION_SCRIPT, VERIFY_SCRIPT, WAIT_SCRIPT } from '../../src/web/assets/assets.ts';
import { birthday, day, exactTime, plainDay, time, until } from '../../src/web/i18n/dates.ts';
import { en } from '../../src/web/i18n/en.ts';
import { fr } from '../../src/web/i18n/fr.ts';
import { fullName, greetingName, namedOrganisation, siteOf } from '../../src/web/i18n/names.ts';
import { refusalOf } from '../../src/web/i18n/refusal.ts';
import { SHOWN, sentence } from '../../src/web/i18n/sentence.ts';
import { render } from '../../src/web/views/render.ts';
import { assert, test } from '../support/check.ts';
import { sampleEntries } from './views-entries.ts';
import { samples } from './views-samples.tsx';

const plain = (text: string): string => text.replaceAll('\u00a0', ' ');
/** Paths of a catalogue's members, with the kind of each leaf. */
const shape = (value: unknown, path = ''): string[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, member]) => shape(member, `${path}.${key}`))
    : [`${path}: ${typeof value}`];

test('the English catalogue has exactly the keys of the French one', () => {
  assert.deepEqual(shape(en).sort(), shape(fr).sort());
});

test('every refusal says what happened, what it changes and what to do, in both languages', () => {
  const facts = { time: '14 h 31', service: 'la CAF', person: 'Madame Martin' };
  for (const lang of ['fr', 'en'] as const) {
    for (const code of Object.keys(fr.refusals)) {
      for (const given of [{}, facts]) {
        const written = refusalOf(code, lang, given);
        for (const part of ['title', 'what', 'changes', 'todo'] as const) assert.ok(written[part].trim().length > 5, `${lang} ${code} ${part}`);
        for (const part of ['what', 'changes', 'todo'] as const) assert.match(written[part], /[.?!]$/, `${lang} ${code} ${part} is a sentence`);
        assert.doesNotMatch(Object.values(written).join(' '), /undefined|\[object/, `${lang} ${code}`);
      }
    }
  }
});

test('a refusal of another code, even one named as a member of every object, gets the general sentence and keeps its code', () => {
  for (const code of ['never_heard_of', 'constructor', '__proto__', 'toString']) {
    assert.equal(refusalOf(code, 'fr').code, code);
    assert.equal(refusalOf(code, 'fr').title, refusalOf('unexpected', 'fr').title);
  }
});

test('the refusal of a stopped mandate is the sentence of the wording rules', () => {
  const written = refusalOf('mandate_revoked', 'fr', { time: time(new Date('2026-03-03T13:31:00Z'), 'fr') });
  assert.equal(
    plain(`${written.what} ${written.changes} ${written.todo}`),
    'Ce mandat a été arrêté par la personne à 14 h 31. Rien n’a été transmis au site. Demandez-lui si elle veut créer un nouveau mandat.',
  );
});

test('no text of the screen calls a revocation « Annuler », and user sentences hold no abbreviation of the trade', () => {
  for (const [name, node] of Object.entries(samples('fr'))) {
    const words = render(node).replace(/<[^>]+>/g, ' ');
    assert.doesNotMatch(words, /\b(Annuler|OTP|2FA|MFA|scope|client_id)\b/, name);
    assert.doesNotMatch(words, /undefined|\[object|NaN|Invalid Date/, name);
  }
});

test('dates and times are written in full, in Paris', () => {
  assert.equal(day(new Date('2026-03-03T13:32:00Z'), 'fr'), 'mardi 3 mars 2026');
  assert.equal(plainDay(new Date('2026-02-28T23:30:00Z'), 'fr'), '1er mars 2026');
  assert.equal(day(new Date('2026-03-03T13:32:00Z'), 'en'), 'Tuesday 3 March 2026');
  assert.equal(plain(time(new Date('2026-03-03T13:32:00Z'), 'fr')), '14 h 32');
  assert.equal(plain(time(new Date('2026-07-03T22:05:00Z'), 'fr')), '0 h 05');
  assert.equal(plain(exactTime(new Date('2026-03-03T13:31:02Z'), 'fr')), '14 h 31 min 02 s');
  assert.equal(birthday('1946-04-12', 'fr'), '12 avril 1946');
  assert.equal(birthday('1946-04-00', 'fr'), 'avril 1946');
  assert.equal(birthday('1946-00-00', 'fr'), '1946');
});

test('the end of a mandate is written as it is enforced', () => {
  const created = new Date('2026-03-03T22:50:00Z');
  assert.equal(until(endOfMandate(created, 1), created, 'fr'), 'aujourd’hui, jusqu’à minuit');
  assert.equal(until(endOfMandate(created, 31), created, 'fr'), 'jusqu’au jeudi 2 avril 2026 à minuit');
});

test('names, structures and sites take their place in a sentence', () => {
  assert.equal(
    fullName({ givenName: 'Colette Marie', familyName: 'Durand', preferredName: 'Martin', gender: 'female' }, 'fr'),
    'Madame Colette Martin',
  );
  assert.equal(greetingName({ givenName: 'Colette', familyName: 'Martin', gender: 'female' }, 'fr'), 'Madame Martin');
  assert.equal(greetingName({ givenName: 'Colette', familyName: 'Martin' }, 'fr'), 'Colette Martin');
  assert.deepEqual(
    ['Mairie de Thénac', 'Association X', 'Centre social', 'CCAS de Saintes'].map((name) => namedOrganisation(name, 'fr')),
    ['la mairie de Thénac', 'l’association X', 'le centre social', 'la structure CCAS de Saintes'],
  );
  assert.deepEqual(
    ['la CAF', 'les impôts', 'le département', 'Allocations'].map((name) => siteOf(name, 'fr')),
    ['le site de la CAF', 'le site des impôts', 'le site du département', 'le site Allocations'],
  );
});

test('every kind of entry that the usager is shown has its sentence, and no other kind has one', () => {
  const shown = Object.entries(KINDS)
    .filter(([, kind]) => kind.shown === true)
    .map(([type]) => type);
  assert.deepEqual([...SHOWN].sort(), shown.sort());
  for (const lang of ['fr', 'en'] as const) {
    const written = sampleEntries((value) => value).map((entry) => ({ type: entry.type, said: sentence(entry, lang, { withoutReport: true }) }));
    assert.deepEqual([...new Set(written.map(({ type }) => type))].sort(), shown.sort());
    for (const { type, said } of written)
      assert.ok(said !== undefined && said.strong !== '' && said.text !== '' && !/undefined/.test(said.strong + said.text), `${lang} ${type}`);
  }
});

test('the sentence of an act follows the pattern of the product exactly', () => {
  const said = sampleEntries((value) => value)
    .filter((entry) => entry.type === 'action.reported')
    .map((entry) => sentence(entry, 'fr'));
  assert.deepEqual(
    said.map((one) => plain(`${one?.strong} ${one?.text} ${one?.reference ?? ''}`).trim()),
    [
      'Karim, mairie de Thénac, a envoyé votre demande d’aide au logement sur le site de la CAF. Numéro : 2026-11893',
      'Karim, mairie de Thénac, n’a pas pu envoyer votre demande d’aide au logement sur le site de la CAF.',
      'Karim, mairie de Thénac, a modifié la démarche « Changer votre adresse » sur le site de la CAF. Votre mandat ne le prévoyait pas.',
      'Karim, mairie de Thénac, a ouvert votre demande d’aide au logement sur le site de la CAF. Il fallait une nouvelle connexion, plus récente, plus sûre, ou pour cette démarche.',
      'Karim, mairie de Thénac, a regardé vos paiements sur le site de la CAF.',
    ],
  );
});

test('every page has its title, one h1, the help number once at the top and once at the foot, three landmarks and skip links that lead somewhere', () => {
  for (const lang of ['fr', 'en'] as const) {
    const titles = new Set<string>();
    for (const [name, node] of Object.entries(samples(lang))) {
      const html = render(node);
      assert.ok(html.startsWith(`<!doctype html><html lang="${lang}">`), name);
      const title = /<title>([^<]+)<\/title>/.exec(html)?.[1] ?? '';
      assert.match(title, /^.+ – Relais$/, name);
      assert.equal(
        title.startsWith(lang === 'fr' ? 'Erreur : ' : 'Error: ') || title.startsWith('Erreur\u00a0: '),
        html.includes('id="error-summary"') || name.includes('error'),
        name,
      );
      titles.add(title);
      assert.equal(html.match(/<h1[ >]/g)?.length, 1, name);
      assert.equal(html.match(/0 800 00 00 00/g)?.slice(0, 2).length, 2, name);
      for (const landmark of ['<header', '<main', '<footer']) assert.equal(html.split(landmark).length, 2, `${name} ${landmark}`);
      for (const [, target] of html.matchAll(/href="#([^"]+)"/g)) assert.ok(html.includes(`id="${target}"`), `${name} #${target}`);
      // Scripts of ours: on the pages that ask for a passkey, on those that wait, and where somebody is signed in; none on any other.
      const scripts = html.match(/<script[^>]*>/g) ?? [];
      const waits = html.includes('data-wait="open"') && !html.includes('http-equiv="refresh"');
      const expected = [
        ...(html.includes('data-passkey=') ? [PASSKEY_SCRIPT] : []),
        ...(waits ? [WAIT_SCRIPT] : []),
        ...(html.includes('data-fill=') ? [FILL_SCRIPT] : []),
        ...(html.includes('data-log=') ? [VERIFY_SCRIPT] : []),
        ...(html.includes('data-session=') ? [SESSION_SCRIPT] : []),
      ];
      assert.deepEqual(
        scripts,
        expected.map((script) => `<script src="${script}" defer="">`),
        name,
      );
      assert.doesNotMatch(
        html,
        /<script(?! src="\/assets\/(passkey|wait|verify|session|statement-fill)\.js\?v=)|<style|\sstyle=|\son[a-z]+=|javascript:/i,
        name,
      );
    }
    assert.ok(titles.size > 60);
  }
});

test('every form that changes something carries its token, and every field has an id, a name and a label', () => {
  for (const [name, node] of Object.entries(samples('fr'))) {
    const html = render(node);
    for (const [form] of html.matchAll(/<form[^>]*method="post"[^>]*>.*?<\/form>/gs))
      assert.ok(/name="_csrf" value="csrf-token-0001"/.test(form) || /op\.(logout|callback)Form/.test(form), `${name}: ${form.slice(0, 80)}`);
    for (const [field] of html.matchAll(/<(?:input|select)(?![^>]*type="hidden")[^>]*>/g)) {
      const id = /\sid="([^"]+)"/.exec(field)?.[1];
      assert.ok(id !== undefined && /\sname="[^"]+"/.test(field) && html.includes(`for="${id}"`), `${name}: ${field}`);
    }
  }
});
