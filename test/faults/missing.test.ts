import { after, before, describe } from 'node:test';
import { examine } from '../../src/cli/doctor.ts';
import { agreed, consented, inTheMorning, mandatesOf, personOf, sessionOf, until, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases, openSecond } from '../support/database.ts';
import { contextOf } from '../support/desk.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

/** As the database's superuser: what waits of one kind is gone before anybody makes it a leaf, and leaves no trace. */
const REMOVING = `create function remove_entry() returns trigger language plpgsql security definer as $$
  begin delete from journal.queue where id = new.id; return null; end $$`;
const whileRemoving = async <T>(world: World, type: string, work: () => Promise<T>): Promise<T> => {
  await world.sql(`create constraint trigger removed after insert on journal.queue deferrable initially deferred for each row
    when (new.type = '${type}') execute function remove_entry()`);
  try {
    return await work();
  } finally {
    await world.sql('drop trigger removed on journal.queue');
  }
};

for (const kind of databases())
  describe(`a house whose queue somebody empties, on ${kind.kind}`, () => {
    let world: World;
    let service: TestService;
    const on = { database: kind.kind };
    before(async () => {
      world = await openWorld(kind, { watchEveryMs: 150 });
      inTheMorning(world);
      service = await world.service('missing-service');
      await world.sql(REMOVING);
    });
    after(() => world.close());

    const told = () =>
      world.logged.filter(({ line }) => line['kind'] === 'entry_missing').map(({ line }) => [line['entry'], line['reference']].join(' '));
    const scrubbed = async (range: string) =>
      (await world.sql('select at, fault, missing::int missing, missing_first first from journal_scrub where range = $1', [range]))[0];
    /** A turn of the scrubber that began after now. */
    const turn = async (): Promise<void> => {
      const last = async () => Number((await scrubbed('recent'))?.['at'] ?? 0);
      for (let i = 0; i < 2; i++) {
        world.advance(1000);
        const now = Date.now();
        assert.ok(await until(async () => (await last()) >= now, 8000));
      }
    };
    const says = async (what: string): Promise<void> => {
      assert.ok(await until(() => told().includes(what), 8000), `${what} is told, not only ${told().join()}`);
    };

    test(`J1 a house that lives raises no alarm: mandates made, narrowed, replaced, given up, ended, and sessions (${kind.kind})`, on, async () => {
      const mandates = mandatesOf(world.app, world);
      const karim = await signedInAidant(world);
      const first = await agreed(world, 'colette', ['logement', 'famille']);
      await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:logement');
      await mandates.revokeByUsager(first.usagerId, first.id, 'famille');
      await agreed(world, 'colette', ['logement']);
      const given = await agreed(world, 'jean', ['social']);
      await mandates.renounce(await whoIs(world), given.id);
      await agreed(world, 'robert', ['logement', 'social']);
      await mandates.endOfPerson(await personOf(world, 'robert'), 'guardianship', 'system');
      await turn();
      assert.deepEqual(told(), []);
      const [count] = await world.sql('select count(distinct kind)::int kinds, count(*)::int n, count(event)::int events from happened');
      assert.equal(count?.['kinds'], 5, 'every kind but an erasure happened');
      assert.equal(count?.['n'], count?.['events']);
      assert.equal((await scrubbed('recent'))?.['missing'], 0);
    });

    test(
      `J1 what gives or takes away a power, and whose entry was removed before it was sequenced, is told within a turn (${kind.kind})`,
      on,
      async () => {
        const mandates = mandatesOf(world.app, world);
        const colette = await personOf(world, 'colette');
        const who = await whoIs(world);
        const draft = await whileRemoving(world, 'mandate.consented', () => consented(world, mandates, who, colette, ['social']));
        await says(`mandate.consented ${draft.id}`);
        const made = await whileRemoving(world, 'mandate.created', () => agreed(world, 'jean', ['logement']));
        await says(`mandate.created ${made.reference}`);
        await whileRemoving(world, 'mandate.replaced', () => agreed(world, 'jean', ['logement']));
        await says(`mandate.ended ${made.reference}`);
        const narrowed = await agreed(world, 'jean', ['social', 'famille']);
        await whileRemoving(world, 'mandate.revoked', () => mandates.revokeByUsager(narrowed.usagerId, narrowed.id, 'social'));
        await says(`mandate.ended ${narrowed.reference}`);
        const given = await agreed(world, 'jean', ['argent']);
        await whileRemoving(world, 'mandate.renounced', () => mandates.renounce(who, given.id));
        await says(`mandate.ended ${given.reference}`);
        const dead = await agreed(world, 'jean', ['papiers']);
        await whileRemoving(world, 'mandate.ended', () => mandates.endOfPerson(dead.usagerId, 'death', 'system'));
        await says(`mandate.ended ${dead.reference}`);
        const karim = await signedInAidant(world);
        const { claims } = await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:logement');
        const session = sessionOf(claims);
        await whileRemoving(world, 'session.ended', () => world.app.site.sessions.end({ id: session as never }, 'signed_out'));
        await says(`session.ended ${session}`);
        await turn();
        const missing = (await scrubbed('recent'))?.['missing'];
        assert.ok(Number(missing) >= 7, String(missing));
        assert.equal(new Set(told()).size, told().length, 'once each');
        const scrub = (await examine(contextOf(world))).find(({ name }) => name === 'scrub');
        assert.equal(scrub?.ok, false);
        assert.match(scrub?.says ?? '', /^\d+ without their entry in the journal, the first (?:mandate|session)\.\w+ [Md]/);
        assert.ok(!/usg_|Colette|Jean/.test(told().join()), 'a log names nobody');
      },
    );

    test(`J1 a row that names the entry of something else, or none, is told; so is an erasure that nobody decided (${kind.kind})`, on, async () => {
      const mandates = mandatesOf(world.app, world);
      const [one, two, three] = [
        await agreed(world, 'colette', ['argent']),
        await agreed(world, 'colette', ['papiers']),
        await agreed(world, 'colette', ['travail']),
      ];
      await turn();
      const before = told().length;
      await world.sql('update mandate set created_event = (select created_event from mandate where id = $2) where id = $1', [one.id, two.id]);
      await says(`mandate.created ${one.reference}`);
      await mandates.revokeByUsager(two.usagerId, two.id);
      await world.sql('alter table mandate_grant disable trigger event_stays');
      await world.sql('update mandate_grant set ended_event = (select created_event from mandate where id = $1) where mandate_id = $1', [two.id]);
      await says(`mandate.ended ${two.reference}`);
      await world.sql('update mandate set created_event = null where id = $1', [three.id]);
      await says(`mandate.created ${three.reference}`);
      await world.sql("insert into period_erasure (class, month, begun_at, done_at) values ('access', '2019-01', $1, $1)", [new Date()]);
      await says('erasure.executed access 2019-01');
      assert.equal(told().length, before + 4);
    });

    test(`J1 at night everything is looked at again, and what was told is told again (${kind.kind})`, on, async () => {
      const before = told().filter((each) => !each.startsWith('mandate.consented')); // drafts that nobody accepted are purged by then
      world.advance(86_400_000);
      assert.ok(await until(async () => Number((await scrubbed('whole'))?.['at'] ?? 0) > Date.now() - 60_000, 15_000));
      const whole = await scrubbed('whole');
      assert.ok(Number(whole?.['missing']) >= before.length, 'all of them');
      for (const each of before) assert.equal(told().filter((one) => one === each).length, 2, each);
      assert.ok(before.includes(String(whole?.['first'])), String(whole?.['first']));
    });

    if (kind.kind === 'postgres')
      test('J1 while entries wait to be sequenced nothing is told, however long they do (postgres)', on, async () => {
        const before = told().length;
        const other = await openSecond(world.fresh.url ?? '');
        let mandate: Awaited<ReturnType<typeof agreed>> | undefined;
        try {
          await other.asOwner(async (query) => {
            await query('begin');
            await query('lock table journal.head in exclusive mode');
            mandate = await agreed(world, 'colette', ['logement', 'famille']);
            assert.ok(Number((await query('select count(*)::int n from journal.queue'))[0]?.['n']) > 2, 'they wait');
            await turn();
            assert.ok(Number((await query('select count(*)::int n from journal.queue'))[0]?.['n']) > 2, 'they still wait');
            await query('rollback');
          });
        } finally {
          await other.close();
        }
        await world.app.flushJournal();
        await turn();
        assert.equal(told().length, before);
        assert.ok(mandate);
      });
  });
