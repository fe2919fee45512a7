import { startSealing } from '../../src/persistence/journal-sealing.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { startKit } from './kit.ts';

for (const kind of databases())
  test(`J1 J6 a leader that read the head before another wrote and signed is late: no cut is suspected, and a real one is (${kind.kind})`, {
    database: kind.kind,
  }, async (t) => {
    const kit = await startKit(t, kind);
    await kit.write(5);
    const alarms: unknown[] = [];
    let meanwhile: () => Promise<unknown> = () => kit.write(3);
    const late = startSealing({
      database: kit.database,
      sequencer: kit.sequencer,
      // What becomes of the log between the reading of its head and the answer of the signer.
      signer: {
        ...kit.signer,
        sign: async (request) => {
          await meanwhile();
          meanwhile = async () => undefined;
          return kit.signer.sign(request);
        },
      },
      clock: { now: () => new Date() },
      everyMs: 3_600_000,
      onAlarm: (alarm) => void alarms.push(alarm),
    });
    t.after(() => late.stop());
    assert.deepEqual(await late.seal(), { size: 5 });
    assert.deepEqual([alarms, late.refused()], [[], false]);
    assert.deepEqual(await late.seal(), { size: 8 }, 'the next turn signs what stands');
    await kit.keep();
    await kit.write(3);
    await kit.restore();
    const refused = await late.seal();
    assert.equal('refused' in refused && refused.refused, 'smaller_tree');
    assert.deepEqual(
      alarms.map((alarm) => (alarm as { refused?: string }).refused),
      ['smaller_tree'],
    );
  });
