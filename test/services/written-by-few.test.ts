import { after, before, describe } from 'node:test';
import { rows } from '../../src/persistence/database.ts';
import { agreed } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { registrationOf, twoOperateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

/** What somebody with the application's database role might write of signing keys, notices, streams and revisions. `why`: which guard must answer. */
const FORGERIES: readonly (readonly [what: string, sql: string, why: RegExp])[] = [
  ['a key was published earlier', "update signing_key set published_at = now() - interval '2 days'", /permission denied/],
  ['a key has another name', "update signing_key set kid = repeat('x', 16)", /permission denied/],
  [
    'a key is made with its place',
    "insert into signing_key (kid, alg, published_at, promoted_at) values (repeat('x', 16), 'ES256', now(), now())",
    /permission denied/,
  ],
  ['a key is removed', 'delete from signing_key', /permission denied/],
  ['a key signs, and no entry says so', 'update signing_key set promoted_at = now()', /says so in the journal/],
  ['a key is revoked, and no entry says so', 'update signing_key set revoked_at = now()', /says so in the journal/],
  [
    'a key signs under the entry of another',
    "update signing_key set promoted_at = now(), promoted_event = '$EVENT' where kid <> '$KID'",
    /promoted_event/,
  ],
  ['a key was never in force', "update signing_key set promoted_at = null where kid = '$KID'", /not taken back/],
  ['a notice is for somebody else', "update delivery set target = 'x'", /permission denied/],
  ['a notice speaks of another session', 'update delivery set session_id = null', /permission denied/],
  ['a notice has another reason', "update delivery set reason = 'time'", /permission denied/],
  ['a notice says that somebody else ended it', 'update delivery set by_other = not by_other', /permission denied/],
  ['a notice is of another time', 'update delivery set created_at = now()', /permission denied/],
  ['a notice is removed', 'delete from delivery', /permission denied/],
  [
    'a notice is made as if it had been told',
    "insert into delivery (id, kind, target, created_at, next_at, done_at, acknowledged_at) values ('dlv_x', 'logout', 'x', now(), now(), now(), now())",
    /permission denied/,
  ],
  ['a notice that was told was not', "update delivery set done_at = null, acknowledged_at = null where id = '$DONE'", /nor sent again/],
  [
    'a notice was told at another time',
    "update delivery set acknowledged_at = acknowledged_at - interval '1 hour' where id = '$DONE'",
    /nor sent again/,
  ],
  ['a notice is told and waits', "update delivery set acknowledged_at = now() where id = '$WAITS'", /nor sent again/],
  ['a notice says something else', "update delivery set body_box = '\\x00' where id = '$WAITS'", /not changed/],
  ['a notice was never tried', "update delivery set attempts = -1 where id = '$WAITS'", /not changed/],
  ['a stream is another service’s', "update stream set service_id = '$OTHER'", /permission denied/],
  ['a stream is older', "update stream set created_at = now() - interval '1 day'", /permission denied/],
  ['a subject that is left out is another', "update stream_excluded set subject = decode(repeat('00', 32), 'hex')", /permission denied/],
  ['a revision says something else', "update service_revision set registration = '{}'", /permission denied/],
  ['a revision was asked by somebody else', "update service_revision set asked_by = 'opr_x'", /permission denied/],
  ['a revision has another approval', 'update service_revision set approval_id = null', /permission denied/],
  [
    'a revision is made decided',
    "insert into service_revision (service_id, number, registration, state, asked_by, asked_at, decided_at) values ('$OTHER', 99, '{}', 'approved', 'x', now(), now())",
    /permission denied/,
  ],
  ['a revision is removed', 'delete from service_revision', /permission denied/],
  [
    'a revision has the approval of a former one',
    "insert into service_revision (service_id, number, registration, state, asked_by, asked_at, approval_id) select service_id, 99, registration, 'waiting', asked_by, now(), approval_id from service_revision where service_id = '$OTHER' and state = 'approved' limit 1",
    /service_revision_approval/,
  ],
];
const TABLES = ['signing_key', 'delivery', 'stream', 'stream_excluded', 'service_revision'];

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    before(async () => {
      world = await openWorld(kind);
    });
    after(() => world.close());
    const on = { database: kind.kind };
    const asApplication = (name: string, text: string) => world.database.run((tx) => rows(tx, { name, text, values: [] }));
    const kidOf = async (): Promise<string> =>
      String((await world.sql("select kid from signing_key where alg = 'ES256' order by kid limit 1"))[0]?.['kid']);

    test(`K2 M17 as the application’s role, no key, notice, stream or revision is what it was not (${kind.kind})`, {
      ...on,
      atLeast: 28,
    }, async () => {
      const event = '00000000-0000-4000-8000-000000000001';
      const [service, other] = [await world.service('ecrit-un'), await world.service('ecrit-deux')];
      const kid = await kidOf();
      for (const text of [
        `update signing_key set promoted_at = published_at, promoted_event = '${event}' where kid = '${kid}'`,
        `insert into stream (id, service_id, method, requested, events, created_at, updated_at) values ('str_x', '${service.id}', 'poll', '{}', '{}', now(), now())`,
        "insert into stream_excluded values ('str_x', decode(repeat('11', 32), 'hex'))",
        "insert into delivery (id, kind, target, created_at, next_at, body_box) values ('dlv_waits', 'mail', 'x', now(), now() + interval '1 day', '\\x11')",
        "insert into delivery (id, kind, target, created_at, next_at, done_at, acknowledged_at) values ('dlv_done', 'mail', 'x', now(), now(), now(), now())",
      ])
        await world.sql(text);
      const names = { $EVENT: event, $KID: kid, $OTHER: other.id, $DONE: 'dlv_done', $WAITS: 'dlv_waits' };
      const state = () =>
        world.sql(`${TABLES.map((table) => `select '${table}' t, to_jsonb(x)::text row from ${table} x`).join(' union all ')} order by 1, 2`);
      const was = await state();
      for (const [at, [what, sql, why]] of FORGERIES.entries()) {
        let text = sql;
        for (const [name, value] of Object.entries(names)) text = text.replaceAll(name, value);
        await assert.rejects(asApplication(`few-${at}`, text), why, what);
      }
      assert.deepEqual(await state(), was);
    });

    test(`K2 J1 the database dates what becomes of a key; one that is revoked without its entry is told (${kind.kind})`, on, async () => {
      const event = '00000000-0000-4000-8000-000000000002';
      await asApplication(
        'few-published',
        `insert into signing_key (kid, alg, published_at) values (repeat('y', 16), 'ES256', now() - interval '2 days')`,
      );
      await asApplication(
        'few-dates',
        `update signing_key set promoted_at = now() + interval '9 years', promoted_event = gen_random_uuid(), revoked_at = now() - interval '9 years', revoked_event = '${event}'
          where kid = repeat('y', 16)`,
      );
      const [dates] = await world.sql(
        `select bool_and(at between clock_timestamp() - interval '1 minute' and clock_timestamp()) own
          from signing_key, unnest(array[published_at, promoted_at, revoked_at]) at where kid = repeat('y', 16)`,
      );
      assert.equal(dates?.['own'], true, 'whatever was written');
      const found = await world.sql(
        `select kind from happened h where reference = repeat('y', 16) and not exists (select 1 from journal.receipt r where r.event_id = h.event) order by 1`,
      );
      assert.deepEqual(
        found.map((row) => row['kind']),
        ['signing-key.promoted', 'signing-key.revoked'],
      );
    });

    test(`K1 what the house writes passes: a change of a service, an end that is told (${kind.kind})`, on, async () => {
      const service = await world.service('ecrit-trois');
      const [alice, marc] = await twoOperateurs(world);
      for (const name of ['Un', 'Deux']) {
        granted(await world.app.services.change({ ...(await registrationOf(world.app, service.id)), name }, { askedBy: alice }));
        granted(await world.app.services.approve(service.id, marc));
      }
      const mandate = await agreed(world, 'colette');
      await delegatedTokens(world, await signedInAidant(world), service, 'Colette Martin');
      await world.app.site.sessions.end({ mandateId: mandate.id }, 'signed_out');
      const [told] = await world.sql(
        'select count(*)::int n from delivery d join delegated_session s on s.id = d.session_id where s.mandate_id = $1',
        [mandate.id],
      );
      assert.equal(told?.['n'], 1);
    });
  });
