import { join } from 'node:path';
import { before } from 'node:test';
import { readVkey } from '../../src/journal/note.ts';
import type { Mandate } from '../../src/mandates/mandate.ts';
import { textOf } from '../../src/practice/walker.ts';
import { type PracticeWitnesses, startWitnesses } from '../../src/practice/witnesses.ts';
import { agreed, begin, confirm, confirmation, csrfOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { entriesOf, signedInAidant, type TestService, type World } from '../support/world.ts';

const MINUTE = 60_000;

const until = async (what: string, holds: () => Promise<boolean> | boolean, seconds = 12): Promise<void> => {
  for (const end = performance.now() + seconds * 1000; performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 100)))
    if (await holds()) return;
  throw new Error(`it did not come: ${what}`);
};

inEachWorld(
  ({ world: opened, kind }) => {
    let world: World;
    let service: TestService;
    let mandate: Mandate;
    before(async () => {
      world = opened();
      service = await world.service('unconfirmed');
      mandate = await agreed(world, 'colette', ['logement']);
    });
    const checkpoint = (): Promise<Response> => fetch(new URL('/log/checkpoint/witnessed', world.places.relais));
    const late = (): unknown[] => world.logged.filter(({ line }) => line['kind'] === 'witness_late').map(({ line }) => line['witness']);
    /** Opens a session by the pages, or is refused. */
    const act = async () => {
      const karim = await signedInAidant(world);
      const begun = await begin(karim, service);
      return confirm(world, karim, begun, confirmation(mandate, 'logement', await csrfOf(world, karim)));
    };
    const open = (): Promise<number> => entriesOf(world, 'session.opened');
    const made = () =>
      world.sql(
        'select count(*)::int as mandates, (select count(*)::int from mandate_draft where consented_at is not null) as consents from mandate',
      );
    const acts = async (): Promise<boolean> => (await act()).status === 303;

    test(`J18 witnesses are gone: the service goes on, an alarm after 15 minutes, no new power after 4 hours, and all of it at once when they are back (${kind})`, {
      database: kind,
    }, async () => {
      await until('witnessed', async () => (await checkpoint()).status === 200);
      const { witnesses } = world.demonstration;
      assert.ok(witnesses);
      await witnesses.close();
      const [last] = await world.sql('select max(at) as at from journal.cosignature');
      world.advance(14 * MINUTE);
      assert.equal((await act()).status, 303, 'the service goes on');
      assert.deepEqual(late(), []);
      world.advance(2 * MINUTE);
      await until('both alarms', () => late().length >= 2);
      assert.deepEqual([...late()].sort(), ['temoin-1', 'temoin-2']);
      assert.equal(await acts(), true);
      assert.deepEqual(
        await world.sql('select max(at) as at from journal.cosignature'),
        [last],
        'acceptance 28: what is published keeps the time at which it was seen',
      );
      assert.equal((await checkpoint()).status, 200);

      world.advance(4 * 60 * MINUTE);
      const sessions = await open();
      await until('the limit', async () => (await act()).status === 503);
      const refused = await act();
      assert.match(textOf({ html: await refused.text() } as Parameters<typeof textOf>[0]), /Le journal n’est plus confirmé.*aucun nouveau pouvoir/s);
      const [before, mandates] = [await open(), await made()];
      assert.ok(before >= sessions);
      await assert.rejects(agreed(world, 'jean', ['famille']), { code: 'journal_unwitnessed' });
      assert.equal(await open(), before, 'nothing was opened');
      assert.deepEqual(await made(), mandates);
      const stopped = await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      assert.ok(!('refused' in stopped), 'what takes a power away goes on');
      assert.equal(await entriesOf(world, 'mandate.revoked'), 1);

      const { policy, origins } = witnesses;
      const again: PracticeWitnesses = await startWitnesses({
        folder: join(world.demonstration.config.varFolder, 'witnesses'),
        ports: origins.map((origin) => Number(new URL(origin).port)),
        log: policy.logs[0]?.verifier ?? readVkey(''),
        clock: { now: () => new Date(Date.now()) },
      });
      try {
        const began = performance.now();
        await until('power again', () =>
          agreed(world, 'jean', ['logement']).then(
            () => true,
            () => false,
          ),
        );
        assert.ok(performance.now() - began < 10_000, 'at once');
        assert.equal((await checkpoint()).status, 200);
      } finally {
        await again.close();
      }
    });
  },
  { witnessed: true },
);
