import { Failure } from '../kernel/failure.ts';
import type { RotateAnswer, SignAnswer, Signer, SignRequest } from './signer.ts';

/** How a signer is spoken to from another thread or process: one JSON text each way. */

export type Call =
  | { readonly op: 'vkey'; readonly origin: string }
  | { readonly op: 'rotate'; readonly origin: string; readonly fingerprint: string }
  | { readonly op: 'sign'; readonly origin: string; readonly request: SignRequest };
export type Reply = { readonly vkey: string } | RotateAnswer | SignAnswer | { readonly failed: string };

/** Writes a call. */
export const writeCall = (call: Call): string =>
  JSON.stringify(
    call.op !== 'sign'
      ? call
      : {
          ...call,
          request: { ...call.request, root: call.request.root.toString('base64'), proof: textsOf(call.request.proof), ...rotationText(call.request) },
        },
  );

const textsOf = (hashes: readonly Buffer[]): string[] => hashes.map((hash) => hash.toString('base64'));
const hashesOf = (texts: readonly unknown[]): Buffer[] => texts.map((hash) => Buffer.from(String(hash), 'base64'));
const rotationText = ({ rotation }: SignRequest) =>
  rotation ? { rotation: { index: rotation.index, leaf: rotation.leaf.toString('base64'), proof: textsOf(rotation.proof) } } : {};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

const readCall = (text: string): Call | undefined => {
  const value: unknown = JSON.parse(text);
  if (!isObject(value) || typeof value['origin'] !== 'string') return undefined;
  const { op, origin, request, fingerprint } = value;
  if (op === 'vkey') return { op, origin };
  if (op === 'rotate') return typeof fingerprint === 'string' ? { op, origin, fingerprint } : undefined;
  if (op !== 'sign' || !isObject(request)) return undefined;
  const { oldSize, newSize, root, proof, rotation } = request;
  if (typeof oldSize !== 'number' || typeof newSize !== 'number' || typeof root !== 'string' || !Array.isArray(proof)) return undefined;
  return {
    op,
    origin,
    request: { oldSize, newSize, root: Buffer.from(root, 'base64'), proof: hashesOf(proof), ...readShown(rotation) },
  };
};

const readShown = (shown: unknown): Pick<SignRequest, 'rotation'> => {
  if (!isObject(shown)) return {};
  const { index, leaf, proof } = shown;
  if (typeof index !== 'number' || typeof leaf !== 'string' || !Array.isArray(proof)) return {};
  return { rotation: { index, leaf: Buffer.from(leaf, 'base64'), proof: hashesOf(proof) } };
};

/** Answers one call with `signer`; a text that is not a call is refused. */
export const answerCall = (signer: Signer, text: string): string => {
  const reply = (): Reply => {
    const call = readCall(text);
    if (!call) return { refused: 'malformed', message: 'not a call of a signer' };
    if (call.op === 'sign') return signer.sign(call.origin, call.request);
    return call.op === 'vkey' ? { vkey: signer.vkey(call.origin) } : signer.rotate(call.origin, call.fingerprint);
  };
  try {
    return JSON.stringify(reply());
  } catch (error) {
    return JSON.stringify({ failed: error instanceof Failure ? error.message : 'the signer could not write its memory' });
  }
};

/** Reads a reply. Fails as `signer_failed`. It comes from the signer itself, which is trusted as far as its signature goes. */
export const readReply = (text: string): Exclude<Reply, { failed: string }> => {
  const reply = JSON.parse(text) as Reply;
  if ('failed' in reply) throw new Failure('signer_failed', reply.failed);
  return reply;
};
