import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalJWKSet, decodeProtectedHeader, importPKCS8, type JSONWebKeySet, jwtVerify, SignJWT } from 'jose';
import type { App } from '../../src/app.ts';
import { makeNextSigningKey } from '../../src/config/keys.ts';
import { rows } from '../../src/persistence/database.ts';
import type { Walker } from '../../src/practice/walker.ts';
import { agreed, entriesSince, inTheMorning, mark, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { type DatabaseKind, databases } from '../support/database.ts';
import { as, desk } from '../support/desk.ts';
import { get, introspect, sessionOf } from '../support/protocol.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

const HOUR = 3_600_000;

/** A house with keys of its own, which a test may change. */
const house = async (t: { after(done: () => Promise<void>): void }, kind: DatabaseKind) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-signing-'));
  const world = await openWorld(kind, { keysFolder: folder });
  const others: App[] = [];
  t.after(async () => {
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });
  inTheMorning(world);
  const service = await world.service('guichet-cles');
  await agreed(world, 'colette', ['logement'], 365);
  if (kind.kind === 'postgres') others.push((await world.secondInstance()).app);
  const apps = [world.app, ...others];
  const next = (): boolean => makeNextSigningKey(folder, 'op-es256');
  const refresh = async (): Promise<void> => {
    for (const app of apps) await app.site.provider.refreshKeys();
  };
  return { world, folder, service, apps, next, refresh };
};

const jwks = async (world: World): Promise<JSONWebKeySet> => (await get(`${world.app.site.issuer}/jwks`)).json as unknown as JSONWebKeySet;
const kids = async (world: World): Promise<string[]> => (await jwks(world)).keys.filter(({ alg }) => alg === 'ES256').map(({ kid }) => kid ?? '');

/** A service that keeps the keys it read for a day, as long as it knows the key of what it is given. */
const patient = (world: World) => {
  let kept: { at: number; keys: JSONWebKeySet } | undefined;
  let reads = 0;
  return {
    reads: () => reads,
    async verify(token: string): Promise<string> {
      if (!kept || Date.now() - kept.at >= 24 * HOUR) {
        kept = { at: Date.now(), keys: await jwks(world) };
        reads++;
      }
      const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(kept.keys), { issuer: world.app.site.issuer, currentDate: new Date() });
      return protectedHeader.kid ?? '';
    },
  };
};

/** A delegated sign-in on the clock of now: an aidant's session lasts a day's work at most. */
const idToken = async (world: World, walker: Walker, service: TestService): Promise<string> =>
  (await delegatedTokens(world, walker, service, 'Colette Martin')).tokens.id_token ?? '';

