import { Failure } from '../kernel/failure.ts';
import { openNote, textOf, type Verifier } from './note.ts';
import { type AddRequest, writeAddRequest } from './witness-wire.ts';

/** Asks a witness for its cosignature (C2SP tlog-witness). */

const LONGEST_ANSWER = 16_384;

export type WitnessAnswer =
  | { readonly cosigned: { readonly line: string; readonly at: Date } }
  /** It last cosigned this size: ask again from there. */
  | { readonly knows: number }
  /** It will not cosign: the HTTP status says why. */
  | { readonly refused: number };

const bodyOf = async (answer: Response): Promise<string> => {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw new Failure('witness_answered_amiss', 'its answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

/** The cosignature among the lines of an answer: lines of other keys are ignored, as the specification asks. */
const cosignatureIn = (lines: string, note: string, verifier: Verifier): { line: string; at: Date } => {
  try {
    const opened = openNote(`${textOf(note)}\n${lines}`, [verifier]);
    const [at, line] = [opened.times.get(verifier), opened.lines.at(-1)];
    if (at && line) return { line, at };
  } catch (cause) {
    throw new Failure('witness_answered_amiss', 'its cosignature does not verify', { cause });
  }
  throw new Failure('witness_answered_amiss', 'it answered without its cosignature');
};

/** Sends `add-checkpoint` to the witness at `url`. Fails as `witness_unreachable` or `witness_answered_amiss`. */
export const submitCheckpoint = async (options: {
  /** Submission prefix. */
  readonly url: string;
  readonly verifier: Verifier;
  readonly request: AddRequest;
  readonly signal: AbortSignal;
}): Promise<WitnessAnswer> => {
  const { url, verifier, request, signal } = options;
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(`${url.replace(/\/$/, '')}/add-checkpoint`, { method: 'POST', body: writeAddRequest(request), redirect: 'error', signal });
    text = await bodyOf(answer);
  } catch (cause) {
    throw cause instanceof Failure ? cause : new Failure('witness_unreachable', `${verifier.name} does not answer`, { cause });
  }
  if (answer.status === 200) return { cosigned: cosignatureIn(text, request.note, verifier) };
  if (answer.status === 409 && answer.headers.get('content-type')?.startsWith('text/x.tlog.size') && /^(0|[1-9][0-9]{0,15})\n$/.test(text))
    return { knows: Number(text) };
  if (answer.status >= 500) throw new Failure('witness_unreachable', `${verifier.name} answers ${answer.status}`);
  return { refused: answer.status };
};
