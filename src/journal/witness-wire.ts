/** The body of `add-checkpoint` (C2SP tlog-witness), for the log that writes it and the witness that reads it. */

/** 63 hashes, and a checkpoint with 64 signatures. */
export const LONGEST_BODY = 32_768;
const MOST_HASHES = 63;

export interface AddRequest {
  readonly oldSize: number;
  readonly proof: readonly Buffer[];
  /** The signed checkpoint. */
  readonly note: string;
}

/** Reads the body of `add-checkpoint`; undefined when it is not one. */
export const readAddRequest = (body: string): AddRequest | undefined => {
  const cut = body.indexOf('\n\n');
  if (cut < 0) return undefined;
  const [first = '', ...lines] = body.slice(0, cut).split('\n');
  const [, digits] = /^old (0|[1-9][0-9]{0,15})$/.exec(first) ?? [];
  const proof = lines.map((line) => Buffer.from(line, 'base64'));
  if (digits === undefined || !Number.isSafeInteger(Number(digits)) || lines.length > MOST_HASHES) return undefined;
  if (proof.some((hash, i) => hash.length !== 32 || hash.toString('base64') !== lines[i])) return undefined;
  return { oldSize: Number(digits), proof, note: body.slice(cut + 2) };
};

/** Writes the body of `add-checkpoint`. */
export const writeAddRequest = ({ oldSize, proof, note }: AddRequest): string =>
  `old ${oldSize}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${note}`;
