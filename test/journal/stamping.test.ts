import { after, before, describe } from 'node:test';
import { createStamping, type StampAlarm, WINDOW_MS } from '../../src/journal/stamping.ts';
import { readTsaCertificates, type Tsa } from '../../src/journal/timestamp.ts';
import { checkWindow, verifyTimestamps } from '../../src/journal/verify-timestamps.ts';
import { run } from '../../src/persistence/database.ts';
import { stampSource, stampStore } from '../../src/persistence/journal-timestamps.ts';
import { sql } from '../../src/persistence/sql.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { startKit } from './kit.ts';
import { startTsa, type TestTsa } from './tsa.ts';

let authority: TestTsa;
let tsa: Tsa;
before(async () => {
  authority = await startTsa();
  tsa = { url: authority.url, trusted: readTsaCertificates(authority.ca) };
});
after(() => authority.close());

const at = (iso: string): Date => new Date(iso);

test('J6 an entry is dated neither after a time from outside that covers it, nor before one that does not', () => {
  const outside = { size: 10, at: at('2026-11-22T10:00:00Z') };
  const kind = (last: string | undefined, next: string | undefined): string | undefined => {
    const fault = checkWindow(outside, { last: last === undefined ? undefined : at(last), next: next === undefined ? undefined : at(next) });
    return fault && `${fault.kind} ${fault.index}`;
  };
  assert.equal(kind('2026-11-22T09:59:59Z', '2026-11-22T10:00:01Z'), undefined);
  assert.equal(kind(undefined, undefined), undefined);
  assert.equal(kind('2026-11-22T10:01:00Z', '2026-11-22T10:01:00Z'), undefined, 'within a minute: clocks, and the time of the answer');
  assert.equal(kind('2026-11-22T10:01:01Z', undefined), 'time_outside 9');
  assert.equal(kind('2026-11-22T09:00:00Z', '2026-11-22T09:59:00Z'), undefined);
  assert.equal(kind('2026-11-22T09:00:00Z', '2026-11-22T09:58:59Z'), 'time_outside 10');
});

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    test(
      title('J6 each checkpoint that was the newest is stamped once, by the process that leads, and OpenSSL accepts what is kept'),
      on,
      async (t) => {
        const kit = await startKit(t, kind);
        let leads = false;
        const stamping = createStamping({
          tsa,
          store: stampStore(kit.database),
          clock: { now: () => new Date() },
          leading: () => leads,
          onAlarm: () => undefined,
        });
        assert.equal(await stamping.stamp(), false, 'nothing is signed yet');
        await kit.write(5);
        assert.equal(await stamping.stamp(), false, 'another process leads');
        leads = true;
        assert.equal(await stamping.stamp(), true);
        assert.equal(await stamping.stamp(), false, 'stamped already');
        await kit.write(3, 5);
        assert.equal(await stamping.stamp(), true);
        const source = stampSource(kit.database);
        const rows = await source.stamps(0, 10);
        assert.deepEqual(
          rows.map(({ size }) => size),
          [5, 8],
        );
        for (const { token, note } of rows) assert.ok(authority.accepts(token, (note ?? '').split('\n\n')[0]?.concat('\n') ?? ''));
        assert.deepEqual(await verifyTimestamps({ source, trusted: tsa.trusted }), { checked: 2, faults: [] });
        await assert.rejects(
          kit.database.run((tx) => run(tx, sql`delete from journal.timestamp`)),
          'the application may only read them',
        );
      },
    );

    test(title('J6 an altered token, one without its checkpoint, a time changed beside it, and a back-dated entry are named'), on, async (t) => {
      const kit = await startKit(t, kind);
      const stamping = createStamping({
        tsa,
        store: stampStore(kit.database),
        clock: { now: () => new Date() },
        leading: () => true,
        onAlarm: () => undefined,
      });
      await kit.write(4);
      await stamping.stamp();
      await kit.write(4, 4);
      const source = stampSource(kit.database);
      const check = async (slackMs?: number): Promise<string[]> =>
        (await verifyTimestamps({ source, trusted: tsa.trusted, ...(slackMs === undefined ? {} : { slackMs }) })).faults.map(
          ({ kind, index, message }) => `${kind} ${index} ${message}`,
        );
      assert.deepEqual(await check(), []);
      const change = async (statement: string): Promise<void> => {
        await kit.database.asOwner(async (query) => {
          await query('alter table journal.timestamp disable trigger all');
          await query('alter table journal.leaf_0 disable trigger all');
          await query(statement);
          await query('alter table journal.leaf_0 enable always trigger append_only');
          await query('alter table journal.timestamp enable always trigger append_only');
        });
      };
      await change(`update journal.timestamp set at = at - interval '1 day'`);
      assert.match((await check()).join(), /^timestamp_altered 3 .*the time beside it/);
      await change(
        `update journal.timestamp set at = at + interval '1 day', token = set_byte(token, octet_length(token) - 5, (get_byte(token, octet_length(token) - 5) + 1) % 256)`,
      );
      assert.match((await check()).join(), /^timestamp_altered 3 /);
      await change(
        `update journal.timestamp set token = set_byte(token, octet_length(token) - 5, (get_byte(token, octet_length(token) - 5) + 255) % 256)`,
      );
      assert.deepEqual(await check(), []);
      await change('update journal.timestamp set size = 5');
      assert.match((await check()).join(), /^timestamp_altered 4 .*no checkpoint of this size/);
      await change('update journal.timestamp set size = 8');
      assert.match((await check()).join(), /^timestamp_altered 7 .*over another text/);
      await change('update journal.timestamp set size = 4');
      // The fifth entry, whose time is then an hour before the one that the authority signed over the first four.
      const moved = `convert_to(regexp_replace(convert_from(leaf, 'UTF8'), '"t":"[^"]*"', '"t":"' || to_char((at - interval '1 hour') at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"'), 'UTF8')`;
      await change(`update journal.leaf set leaf = ${moved} where idx = 4`);
      assert.match((await check()).join(), /^time_outside 4 .*came after/);
    });
  });

