import { before } from 'node:test';
import { signInUsager } from '../../src/practice/story.ts';
import { formOf, type Page, textOf, Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  csrfOf,
  entriesSince,
  eventOf,
  inesAt,
  inTheMorning,
  introspectAt,
  mark,
  post,
  redeemAt,
  reportAt,
  resume,
  sessionOf,
  until,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type TestService, type World } from '../support/world.ts';
import { fillQueue, meddling, withNothingSequenced } from './queue.ts';

inEachWorld(({ world: of, kind }) => {
  let world: World;
  let karim: Walker;
  let ines: Walker;
  let colette: Walker;
  let csrf = '';
  let service: TestService;
  const on = { database: kind };
  const title = (text: string): string => `${text} (${kind})`;

  before(async () => {
    world = of();
    inTheMorning(world);
    service = await world.service('closed-service');
    karim = await signedInAidant(world);
    csrf = await csrfOf(world, karim);
    ines = await inesAt(world, 'Thénac');
    colette = new Walker();
    await signInUsager(colette, world.places, 'colette');
  });

  const alarms = (from: number, kind_: string): number => world.logged.slice(from).filter(({ line }) => line['kind'] === kind_).length;
  /** All that could say that something was done. */
  const done = () =>
    world.sql(`select 'mandate' what, count(*)::int n, count(ended_at)::int ended from mandate
        union all select 'grant', count(*)::int, count(ended_at)::int from mandate_grant
        union all select 'session', count(*)::int, count(ended_at)::int from delegated_session
        union all select 'token', count(*)::int, count(consumed_at)::int from oidc_artefact where model in ('AccessToken', 'AuthorizationCode')
        union all select 'action', count(*)::int, 0 from action order by 1`);
  const tokens = async (): Promise<number> =>
    Number((await world.sql("select count(*)::int n from oidc_artefact where model = 'AccessToken'"))[0]?.['n']);

  test(
    title(
      'J2 the row of an entry is deleted or altered before it is sequenced: the session gives no token, and an alarm says which of the two (§6.13)',
    ),
    on,
    async () => {
      const mandate = await agreed(world, 'colette', ['logement']);
      const before = await tokens();
      const from = world.logged.length;
      /** Confirms while somebody meddles, then goes on as the browser and the service do. */
      const tried = async (aidant: Walker, how: 'delete' | 'alter') => {
        const begun = await begin(aidant, service);
        const token = await csrfOf(world, aidant);
        const confirmed = await meddling(world, how, () => confirm(world, aidant, begun, confirmation(mandate, 'logement', token)));
        assert.equal(confirmed.status, 303, how);
        return async (): Promise<number> => {
          const callback = await resume(aidant, confirmed, service);
          if (!callback) return 0;
          if (callback.searchParams.has('error')) {
            assert.equal(callback.searchParams.get('error'), 'temporarily_unavailable', how);
            return 503;
          }
          const answer = await redeemAt(world, service, begun.request, callback);
          assert.equal(answer.body.error, 'temporarily_unavailable', how);
          assert.ok(answer.body.access_token === undefined && answer.body.id_token === undefined);
          return answer.status;
        };
      };
      const deleted = await tried(karim, 'delete');
      const altered = await tried(ines, 'alter');
      assert.deepEqual(await Promise.all([deleted(), altered()]), [503, 503]);
      assert.equal(await tokens(), before, 'no token was written');
      assert.ok(alarms(from, 'entry_lost') >= 1, 'the deletion');
      assert.ok(alarms(from, 'forged_entry') >= 1, 'the alteration');
      const { claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      assert.ok((claims?.['journal'] as { leaf?: string } | undefined)?.leaf, 'once nobody meddles, the token comes with its receipt');
      assert.deepEqual((await world.verifyJournal()).faults, []);
    },
  );

  test(
    title(
      'J2 beyond 4,096 entries that wait, nothing that must be recorded is done at any instance: 503 with a page that says so, and reading goes on (§6.14)',
    ),
    on,
    async () => {
      const mandate = await agreed(world, 'colette', ['social']);
      await agreed(world, 'colette', ['logement']);
      const { tokens: held, claims } = await delegatedTokens(world, ines, service, 'Colette Martin');
      const begun = await begin(karim, service);
      const callback = await resume(
        karim,
        await confirm(world, karim, begun, confirmation(await agreed(world, 'jean', ['logement']), 'logement', csrf)),
        service,
      );
      assert.ok(callback);
      const waiting = await begin(karim, service);
      await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}/arreter`);
      const stop = formOf(colette.page as Page, 'stop-mandate');
      await world.app.flushJournal();
      const second = kind === 'postgres' ? await world.secondInstance() : undefined;
      const start = await mark(world);
      const empty = await withNothingSequenced(world, async () => {
        await world.database.run((tx) => world.app.journal.record(tx, { type: 'log.heartbeat', actor: 'system', detail: {} }));
        const drain = await fillQueue(world, 4200);
        const before = await done();
        const lines = world.logged.length;
        const refusesNow = async (): Promise<boolean> => {
          const tries = second ? [world.app.journal, second.app.journal] : [world.app.journal];
          return tries.every((journal) => {
            try {
              journal.seal({ type: 'log.heartbeat', detail: {} });
              return false;
            } catch {
              return true;
            }
          });
        };
        assert.ok(await until(refusesNow, 8000), 'every instance counts what waits, whoever leads');
        const page = async (answer: Response): Promise<void> => {
          assert.equal(answer.status, 503);
          const text = textOf({ html: await answer.text() } as Page);
          assert.match(text, /journal/i);
          assert.match(text, /Rien n’a été changé/);
          assert.match(text, /Attendez quelques minutes/);
        };
        await page(await colette.ask(stop.action, stop.fields));
        await page(await confirm(world, karim, waiting, confirmation(await ready(), 'logement', csrf)));
        if (second) await page(await post(world, colette, stop.action.pathname, stop.fields, second.origin));
        for (const origin of [undefined, ...(second ? [second.origin] : [])]) {
          const refused = await redeemAt(world, service, begun.request, callback, origin);
          assert.deepEqual([refused.status, refused.body.error, refused.body.access_token], [503, 'temporarily_unavailable', undefined]);
          const report = await reportAt(world, held.access_token, eventOf(service, sessionOf(claims), 'full-1'), origin);
          assert.deepEqual([report.status, report.body.code], [503, 'journal_unavailable']);
        }
        for (const path of ['/usager', `/usager/mandats/${mandate.id}`])
          assert.equal((await colette.open(world.places.relais + path)).status, 200, `${path} is read`);
        assert.ok((await introspectAt(world, service, held.access_token)).active, 'what was open goes on');
        assert.deepEqual(await done(), before, 'nothing has changed');
        assert.ok(
          world.logged.slice(lines).some(({ level }) => level === 'error'),
          'the operator hears of it',
        );
        return drain;
      });
      await empty();
      const again = async (): Promise<boolean> => (await redeemAt(world, service, begun.request, callback)).status === 200;
      assert.ok(await until(again, 8000), 'the code was not used up: once the queue is short, it gives its token');
      assert.equal((await colette.ask(stop.action, stop.fields)).status, 303);
      const types = (await entriesSince(world, start)).map((entry) => entry.type);
      assert.deepEqual(types.filter((type) => type === 'mandate.revoked' || type === 'token.issued').sort(), ['mandate.revoked', 'token.issued']);
      assert.deepEqual((await world.verifyJournal()).faults, []);
    },
  );

  /** Jean's mandate, made before. */
  const ready = async () => {
    const [found] = await world.sql(
      `select m.id, m.organisation_id from mandate m join usager u on u.id = m.usager_id where u.family_name = 'Petit' and m.ended_at is null order by m.id desc limit 1`,
    );
    return { id: String(found?.['id']), organisationId: String(found?.['organisation_id']) } as unknown as Awaited<ReturnType<typeof agreed>>;
  };
});
