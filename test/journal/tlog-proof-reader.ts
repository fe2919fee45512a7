import { createHash, createPublicKey, verify } from 'node:crypto';

/**
 * A reader of C2SP tlog-proof written from the words of the specifications (tlog-proof, signed-note, tlog-checkpoint, RFC 9162 §2.1.3.2) and
 * sharing nothing with `src/`: what an administration would write in an afternoon. Throws when the proof does not hold.
 */
export const independentlyCheck = (file: string, leaf: string | Uint8Array, vkey: string): { index: bigint; size: bigint } => {
  const sha = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
  const lines = file.split('\n');
  const want = (held: boolean, rule: string): void => {
    if (!held) throw new Error(rule);
  };
  want(lines.shift() === 'c2sp.org/tlog-proof@v1', 'The first line MUST be the string c2sp.org/tlog-proof@v1');
  if (lines[0]?.startsWith('extra ')) lines.shift(); // MUST NOT implicitly trust the extra data
  const index = /^index (0|[1-9]\d*)$/.exec(lines.shift() ?? '')?.[1];
  want(index !== undefined, 'index, ASCII decimal with no leading zeroes');
  const path: Buffer[] = [];
  for (let line = lines.shift(); line !== ''; line = lines.shift()) {
    want(line !== undefined, 'an empty line after the inclusion proof');
    path.push(Buffer.from(line ?? '', 'base64'));
  }
  // signed-note: the text, an empty line, then lines that start with an em dash.
  const blank = lines.indexOf('');
  const text = `${lines.slice(0, blank).join('\n')}\n`;
  const signatures = lines.slice(blank + 1).filter((line) => line !== '');
  const [origin, size = '', root = ''] = text.split('\n');
  const [name, id, ...rest] = vkey.split('+');
  const key = Buffer.from(rest.join('+'), 'base64');
  want(origin === name, 'the checkpoint origin line is acceptable');
  want(
    sha(Buffer.from(`${name}\n`), key)
      .subarray(0, 4)
      .toString('hex') === id,
    'key ID = SHA-256(<name> || 0x0A || type || key)[:4]',
  );
  const own = signatures
    .map((line) => line.split(' '))
    .find(
      ([, who, data]) =>
        who === name &&
        Buffer.from(data ?? '', 'base64')
          .toString('hex')
          .startsWith(id ?? ''),
    );
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  want(
    own !== undefined && verify(null, Buffer.from(text), publicKey, Buffer.from(own[2] ?? '', 'base64').subarray(4)),
    'signed by a log public key',
  );
  let fn = BigInt(index ?? 0);
  let sn = BigInt(size) - 1n;
  want(fn <= sn, 'leaf_index < tree_size');
  let r = sha(Buffer.of(0), Buffer.from(leaf));
  for (const p of path) {
    want(sn !== 0n, 'sn is 0: stop and fail');
    if (fn & 1n || fn === sn) {
      r = sha(Buffer.of(1), p, r);
      if (!(fn & 1n))
        do [fn, sn] = [fn >> 1n, sn >> 1n];
        while (!(fn & 1n) && fn !== 0n);
    } else r = sha(Buffer.of(1), r, p);
    [fn, sn] = [fn >> 1n, sn >> 1n];
  }
  want(sn === 0n && r.toString('base64') === root, 'r is equal to the root hash');
  return { index: BigInt(index ?? 0), size: BigInt(size) };
};
