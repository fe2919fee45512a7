import { after, before, describe } from 'node:test';
import { rows, run } from '../../src/persistence/database.ts';
import { sql } from '../../src/persistence/sql.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  consented,
  csrfOf,
  inTheMorning,
  introspectAt,
  mandatesOf,
  personOf,
  post,
  redeemAt,
  resume,
  whoIs,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { openCutter } from '../support/cut.ts';
import { openSecond, postgresOnly } from '../support/database.ts';
import { neverThat } from '../support/never.ts';
import { papersOf, sheetFor, typedPerson } from '../support/paper.ts';
import { openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

const kind = postgresOnly();
const MODES = ['before', 'after'] as const;

if (kind)
  describe('cut at every statement (postgres)', () => {
    let world: World;
    let karim: Walker;
    let csrf = '';
    let service: TestService;
    let since = new Date(0);
    const cutter = openCutter();
    const on = { database: 'postgres' as const };
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      since = new Date(world.app.site.clock.now().getTime() - 1);
      service = await world.service('cut-service');
      karim = await signedInAidant(world);
      csrf = await csrfOf(world, karim);
    });
    after(async () => {
      cutter.close();
      await world.close();
    });

    const count = async (query: string, values: unknown[] = []): Promise<number> =>
      Number((await world.sql(`select count(*)::int n from ${query}`, values))[0]?.['n']);
    const quiet = (work: () => Promise<Response>) => async (): Promise<number> => {
      const answer = await work();
      await answer.body?.cancel();
      return answer.status;
    };
    /** Does a step with each of its statements cut in turn, both ways, until none is left to cut; returns how many were. */
    const everywhere = async (step: (cut: (work: () => Promise<unknown>) => Promise<boolean>, title: string) => Promise<void>): Promise<number> => {
      let cuts = 0;
      for (const when of MODES)
        for (let at = 1, more = true; more; at++) {
          await step(async (work) => {
            more = await cutter.around(at, when, work);
            return more;
          }, `cut ${when} statement ${at}`);
          assert.ok(at < 60, 'a step has an end');
          if (more) cuts++;
        }
      return cuts;
    };

    test('C1 B3 a draft whose request is cut at any statement is whole or not there; another try makes one', { ...on, atLeast: 20 }, async () => {
      const cuts = await everywhere(async (cut, title) => {
        await world.app.flushJournal();
        const [drafts, entries] = [await count('mandate_draft'), await count("journal.projection where type = 'mandate.drafted'")];
        const ask = quiet(() => post(world, karim, '/aidant/mandats/nouveau/duree', { _csrf: csrf, themes: ['logement'], days: '31' }));
        let status = 0;
        await cut(async () => {
          status = await ask();
        });
        assert.ok([303, 500, 503].includes(status), `${title}: ${status}`);
        await world.app.flushJournal();
        const made = (await count('mandate_draft')) - drafts;
        assert.equal((await count("journal.projection where type = 'mandate.drafted'")) - entries, made, title);
        assert.ok(made <= 1 && (status !== 303 || made === 1), title);
        assert.equal(await ask(), 303, `${title}, again`);
      });
      assert.ok(cuts >= 10, `${cuts} cuts`);
    });

    test('C1 B3 a signature cut at any statement makes a whole mandate or nothing; the same form again, with the same code, makes one', {
      ...on,
      atLeast: 100,
    }, async () => {
      const who = await whoIs(world);
      const usager = await personOf(world, 'colette');
      const mandates = mandatesOf(world.app, world);
      const cuts = await everywhere(async (cut, title) => {
        const { id, hash } = await consented(world, mandates, who, usager, ['logement', 'famille'], 31);
        const code = await world.code(world.places, 'Karim Benali');
        const ask = quiet(() =>
          post(world, karim, `/aidant/mandats/brouillon/${id}/signer`, {
            _csrf: csrf,
            said_aloud: 'yes',
            code,
            text_hash: hash.toString('base64url'),
          }),
        );
        let status = 0;
        await cut(async () => {
          status = await ask();
        });
        assert.ok([303, 500, 503].includes(status), `${title}: ${status}`);
        await neverThat(world, since, title);
        const made = await count('mandate where draft_id = $1', [id]);
        assert.ok(status !== 303 || made === 1, title);
        assert.equal(await ask(), 303, `${title}, the same form again`);
        assert.equal(await count('mandate where draft_id = $1', [id]), 1, title);
        assert.equal(
          await count('mandate_grant g join mandate m on m.id = g.mandate_id where m.draft_id = $1 and g.ended_at is null', [id]),
          2,
          title,
        );
        await neverThat(world, since, `${title}, then done`);
      });
      assert.ok(cuts >= 20, `${cuts} cuts`);
    });

    test('C1 B3 a revocation cut at any statement is whole or not there: mandate, grants, session, tokens and entry together; again, it is done', {
      ...on,
      atLeast: 60,
    }, async () => {
      const jean = new Walker();
      await signInUsager(jean, world.places, 'jean');
      const hers = await csrfOf(world, jean, '/usager');
      const cuts = await everywhere(async (cut, title) => {
        const mandate = await agreed(world, 'jean', ['logement'], 31);
        const begun = await begin(karim, service);
        const opened = await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf));
        const back = await resume(karim, opened, service);
        assert.ok(back, title);
        const { body } = await redeemAt(world, service, begun.request, back);
        const ask = quiet(() => post(world, jean, `/usager/mandats/${mandate.id}/arreter`, { _csrf: hers }));
        let status = 0;
        await cut(async () => {
          status = await ask();
        });
        assert.ok([303, 500, 503].includes(status), `${title}: ${status}`);
        await world.app.flushJournal();
        const stopped = await count('mandate where id = $1 and ended_at is not null', [mandate.id]);
        assert.equal(await count('mandate_grant where mandate_id = $1 and ended_at is not null', [mandate.id]), stopped, title);
        assert.equal(await count('delegated_session where mandate_id = $1 and ended_at is not null', [mandate.id]), stopped, title);
        assert.equal(await count("journal.projection where type = 'mandate.revoked' and mandate = $1", [mandate.id]), stopped, title);
        assert.equal(await count("delivery where mandate_id = $1 and kind = 'logout'", [mandate.id]), stopped, title);
        assert.equal((await introspectAt(world, service, body.access_token ?? '')).active, stopped === 0, title);
        assert.equal(await ask(), 303, `${title}, again`);
        assert.equal((await count("journal.projection where type = 'mandate.revoked' and mandate = $1", [mandate.id])) <= 1, true, title);
        await world.app.flushJournal();
        assert.equal(await count("journal.projection where type = 'mandate.revoked' and mandate = $1", [mandate.id]), 1, title);
        assert.equal((await introspectAt(world, service, body.access_token ?? '')).active, false, title);
      });
      assert.ok(cuts >= 10, `${cuts} cuts`);
    });

    test('C1 B3 what a witness says of a sheet, cut at any statement, is said with the consent and its entry or not at all; said again, it is said once', {
      ...on,
      atLeast: 40,
    }, async () => {
      const who = await whoIs(world);
      const ines = await whoIs(world, 'ines');
      const papers = papersOf(world.app, world);
      let nth = 0;
      const cuts = await everywhere(async (cut, title) => {
        const sheet = await sheetFor(
          world,
          who,
          typedPerson({ familyName: `Cut${'abcdefghijklmnopqrstuvwxyz'[nth % 26]}${'abcdefghij'[Math.floor(nth++ / 26)]}` }),
          ['papiers'],
        );
        const say = () => papers.witness(ines, sheet.id, sheet.textHash, '');
        const failed: unknown[] = [];
        await cut(() => say().catch((error: unknown) => failed.push(error)));
        await world.app.flushJournal();
        const seen = await count('paper_consent where id = $1 and witness_id is not null', [sheet.id]);
        const consent = 'mandate_draft d join paper_consent p on p.draft_id = d.id where p.id = $1 and d.consented_at is not null';
        assert.equal(await count(consent, [sheet.id]), seen, title);
        assert.ok(failed.length === 1 || seen === 1, title);
        const again = await say();
        assert.ok('witnessed' in again || seen === 1, title);
        assert.equal(await count(consent, [sheet.id]), 1, title);
        await world.app.flushJournal();
        const [usager] = await world.sql('select d.usager_id id from mandate_draft d join paper_consent p on p.draft_id = d.id where p.id = $1', [
          sheet.id,
        ]);
        assert.equal(await count("journal.projection where type = 'mandate.consented' and usager = $1", [usager?.['id']]), 1, title);
      });
      assert.ok(cuts >= 14, `${cuts} cuts`);
    });

    test('C1 B3 an opening cut at any statement leaves a session with its entry and its grant, or nothing; the service asks again and it opens', {
      ...on,
      atLeast: 40,
    }, async () => {
      const mandate = await agreed(world, 'jean', ['logement'], 31);
      const cuts = await everywhere(async (cut, title) => {
        const begun = await begin(karim, service);
        await world.app.flushJournal();
        const [sessions, entries] = [await count('delegated_session'), await count("journal.projection where type = 'session.opened'")];
        const ask = quiet(() => confirm(world, karim, begun, confirmation(mandate, 'logement', csrf)));
        let status = 0;
        await cut(async () => {
          status = await ask();
        });
        assert.ok([303, 500, 503].includes(status), `${title}: ${status}`);
        await world.app.flushJournal();
        const made = (await count('delegated_session')) - sessions;
        assert.equal((await count("journal.projection where type = 'session.opened'")) - entries, made, title);
        assert.equal(
          await count(
            "delegated_session d where d.ended_at is null and not exists (select 1 from oidc_artefact a where a.model = 'Grant' and a.id = d.grant_id)",
          ),
          0,
          `${title}: no session without its grant`,
        );
        assert.ok(status !== 303 || made === 1, title);
        const again = await begin(karim, service);
        const opened = await confirm(world, karim, again, confirmation(mandate, 'logement', csrf));
        const back = await resume(karim, opened, service);
        assert.ok(back, `${title}, asked again`);
        assert.equal((await redeemAt(world, service, again.request, back)).status, 200, title);
        assert.equal(await count('delegated_session where mandate_id = $1 and ended_at is null', [mandate.id]), 1, title);
      });
      assert.ok(cuts >= 8, `${cuts} cuts`);
    });

    test('B7 a deadlock and a serialization failure are tried again, a bounded number of times, and each effect is there once', on, async () => {
      const database = await openSecond(world.fresh.url ?? '');
      try {
        await world.sql('create table if not exists b7 (id int primary key, n int not null)');
        await world.sql('grant select, insert, update on b7 to relais_app');
        await world.sql('insert into b7 values (1, 0), (2, 0), (3, 0)');
        let attempts = 0;
        let waiting = 0;
        let meet: () => void = () => undefined;
        const met = new Promise<void>((done) => {
          meet = done;
        });
        const crossed = (first: number, second: number) =>
          database.run(async (tx) => {
            attempts++;
            await run(tx, sql`update b7 set n = n + 1 where id = ${first}`);
            if (++waiting === 2) meet();
            await met;
            await run(tx, sql`update b7 set n = n + 1 where id = ${second}`);
          });
        await Promise.all([crossed(1, 2), crossed(2, 1)]);
        assert.equal(attempts, 3, 'one was the victim, and tried once more');
        assert.deepEqual(await rows(database.auto, sql`select id, n from b7 order by id`), [
          { id: 1, n: 2 },
          { id: 2, n: 2 },
          { id: 3, n: 0 },
        ]);
        let tries = 0;
        await assert.rejects(
          database.run(async (tx) => {
            tries++;
            await run(tx, sql`update b7 set n = n + 1 where id = 3`);
            await run(tx, sql`do $$ begin raise exception 'never' using errcode = 'serialization_failure'; end $$`);
          }),
          /never/,
        );
        assert.equal(tries, 4, 'four times, then the error is told');
        assert.deepEqual(await rows(database.auto, sql`select n from b7 where id = 3`), [{ n: 0 }]);
      } finally {
        await database.close();
      }
    });
  });
