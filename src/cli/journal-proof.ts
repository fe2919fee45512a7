import { type Checkpoint, openNote, readCheckpoint, readVkey, type Verifier } from '../journal/note.ts';
import { checkProofText } from '../journal/proof-text.ts';
import { Failure } from '../kernel/failure.ts';
import { EXIT, type Io, JSON_FLAG, type LocalCommand } from './command.ts';

/** Opens a checkpoint signed by the key of the log that it names. */
const opener =
  (logs: readonly Verifier[]) =>
  (note: string): Checkpoint => {
    const { text, by } = openNote(note, logs);
    const checkpoint = readCheckpoint(text);
    if (!by.some(({ name }) => name === checkpoint.origin))
      throw new Failure('checkpoint_of_other_log', `${checkpoint.origin} is not the log of that key`);
    return checkpoint;
  };

/** A leaf as it is typed: its hash in hexadecimal or base 64 (of either alphabet), or the file of its bytes. */
const readLeaf = async (given: string, io: Io): Promise<{ bytes: Buffer } | { hash: Buffer }> => {
  if (/^[0-9a-f]{64}$/i.test(given)) return { hash: Buffer.from(given, 'hex') };
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(given)) return { hash: Buffer.from(given, 'base64') };
  return { bytes: Buffer.from((await io.read(given)).replace(/\r?\n$/, '')) };
};

export const checkProof: LocalCommand = {
  name: 'journal check-proof',
  where: 'here',
  summary: 'check a .tlog-proof file, with no network and no database',
  subject: { name: 'FILE', help: 'the proof, as it was downloaded' },
  flags: [
    {
      name: 'vkey',
      kind: 'list',
      value: 'VKEY',
      help: 'the public key of the log as a C2SP vkey, known from elsewhere than the proof',
      required: true,
    },
    {
      name: 'leaf',
      kind: 'text',
      value: 'HASH or FILE',
      help: 'the fingerprint that a receipt or a statement shows, or the leaf’s bytes; if left out, what the proof carries is shown',
    },
    JSON_FLAG,
  ],
  run: async (input, io) => {
    const leaf = input.text('leaf');
    try {
      const text = await io.read(input.subject);
      const open = opener(input.list('vkey').map(readVkey));
      const proved = checkProofText(text, open, leaf === undefined ? undefined : await readLeaf(leaf, io));
      const { origin, size } = proved.checkpoint;
      const said = { origin, index: proved.index, size, leafHash: proved.leafHash.toString('base64url') };
      if (input.on('json')) io.out(JSON.stringify({ ok: true, ...said, ...(proved.leaf ? { leaf: proved.leaf.toString('utf8') } : {}) }));
      else {
        io.out(`The proof holds: entry ${said.index} of ${origin} is ${said.leafHash}, among the ${size} entries that were signed.`);
        if (proved.leaf) io.out(proved.leaf.toString('utf8').replaceAll(/[^\x20-\x7e]/g, '?'));
      }
      return EXIT.done;
    } catch (error) {
      if (!(error instanceof Failure) || !/^(?:proof|note|checkpoint)_/.test(error.code)) throw error;
      if (input.on('json')) io.out(JSON.stringify({ ok: false, code: error.code, message: error.detail ?? '' }));
      io.err(`The proof does not hold: ${error.message}`);
      return EXIT.refused;
    }
  },
};
