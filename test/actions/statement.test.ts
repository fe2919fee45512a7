import fc from 'fast-check';
import {
  checkOf,
  checkSheets,
  differencesOf,
  numberOf,
  printedCheck,
  type Sheet,
  type StatementLine,
  sealSheet,
  sheetsOf,
} from '../../src/actions/statement.ts';
import { base32, readBase32 } from '../../src/aidants/code.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { keyIdOf } from '../../src/mandates/attestation.ts';
import { printedLine } from '../../src/web/views/statement-blocks.ts';
import { assert, test } from '../support/check.ts';

const KEY = readPrivateKey(makePrivateKeyPem('ed25519'));
const OTHER = readPrivateKey(makePrivateKeyPem('ed25519'));
const trusted = new Map([[keyIdOf(publicKeyOf(KEY)), publicKeyOf(KEY)]]);
const MADE = new Date('2026-11-22T10:00:00Z');

const lineAt = (
  index: number,
  said = `Karim, mairie de Thénac, a envoyé votre demande n° ${index} sur le site de la CAF. Envoyé.`,
): StatementLine => ({
  index,
  at: new Date(MADE.getTime() - (1000 - index) * 60_000),
  said,
  check: checkOf(sha256(`leaf ${index}`).toString('base64url')),
});
const statementOf = (lines: readonly StatementLine[], person = 'Madame Colette Martin'): Sheet[] => {
  const subject = { log: 'journal.test/1', person, from: '2026-08-01', to: '2026-11-22' };
  const cut = sheetsOf(lines);
  const head = {
    ...subject,
    size: 2000,
    root: 'r',
    made: MADE,
    number: numberOf({ ...subject, rows: lines }),
    sheets: cut.length,
    lines: lines.length,
  };
  return cut.map((rows, i) => ({ ...head, sheet: i + 1, rows }));
};
const LINES = Array.from({ length: 11 }, (_, i) => lineAt(100 + 7 * i));
const SHEETS = statementOf(LINES);
const TEXTS = SHEETS.map((sheet) => sealSheet(KEY, sheet));
const kindOf = (typed: string): string => checkSheets(trusted, typed).kind;

test('J14 what the QR codes hold is read back whole, offline, with the published key alone; one code tells which sheets are missing', () => {
  assert.ok(SHEETS.length > 2);
  const whole = checkSheets(trusted, TEXTS.map((text) => `https://relais.example/verifier/releve#${text}`).join('\n'));
  assert.ok(whole.kind === 'genuine');
  assert.deepEqual([whole.sheets, whole.missing], [SHEETS, []]);
  const one = checkSheets(trusted, ` ${TEXTS[1]?.toLowerCase()} `);
  assert.ok(one.kind === 'genuine');
  assert.deepEqual([one.sheets, one.missing], [[SHEETS[1]], SHEETS.flatMap(({ sheet }) => (sheet === 2 ? [] : [sheet]))]);
  assert.deepEqual(kindOf(`${TEXTS[0]} ${TEXTS[0]}`), 'genuine', 'the same code read twice');
});

test('J14 a sheet that was changed in any sign, signed with another key, cut or made longer is altered', () => {
  const [text = ''] = TEXTS;
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.integer({ min: 1, max: 31 }), (at, by) => {
      const signs = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
      const other = signs[(signs.indexOf(text[at] ?? '') + by) % 32] ?? '';
      return kindOf(text.slice(0, at) + other + text.slice(at + 1)) !== 'genuine';
    }),
    { numRuns: 300 },
  );
  const sheet = SHEETS[0] as Sheet;
  assert.equal(kindOf(sealSheet(OTHER, sheet)), 'altered');
  assert.equal(checkSheets(new Map(), text).kind, 'altered', 'no key is trusted');
  assert.notEqual(kindOf(text.slice(0, -8)), 'genuine');
  assert.notEqual(kindOf(`${text}AAAAAAAA`), 'genuine');
  for (const typed of ['', ' ', 'x', 'https://relais.example/verifier/releve', '0'.repeat(300), 'É', 'A'.repeat(8000)])
    assert.notEqual(kindOf(typed), 'genuine', typed.slice(0, 20));
});

test('J14 sheets of two statements do not go together, and a whole statement whose lines are not those it was numbered by is altered', () => {
  const other = statementOf(LINES, 'Monsieur Jean Petit').map((sheet) => sealSheet(KEY, sheet));
  assert.equal(kindOf(`${TEXTS[0]} ${other[1]}`), 'mixed');
  // Signed with our own key, with a line less than its number says: whoever holds the key makes no false whole.
  const [first, ...rest] = SHEETS as [Sheet, ...Sheet[]];
  const cut = sealSheet(KEY, { ...first, rows: first.rows.slice(1) });
  assert.equal(kindOf([cut, ...rest.map((sheet) => sealSheet(KEY, sheet))].join(' ')), 'altered');
});

test('J14 on paper, a line that is altered, removed or added is found', () => {
  const rows = SHEETS[0]?.rows ?? [];
  const says = (row: StatementLine) => Object.values(printedLine(row, 'fr'));
  const print = (shown: readonly StatementLine[]): string => shown.map((row) => says(row).join('\n')).join('\n\n');
  const found = (printed: string) => differencesOf(rows, says, printed);
  assert.deepEqual(found(print(rows)), []);
  assert.deepEqual(found(print(rows).replace(/\s+/g, '\n')), [], 'however it is broken into lines');
  const [row] = rows as [StatementLine];
  assert.deepEqual(found(print(rows).replace('a envoyé', 'a annulé')), [{ kind: 'altered', index: row.index }]);
  assert.deepEqual(found(print(rows).replace(`Ligne ${row.index}`, 'Ligne 9')), [{ kind: 'altered', index: row.index }]);
  assert.deepEqual(found(print([{ ...row, at: new Date(row.at.getTime() + 86_400_000) }, ...rows.slice(1)])), [
    { kind: 'altered', index: row.index },
  ]);
  assert.deepEqual(found(print(rows.slice(1))), [{ kind: 'missing', index: row.index }]);
  const more = lineAt(4242);
  assert.deepEqual(found(print([...rows, more])), [{ kind: 'added', check: printedCheck(more.check) }]);
  assert.deepEqual(found(print([...rows, { ...more, check: row.check }])), [{ kind: 'added', check: printedCheck(row.check) }]);
});

test('lines are cut into sheets in their order, none empty, none lost, few enough for the code to be read from paper', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 60 }), (lengths) => {
      const lines = lengths.map((length, i) => lineAt(i, 'é'.repeat(length)));
      const sheets = sheetsOf(lines);
      return sheets.every((rows) => rows.length >= 1 && rows.length <= 6) && JSON.stringify(sheets.flat()) === JSON.stringify(lines);
    }),
  );
  assert.deepEqual(sheetsOf([]), []);
  assert.ok(Math.max(...TEXTS.map((text) => text.length)) < 1400, String(TEXTS.map((text) => text.length)));
});

test('base 32 is read in one form', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => readBase32(base32(bytes))?.equals(bytes) === true));
  for (const text of ['A', 'AB', 'ABC', '0', 'aa', 'AAA', 'AAAAAA']) assert.equal(readBase32(text), undefined, text);
});
