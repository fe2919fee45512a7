import { type Comparison, compareNotes } from '../journal/compare.ts';
import { textOf } from '../journal/note.ts';
import { type Policy, readPolicy, type Witnessed } from '../journal/policy.ts';
import { Failure } from '../kernel/failure.ts';
import { EXIT, type Input, type Io, JSON_FLAG, type LocalCommand } from './command.ts';

const policyOf = async (input: Input, io: Io): Promise<Policy> => {
  const file = input.text('policy');
  if (file !== undefined) return readPolicy(await io.read(file));
  const keys = input.list('vkey');
  if (!keys.length) throw new Failure('vkey_malformed', 'give --policy or --vkey: a note says nothing by itself');
  return readPolicy([...keys.map((vkey) => `log ${vkey}`), 'quorum none'].join('\n'));
};

const describe = (name: string, { checkpoint, witnesses, met }: Witnessed, policy: Policy): string => {
  const seen = witnesses.map((one) => `${one.name} at ${one.at.toISOString()}`).join(', ') || 'no witness';
  const quorum = policy.quorum === 'none' ? '' : met ? '; the quorum is met' : '; the quorum is not met';
  return `${name}: ${checkpoint.size} entries, root ${checkpoint.root.toString('base64')}, seen by ${seen}${quorum}`;
};

const SAYS: Readonly<Record<Comparison['verdict'], string>> = {
  same: 'Both notes are of the same tree.',
  continued: 'The larger tree continues the smaller one.',
  contradiction: 'CONTRADICTION: the log signed two different trees of one size. Keep both files: together they prove it to anybody.',
  unproved:
    'Nothing is proved: the sizes differ. Ask for /api/v1/journal/consistency?from=SMALLER&to=LARGER and give it with --proof; an answer that does not verify means another past.',
};

/** In a contradiction the history that a quorum has witnessed is the one to go on with (claim K6). */
const wins = ({ verdict, first, second }: Comparison, policy: Policy): 1 | 2 | undefined =>
  verdict !== 'contradiction' || policy.quorum === 'none' || first.met === second.met ? undefined : first.met ? 1 : 2;

export const compare: LocalCommand = {
  name: 'journal compare',
  where: 'here',
  summary: 'compare two signed checkpoints of a journal, with no network and no database: is it one history?',
  flags: [
    { name: 'note', kind: 'list', value: 'FILE', help: 'a checkpoint as it was published, or kept by a witness; twice', required: true },
    { name: 'policy', kind: 'text', value: 'FILE', help: 'the keys of the log and of its witnesses (tlog-policy), known from elsewhere' },
    { name: 'vkey', kind: 'list', value: 'VKEY', help: 'the log’s public key, instead of a policy' },
    { name: 'proof', kind: 'text', value: 'FILE', help: 'hashes of a consistency proof, one a line in base 64' },
    JSON_FLAG,
  ],
  notes: ['Ends with 0 for one history, 7 for a contradiction, 1 when nothing is proved.'],
  run: async (input, io) => {
    const files = input.list('note');
    const [one, two] = files;
    if (one === undefined || two === undefined || files.length > 2) {
      io.err('relais journal compare: give --note twice. See relais journal compare --help');
      return EXIT.usage;
    }
    const policy = await policyOf(input, io);
    const notes = [await io.read(one), await io.read(two)] as const;
    const proofFile = input.text('proof');
    const proof = proofFile === undefined ? undefined : (await io.read(proofFile)).split('\n').filter(Boolean);
    try {
      const [origin = ''] = textOf(notes[0]).split('\n');
      const compared = compareNotes(
        notes,
        origin,
        policy,
        proof?.map((line) => Buffer.from(line, 'base64')),
      );
      const winner = wins(compared, policy);
      if (input.on('json'))
        io.out(JSON.stringify({ verdict: compared.verdict, origin, ...(winner === undefined ? {} : { witnessed: files[winner - 1] }) }));
      else {
        io.out(describe(one, compared.first, policy));
        io.out(describe(two, compared.second, policy));
        io.out(SAYS[compared.verdict]);
        if (winner !== undefined) io.out(`Witnesses saw the history of ${files[winner - 1]}: that one counts.`);
      }
      return compared.verdict === 'contradiction' ? EXIT.continuity : compared.verdict === 'unproved' ? EXIT.refused : EXIT.done;
    } catch (error) {
      if (!(error instanceof Failure) || !/^(?:note|checkpoint)_/.test(error.code)) throw error;
      if (input.on('json')) io.out(JSON.stringify({ verdict: 'invalid', code: error.code, message: error.detail ?? '' }));
      io.err(`A note does not hold: ${error.message}`);
      return EXIT.refused;
    }
  },
};
