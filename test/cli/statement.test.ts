import { checkOf, createStatements, numberOf, type Sheet, sheetsOf } from '../../src/actions/statement.ts';
import type { Io } from '../../src/cli/command.ts';
import { prepare } from '../../src/cli/run.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../../src/kernel/crypto.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { jwkOf } from '../../src/mandates/attestation.ts';
import { statementPdf } from '../../src/web/attestation-pdf.ts';
import { assert, test } from '../support/check.ts';
import { textOfPdf } from '../support/pdf.ts';

const KEY = readPrivateKey(makePrivateKeyPem('ed25519'));
const MADE = new Date('2026-11-22T10:00:00Z');
const lines = Array.from({ length: 7 }, (_, i) => ({
  index: 40 + i,
  at: new Date(MADE.getTime() - i * 3_600_000),
  said: `Karim, mairie de Thénac, a envoyé votre demande n° ${i}.`,
  check: checkOf(sha256(`leaf ${i}`).toString('base64url')),
}));
const subject = { log: 'journal.test/1', person: 'Madame Colette Martin', from: '2026-08-01', to: '2026-11-22' };
const cut = sheetsOf(lines);
const sheets: Sheet[] = cut.map((rows, i) => ({
  ...subject,
  size: 90,
  root: 'r',
  made: MADE,
  number: numberOf({ ...subject, rows: lines }),
  sheets: cut.length,
  lines: lines.length,
  sheet: i + 1,
  rows,
}));
const { seal } = createStatements({ key: KEY, former: [] });
const keys = JSON.stringify({ keys: [jwkOf(publicKeyOf(KEY))] });
const print = async (shown: readonly Sheet[]): Promise<string> =>
  textOfPdf(
    await statementPdf({ head: sheets[0] as Sheet, sealedAt: MADE, checkUrl: 'https://x.example', helpNumber: '0' }, shown, () => 'A', 'fr', {
      compress: false,
    }),
  );

/** Types the command where its files are. */
const type = async (files: Readonly<Record<string, string>>, more: readonly string[] = []) => {
  const said: string[] = [];
  const io: Io = {
    out: (line) => void said.push(line),
    err: (line) => void said.push(line),
    ask: async () => undefined,
    read: async (path) => {
      const text = files[path];
      if (text === undefined) throw new Failure('file_unreadable', path);
      return text;
    },
  };
  const ready = prepare(['statement', 'check', 'codes.txt', '--keys', 'keys.json', ...more], io);
  if ('exit' in ready || ready.command.where !== 'here') throw new Error('not a local command');
  return { exit: await ready.command.run(ready.input, io), said: said.join('\n') };
};

test('J14 the command checks the sheets of a statement with a file of keys, and names the lines that were altered, removed or added', async () => {
  const codes = sheets.map(seal).join('\n');
  const files = { 'codes.txt': codes, 'keys.json': keys, 'page.txt': await print(sheets) };
  const whole = await type(files, ['--printed', 'page.txt']);
  assert.equal(whole.exit, 0);
  for (const piece of [
    /^Statement [A-Z2-7-]{19}: Madame Colette Martin, .*7 lines/,
    /\n40\t[A-Z2-7]{5}-[A-Z2-7]{5}\t/,
    /\nThe statement is whole\.$/,
  ])
    assert.match(whole.said, piece);
  const part = await type({ ...files, 'codes.txt': seal(sheets[0] as Sheet) });
  assert.deepEqual([part.exit, /Sheets that were not given: 2/.test(part.said)], [0, true]);
  const [first, ...rest] = sheets as [Sheet, ...Sheet[]];
  const [row, ...others] = first.rows as [Sheet['rows'][0], ...Sheet['rows']];
  for (const [rows, expected] of [
    [[{ ...row, said: 'Rien.' }, ...others], /printed otherwise than it was signed: line 40/],
    [others, /signed, and not printed: line 40/],
    [[row, { ...row, index: 99, check: 'QQQQQQQQQQQQQQQQ' }, ...others], /printed, and not signed: the code QQQQQ-QQQQQ/],
  ] as const) {
    const found = await type({ ...files, 'page.txt': await print([{ ...first, rows }, ...rest]) }, ['--printed', 'page.txt']);
    assert.equal(found.exit, 1);
    assert.match(found.said, expected);
  }
  const other = JSON.stringify({ keys: [jwkOf(publicKeyOf(readPrivateKey(makePrivateKeyPem('ed25519'))))] });
  assert.deepEqual(await type({ ...files, 'keys.json': other }, ['--json']).then(({ exit, said }) => [exit, said.split('\n')[0]]), [
    1,
    '{"ok":false,"code":"altered"}',
  ]);
  assert.equal((await type({ ...files, 'codes.txt': 'rien' })).exit, 1);
  await assert.rejects(type({ ...files, 'keys.json': 'x' }), /keys_malformed|expected what/);
});
