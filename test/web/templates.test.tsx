import { endOfMandate } from '../../src/kernel/calendar.ts';
import { sha256 } from '../../src/kernel/crypto.ts';
import { DURATIONS, TEMPLATE } from '../../src/mandates/mandate.ts';
import { WHOLE } from '../../src/mandates/narrowing.ts';
import { THEMES } from '../../src/organisations/theme.ts';
import { templateWords } from '../../src/web/i18n/templates.ts';
import { type MandateTextData, mandateBlocks } from '../../src/web/views/mandate-blocks.ts';
import { assert, test } from '../support/check.ts';

/** SHA-256 of each text that a template can give. A line here never changes; a new text is a new line (src/web/i18n/templates.ts says how). */
const FROZEN: Readonly<Record<string, { readonly fr: string; readonly en: string }>> = {
  '2026-11': {
    fr: 'd7339f92d824a624be0d7fb6db4e42d13f1125f056d0114799e95ddf9f86eabf',
    en: '8769716ef799143ab46f44f6306d61f6fb073b3790477917eb60583337de59f1',
  },
};

const from = new Date('2026-03-03T13:24:00Z');
const person = { name: 'Madame Colette Martin', birthdate: '1946-04-12' };
/** Every way in which the text can be filled. */
const filled = (template: string): MandateTextData[] =>
  DURATIONS.flatMap((days) => {
    const draft: MandateTextData = {
      template,
      organisation: { name: 'Mairie de Thénac' },
      themes: THEMES,
      days,
      narrowing: WHOLE,
      helpNumber: '0 800 00 00 00',
    };
    const known = { ...draft, organisation: { ...draft.organisation, siret: '21750001600019' }, person: { ...person, birthplace: 'Saintes' } };
    const dates = { from, endsAt: endOfMandate(from, days) };
    const signed = (method: string): MandateTextData => ({
      ...known,
      person,
      dates,
      reference: 'M-7K3F-92QD',
      consent: { method, at: from },
      acceptance: { name: 'Karim', at: from },
    });
    return [draft, known, { ...known, dates }, ...['franceconnect', 'sms', 'paper'].map(signed)];
  });

test('the text of every template that was ever signed is frozen, in French and in English', () => {
  assert.ok(Object.hasOwn(FROZEN, TEMPLATE), `${TEMPLATE} is not pinned`);
  for (const [template, pinned] of Object.entries(FROZEN))
    for (const lang of ['fr', 'en'] as const) {
      const said = filled(template).map((data) => mandateBlocks(data, lang));
      assert.equal(sha256(JSON.stringify(said)).toString('hex'), pinned[lang], `${template} ${lang}: a changed text is a new template`);
    }
});

test('a template that was never written gives no text', () => {
  for (const name of ['2026-12', '', 'constructor', '__proto__']) assert.throws(() => templateWords(name, 'fr'), { code: 'template_unknown' });
});
