import * as crypto from '../../src/kernel/crypto.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { assert, test } from '../support/check.ts';

test('RFC 6238 appendix B: the SHA-1 vectors, in their last six digits', () => {
  const seed = Buffer.from('12345678901234567890');
  const vectors: readonly (readonly [number, string])[] = [
    [59, '94287082'],
    [1111111109, '07081804'],
    [1111111111, '14050471'],
    [1234567890, '89005924'],
    [2000000000, '69279037'],
    [20000000000, '65353130'],
  ];
  for (const [time, code] of vectors) assert.equal(crypto.totp(seed, Math.floor(time / 30)), code.slice(-6));
});

test('a sealed box opens with its key and its context', () => {
  const key = crypto.randomBytes(32);
  const box = crypto.seal(key, 'seed of an aidant', 'totp/aid_1');
  assert.equal(crypto.open(key, box, 'totp/aid_1').toString(), 'seed of an aidant');
  assert.equal(box.length, 12 + 'seed of an aidant'.length + 16);
  assert.equal(crypto.open(key, crypto.seal(key, '', 'x'), 'x').length, 0);
});

test('a sealed box does not open with another key, another context, a changed bit or a cut', () => {
  const key = crypto.randomBytes(32);
  const box = crypto.seal(key, 'payload', 'context');
  const closed = (...given: Parameters<typeof crypto.open>): void =>
    assert.throws(
      () => crypto.open(...given),
      (error) => error instanceof Failure && error.code === 'box_does_not_open',
    );
  closed(crypto.randomBytes(32), box, 'context');
  closed(key, box, 'contexT');
  closed(key, box);
  closed(key, box.subarray(0, 27), 'context');
  closed(key, box.subarray(0, box.length - 1), 'context');
  closed(key, Buffer.alloc(0), 'context');
  for (let bit = 0; bit < box.length * 8; bit += 5) {
    const changed = Buffer.from(box);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    closed(key, changed, 'context');
  }
});

test('the same text is never sealed twice alike', () => {
  const key = crypto.randomBytes(32);
  const boxes = new Set(Array.from({ length: 200 }, () => crypto.seal(key, 'x').toString('hex')));
  assert.equal(boxes.size, 200);
});

test('SHA-256 and HMAC-SHA-256 of FIPS 180-4 and RFC 4231; parts are hashed one after the other', () => {
  assert.equal(crypto.sha256('abc').toString('hex'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  assert.deepEqual(crypto.sha256('a', Buffer.from('b'), 'c'), crypto.sha256('abc'));
  const mac = crypto.hmacSha256('Jefe', 'what do ya want ', 'for nothing?').toString('hex');
  assert.equal(mac, '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
});

test('T1 secrets of different lengths are compared, not refused by an error', () => {
  assert.equal(crypto.equal('secret', 'secret'), true);
  assert.equal(crypto.equal(Buffer.from('secret'), 'secret'), true);
  assert.equal(crypto.equal('secret', 'secret '), false);
  assert.equal(crypto.equal('', 'x'), false);
});

test('RFC 8032 §7.1, test 3: an Ed25519 key in 32 raw bytes, its signature, and nothing else passes', () => {
  const raw = Buffer.from('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025', 'hex');
  const key = crypto.ed25519FromRaw(raw);
  const signature = Buffer.from(
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    'hex',
  );
  assert.deepEqual(crypto.rawEd25519(key), raw);
  assert.equal(crypto.verifyEd25519(key, Buffer.from('af82', 'hex'), signature), true);
  assert.equal(crypto.verifyEd25519(key, Buffer.from('af83', 'hex'), signature), false);
  assert.equal(crypto.verifyEd25519(key, Buffer.from('af82', 'hex'), signature.subarray(0, 63)), false);
});

test('each kind of private key is made, read back, and has a public key', () => {
  for (const kind of ['es256', 'rs256', 'ed25519'] as const) {
    const key = crypto.readPrivateKey(crypto.makePrivateKeyPem(kind));
    const jwk = crypto.toJwk(crypto.publicKeyOf(key));
    assert.equal(jwk.d, undefined);
    assert.ok(jwk.kty);
  }
  const key = crypto.readPrivateKey(crypto.makePrivateKeyPem('ed25519'));
  assert.equal(crypto.verifyEd25519(crypto.publicKeyOf(key), 'head', crypto.signEd25519(key, 'head')), true);
});

test('random values do not repeat, have their length, and stay below their limit', () => {
  assert.equal(new Set(Array.from({ length: 1000 }, () => crypto.randomToken())).size, 1000);
  assert.equal(Buffer.from(crypto.randomToken(16), 'base64url').length, 16);
  assert.match(crypto.randomUuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  for (let i = 0; i < 100; i++) assert.ok(crypto.randomBelow(3) < 3);
});
