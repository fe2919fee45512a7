import { after, before, describe } from 'node:test';
import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  entriesSince,
  eventOf,
  inesAt,
  inTheMorning,
  mark,
  ownToken,
  reportAt,
  securitySince,
  sessionOf,
  whoIs,
  writtenSince,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { report } from '../support/protocol.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let service: TestService;
    let other: TestService;
    let token = '';
    let session = '';
    let otherToken = '';
    let otherSession = '';
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      service = await world.service('j11-service');
      other = await world.service('j11-other');
      await agreed(world, 'colette', ['logement']);
      const karim = await signedInAidant(world);
      const mine = await delegatedTokens(world, karim, service, 'Colette Martin');
      [token, session] = [mine.tokens.access_token, sessionOf(mine.claims)];
      await agreed(world, 'colette', ['logement'], 31, await whoIs(world, 'ines', 'Saintes'));
      const theirs = await delegatedTokens(world, await inesAt(world, 'Saintes'), other, 'Colette Martin');
      [otherToken, otherSession] = [theirs.tokens.access_token, sessionOf(theirs.claims)];
    });
    after(() => world.close());

    const actions = async (): Promise<number> => Number((await world.sql('select count(*)::int n from action'))[0]?.['n']);
    /** One refusal: nothing recorded, and one line in the journal or in the security log. */
    const refused = async (work: () => ReturnType<typeof reportAt>, status: number, code: string): Promise<void> => {
      const before = await actions();
      const from = await mark(world);
      const security = world.logged.length;
      const answer = await work();
      assert.deepEqual([answer.status, answer.body.code], [status, code]);
      assert.equal(await actions(), before);
      const entries = (await writtenSince(world, from)).filter(({ type }) => !type.startsWith('message.')); // a job delivers meanwhile
      const lines = securitySince(world, security);
      assert.equal(entries.length + lines.length, 1, JSON.stringify([entries.map((entry) => entry.type), lines.map(({ line }) => line['code'])]));
      assert.ok(entries.every((entry) => entry.type === 'action.refused'));
    };

    test(title('J11 a report on another’s session is refused, by the delegated token and by the service’s own'), on, async () => {
      await refused(() => reportAt(world, token, eventOf(service, otherSession, 'x-1')), 404, 'session_unknown');
      await refused(() => reportAt(world, otherToken, eventOf(service, session, 'x-2')), 404, 'session_unknown');
      const own = await ownToken(other);
      await refused(() => reportAt(world, own, eventOf(service, session, 'x-3')), 404, 'session_unknown');
      await refused(() => reportAt(world, own, eventOf(service, 'dls_00000000000000000000000000', 'x-4')), 404, 'session_unknown');
      await refused(() => reportAt(world, 'not-a-token', eventOf(service, session, 'x-5')), 401, 'token_refused');
    });

    test(title('D9 what a service reports of sessions that are not is one entry a request, and soon not read at all'), on, async () => {
      const own = await ownToken(service);
      const unknown = (n: number) => `dls_${String(n).padStart(26, '0')}`;
      const many = (n: number) =>
        report(
          `${world.places.relais}/api/v1/actions`,
          Array.from({ length: n }, (_, i) => eventOf(service, unknown(i), `many-${i}`)),
          { authorization: `Bearer ${own}` },
        );
      const from = await mark(world);
      const first = await many(500);
      assert.deepEqual([first.status, (first.json['events'] as { status: number }[]).filter(({ status }) => status === 404).length], [207, 500]);
      const entries = (await writtenSince(world, from)).filter(({ type }) => type === 'action.refused');
      assert.deepEqual(
        entries.map(({ session, detail }) => [session, detail]),
        [[undefined, { reason: 'session_unknown', count: 500 }]],
      );
      const statuses: number[] = [];
      for (let i = 0; i < 3; i++) statuses.push((await many(400)).status);
      assert.deepEqual(statuses, [207, 207, 429]);
      const told = eventOf(service, session, 'after-many');
      assert.equal((await reportAt(world, await ownToken(other), eventOf(other, otherSession, 'nobody-else'))).status, 202, 'nobody else pays');
      assert.equal((await reportAt(world, token, told)).status, 429);
      world.advance(61_000);
      assert.equal((await reportAt(world, token, { ...told, id: 'a-minute-later' })).status, 202);
    });

    test(title('J11 the same event again gives the same receipt, in parallel too; another body under the same id is refused'), on, async () => {
      const event = eventOf(service, session, 'same-1', { reference: '2026-11893' });
      const from = await mark(world);
      const first = await reportAt(world, token, event);
      assert.deepEqual([first.status, typeof first.body.index], [202, 'number']);
      const again = await Promise.all(Array.from({ length: 12 }, () => reportAt(world, token, event)));
      for (const answer of [...again, await reportAt(world, await ownToken(service), event)])
        assert.deepEqual([answer.status, answer.body.index, answer.body.leaf], [202, first.body.index, first.body.leaf]);
      assert.equal((await entriesSince(world, from)).filter((entry) => entry.type === 'action.reported').length, 1);
      for (const change of [
        { reference: '2026-11894' },
        { verb: 'change' },
        { outcome: 'failure' },
        { time: new Date(Date.now() - 1).toISOString() },
      ])
        await refused(
          () => reportAt(world, token, eventOf(service, session, 'same-1', { reference: '2026-11893', time: event.time, ...change })),
          409,
          'event_differs',
        );
      // Another service may use the same id for its own acts.
      assert.equal((await reportAt(world, otherToken, { ...eventOf(other, otherSession, 'same-1'), source: event.source })).status, 202);
      const batch = await reportAt(world, token, [event, event, eventOf(service, session, 'same-2')]);
      assert.equal(batch.status, 202);
      const receipts = (batch.body.events ?? []).map((each) => (each['receipt'] as { index: number }).index);
      assert.deepEqual([receipts[0], receipts[1]], [first.body.index, first.body.index]);
      assert.notEqual(receipts[2], first.body.index);
    });

    test(title('J11 no free text: an unknown member, or text where a word is expected, is refused and named'), on, async () => {
      const good = eventOf(service, session, 'free-1');
      const bad: readonly (readonly [object, RegExp])[] = [
        [{ ...good, comment: 'Madame Martin est malade' }, /comment/],
        [{ ...good, data: { ...good.data, note: 'libre' } }, /data\.note/],
        [{ ...good, data: { ...good.data, reference: 'Madame Martin' } }, /reference/],
        [{ ...good, data: { ...good.data, reference: 'a\nb' } }, /reference/],
        [{ ...good, data: { ...good.data, reference: 'x'.repeat(41) } }, /reference/],
        [{ ...good, data: { ...good.data, demarche: 'votre demande' } }, /demarche/],
        [{ ...good, data: { ...good.data, verb: 'steal' } }, /verb/],
        [{ ...good, data: { ...good.data, outcome: 'maybe' } }, /outcome/],
        [{ ...good, id: 'a b' }, /id/],
        [{ ...good, id: 'é'.repeat(129) }, /id/],
        [{ ...good, source: '\u202Ehttp' }, /source/],
        [{ ...good, time: 'yesterday' }, /time/],
        [{ ...good, type: 'other' }, /type/],
        [{ ...good, specversion: '0.3' }, /specversion/],
        [{ ...good, data: [good.data] }, /data/],
        [{ ...good, data: { ...good.data, session: 'dls_x' } }, /session/],
        [{ ...good, datacontenttype: 'application/json', extension: 1 }, /extension/],
      ];
      for (const [event, named] of bad) {
        let detail = '';
        await refused(
          async () => {
            const answer = await reportAt(world, token, event);
            detail = answer.body.detail ?? '';
            return answer;
          },
          400,
          'malformed',
        );
        assert.match(detail, named);
        assert.ok(!/malade|Martin|libre/.test(detail), 'what was written is not written back');
      }
      // One bad event stops the whole batch: syntax is all or nothing.
      const before = await actions();
      const batch = await reportAt(world, token, [eventOf(service, session, 'ok-1'), { ...good, x: 1 }]);
      assert.deepEqual([batch.status, batch.body.code], [400, 'malformed']);
      assert.match(batch.body.detail ?? '', /event 1/);
      assert.equal(await actions(), before);
      await refused(() => reportAt(world, token, '{"id": 1'), 400, 'invalid_request');
    });

    test(title('J11 ten megabytes, or 501 events, are refused at once'), on, async () => {
      const event = eventOf(service, session, 'big-1');
      await refused(() => reportAt(world, token, JSON.stringify({ ...event, padding: 'x'.repeat(10 * 1024 * 1024) })), 413, 'too_large');
      await refused(
        () =>
          reportAt(
            world,
            token,
            Array.from({ length: 501 }, (_, i) => ({ ...event, id: `n-${i}` })),
          ),
        413,
        'too_large',
      );
      await refused(() => reportAt(world, token, []), 400, 'invalid_request');
      const most = await reportAt(
        world,
        token,
        Array.from({ length: 500 }, (_, i) => ({ ...event, id: `n-${i}` })),
      );
      assert.equal(most.status, 202, '500 are taken');
      assert.equal(new Set((most.body.events ?? []).map((each) => (each['receipt'] as { index: number }).index)).size, 500);
    });

    test(
      title('J11 a démarche unknown to the catalogue is refused; one outside the mandate is kept, shown to the usager as such, and refused'),
      on,
      async () => {
        await refused(() => reportAt(world, token, eventOf(service, session, 'd-1', { demarche: 'j11-service.virement' })), 422, 'demarche_unknown');
        await refused(() => reportAt(world, token, eventOf(service, session, 'd-2', { demarche: 'j11-other.logement' })), 422, 'demarche_unknown');
        const from = await mark(world);
        const event = eventOf(service, session, 'outside-1', { demarche: 'j11-service.famille', reference: 'HORS-1' });
        const answer = await reportAt(world, token, event);
        assert.deepEqual([answer.status, answer.body.code, typeof answer.body.receipt?.index], [422, 'outside_mandate', 'number']);
        assert.deepEqual((await reportAt(world, token, event)).body.receipt?.index, answer.body.receipt?.index, 'and again the same');
        const entries = await entriesSince(world, from);
        assert.deepEqual(
          entries.map((entry) => [entry.type, entry.index, (entry.detail as { outsideMandate: boolean }).outsideMandate]),
          [['action.reported', answer.body.receipt?.index, true]],
        );
        const colette = new Walker();
        await signInUsager(colette, world.places, 'colette');
        const page = textOf(await colette.open(`${world.places.relais}/usager/entrees/${answer.body.receipt?.index}`));
        assert.match(page, /hors mandat/i);
        const mixed = await reportAt(world, token, [
          eventOf(service, session, 'mix-1'),
          eventOf(service, session, 'mix-2', { demarche: 'j11-service.famille' }),
        ]);
        assert.equal(mixed.status, 207);
        assert.deepEqual(
          (mixed.body.events ?? []).map((each) => each['status']),
          [202, 422],
        );
      },
    );

    test(title('J11 a time before the session, in the future, or after the end is refused; a day after the end, anything is'), on, async () => {
      const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
      await refused(() => reportAt(world, token, eventOf(service, session, 't-1', { time: at(60_000) })), 422, 'time_out_of_range');
      await refused(() => reportAt(world, token, eventOf(service, session, 't-2', { time: at(-3_600_000) })), 422, 'time_out_of_range');
      const [mandate] = await world.sql('select mandate_id, usager_id from delegated_session where id = $1', [session]);
      const done = at(0);
      world.advance(5_000);
      await world.app.site.mandates.revokeByUsager(mandate?.['usager_id'] as `usg_${string}`, mandate?.['mandate_id'] as `man_${string}`);
      world.advance(1_000);
      const own = await ownToken(service);
      await refused(() => reportAt(world, token, eventOf(service, session, 't-3', { time: done })), 401, 'token_refused');
      await refused(() => reportAt(world, own, eventOf(service, session, 't-4')), 422, 'time_out_of_range');
      assert.equal((await reportAt(world, own, eventOf(service, session, 't-5', { time: done }))).status, 202, 'told late, done in time');
      world.advance(86_400_000);
      const later = await ownToken(service);
      await refused(() => reportAt(world, later, eventOf(service, session, 't-6', { time: done })), 422, 'session_too_old');
    });
  });
