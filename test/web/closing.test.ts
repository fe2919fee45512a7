import { connect } from 'node:net';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { openWorld } from '../support/world.ts';

test('C2 an instance that ends waits for nobody who says nothing: a connection without a request does not keep it', {
  database: 'pglite',
}, async (t) => {
  const [kind] = databases();
  if (!kind) throw new Error('no database');
  const world = await openWorld(kind);
  t.after(() => world.close());
  const { hostname, port } = new URL(world.places.relais);
  const silent = connect(Number(port), hostname);
  await new Promise((done) => silent.once('connect', done));
  const gone = new Promise((done) => silent.once('close', done));
  silent.on('error', () => undefined);
  const began = performance.now();
  await world.app.http.close();
  await gone;
  assert.ok(performance.now() - began < 20_000);
  await assert.rejects(fetch(world.places.relais));
});