for (const kind of databases()) {
  const on = { database: kind.kind };

  test(
    `K1 the key that signs changes while services sign people in: published a day before it signs and a day after, and nobody who keeps keys for a day fails (${kind.kind})`,
    on,
    async (t) => {
      const { world, folder, service, apps, next, refresh } = await house(t, kind);
      const relais = desk(world);
      const [early, late] = [patient(world), patient(world)];
      let karim = await signedInAidant(world);
      const first = await early.verify(await idToken(world, karim, service));
      assert.deepEqual(await kids(world), [first]);
      assert.match((await relais('keys', 'rotate', '--key', 'op-es256', ...(await as(world, 'Alice Fontaine')))).text, /there is no key/);
      assert.equal(next(), true);
      const before = await relais('keys', 'rotate', '--key', 'op-es256', ...(await as(world, 'Marc Dubreuil')));
      // An instance looks every five seconds: it may have published the key already, a moment ago.
      assert.match(before.text, /no instance has published this key|less than 24 hours/);
      await refresh();
      const [, second = ''] = await kids(world);
      assert.deepEqual(await kids(world), [first, second], 'published after the one that signs');
      assert.equal(await late.verify(await idToken(world, karim, service)), first);
      const soon = await relais('keys', 'rotate', '--key', 'op-es256', ...(await as(world, 'Alice Fontaine')));
      assert.equal(soon.code, 1);
      assert.match(soon.text, /less than 24 hours/);
      world.advance(24 * HOUR + 1000);
      karim = await signedInAidant(world);
      const from = await mark(world);
      assert.equal(await early.verify(await idToken(world, karim, service)), first);
      const done = await relais('keys', 'rotate', '--key', 'op-es256', ...(await as(world, 'Alice Fontaine')));
      // The database dates what becomes of a key, by its own clock, which no test moves.
      await world.sql('update signing_key set promoted_at = $1 where promoted_at is not null', [new Date()]);
      assert.equal(done.code, 0, done.text);
      // One instance knows and the other does not yet: either key is known to every service.
      const seen = new Set<string>();
      await apps[0]?.site.provider.refreshKeys();
      for (const each of [early, late]) seen.add(await each.verify(await idToken(world, karim, service)));
      await refresh();
      for (const app of apps) {
        const token = await app.site.provider.logoutToken(service.id, { sid: 'dls_0', jti: 'one' });
        seen.add(await early.verify(token ?? ''));
      }
      assert.deepEqual([...seen], [second], 'the new one signs');
      assert.deepEqual(await kids(world), [second, first], 'the one before stays');
      assert.equal((await get(`${world.app.site.issuer}/jwks`)).headers.get('cache-control'), 'public, max-age=300');
      assert.match((await relais('keys', 'list')).text, new RegExp(`op-es256-next .*${second}: in force since`));
      assert.match((await relais('keys', 'settle', '--key', 'op-es256')).text, /less than 24 hours ago/);
      assert.equal(existsSync(join(folder, 'op-es256-next.pem')), true);
      world.advance(24 * HOUR + 1000);
      assert.equal((await relais('keys', 'settle', '--key', 'op-es256')).code, 0);
      assert.equal(existsSync(join(folder, 'op-es256-next.pem')), false);
      await refresh();
      assert.deepEqual(await kids(world), [second]);
      karim = await signedInAidant(world);
      assert.equal(await early.verify(await idToken(world, karim, service)), second);
      assert.ok(early.reads() <= 3, 'it was never made to read them sooner');
      const entries = await entriesSince(world, from);
      assert.equal(entries.filter(({ type }) => type === 'signing-key.promoted').length, 1);
    },
  );

  test(
    `K2 a key declared stolen is published no more, signs nothing, and all that was open ends, within the ten seconds of an instance (${kind.kind})`,
    on,
    async (t) => {
      const { world, folder, service, apps, next } = await house(t, kind);
      const relais = desk(world);
      const karim = await signedInAidant(world);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      const [stolen = ''] = await kids(world);
      const thief = await importPKCS8(readFileSync(join(folder, 'op-es256.pem'), 'utf8'), 'ES256');
      cpSync(join(folder, 'op-es256.pem'), join(folder, 'stolen.copy'));
      const alone = await relais('keys', 'revoke', '--key', 'op-es256', ...(await as(world, 'Alice Fontaine')));
      assert.equal(alone.code, 1, 'with no other key nothing could be signed');
      assert.equal((await introspect(service, tokens.access_token)).active, true);
      assert.equal(next(), true);
      for (const app of apps) await app.site.provider.refreshKeys();
      const from = await mark(world);
      const began = performance.now();
      const done = await relais('keys', 'revoke', '--key', 'op-es256', ...(await as(world, 'Marc Dubreuil')));
      assert.equal(done.code, 0, done.text);
      assert.equal((await introspect(service, tokens.access_token)).active, false, 'at once, whatever instances know');
      // No hand helps: each instance looks by itself.
      assert.ok(await until(async () => !(await kids(world)).includes(stolen), 12_000));
      for (const app of apps)
        assert.ok(
          await until(
            async () => decodeProtectedHeader((await app.site.provider.logoutToken(service.id, { sid: 'dls_x', jti: 'one' })) ?? '').kid !== stolen,
            12_000,
          ),
        );
      assert.ok(performance.now() - began < 300_000);
      const forged = await new SignJWT({ ...claims, exp: Math.floor(Date.now() / 1000) + 300 })
        .setProtectedHeader({ alg: 'ES256', kid: stolen })
        .sign(thief);
      await assert.rejects(jwtVerify(forged, createLocalJWKSet(await jwks(world)), { currentDate: new Date() }), {
        code: 'ERR_JWKS_NO_MATCHING_KEY',
      });
      const end = new URL(`${world.app.site.issuer}/session/end`);
      end.searchParams.set('id_token_hint', forged);
      assert.equal((await get(end)).status, 400);
      const ended = await world.sql('select end_reason, count(*)::int n from delegated_session where id = $1 group by 1', [sessionOf(claims)]);
      assert.deepEqual(ended, [{ end_reason: 'suspended', n: 1 }]);
      const entries = await entriesSince(world, from);
      assert.ok(entries.some(({ type }) => type === 'signing-key.revoked'));
      assert.ok(entries.some(({ type }) => type === 'session.ended'));
      world.advance(61_000); // a service’s client reads the keys again, for one that it does not know, after a minute
      const token = await idToken(world, karim, service);
      const [other = ''] = await kids(world);
      assert.equal(await patient(world).verify(token), other, 'everybody signs in again, and the other key signs');
      assert.match((await relais('keys', 'rotate', '--key', 'op-es256', '--now', ...(await as(world, 'Alice Fontaine')))).text, /signs from now on/);
      assert.equal((await relais('keys', 'settle', '--key', 'op-es256')).code, 0, 'a stolen key is needed by nobody');
      // Put back by mistake: it is not used, and nothing is signed.
      cpSync(join(folder, 'stolen.copy'), join(folder, 'op-es256.pem'));
      await assert.rejects(world.app.site.provider.refreshKeys(), { code: 'signing_key_missing' });
      const closed = await get(`${world.app.site.issuer}/.well-known/openid-configuration`);
      assert.deepEqual([closed.status, closed.json['error']], [503, 'temporarily_unavailable']);
      await assert.rejects(async () => world.app.site.provider.logoutToken(service.id, { sid: 'dls_x', jti: 'one' }), {
        code: 'signing_key_missing',
      });
      const back = { name: 'back', text: 'update signing_key set revoked_at = null where revoked_at is not null', values: [] };
      await assert.rejects(rows(world.database.auto, back), { code: '23514' });
      assert.equal(next(), true);
      assert.equal(await world.app.site.provider.refreshKeys(), true, 'another key, and it goes on');
      assert.equal((await get(`${world.app.site.issuer}/.well-known/openid-configuration`)).status, 200);
    },
  );
}
