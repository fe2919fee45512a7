import { Failure } from '../kernel/failure.ts';
import type { Checkpoint } from './note.ts';
import { verifyInclusion } from './proof.ts';
import { leafHash } from './tree.ts';

/** The C2SP tlog-proof text: what shows, offline, that one entry is in a log whose checkpoint somebody signed. */

/** A proof as it is written down: nothing in it is to be believed before `checkProofText`. */
export interface ProofText {
  readonly index: number;
  /** From the leaf's sibling up to the root's child, 32 bytes each. */
  readonly hashes: readonly Buffer[];
  /** The signed checkpoint, verbatim. */
  readonly note: string;
  /** What Relais writes there is the leaf's own bytes, so that the file is enough. Not covered by any signature but through its hash. */
  readonly extra?: Buffer;
}

const HEADER = 'c2sp.org/tlog-proof@v1';
/** Sizes are safe integers, so no path is longer. */
const MOST_HASHES = 53;
const LONGEST = 65_536;

/** Decodes standard base 64, refusing what would not be written the same way. */
const base64 = (text: string): Buffer | undefined => {
  const bytes = Buffer.from(text, 'base64');
  return bytes.length > 0 && bytes.toString('base64') === text ? bytes : undefined;
};

/** Writes a proof. */
export const writeProofText = ({ index, hashes, note, extra }: ProofText): string =>
  [
    HEADER,
    ...(extra ? [`extra ${extra.toString('base64')}`] : []),
    `index ${index}`,
    ...hashes.map((hash) => hash.toString('base64')),
    '',
    note,
  ].join('\n');

const malformed = (detail: string): Failure => new Failure('proof_malformed', detail);

/** Reads a proof, refusing whatever `writeProofText` would write otherwise. Fails as `proof_malformed`. */
export const readProofText = (text: string): ProofText => {
  if (text.length > LONGEST) throw malformed(`longer than ${LONGEST} characters`);
  const cut = text.indexOf('\n\n');
  if (cut < 0) throw malformed('expected a blank line before the checkpoint');
  const [header, ...lines] = text.slice(0, cut).split('\n');
  const note = text.slice(cut + 2);
  if (header !== HEADER) throw malformed(`the first line is not ${HEADER}`);
  if (!note.endsWith('\n')) throw malformed('the checkpoint does not end in a newline');
  const extra = lines[0]?.startsWith('extra ') ? base64(lines.shift()?.slice('extra '.length) ?? '') : null;
  if (extra === undefined) throw malformed('the extra line is not base 64');
  const [, digits] = /^index (0|[1-9][0-9]{0,15})$/.exec(lines.shift() ?? '') ?? [];
  const index = Number(digits);
  if (!Number.isSafeInteger(index)) throw malformed('expected a line "index" and a number');
  if (lines.length > MOST_HASHES) throw malformed(`more than ${MOST_HASHES} hashes`);
  const hashes = lines.map((line) => {
    const hash = base64(line);
    if (hash?.length !== 32) throw malformed('a line of the proof is not a hash');
    return hash;
  });
  return { index, hashes, note, ...(extra ? { extra } : {}) };
};

/** What a proof showed. */
export interface Proved {
  readonly index: number;
  readonly leafHash: Buffer;
  /** The leaf's bytes, when the proof or whoever checks it had them. */
  readonly leaf?: Buffer;
  readonly checkpoint: Checkpoint;
}

/**
 * Checks a proof offline. `open` reads the checkpoint and answers for its signatures, by the keys and the policy of whoever checks. `leaf`:
 * the leaf's bytes or its hash, known from elsewhere; without it, the bytes that the proof itself carries are what is proved. Fails as
 * `proof_malformed`, `proof_leaf_unknown`, `proof_of_other_leaf`, `proof_mismatch`, or as `open` does.
 */
export const checkProofText = (
  text: string,
  open: (note: string) => Checkpoint,
  leaf?: { readonly bytes: Buffer } | { readonly hash: Buffer },
): Proved => {
  const proof = readProofText(text);
  const bytes = leaf && 'bytes' in leaf ? leaf.bytes : proof.extra;
  const hash = leaf && 'hash' in leaf ? leaf.hash : bytes && leafHash(bytes);
  if (!hash) throw new Failure('proof_leaf_unknown', 'the proof does not carry its leaf: give the leaf, or its hash');
  if (proof.extra && !leafHash(proof.extra).equals(hash))
    throw new Failure('proof_of_other_leaf', 'the proof carries another leaf than the one given');
  const checkpoint = open(proof.note);
  if (!verifyInclusion(hash, proof.index, checkpoint.size, proof.hashes, checkpoint.root))
    throw new Failure('proof_mismatch', `the hashes do not lead from entry ${proof.index} to the signed root of ${checkpoint.size} entries`);
  return { index: proof.index, leafHash: hash, checkpoint, ...(bytes ? { leaf: bytes } : {}) };
};
