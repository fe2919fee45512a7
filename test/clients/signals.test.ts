import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { printed, ROOT } from '../support/integration.ts';
import { endOf, sessionOf } from '../support/protocol.ts';
import { delegatedTokens, mandateByPages, openWorld, signedInAidant } from '../support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'relais-signals-'));
let child: ChildProcess | undefined;
after(() => {
  child?.kill();
  rmSync(folder, { recursive: true, force: true });
});

test('M6 the receiver of signals that docs/integrate.md prints makes its stream, is told of a stop, and acknowledges it', {
  database: 'pglite',
}, async (t) => {
  const [pglite] = databases();
  if (!pglite) throw new Error('no database');
  const world = await openWorld(pglite);
  t.after(() => world.close());
  const service = await world.service('mon-service', { themes: ['logement'] });
  writeFileSync(join(folder, 'receiver.mjs'), printed('mjs'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const env = { PATH: process.env['PATH'] ?? '', RELAIS: world.places.relais, CLIENT_ID: service.id, CLIENT_SECRET: service.secret };
  const running = spawn(process.execPath, ['receiver.mjs'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  child = running;
  let said = '';
  for (const stream of [running.stdout, running.stderr])
    stream.on('data', (part: Buffer) => {
      said += part.toString();
    });
  const streams = () => world.sql("select id, method, status from stream where service_id = 'mon-service'");
  assert.ok(await until(async () => (await streams()).length === 1, 20_000), said);

  const aidant = await signedInAidant(world);
  const mandate = await mandateByPages(world, aidant, 'colette', ['logement'], '1');
  const { claims } = await delegatedTokens(world, aidant, service, 'Colette Martin');
  const session = sessionOf(claims);
  const [detail] = (claims?.['authorization_details'] ?? []) as { identifier: string }[];
  assert.equal(said, '', 'nothing has ended');
  const [row] = await world.sql('select usager_id from mandate where id = $1', [mandate]);
  await world.app.site.mandates.revokeByUsager(row?.['usager_id'] as `usg_${string}`, mandate as `man_${string}`);
  world.app.site.nudgeDeliveries();
  assert.ok(await until(() => said.includes('mandat terminé'), 20_000), said);
  assert.equal(said, `session terminée : ${session}\nmandat terminé : ${detail?.identifier}, logement\n`, 'once each, in this order');
  assert.equal(await endOf(world, session), 'revoked');
  const waiting = () => world.sql('select id from delivery where stream_id is not null and acknowledged_at is null');
  assert.ok(await until(async () => (await waiting()).length === 0, 10_000), 'both are acknowledged');
  assert.equal((await streams()).length, 1);
});
