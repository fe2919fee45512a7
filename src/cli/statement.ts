import { checkSheets, differencesOf, printedCheck, printedNumber, type StatementLine } from '../actions/statement.ts';
import { ed25519FromRaw, type PublicKey } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { keyIdOf } from '../mandates/attestation.ts';
import { printedLine } from '../web/views/statement-blocks.ts';
import { EXIT, type Io, JSON_FLAG, type LocalCommand } from './command.ts';

/** Reads the published keys (a JWK set), each under the name that its own bytes give it. */
const readKeys = (text: string): Map<string, PublicKey> => {
  try {
    const { keys } = JSON.parse(text) as { keys: { kty: string; crv: string; x: string }[] };
    return new Map(
      keys
        .filter((each) => each.kty === 'OKP' && each.crv === 'Ed25519')
        .map((each) => ed25519FromRaw(Buffer.from(each.x, 'base64url')))
        .map((key) => [keyIdOf(key), key]),
    );
  } catch (cause) {
    throw new Failure('keys_malformed', 'expected what /.well-known/relais-attestation-keys.json gives', { cause });
  }
};

const words = (row: StatementLine): readonly string[] => Object.values(printedLine(row, 'fr'));

const tellDifferences = (found: ReturnType<typeof differencesOf>, io: Io): void => {
  for (const each of found)
    if (each.kind === 'added') io.err(`printed, and not signed: the code ${each.check}`);
    else io.err(each.kind === 'missing' ? `signed, and not printed: line ${each.index}` : `printed otherwise than it was signed: line ${each.index}`);
};

export const checkStatement: LocalCommand = {
  name: 'statement check',
  where: 'here',
  summary: 'check the sheets of a printed statement, with no network and no database',
  subject: { name: 'FILE', help: 'what the QR codes say, one below the other' },
  flags: [
    {
      name: 'keys',
      kind: 'text',
      value: 'FILE',
      help: 'the published keys: /.well-known/relais-attestation-keys.json, taken beforehand',
      required: true,
    },
    {
      name: 'printed',
      kind: 'text',
      value: 'FILE',
      help: 'the text of the same sheets (of a scan, of the PDF, in French), to be compared with what was signed',
    },
    JSON_FLAG,
  ],
  run: async (input, io) => {
    const verdict = checkSheets(readKeys(await io.read(input.must('keys'))), await io.read(input.subject));
    if (verdict.kind !== 'genuine') {
      if (input.on('json')) io.out(JSON.stringify({ ok: false, code: verdict.kind }));
      io.err(
        {
          altered: 'Altered, or signed by none of these keys.',
          mixed: 'These sheets are not of one statement.',
          unreadable: 'No sheet is in this file.',
        }[verdict.kind],
      );
      return EXIT.refused;
    }
    const { sheets, missing } = verdict;
    const rows = sheets.flatMap((sheet) => sheet.rows);
    const printed = input.text('printed');
    const differences = printed === undefined ? [] : differencesOf(rows, words, await io.read(printed));
    const [head] = sheets;
    if (input.on('json')) io.out(JSON.stringify({ ok: !differences.length, number: printedNumber(head.number), sheets, missing, differences }));
    else {
      io.out(
        `Statement ${printedNumber(head.number)}: ${head.person}, ${head.from} to ${head.to}, ${head.lines} lines on ${head.sheets} sheets, made ${head.made.toISOString()}.`,
      );
      for (const row of rows) io.out(`${row.index}\t${printedCheck(row.check)}\t${row.at.toISOString()}\t${row.said}`);
      io.out(missing.length ? `Sheets that were not given: ${missing.join(', ')}.` : 'The statement is whole.');
    }
    tellDifferences(differences, io);
    return differences.length ? EXIT.refused : EXIT.done;
  },
};
