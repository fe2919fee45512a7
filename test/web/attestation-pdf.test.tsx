import { endOfMandate } from '../../src/kernel/calendar.ts';
import { WHOLE } from '../../src/mandates/narrowing.ts';
import { attestationPdf } from '../../src/web/attestation-pdf.ts';
import { type AttestationData, attestationBlocks, type Block, type MandateTextData, mandateBlocks } from '../../src/web/views/mandate-blocks.ts';
import { assert, test } from '../support/check.ts';
import { structureOf, textOfPdf } from '../support/pdf.ts';

const NOW = new Date('2026-03-03T13:24:00Z');
const data = (name: string, organisation = 'Mairie de Thénac'): MandateTextData => ({
  template: '2026-11',
  organisation: { name: organisation, siret: '21750001600019' },
  themes: ['logement', 'famille'],
  days: 31,
  narrowing: WHOLE,
  helpNumber: '0 800 00 00 00',
  person: { name, birthdate: '1946-04-12' },
  dates: { from: NOW, endsAt: endOfMandate(NOW, 31) },
  reference: 'M-7K3F-92QD',
  consent: { method: 'franceconnect', at: NOW },
  acceptance: { name: 'Karim', at: NOW },
});
const paper: AttestationData = {
  code: '7K3F-92QD-H4MA-WX5T-B8NC-6PZE',
  verifyUrl: 'https://relais.example/verifier/7K3F92QDH4MAWX5TB8NC6PZE',
  checkUrl: 'https://relais.example/verifier',
  stopUrl: 'https://relais.example/usager',
  themes: ['logement', 'famille'],
  today: NOW,
};
const open = { compress: false };
const words = (text: string): string => text.replace(/[\s\u00a0]+/g, '');
const textsOf = (block: Block): string[] => {
  if (block.kind === 'list') return block.items.map((item) => `${item.lead ?? ''}${item.text}`);
  if (block.kind === 'table') return [block.caption, ...block.rows.flat()];
  if (block.kind === 'code') return [block.label, block.code];
  if (block.kind === 'signature') return [block.label, ...block.lines];
  if (block.kind === 'lines') return block.items.flatMap((item) => [item.at, item.said, item.under]);
  return block.kind === 'qr' ? [] : [block.text];
};

test('the PDF says what the page says, in its order, and is tagged: title, language, headings, lists, row headers, the drawing’s alternative', async () => {
  const pdf = await attestationPdf(data('Madame Colette Martin'), paper, open);
  const said = words(textOfPdf(pdf).replace(/M-7K3F-92QD – Page \d sur \d/g, ''));
  let from = 0;
  const expected = [...mandateBlocks(data('Madame Colette Martin'), 'fr'), ...attestationBlocks(data('Madame Colette Martin'), paper, 'fr')];
  for (const text of expected.flatMap(textsOf)) {
    const found = said.indexOf(words(text), from);
    assert.ok(found >= from, `missing or out of order: ${text}`);
    from = found + words(text).length;
  }
  const count = (kind: Block['kind']): number => expected.filter((block) => block.kind === kind).length;
  const tree = structureOf(pdf);
  assert.deepEqual([tree['Document'], tree['H1'], tree['H2'], tree['L'], tree['Table'], tree['Figure']], [1, 1, count('section'), 2, 1, 1]);
  assert.equal(tree['TH'], tree['TR']);
  assert.equal(tree['TD'], tree['TR']);
  const raw = pdf.toString('latin1');
  for (const mark of ['/MarkInfo', '/Lang (fr-FR)', '/DisplayDocTitle true', '<pdfuaid:part>1</pdfuaid:part>', '/Scope /Row', '/Alt (', '/BBox ['])
    assert.ok(raw.includes(mark), mark);
  assert.equal(raw.match(/\/FontFile2 /g)?.length, 3, 'its three fonts are inside');
});

test('I7 HTML, addresses, paths and marks of PDF in names are drawn as they are: no link, no script, no file, nothing fetched', async () => {
  const names = [
    'Madame <b onmouseover=alert(1)>Zoé</b>',
    'Monsieur https://x.example/é?a=1&b=2',
    'Madame file:///etc/passwd',
    'Monsieur ) Tj ET /URI (https://x.example) >> endobj',
    'Madame javascript:app.alert(1)',
    '<script src=//x.example></script>',
    'Madame \u202eeloc\u0000\u0007\nétte',
    'Madame Ĳŋ Ștefăniță Ødegård Łukasiewicz',
  ];
  for (const name of names) {
    const pdf = await attestationPdf(data(name, `${name} SARL`), paper, open);
    const raw = pdf.toString('latin1');
    assert.ok(words(textOfPdf(pdf)).includes(words(name.replace(/[\p{Cc}\p{Cf}]/gu, ' '))), name);
    assert.doesNotMatch(raw, /\/(?:URI|JavaScript|JS|Launch|GoToR|SubmitForm|ImportData|EmbeddedFile|OpenAction|AA|Annots|XObject \d)\b/, name);
    assert.doesNotMatch(raw, /\((?:[^()]*)x\.example/, 'no text of theirs stands outside what is drawn');
  }
});

test('I7 T6 the same mandate on the same day gives the same bytes; the day that is printed is the day of printing', async () => {
  const first = await attestationPdf(data('Madame Colette Martin'), paper);
  const evening = await attestationPdf(data('Madame Colette Martin'), { ...paper, today: new Date('2026-03-03T22:30:00Z') });
  assert.ok(first.equals(evening));
  const next = await attestationPdf(data('Madame Colette Martin'), { ...paper, today: new Date('2026-03-03T23:30:00Z') }, open);
  assert.match(textOfPdf(next), /Attestation faite le mercredi 4 mars 2026\./);
  const ended = await attestationPdf(data('Madame Colette Martin'), { ...paper, endedAt: NOW }, open);
  assert.match(textOfPdf(ended), /Le mandat est terminé depuis le mardi 3 mars 2026 à 14 h 24\./);
});
