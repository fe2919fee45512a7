import { randomUUID } from 'node:crypto';
import { rows } from '../../src/persistence/database.ts';
import { differences } from '../../src/services/revision.ts';
import { readUntil } from '../../src/services/rotation.ts';
import { entriesSince } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { faults, inEachWorld } from '../support/protocol.ts';
import { registrationOf, twoOperateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';
import type { TestService, World } from '../support/world.ts';

/** A service changes its secret: both are accepted until a date, as keys are (claim K3). */
inEachWorld(({ world, kind }) => {
  const answers = async (it: World, service: TestService, secret: string): Promise<number> => {
    const answer = await fetch(`${it.places.relais}/oidc/introspection`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(`${service.id}:${secret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ token: randomUUID() }),
    });
    await answer.body?.cancel();
    return answer.status;
  };
  /** What each of these secrets is answered, once instances have read the service again. */
  const taken = async (it: World, service: TestService, ...secrets: readonly string[]): Promise<number[]> => {
    it.advance(1_500);
    const found = [];
    for (const secret of secrets) found.push(await answers(it, service, secret));
    return found;
  };
  const rotate = async (it: World, id: string, formerUntil?: Date): Promise<string> => {
    const [alice, marc] = await twoOperateurs(it);
    const asked = granted(
      await it.app.services.change(await registrationOf(it.app, id), { askedBy: alice, newSecret: true, ...(formerUntil ? { formerUntil } : {}) }),
    );
    granted(await it.app.services.approve(id, marc));
    return asked.clientSecret ?? '';
  };

  test('K3 two secrets of a service are accepted until the date, whatever else changes; then the next alone', { database: kind }, async () => {
    const it = world();
    const service = await it.service('secret-un');
    const before = await it.app.services.find(service.id);
    const until = new Date(Date.now() + 600_000);
    const next = await rotate(it, service.id, until);
    assert.deepEqual(await taken(it, service, service.secret, next, 'x'.repeat(43)), [200, 200, 401]);
    const now = await it.app.services.find(service.id);
    assert.ok(before && now);
    assert.deepEqual(now.formerSecret, { hash: before.clientSecretHash, exp: Math.floor(until.getTime() / 1000) });
    const said = differences(before, now);
    assert.deepEqual(
      said.map(({ what }) => what),
      ['client_secret_hash', 'client_secret_former'],
      'whoever approves reads both',
    );
    assert.ok(said[1]?.becomes?.startsWith(`${said[0]?.was} until `), 'and that the former one is the one that was');
    assert.ok(!JSON.stringify(said).includes(String(before.clientSecretHash)));

    const [alice, marc] = await twoOperateurs(it);
    granted(await it.app.services.change({ ...(await registrationOf(it.app, service.id)), name: 'Autre nom' }, { askedBy: alice }));
    granted(await it.app.services.approve(service.id, marc));
    assert.deepEqual(await taken(it, service, service.secret, next), [200, 200], 'another change leaves both');
    it.advance(600_000);
    assert.deepEqual(await taken(it, service, service.secret, next), [401, 200]);
    const third = await rotate(it, service.id);
    assert.deepEqual(await taken(it, service, service.secret, next, third), [401, 401, 200], 'without a date the former one ends at once');
    assert.equal(readUntil('2020-01-01', new Date()), undefined);
  });

  test('K3 one opérateur ends a former secret at once, for ever; the one in force stays, and SQL of the application brings none back', {
    database: kind,
  }, async () => {
    const it = world();
    const service = await it.service('secret-deux');
    const [alice] = await twoOperateurs(it);
    assert.deepEqual(await it.app.services.endSecret(service.id, alice), { refused: 'no_former_secret' });
    const next = await rotate(it, service.id, new Date(Date.now() + 600_000));
    assert.deepEqual(await taken(it, service, service.secret, next), [200, 200]);
    granted(await it.app.services.endSecret(service.id, alice));
    assert.deepEqual(await taken(it, service, service.secret, next), [401, 200]);
    assert.deepEqual(await it.app.services.endSecret(service.id, alice), { refused: 'no_former_secret' });
    const entries = (await entriesSince(it, 0)).filter(({ type }) => type === 'service.secret-ended');
    assert.deepEqual([entries.length, entries[0]?.actor, entries[0]?.service], [1, alice, service.id]);
    for (const [at, text] of [
      `update service set ended_secrets = '{}' where id = '${service.id}'`,
      `update service set metadata = metadata || '{"client_secret_former": {"hash": "${'0'.repeat(64)}", "exp": 9999999999}}' where id = '${service.id}'`,
      `update service set metadata = jsonb_set(metadata, '{client_secret_former,exp}', '9999999999') where id = '${service.id}'`,
    ].entries())
      await assert.rejects(
        it.database.run((tx) => rows(tx, { name: `forged-secret-${at}`, text, values: [] })),
        /never comes back|second person/,
      );
    assert.deepEqual(await taken(it, service, service.secret, next, '0'.repeat(64)), [401, 200, 401]);
    const kept = JSON.stringify(it.logged);
    for (const secret of [service.secret, next]) assert.ok(!kept.includes(secret), 'no log says which was used');
    assert.deepEqual(faults(it), []);
  });
});