test('J18 an authority that is silent stops nothing, raises an alarm after 15 minutes and each 15 after, and is forgiven at its first answer', async () => {
  let now = 0;
  const alarms: StampAlarm[] = [];
  const kept: number[] = [];
  let size = 1;
  const note = (): string => `journal.example/0a1b2c3d\n${size}\n${Buffer.alloc(32).toString('base64')}\n\n— x\n`;
  const stamping = createStamping({
    tsa,
    store: {
      newest: async () => ({ size, note: note(), at: new Date(now), whole: true, stamped: kept.includes(size) }),
      add: async (stamp) => void kept.push(stamp.size),
    },
    clock: { now: () => new Date(now) },
    leading: () => true,
    onAlarm: (alarm) => alarms.push(alarm),
  });
  const minutes = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++, now += 60_000, size++) await stamping.stamp();
  };
  authority.answer = () => 503;
  await minutes(15);
  assert.equal(alarms.length, 0);
  await minutes(1);
  assert.deepEqual(alarms, [{ kind: 'timestamp_late', code: 'timestamp_unreachable', minutes: 15 }]);
  await minutes(15);
  assert.deepEqual(
    alarms.map((alarm) => alarm.minutes),
    [15, 30],
  );
  assert.deepEqual(kept, []);
  authority.answer = undefined;
  await minutes(1);
  assert.equal(kept.length, 1);
  authority.answer = () => 503;
  await minutes(15);
  assert.equal(alarms.length, 2);
  authority.answer = undefined;
  assert.ok(WINDOW_MS >= 60_000);
});

test('J6 a checkpoint that is no longer the newest is not stamped: its time would say nothing of what came after', async () => {
  const kept: number[] = [];
  const newest = {
    size: 7,
    note: `journal.example/0a1b2c3d\n7\n${Buffer.alloc(32).toString('base64')}\n\n— x\n`,
    at: new Date(0),
    whole: false,
    stamped: false,
  };
  const make = (now: number, whole: boolean) =>
    createStamping({
      tsa,
      store: { newest: async () => ({ ...newest, whole }), add: async ({ size }) => void kept.push(size) },
      clock: { now: () => new Date(now) },
      leading: () => true,
      onAlarm: () => undefined,
    });
  assert.equal(await make(11_000, false).stamp(), false);
  assert.deepEqual(kept, []);
  assert.equal(await make(9_000, false).stamp(), true);
  assert.equal(await make(11_000, true).stamp(), true);
});
