import { sha256 } from '../../src/kernel/crypto.ts';
import { sqlState } from '../../src/persistence/database.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases } from '../support/database.ts';
import { granted, house, queued } from '../support/staff.ts';

for (const kind of databases()) {
  test(`the second person on ${kind.kind}: neither the same one, nor anything but what was asked, nor twice`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(database, frozenClock());
      const hash = sha256('thing');
      const asked = await it.approvals.ask({ kind: 'service', subject: 'caf', hash, askedBy: 'opr_a' });
      assert.deepEqual(await it.approvals.list(), [asked]);
      assert.deepEqual(await it.approvals.approve(asked.id, 'opr_a', hash), { refused: 'same_person' });
      assert.deepEqual(await it.approvals.approve(asked.id, 'opr_b', sha256('other')), { refused: 'hash_differs' });
      assert.deepEqual(await it.approvals.approve('apr_unknown', 'opr_b', hash), { refused: 'unknown_approval' });
      const answers = await Promise.all(['opr_b', 'opr_c'].map((by) => it.approvals.approve(asked.id, by, hash)));
      assert.equal(answers.filter((answer) => 'approval' in answer).length, 1);
      assert.deepEqual(
        answers.find((answer) => 'refused' in answer),
        { refused: 'already_approved' },
      );
      assert.deepEqual(await it.approvals.list(), []);
      assert.equal((await it.approvals.find(asked.id))?.askedBy, 'opr_a');
      assert.deepEqual(await queued(database), ['approval.asked', 'approval.refused', 'approval.refused', 'approval.given', 'approval.refused']);
    } finally {
      await drop();
    }
  });

  test(`the database itself on ${kind.kind} refuses the same person and another hash, whoever writes`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(database, frozenClock());
      const { id } = await it.approvals.ask({ kind: 'service', subject: 'caf', hash: sha256('thing'), askedBy: 'opr_a' });
      const refusedWith = async (by: string, hash: Buffer): Promise<string | undefined> =>
        database
          .asOwner((query) => query('update approval set approved_by = $1, approved_at = now(), approved_hash = $2 where id = $3', [by, hash, id]))
          .then(() => 'accepted', sqlState);
      assert.equal(await refusedWith('opr_a', sha256('thing')), '23514');
      assert.equal(await refusedWith('opr_b', sha256('other')), '23514');
      assert.equal(await refusedWith('opr_b', sha256('thing')), 'accepted');
    } finally {
      await drop();
    }
  });

  test(`what waits on ${kind.kind}: of several asked for one thing, the newest`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const clock = frozenClock();
      const it = await house(database, clock);
      const ask = (subject: string) => it.approvals.ask({ kind: 'service', subject, hash: sha256(subject, String(clock.now())), askedBy: 'opr_a' });
      await ask('caf');
      clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 2)); // identifiers are ordered to the millisecond
      const second = await ask('caf');
      const other = await ask('impots');
      assert.deepEqual((await it.approvals.list()).map(({ id }) => id).sort(), [second.id, other.id].sort());
      granted(await it.approvals.approve(second.id, 'opr_b', second.hash));
      assert.deepEqual(
        (await it.approvals.list()).map(({ id }) => id),
        [other.id],
      );
    } finally {
      await drop();
    }
  });
}
