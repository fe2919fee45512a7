import { readCheckpoint, textOf } from '../journal/note.ts';
import { type Policy, readPolicy, type Witnessed } from '../journal/policy.ts';
import { checkProofText } from '../journal/proof-text.ts';
import { followRotations, logKeysOf, openWitnessedAt, type RotationLeaf, readRotations } from '../journal/rotations.ts';
import { Failure } from '../kernel/failure.ts';
import { EXIT, type Input, type Io, JSON_FLAG, type LocalCommand } from './command.ts';

/** Opens a checkpoint of any log of the policy, with the key that counts at its size, cosigned as the policy asks. */
const openBy = (note: string, policy: Policy, rotations: readonly RotationLeaf[]): Witnessed => {
  const { origin } = readCheckpoint(textOf(note));
  const known = logKeysOf(policy, origin);
  if (!known.length) throw new Failure('checkpoint_of_other_log', `${origin} is none of the logs whose key was given`);
  const opened = openWitnessedAt(note, origin, policy, followRotations(known, rotations).keys);
  if (!opened.met) throw new Failure('checkpoint_unwitnessed', `it is not cosigned as the policy asks: by "${policy.quorum}"`);
  return opened;
};

/** The keys that count: those typed, or those of a policy. Fails as `policy_malformed`, `vkey_missing`. */
const policyOf = async (input: Input, io: Io): Promise<Policy> => {
  const [file, vkeys] = [input.text('policy'), input.list('vkey')];
  if (file !== undefined) return readPolicy(await io.read(file));
  if (!vkeys.length) throw new Failure('vkey_missing', 'say whose signature counts: --vkey or --policy');
  return readPolicy(`${vkeys.map((vkey) => `log ${vkey}\n`).join('')}quorum none\n`);
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
    },
    { name: 'policy', kind: 'text', value: 'FILE', help: 'or a C2SP tlog-policy: the keys of logs and witnesses, and whose cosignatures are asked' },
    {
      name: 'rotations',
      kind: 'text',
      value: 'FILE',
      help: 'the changes of the log’s key, as /log/rotations shows them, where only a former key is known',
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
      const policy = await policyOf(input, io);
      const changes = input.text('rotations');
      const rotations = changes === undefined ? [] : readRotations(await io.read(changes));
      let witnesses: string[] = [];
      const open = (note: string) => {
        const opened = openBy(note, policy, rotations);
        witnesses = opened.witnesses.map(({ name }) => name);
        return opened.checkpoint;
      };
      const proved = checkProofText(text, open, leaf === undefined ? undefined : await readLeaf(leaf, io));
      const { origin, size } = proved.checkpoint;
      const said = { origin, index: proved.index, size, leafHash: proved.leafHash.toString('base64url'), witnesses };
      if (input.on('json')) io.out(JSON.stringify({ ok: true, ...said, ...(proved.leaf ? { leaf: proved.leaf.toString('utf8') } : {}) }));
      else {
        io.out(`The proof holds: entry ${said.index} of ${origin} is ${said.leafHash}, among the ${size} entries that were signed.`);
        if (witnesses.length) io.out(`Seen by: ${witnesses.join(', ')}.`);
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
