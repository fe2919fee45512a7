import { EXIT } from '../../src/cli/command.ts';
import { openContext } from '../../src/cli/open.ts';
import { runHere } from '../../src/cli/run.ts';
import { agreed, entriesSince, mark, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { openWorld } from '../support/world.ts';

const postgres = postgresOnly();

if (postgres)
  test('M19 who stops a mandate on the command line of an installation has the person and her référents told, as an instance does (postgres)', {
    database: 'postgres',
  }, async (t) => {
    const world = await openWorld(postgres);
    t.after(() => world.close());
    const { keys, publicUrl } = world.demonstration.config;
    const settings = {
      mode: 'production' as const,
      publicUrl,
      databaseUrl: world.fresh.url,
      varFolder: '/nowhere',
      keysFolder: keys.folder,
      journalHost: 'localhost',
      signerSocket: undefined,
      helpNumber: '0 800 00 00 00',
    };
    const stop = async (person: string, sms: boolean): Promise<string[]> => {
      const mandate = await agreed(world, person, ['logement']);
      await world.sql(
        "insert into channel (id, usager_id, kind, address, added_by, added_at, verified_at) values ($1, $2, 'phone', $3, 'usager', now(), now())",
        [`chn_${person}`, mandate.usagerId, person === 'jean' ? '+33639980121' : '+33639980122'],
      );
      const from = await mark(world);
      const opened = await openContext({ ...settings, sms });
      const said: string[] = [];
      const io = {
        out: (line: string) => void said.push(line),
        err: (line: string) => void said.push(line),
        ask: async () => undefined,
        read: async () => '',
      };
      try {
        assert.equal(await runHere(['mandate', 'end', mandate.id, '--reason', 'usage suspect'], opened.context, io), EXIT.done, said.join());
      } finally {
        await opened.close();
      }
      const waits = () => world.sql("select 1 from delivery where kind in ('mail', 'sms') and done_at is null");
      assert.ok(await until(async () => (await waits()).length === 0), 'the instances send it');
      const entries = await entriesSince(world, from);
      assert.equal(entries.filter(({ type }) => type === 'mandate.revoked').length, 1);
      return entries.filter(({ type }) => type === 'message.delivered').map(({ detail }) => JSON.stringify(detail));
    };
    const sent = (channel: string): string => JSON.stringify({ attempts: 1, channel, template: 'mandate_ended' });
    const both = await stop('jean', true);
    assert.deepEqual([both.filter((one) => one === sent('sms')).length, both.includes(sent('mail'))], [1, true], both.join());
    const alone = await stop('colette', false);
    assert.deepEqual([alone.filter((one) => one === sent('sms')).length, alone.includes(sent('mail'))], [0, true], alone.join());
    assert.deepEqual((await world.verifyJournal()).faults, []);
  });
