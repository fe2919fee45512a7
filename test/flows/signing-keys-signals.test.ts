import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, importPKCS8, type JSONWebKeySet, jwtVerify, SignJWT } from 'jose';
import { makeNextSigningKey } from '../../src/config/keys.ts';
import { fingerprintOf } from '../../src/journal/log-keys.ts';
import { publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { agreed, entriesSince, inTheMorning, introspectAt, mark, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { type DatabaseKind, databases } from '../support/database.ts';
import { as, desk } from '../support/desk.ts';
import { sessionOf } from '../support/protocol.ts';
import { askSsf, pushEndpoint, streamToken } from '../support/receiver.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService } from '../support/world.ts';

const DAY = 24 * 3_600_000;
const KEY = ['--key', 'ssf-rs256'];

/** A house with keys of its own, and two services: one is pushed to, the other polls. */
const house = async (t: { after(done: () => Promise<void>): void }, kind: DatabaseKind) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-signal-keys-'));
  const world = await openWorld(kind, { keysFolder: folder });
  const endpoint = await pushEndpoint();
  t.after(async () => {
    endpoint.close();
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });
  inTheMorning(world);
  const apps = [world.app, ...(kind.kind === 'postgres' ? [(await world.secondInstance()).app] : [])];
  const pushed = await world.service('cles-push');
  const polled = await world.service('cles-poll');
  const ask = async (service: TestService, method: string, path: string, body?: object) =>
    askSsf(world, method, path, await streamToken(service), body);
  const delivery = { method: 'urn:ietf:rfc:8935', endpoint_url: endpoint.url };
  const pushStream = (await ask(pushed, 'POST', '/ssf/stream', { delivery })).body.stream_id as string;
  const pollStream = (await ask(polled, 'POST', '/ssf/stream', {})).body.stream_id as string;
  const file = join(folder, 'ssf-rs256.pem');
  return {
    world,
    folder,
    file,
    endpoint,
    apps,
    polled,
    relais: desk(world),
    jwks: async () => (await askSsf(world, 'GET', '/ssf/jwks', undefined)).body as JSONWebKeySet,
    kids: async () => ((await askSsf(world, 'GET', '/ssf/jwks', undefined)).body as JSONWebKeySet).keys.map(({ kid }) => kid),
    refresh: async () => {
      for (const app of apps) await app.site.streams?.refreshKeys();
    },
    verifyPushed: (state: string) => ask(pushed, 'POST', '/ssf/verify', { stream_id: pushStream, state }),
    /** An event that is asked for, and polled. */
    fetched: async () => {
      await ask(polled, 'POST', '/ssf/verify', { stream_id: pollStream, state: 'polled' });
      const { status, body } = await ask(polled, 'POST', `/ssf/poll/${pollStream}`, { returnImmediately: true });
      return { status, sets: Object.values(body.sets ?? {}) as string[] };
    },
    poll: (body: object) => ask(polled, 'POST', `/ssf/poll/${pollStream}`, body),
  };
};
const kidOf = (set = ''): string | undefined => decodeProtectedHeader(set).kid;

for (const kind of databases()) {
  const on = { database: kind.kind };

  test(
    `K1 the key of signal streams changes by the same commands: published a day before and a day after, and what waited is signed by the one in force when it leaves (${kind.kind})`,
    on,
    async (t) => {
      const { world, folder, file, endpoint, apps, relais, jwks, kids, refresh, verifyPushed, fetched } = await house(t, kind);
      const [first] = await kids();
      assert.equal(kidOf((await fetched()).sets[0]), first);
      assert.match((await relais('keys', 'rotate', ...KEY, ...(await as(world, 'Alice Fontaine')))).text, /there is no key/);
      assert.equal(makeNextSigningKey(folder, 'ssf-rs256'), true);
      // An instance looks every five seconds: it may have published the key already, a moment ago.
      const refused = /no instance has published this key|less than 24 hours/;
      assert.match((await relais('keys', 'rotate', ...KEY, ...(await as(world, 'Marc Dubreuil')))).text, refused);
      const op = await world.app.site.provider.jwks();
      await refresh();
      const [, second] = await kids();
      assert.deepEqual(await kids(), [first, second], 'published after the one that signs');
      assert.deepEqual(world.app.site.provider.jwks(), op, 'apart from those of tokens');
      assert.equal((await askSsf(world, 'GET', '/ssf/jwks', undefined)).headers.get('cache-control'), 'public, max-age=300');
      assert.ok(!JSON.stringify(await jwks()).includes('"d"'), 'and nothing private');
      const kept = createLocalJWKSet(await jwks()); // a receiver that reads them once
      assert.match((await relais('keys', 'rotate', ...KEY, ...(await as(world, 'Alice Fontaine')))).text, /less than 24 hours/);
      assert.equal(kidOf((await fetched()).sets.at(-1)), first);
      world.advance(DAY - 600_000);
      // Queued, and tried in vain, before the change.
      endpoint.answer(503);
      await verifyPushed('before');
      assert.ok(await until(() => endpoint.received.length >= 1));
      world.advance(601_000);
      const from = await mark(world);
      const done = await relais('keys', 'rotate', ...KEY, ...(await as(world, 'Alice Fontaine')));
      // The database dates what becomes of a key, by its own clock, which no test moves.
      await world.sql('update signing_key set promoted_at = $1 where promoted_at is not null', [new Date()]);
      assert.equal(done.code, 0, done.text);
      await refresh();
      assert.deepEqual(await kids(), [second, first], 'the one before stays');
      const tried = endpoint.received.length;
      endpoint.answer(202);
      world.advance(3_600_000);
      assert.ok(
        await until(async () => {
          for (const app of apps) await app.deliveries.work();
          return endpoint.received.length > tried;
        }),
      );
      const [before, after] = [endpoint.received[0]?.set ?? '', endpoint.received.at(-1)?.set ?? ''];
      assert.deepEqual([kidOf(before), kidOf(after)], [first, second]);
      assert.deepEqual(decodeJwt(after), decodeJwt(before), 'the same event, by its jti and to the letter');
      const { sets } = await fetched();
      assert.deepEqual([...new Set(sets.map(kidOf))], [second]);
      for (const set of [before, after, ...sets]) await jwtVerify(set, kept, { typ: 'secevent+jwt', currentDate: new Date() });
      assert.match((await relais('keys', 'list')).text, new RegExp(`ssf-rs256-next .*${second}: in force since`));
      assert.match((await relais('keys', 'settle', ...KEY)).text, /less than 24 hours ago/);
      world.advance(DAY + 1000);
      assert.equal((await relais('keys', 'settle', ...KEY)).code, 0);
      assert.equal(existsSync(join(folder, 'ssf-rs256-next.pem')), false);
      const listed = (await relais('keys', 'list', '--json')).text;
      const rows = JSON.parse(listed) as { name: string; fingerprint: string; database: string }[];
      assert.deepEqual(
        rows.filter(({ name }) => name.startsWith('ssf-rs256')).map(({ fingerprint, database }) => [fingerprint, database.split(':')[0]]),
        [[fingerprintOf(publicKeyOf(readPrivateKey(readFileSync(file, 'utf8')))), second]],
        'the list reads the file as it is now',
      );
      await refresh();
      assert.deepEqual(await kids(), [second]);
      assert.equal((await entriesSince(world, from)).filter(({ type }) => type === 'signing-key.promoted').length, 1);
    },
  );

  test(
    `K2 the key of signal streams declared stolen is published no more and signs nothing; no session ends by it, and no event is lost (${kind.kind})`,
    on,
    async (t) => {
      const { world, folder, file, relais, jwks, kids, refresh, fetched, polled, poll } = await house(t, kind);
      await agreed(world, 'colette', ['logement'], 365);
      const { tokens, claims } = await delegatedTokens(world, await signedInAidant(world), polled, 'Colette Martin');
      const [stolen = ''] = await kids();
      const thief = await importPKCS8(readFileSync(file, 'utf8'), 'RS256');
      cpSync(file, join(folder, 'stolen.copy'));
      assert.equal(
        (await relais('keys', 'revoke', ...KEY, ...(await as(world, 'Alice Fontaine')))).code,
        1,
        'with no other key nothing could be signed',
      );
      makeNextSigningKey(folder, 'ssf-rs256');
      await refresh();
      const from = await mark(world);
      const done = await relais('keys', 'revoke', ...KEY, ...(await as(world, 'Marc Dubreuil')));
      assert.equal(done.code, 0, done.text);
      // No hand helps: each instance looks by itself.
      assert.ok(await until(async () => !(await kids()).includes(stolen), 12_000));
      await refresh();
      const { sets } = await fetched();
      const [other] = await kids();
      assert.deepEqual([...new Set(sets.map(kidOf))], [other]);
      const forged = await new SignJWT(decodeJwt(sets[0] ?? '')).setProtectedHeader({ alg: 'RS256', kid: stolen, typ: 'secevent+jwt' }).sign(thief);
      await assert.rejects(jwtVerify(forged, createLocalJWKSet(await jwks()), { currentDate: new Date() }), { code: 'ERR_JWKS_NO_MATCHING_KEY' });
      assert.equal((await introspectAt(world, polled, tokens.access_token)).active, true, 'it opened nothing: nothing ends');
      assert.deepEqual(await world.sql('select ended_at from delegated_session where id = $1', [sessionOf(claims)]), [{ ended_at: null }]);
      const entries = (await entriesSince(world, from)).filter(({ type }) => type === 'signing-key.revoked');
      assert.deepEqual(
        entries.map(({ detail }) => detail),
        [{ kid: stolen, alg: 'RS256', sessions: 0 }],
      );
      assert.equal((await relais('keys', 'settle', ...KEY)).code, 0, 'a stolen key is needed by nobody');
      // Put back by mistake: nothing is signed with it, and tokens go on.
      cpSync(join(folder, 'stolen.copy'), file);
      await assert.rejects(async () => world.app.site.streams?.refreshKeys(), { code: 'signing_key_missing' });
      await refresh().catch(() => undefined);
      assert.deepEqual(await jwks(), { keys: [] });
      const closed = await fetched();
      assert.deepEqual([closed.status, closed.sets], [503, []]);
      assert.equal((await introspectAt(world, polled, tokens.access_token)).active, true);
      makeNextSigningKey(folder, 'ssf-rs256');
      await refresh();
      const late = Object.values((await poll({ returnImmediately: true })).body.sets as Record<string, string>);
      assert.equal(late.length, sets.length + 1, 'what waited meanwhile is told');
      assert.deepEqual([...new Set(late.map(kidOf))], await kids());
    },
  );
}
