import { inTheMorning, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { as, desk } from '../support/desk.ts';
import { inEachWorld } from '../support/protocol.ts';
import { askSsf, pushEndpoint, streamToken } from '../support/receiver.ts';
import { entriesOf } from '../support/world.ts';

inEachWorld(({ world: of, kind }) => {
  test(`P22 the status of a stream is what its service set: an endpoint that is silent for eight days, and a service that is disabled, change nothing (${kind})`, {
    database: kind,
  }, async () => {
    const world = of();
    const endpoint = await pushEndpoint();
    try {
      inTheMorning(world);
      const service = await world.service('silent-stream');
      const token = await streamToken(service);
      const delivery = { method: 'urn:ietf:rfc:8935', endpoint_url: endpoint.url };
      const { stream_id } = (await askSsf(world, 'POST', '/ssf/stream', token, { delivery })).body;
      const changed = await entriesOf(world, 'stream.changed');
      const status = () => world.sql('select status, status_reason from stream where id = $1', [stream_id]);
      endpoint.answer(503);
      await askSsf(world, 'POST', '/ssf/verify', token, { stream_id });
      assert.ok(await until(() => endpoint.received.length > 0));
      for (let day = 0; day < 8; day++) {
        world.advance(24 * 3_600_000);
        await world.app.deliveries.work();
        await world.app.site.streams?.purge();
      }
      const waiting = () => world.sql('select 1 from delivery where stream_id = $1 and done_at is null', [stream_id]);
      assert.ok(await until(async () => (await waiting()).length === 0), 'the event was given up');
      assert.deepEqual(await status(), [{ status: 'enabled', status_reason: null }]);
      assert.deepEqual((await askSsf(world, 'GET', `/ssf/status?stream_id=${stream_id}`, await streamToken(service))).body, {
        stream_id,
        status: 'enabled',
      });
      const disabled = await desk(world)('service', 'disable', 'silent-stream', ...(await as(world, 'Alice Fontaine')));
      assert.equal(disabled.code, 0, disabled.text);
      await world.app.deliveries.work();
      assert.deepEqual(await status(), [{ status: 'enabled', status_reason: null }]);
      assert.equal(await entriesOf(world, 'stream.changed'), changed, 'and no entry says otherwise');
    } finally {
      endpoint.close();
    }
  });
});
