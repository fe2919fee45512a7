import { endOfMandate } from '../../src/kernel/calendar.ts';
import type { MandateId } from '../../src/kernel/ids.ts';
import type { Deliveries, Message } from '../../src/notices/deliveries.ts';
import { createReminders } from '../../src/notices/reminders.ts';
import { createTexting } from '../../src/notices/sms.ts';
import { channelStore, smsQuotaStore } from '../../src/persistence/channels.ts';
import { reminderStore } from '../../src/persistence/reminders.ts';
import { smsTexts } from '../../src/web/i18n/sms.ts';
import { agreed } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  const PHONE = '+33639980131';

  /** The real job at an instant; what it queues is kept to look at. With `crash` the process dies after a mail, before the commit. */
  const jobAt = (at: string, crash = false, transactions = world().app.site.transactions) => {
    const it = world();
    const queued: Message[] = [];
    const clock = { now: () => new Date(at) };
    const deliveries: Pick<Deliveries, 'queue'> = {
      queue: async (tx, channel, message) => {
        queued.push(message);
        const id = await it.app.deliveries.queue(tx, channel, message);
        if (crash && channel === 'mail') throw new Error('the host died');
        return id;
      },
    };
    const { remind } = createReminders({
      transactions,
      store: reminderStore,
      channels: channelStore,
      journal: it.app.journal,
      clock,
      deliveries,
      queueSms: createTexting({ deliveries, quota: smsQuotaStore, clock, capped: () => undefined }),
      texts: smsTexts('0 800 00 00 00'),
    });
    const mails = () => queued.filter((one) => one.to.includes('@'));
    const texts = () => queued.filter((one) => one.to === PHONE);
    return { remind, queued, mails, texts };
  };

  const clear = async () => {
    const it = world();
    await it.sql("update mandate set ended_at = now(), end_reason = 'renounced', ended_by = 'test' where ended_at is null and days > 31");
    await it.sql(
      "update mandate_grant g set ended_at = now(), end_reason = 'renounced' from mandate m where g.ended_at is null and m.id = g.mandate_id and m.ended_at is not null",
    );
    await it.sql('delete from sms_quota');
    await it.sql('update channel set ended_at = now() where address = $1 and ended_at is null', [PHONE]);
  };
  /** A mandate of 182 days, moved in time so that its last day is `last`, of a person whose own number is PHONE. */
  const ending = async (person: string, last: string): Promise<{ id: MandateId; reference: string }> => {
    const it = world();
    await clear();
    const mandate = await agreed(it, person, ['transports'], 182);
    const endsAt = endOfMandate(new Date(`${last}T12:00:00Z`), 1);
    const startsAt = new Date(endsAt.getTime() - 182 * 86_400_000);
    await it.sql('update mandate set starts_at = $2, ends_at = $3 where id = $1', [mandate.id, startsAt, endsAt]);
    await it.sql(
      `insert into channel (id, usager_id, kind, address, added_by, added_at, verified_at)
        values ('chn_' || substr(md5($3), 1, 26), $1, 'phone', $2, 'usager', '2026-01-01', '2026-01-01')`,
      [mandate.usagerId, PHONE, mandate.id],
    );
    return mandate;
  };

  test('M10 the end is announced thirty days of Paris before, once, over the change of hour and on 29 February; never at night', on, async () => {
    for (const [last, day, before] of [
      ['2027-04-27', '2027-03-28', '2027-03-27'],
      ['2027-11-30', '2027-10-31', '2027-10-30'],
      ['2028-03-30', '2028-02-29', '2028-02-28'],
    ] as const) {
      const mandate = await ending('colette', last);
      for (const early of [`${before}T16:30:00Z`, `${day}T04:00:00Z`]) {
        const job = jobAt(early);
        await job.remind();
        assert.deepEqual(job.queued, [], early);
      }
      const job = jobAt(`${day}T09:30:00Z`);
      await job.remind();
      assert.equal(job.texts().length, 1, day);
      assert.ok(job.mails().length > 0);
      for (const mail of job.mails()) {
        assert.ok(mail.text.includes(mandate.reference));
        assert.doesNotMatch(mail.text + mail.subject, /Colette|Martin|Transports/i);
      }
      assert.doesNotMatch(job.texts()[0]?.text ?? '', /transport|mairie|Thénac|santé|démarche/i, 'V10');
      await job.remind();
      assert.equal(job.texts().length, 1, 'once');
    }
  });

  test('M10 a host that was down three days, a crash before the commit, two instances at once: one announcement', on, async () => {
    const it = world();
    const mandate = await ending('jean', '2027-06-30');
    const noted = () => it.sql('select delivery_id from mandate_reminder where mandate_id = $1', [mandate.id]);
    await assert.rejects(jobAt('2027-06-03T10:00:00Z', true).remind(), /died/);
    assert.deepEqual(await noted(), [], 'nothing of it stands');
    const other = kind === 'postgres' ? (await it.secondInstance()).app.site.transactions : it.database;
    const jobs = [jobAt('2027-06-03T10:00:00Z'), jobAt('2027-06-03T10:00:00Z', false, other)];
    await Promise.all(jobs.map((job) => job.remind()));
    assert.equal(
      jobs.reduce((sum, job) => sum + job.texts().length, 0),
      1,
    );
    assert.notEqual((await noted())[0]?.['delivery_id'] ?? null, null);
  });

  test(
    'M10 nothing is announced of 31 days or less, nor to a number that is not independent; one that waits is forgotten when its mandate ends',
    on,
    async () => {
      const it = world();
      await clear();
      const short = await agreed(it, 'revoquee', ['loisirs'], 31);
      const job = jobAt(new Date(short.endsAt.getTime() - 36 * 3_600_000).toISOString().replace(/T.*/, 'T12:00:00Z'));
      await job.remind();
      assert.ok(!job.queued.some((one) => one.text.includes(short.reference)));
      const weak = await ending('expiree', '2027-08-30');
      await it.sql("insert into professional_number (address, holder, declared_at) values ($1, 'org_x', now())", [PHONE]);
      const mailOnly = jobAt('2027-08-10T10:00:00Z');
      await mailOnly.remind();
      assert.deepEqual(mailOnly.texts(), []);
      assert.ok(mailOnly.mails().some((mail) => mail.text.includes(weak.reference)));
      await it.sql('delete from professional_number');
      await it.demonstration.sms.close();
      const mandate = await ending('colette', '2027-09-30');
      await jobAt('2027-09-10T10:00:00Z').remind();
      const delivery = async () =>
        (
          await it.sql(
            `select d.done_at is not null done, d.last_error, d.acknowledged_at, d.body_box from delivery d
            join mandate_reminder r on r.delivery_id = d.id where r.mandate_id = $1`,
            [mandate.id],
          )
        )[0];
      assert.equal((await delivery())?.['done'], false, 'the gateway is down: it waits');
      const [holder] = await it.sql('select usager_id from mandate where id = $1', [mandate.id]);
      await it.app.site.mandates.revokeByUsager(holder?.['usager_id'] as never, mandate.id);
      const left = await delivery();
      assert.deepEqual([left?.['done'], left?.['acknowledged_at'], left?.['body_box']], [true, null, null]);
    },
  );
});
