import * as node from 'node:crypto';
import { Failure } from './failure.ts';

/** The only file that touches `node:crypto`. Hashes, MACs and ciphertexts are Buffers; text is UTF-8. */

export type Bytes = Uint8Array | string;

const POOL_BYTES = 8192;
let pool = Buffer.alloc(0);
let drawn = 0;

/** Random bytes of the system. Short ones are cut from a block that was drawn at once, and leave it: each call to the system costs more than they do. */
export const randomBytes = (length: number): Buffer => {
  if (length > 64) return node.randomBytes(length);
  if (drawn + length > pool.length) [pool, drawn] = [node.randomBytes(POOL_BYTES), 0];
  const cut = Buffer.from(pool.subarray(drawn, drawn + length));
  pool.fill(0, drawn, drawn + length);
  drawn += length;
  return cut;
};
export const randomToken = (length = 32): string => randomBytes(length).toString('base64url');
export const randomUuid = (): string => node.randomUUID();
export const randomBelow = (limit: number): number => node.randomInt(limit);

/** One text or one run of bytes from several parts. */
const joined = (parts: readonly Bytes[]): Bytes => {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  let length = 0;
  for (const part of parts) length += typeof part === 'string' ? Buffer.byteLength(part) : part.length;
  const whole = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') at += whole.write(part, at);
    else {
      whole.set(part, at);
      at += part.length;
    }
  }
  return whole;
};

/** Node gives a digest as text many times sooner than as a Buffer of its own. */
export const sha256 = (...parts: readonly Bytes[]): Buffer => Buffer.from(node.hash('sha256', joined(parts), 'binary'), 'latin1');

/** `length` bytes of SHAKE256 (FIPS 202): many values from one secret, none of which tells another. */
export const shake256 = (length: number, ...parts: readonly Bytes[]): Buffer =>
  node.createHash('shake256', { outputLength: length }).update(joined(parts)).digest();

const known = new WeakMap<Uint8Array, node.KeyObject>();

/** Node takes bytes as a key as well, but finds out slowly that they are not a key object. Bytes that stay are read once: nobody writes over a key. */
const secretKey = (key: Bytes): node.KeyObject => {
  if (typeof key === 'string') return node.createSecretKey(key, 'utf8');
  const before = known.get(key);
  if (before) return before;
  const made = node.createSecretKey(key);
  known.set(key, made);
  return made;
};

export const hmacSha256 = (key: Bytes, ...parts: readonly Bytes[]): Buffer => {
  return Buffer.from(node.createHmac('sha256', secretKey(key)).update(joined(parts)).digest('binary'), 'latin1');
};

/** Compares two secrets in a time that depends on neither (claim T1: every secret comparison goes through here). */
export const equal = (a: Bytes, b: Bytes): boolean =>
  typeof a !== 'string' && typeof b !== 'string' && a.length === b.length ? node.timingSafeEqual(a, b) : node.timingSafeEqual(sha256(a), sha256(b));

/** Encrypts with AES-256-GCM: 12 bytes of nonce, ciphertext, 16 bytes of tag. `context` is bound to the box and must be given back to open it. */
export const seal = (key: Uint8Array, plaintext: Bytes, context = ''): Buffer => {
  const nonce = randomBytes(12);
  const cipher = node.createCipheriv('aes-256-gcm', secretKey(key), nonce);
  cipher.setAAD(Buffer.from(context));
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
};

/** Decrypts a box of `seal`. Fails as `box_does_not_open` when the key, the context or a single bit differs. */
export const open = (key: Uint8Array, box: Uint8Array, context = ''): Buffer => {
  try {
    if (box.length < 28) throw new RangeError('too short');
    const decipher = node.createDecipheriv('aes-256-gcm', secretKey(key), box.subarray(0, 12));
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(box.subarray(box.length - 16));
    return Buffer.concat([decipher.update(box.subarray(12, box.length - 16)), decipher.final()]);
  } catch (cause) {
    throw new Failure('box_does_not_open', undefined, { cause });
  }
};

export type PrivateKey = node.KeyObject;
export type PublicKey = node.KeyObject;

export const readPrivateKey = (pem: string): PrivateKey => node.createPrivateKey(pem);
export const publicKeyOf = (key: PrivateKey): PublicKey => node.createPublicKey(key);
export const toJwk = (key: node.KeyObject): node.JsonWebKey => key.export({ format: 'jwk' });
/** Makes a private key in PKCS #8 PEM. */
export const makePrivateKeyPem = (kind: 'es256' | 'rs256' | 'ed25519'): string => {
  const pair =
    kind === 'es256'
      ? node.generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : kind === 'rs256'
        ? node.generateKeyPairSync('rsa', { modulusLength: 2048 })
        : node.generateKeyPairSync('ed25519');
  return pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
};

/** Signs with Ed25519 (RFC 8032): 64 bytes. */
export const signEd25519 = (key: PrivateKey, message: Bytes): Buffer => node.sign(null, Buffer.from(message), key);
export const verifyEd25519 = (key: PublicKey, message: Bytes, signature: Uint8Array): boolean =>
  signature.length === 64 && node.verify(null, Buffer.from(message), key, signature);
/** The 32 raw bytes of an Ed25519 public key (RFC 8032 §5.1.5). */
export const rawEd25519 = (key: PublicKey): Buffer => Buffer.from(toJwk(key).x ?? '', 'base64url');
export const ed25519FromRaw = (raw: Uint8Array): PublicKey =>
  node.createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') }, format: 'jwk' });

/** One-time code of RFC 6238 with SHA-1, six digits: `step` is the number of 30-second steps since 1970. */
export const totp = (seed: Uint8Array, step: number): string => {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = node.createHmac('sha1', seed).update(counter).digest();
  const offset = (mac[19] ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
};

/** Writes the first 16 bytes as a UUID of version 8 (RFC 9562 §5.8): an identifier that is derived, not drawn. */
export const uuidFrom = (bytes: Uint8Array): string => {
  const raw = Buffer.from(bytes.subarray(0, 16));
  raw[6] = ((raw[6] ?? 0) & 0x0f) | 0x80;
  raw[8] = ((raw[8] ?? 0) & 0x3f) | 0x80;
  const hex = raw.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};
