import { pairwise } from '../../src/delegation/session.ts';
import { sha256 } from '../../src/kernel/crypto.ts';
import { agreed, inTheMorning, mandatesOf, personOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { openSecond } from '../support/database.ts';
import { as, desk } from '../support/desk.ts';
import { inEachWorld } from '../support/protocol.ts';
import { askSsf, streamToken } from '../support/receiver.ts';

inEachWorld(({ world: of, kind }) => {
  test(`L6 what a service wanted to hear nothing of goes with the person, also when it says so at that moment (${kind})`, {
    database: kind,
  }, async () => {
    const world = of();
    inTheMorning(world);
    const [colette, jean] = [await personOf(world, 'colette'), await personOf(world, 'jean')];
    const key = world.demonstration.config.keys.raw('pairwise').reveal();
    const subjects = (service: string) => [colette, jean].map((usager) => pairwise(key, 'sub', service, usager));
    const services = await Promise.all(['l6-one', 'l6-two'].map((name) => world.service(name)));
    const streams = new Map<string, string>();
    for (const service of services) {
      const token = await streamToken(service);
      const { stream_id } = (await askSsf(world, 'POST', '/ssf/stream', token, {})).body;
      streams.set(service.id, stream_id);
      for (const sub of subjects(service.id)) {
        const subject = { format: 'iss_sub', iss: world.app.site.issuer, sub };
        assert.equal((await askSsf(world, 'POST', '/ssf/subjects/remove', token, { stream_id, subject })).status, 204);
      }
    }
    const kept = async () => (await world.sql("select encode(subject, 'hex') hex from stream_excluded")).map(({ hex }) => hex).sort();
    const hashes = (index: 0 | 1) => services.map(({ id }) => sha256(subjects(id)[index] ?? '').toString('hex')).sort();
    const all = [...hashes(0), ...hashes(1)].sort();
    const relais = desk(world);
    const ask = async () =>
      /--approve (apr_\w+)/.exec(
        (await relais('journal', 'erase', '--usager', colette, '--ground', 'person-asked', ...(await as(world, 'Alice Fontaine')))).text,
      )?.[1] ?? '';
    const give = async (approval: string) => relais('journal', 'erase', '--approve', approval, ...(await as(world, 'Marc Dubreuil')));

    // An erasure that is refused leaves all as it was.
    const first = await ask();
    const mandate = await agreed(world, 'colette', ['logement']);
    assert.match((await give(first)).text, /live_mandates/);
    assert.deepEqual(await kept(), all);
    await mandatesOf(world.app, world).revokeByUsager(mandate.usagerId, mandate.id);

    const second = await ask();

    if (kind === 'postgres') {
      // One service removes her while the other opérateur gives: whichever comes first, nothing of her stays.
      const [of] = services;
      const hers = sha256(subjects(of?.id ?? '')[0] ?? '');
      await world.sql('delete from stream_excluded where subject = $1', [hers]);
      const holder = await openSecond(world.fresh.url ?? '');
      let given: ReturnType<typeof give> | undefined;
      const { streamStore } = await import('../../src/persistence/streams.ts');
      await holder.run(async (tx) => {
        await streamStore.hold(tx, of?.id ?? '', streams.get('l6-one') ?? '');
        await streamStore.exclude(tx, streams.get('l6-one') ?? '', hers, true);
        given = give(second);
        await new Promise((done) => setTimeout(done, 700));
      });
      await holder.close();
      assert.equal((await given)?.code, 0, (await given)?.text);
    } else assert.equal((await give(second)).code, 0);
    assert.deepEqual(await kept(), hashes(1), 'his alone');
    assert.ok((await world.sql('select erased_at from usager where id = $1', [colette]))[0]?.['erased_at']);
    assert.deepEqual((await world.sql('select erased_at from usager where id = $1', [jean]))[0]?.['erased_at'], null);
  });
});
