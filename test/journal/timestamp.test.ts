import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { askTimestamp, readTimestampResponse, readTsaCertificates, timestampRequest, verifyTimestamp } from '../../src/journal/timestamp.ts';
import { randomBytes } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';
import { startTsa, type TestTsa } from './tsa.ts';

const TEXT = `journal.example/0a1b2c3d\n4790\n${Buffer.alloc(32, 7).toString('base64')}\n`;
const wrong = (detail: RegExp) => ({ name: 'Failure', code: 'timestamp_wrong', message: detail });

let tsa: TestTsa;
before(async () => {
  tsa = await startTsa();
});
after(() => tsa.close());

const pem = (name: string): string => readFileSync(join(tsa.folder, `${name}.pem`), 'utf8');

test('J6 a time over a checkpoint is asked of a real authority, verified here and by OpenSSL', async () => {
  const started = Date.now();
  const trusted = readTsaCertificates(tsa.ca);
  const stamped = await askTimestamp({ url: tsa.url, trusted }, TEXT, randomBytes(8));
  assert.ok(Math.abs(stamped.at.getTime() - started) < 60_000);
  assert.equal(stamped.policy, '1.2.3.4.1');
  assert.ok(tsa.accepts(stamped.token, TEXT));
  assert.equal((await verifyTimestamp(stamped.token, TEXT, { trusted })).at.getTime(), stamped.at.getTime());
  const nonce = randomBytes(8);
  const byRsa = readTimestampResponse(tsa.reply(timestampRequest(TEXT, nonce), 'other'));
  assert.ok(tsa.accepts(byRsa, TEXT, 'other-ca.pem'));
  assert.equal((await verifyTimestamp(byRsa, TEXT, { trusted: readTsaCertificates(`${tsa.ca}\n${pem('other-ca')}`), nonce })).policy, '1.2.3.4.1');
});

test('J6 a token over another text, for another request, by another authority or another purpose is refused', async () => {
  const trusted = readTsaCertificates(tsa.ca);
  const nonce = randomBytes(8);
  const token = readTimestampResponse(tsa.reply(timestampRequest(TEXT, nonce)));
  const other = TEXT.replace('4790', '4791');
  assert.ok(!tsa.accepts(token, other));
  await assert.rejects(verifyTimestamp(token, other, { trusted, nonce }), wrong(/another text/));
  await assert.rejects(verifyTimestamp(token, TEXT, { trusted, nonce: randomBytes(8) }), wrong(/another request/));
  const strangers = readTsaCertificates(pem('other-ca'));
  assert.ok(!tsa.accepts(token, TEXT, 'other-ca.pem'));
  await assert.rejects(verifyTimestamp(token, TEXT, { trusted: strangers, nonce }), wrong(/trusted/));
  await assert.rejects(verifyTimestamp(token, TEXT, { trusted: [], nonce }), wrong(/trusted/));
  assert.equal(
    (await verifyTimestamp(tsa.resigned(token, 'tsa', true), TEXT, { trusted, nonce })).policy,
    '1.2.3.4.1',
    'signed anew by the authority itself',
  );
  await assert.rejects(verifyTimestamp(tsa.resigned(token, 'tsa', false), TEXT, { trusted, nonce }), wrong(/does not name its certificate/));
  const forServers = readTsaCertificates(pem('server-ca'));
  await assert.rejects(
    verifyTimestamp(tsa.resigned(token, 'server', true), TEXT, { trusted: forServers, nonce }),
    wrong(/not one for time stamping/),
  );
  await assert.rejects(verifyTimestamp(Buffer.concat([token, Buffer.alloc(70_000)]), TEXT, { trusted }), wrong(/too large/));
});

test('J6 no byte of a token can be changed', { atLeast: 100 }, async () => {
  const trusted = readTsaCertificates(tsa.ca);
  const token = readTimestampResponse(tsa.reply(timestampRequest(TEXT, randomBytes(8))));
  const certificates = token.indexOf(Buffer.from(pem('tsa').replace(/-----[^-]+-----|\s/g, ''), 'base64').subarray(0, 40));
  assert.ok(certificates > 0);
  const before = (await verifyTimestamp(token, TEXT, { trusted })).at.getTime();
  // The signed time and its imprint, then the signature with its attributes: all before the certificates, and the last 300 bytes.
  const places = [...Array.from({ length: certificates - 40 }, (_, i) => 40 + i), ...Array.from({ length: 300 }, (_, i) => token.length - 300 + i)];
  const passed: number[] = [];
  for (const place of places.filter((_, i) => i % 3 === 0)) {
    const changed = Buffer.from(token);
    changed[place] = (changed[place] ?? 0) ^ 0x01;
    const said = await verifyTimestamp(changed, TEXT, { trusted }).then(
      ({ at }) => at.getTime(),
      (error: { code?: string }) => error.code,
    );
    if (said === before) passed.push(place);
    else assert.equal(said, 'timestamp_wrong', `byte ${place}`);
  }
  // What does not change what is said: a name of an algorithm beside the one used, as the specification leaves unsigned.
  assert.ok(passed.length <= 12, `bytes without effect: ${passed.join(' ')}`);
});

test('J6 an authority that refuses, errs, sends too much or is silent gives no time, and says which', async () => {
  const trusted = readTsaCertificates(tsa.ca);
  const ask = (url = tsa.url, timeoutMs = 2000) => askTimestamp({ url, trusted }, TEXT, randomBytes(8), timeoutMs);
  const refusal = Buffer.from('30053003020102', 'hex'); // PKIStatusInfo: rejection
  const kept = tsa.reply(timestampRequest(TEXT, randomBytes(8)));
  const cases: readonly (readonly [TestTsa['answer'], string])[] = [
    [() => refusal, 'timestamp_refused'],
    [() => 500, 'timestamp_unreachable'],
    [() => 302, 'timestamp_unreachable'],
    [() => Buffer.alloc(0), 'timestamp_wrong'],
    [() => Buffer.from('<html>'), 'timestamp_wrong'],
    [() => Buffer.alloc(200_000), 'timestamp_wrong'],
    [() => kept, 'timestamp_wrong'], // an older answer, given again
    [() => Buffer.concat([kept, Buffer.of(0)]), 'timestamp_wrong'],
  ];
  for (const [answer, code] of cases) {
    tsa.answer = answer;
    await assert.rejects(ask(), { name: 'Failure', code }, code);
  }
  tsa.answer = undefined;
  await assert.rejects(ask('http://127.0.0.1:9/'), { code: 'timestamp_unreachable' });
  assert.ok((await ask()).token.length > 500);
  assert.throws(() => readTsaCertificates('nothing'), { code: 'tsa_certificates_malformed' });
  assert.throws(() => readTsaCertificates(tsa.ca.replace(/MII../, 'AAAA')), { code: 'tsa_certificates_malformed' });
});
