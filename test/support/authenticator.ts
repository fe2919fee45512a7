import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import type { Page } from '../../src/practice/walker.ts';

/** An authenticator of a test (Web Authentication Level 3 §6): real keys and signatures, and it lies where a test asks it to. */

const sha256 = (data: Buffer | string): Buffer => createHash('sha256').update(data).digest();
const b64 = (data: Buffer): string => data.toString('base64url');

/** CBOR (RFC 8949) of what an attestation holds: integers, byte strings, text, maps. */
const head = (major: number, n: number): Buffer =>
  n < 24 ? Buffer.from([(major << 5) | n]) : n < 256 ? Buffer.from([(major << 5) | 24, n]) : Buffer.from([(major << 5) | 25, n >> 8, n & 255]);
const cbor = (value: number | string | Buffer | Map<number | string, unknown>): Buffer => {
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, item]) => [cbor(key), cbor(item as number | string | Buffer)])]);
};

export interface Lies {
  readonly origin?: string;
  readonly verified?: boolean;
  readonly counter?: number;
  readonly challenge?: string;
  readonly fmt?: string;
}

/** What a page asks of the browser's passkeys. */
export const askedOn = (page: Page): Record<string, never> & { challenge: string } => {
  const found = /data-passkey="([^"]+)"/.exec(page.html)?.[1];
  if (!found) throw new Error(`no passkey is asked for on ${page.url.pathname}`);
  return JSON.parse(found.replaceAll('&quot;', '"').replaceAll('&amp;', '&')) as never;
};

export class Authenticator {
  readonly id = randomBytes(32);
  readonly #key: KeyObject;
  readonly #point: Buffer;
  readonly #origin: string;
  #counter = 0;

  constructor(origin: string) {
    this.#origin = origin;
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = pair.privateKey;
    const jwk = pair.publicKey.export({ format: 'jwk' });
    this.#point = cbor(
      new Map<number, unknown>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(jwk.x ?? '', 'base64url')],
        [-3, Buffer.from(jwk.y ?? '', 'base64url')],
      ]),
    );
  }

  #client(type: string, asked: { challenge: string }, lies: Lies): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: `webauthn.${type}`,
        challenge: lies.challenge ?? asked.challenge,
        origin: lies.origin ?? this.#origin,
        crossOrigin: false,
      }),
    );
  }

  #data(flags: number, lies: Lies, rest = Buffer.alloc(0)): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(lies.counter ?? ++this.#counter);
    const rp = sha256(new URL(this.#origin).hostname);
    return Buffer.concat([rp, Buffer.from([flags | 1 | (lies.verified === false ? 0 : 4)]), counter, rest]);
  }

  #json(response: Readonly<Record<string, string>>): string {
    return JSON.stringify({ id: b64(this.id), rawId: b64(this.id), type: 'public-key', clientExtensionResults: {}, response });
  }

  create(asked: { challenge: string }, lies: Lies = {}): string {
    const length = Buffer.from([0, this.id.length]);
    const data = this.#data(0x40, lies, Buffer.concat([Buffer.alloc(16), length, this.id, this.#point]));
    const object = cbor(
      new Map<string, unknown>([
        ['fmt', lies.fmt ?? 'none'],
        ['attStmt', new Map()],
        ['authData', data],
      ]),
    );
    return this.#json({ clientDataJSON: b64(this.#client('create', asked, lies)), attestationObject: b64(object) });
  }

  use(asked: { challenge: string }, lies: Lies = {}): string {
    const client = this.#client('get', asked, lies);
    const data = this.#data(0, lies);
    const signature = sign('sha256', Buffer.concat([data, sha256(client)]), this.#key);
    return this.#json({ clientDataJSON: b64(client), authenticatorData: b64(data), signature: b64(signature) });
  }
}
