import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { Secret } from '../../src/kernel/secret.ts';
import type { KeyTimes } from '../../src/provider/key-set.ts';
import { createSetIssuer, type SetFacts } from '../../src/signals/set.ts';
import { assert, test } from '../support/check.ts';

const pem = (): Secret =>
  new Secret(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());

test('a service that polls all day for what it does not take has each SET signed once, until another key signs', async () => {
  let files = [pem()];
  let times: KeyTimes[] = [];
  const issuer = await createSetIssuer({
    issuer: 'https://relais.example',
    opIssuer: 'https://relais.example/oidc',
    pairwiseKey: new Secret(Buffer.alloc(32, 1)),
    signing: {
      keys: () => files.map((each) => ({ alg: 'RS256' as const, pem: each })),
      times: async () => times,
      publish: async (keys) => {
        times = keys.map(({ kid, alg }) => ({ kid, alg, publishedAt: new Date(0), promotedAt: undefined, revokedAt: undefined }));
      },
    },
  });
  const facts = (i: number): SetFacts => ({
    id: `dlv_${i}`,
    streamId: 'str_1',
    serviceId: 'caf',
    at: new Date(1_000_000),
    event: 'verification',
    state: `s${i}`,
  });
  const timed = async (work: (i: number) => Promise<string>, times_: number): Promise<number> => {
    const from = performance.now();
    for (let i = 0; i < times_; i++) await work(i);
    return performance.now() - from;
  };
  await issuer.sign(facts(-1));
  const distinct = await timed((i) => issuer.sign(facts(i)), 200);
  const same = await timed((i) => issuer.sign(facts(i % 10)), 2000);
  assert.ok(same < distinct, `2000 times ten SETs took ${Math.round(same)} ms, 200 of them ${Math.round(distinct)} ms`);
  const [one, two] = [await issuer.sign(facts(1)), await issuer.sign(facts(2))];
  assert.deepEqual([decodeJwt(one).jti, decodeJwt(two).jti], ['dlv_1', 'dlv_2'], 'each its own');
  assert.equal(await issuer.sign(facts(1)), one);
  files = [pem()];
  times = [];
  assert.equal(await issuer.refreshKeys(), true);
  const after = await issuer.sign(facts(1));
  assert.notEqual(decodeProtectedHeader(after).kid, decodeProtectedHeader(one).kid, 'a key that no longer signs is not in what is remembered');
});
