import { rows } from '../../src/persistence/database.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, entriesSince, inTheMorning, mark, personOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { as, desk } from '../support/desk.ts';
import { faults, inEachWorld } from '../support/protocol.ts';
import type { World } from '../support/world.ts';

const [ALICE, MARC] = ['Alice Fontaine', 'Marc Dubreuil'] as const;
const known = async (world: World, id: string) => (await world.sql('select family_name, birthplace from usager where id = $1', [id]))[0];
const approvalIn = (text: string): string => /--approve (apr_\w+)/.exec(text)?.[1] ?? '';
const fingerprintIn = (text: string): string => /Fingerprint of this change: ([0-9a-f]{16})/.exec(text)?.[1] ?? '';

inEachWorld(({ world: of, kind }) => {
  const on = { database: kind };

  /** What Relais knows is made older than what FranceConnect gives; then the person comes. */
  const drifted = async (world: World, identity: string): Promise<{ id: string; now: string }> => {
    const id = await personOf(world, identity);
    const now = String((await known(world, id))?.['family_name']);
    await world.sql("update usager set family_name = 'Ancien' where id = $1", [id]);
    await assert.rejects(personOf(world, identity), /identity_drift/);
    return { id, now };
  };
  const asked = async (world: World, id: string) =>
    desk(world)('usager', 'accept-identity', '--usager', id, '--reason', 'livret de famille vu', ...(await as(world, ALICE)));
  const looked = async (world: World, approval: string, ...more: string[]) =>
    desk(world)('usager', 'accept-identity', '--approve', approval, ...more, ...(await as(world, MARC)));

  test(
    `U8 two opérateurs read the old and the new identity and accept it: the account is the same, its person is told and reads it, and goes on (${kind})`,
    on,
    async () => {
      const world = of();
      inTheMorning(world);
      const mandate = await agreed(world, 'jean', ['logement']);
      const { id, now } = await drifted(world, 'jean');
      await world.sql(
        "insert into channel (id, usager_id, kind, address, added_by, added_at, verified_at) values ('chn_u8', $1, 'phone', '+33639980111', 'usager', now(), now())",
        [id],
      );
      const [kept] = await world.sql('select traits, box from identity_review where usager_id = $1', [id]);
      assert.deepEqual(kept?.['traits'], ['familyName']);
      assert.ok(Buffer.isBuffer(kept?.['box']) && !kept['box'].toString('latin1').includes(now), 'sealed');
      assert.match((await desk(world)('usager', 'identities')).text, new RegExp(`${id} .*familyName`));
      const from = await mark(world);
      const first = await asked(world, id);
      for (const text of [first.text, (await looked(world, approvalIn(first.text))).text])
        assert.match(
          text,
          new RegExp(
            `birth name +Ancien +${now} +differs[\\s\\S]*Nothing is changed yet|birth name +Ancien +${now} +differs[\\s\\S]*nothing is changed yet`,
          ),
        );
      assert.equal((await known(world, id))?.['family_name'], 'Ancien');
      const done = await looked(world, approvalIn(first.text), '--fingerprint', fingerprintIn(first.text));
      assert.match(done.text, /^Accepted: /);
      assert.equal((await known(world, id))?.['family_name'], now);
      assert.deepEqual(await world.sql('select 1 from identity_review where usager_id = $1', [id]), []);
      assert.equal(await personOf(world, 'jean'), id, 'the same account');
      const entries = (await entriesSince(world, from)).filter(({ type }) => type === 'usager.identity-accepted' || type === 'message.sent');
      assert.deepEqual(
        entries.map(({ type, usager, detail }) => [type, usager, JSON.stringify(detail)]),
        [
          ['usager.identity-accepted', id, JSON.stringify({ reason: 'livret de famille vu', traits: ['familyName'] })],
          ['message.sent', id, JSON.stringify({ channel: 'sms', template: 'identity_changed' })],
        ],
        'and she is told on her own telephone',
      );
      const jean = new Walker();
      const page = await signInUsager(jean, world.places, 'jean');
      assert.match(
        textOf(page),
        /Votre état civil a changé dans Relais, comme FranceConnect le donne : nom de naissance\. Deux personnes de Relais l’ont vérifié\./,
      );
      assert.deepEqual(await world.sql('select ended_at from mandate where id = $1', [mandate.id]), [{ ended_at: null }], 'what was given goes on');
      assert.deepEqual((await world.verifyJournal()).faults, []);
      assert.deepEqual(faults(world), []);
    },
  );

  test(
    `U8 nothing is accepted by one person, unread, changed meanwhile, twice, or after a month; nor by SQL of the application (${kind})`,
    on,
    async () => {
      const world = of();
      const { id } = await drifted(world, 'colette');
      const first = await asked(world, id);
      const approval = approvalIn(first.text);
      const alone = await desk(world)(
        'usager',
        'accept-identity',
        '--approve',
        approval,
        '--fingerprint',
        fingerprintIn(first.text),
        ...(await as(world, ALICE)),
      );
      assert.match(alone.text, /same_person/);
      assert.match((await looked(world, approval, '--fingerprint', '0'.repeat(16))).text, /fingerprint_differs/);
      assert.match((await desk(world)('approvals', 'approve', approval, ...(await as(world, MARC)))).text, /approved_once_read/);
      for (const text of [
        "update usager set family_name = 'Autre' where id = $1",
        `select accept_identity('${approval}', 'A', 'B', null, 'female', '1940-01-01', '17299', '99100') where $1 <> ''`,
        'update approval set approved_by = asked_by, approved_at = now(), approved_hash = hash where subject = $1',
      ])
        await assert.rejects(
          world.database.run((tx) => rows(tx, { name: `forge-${text.length}`, text, values: [id] })),
          (error: { code?: string }) => error.code === '42501' || error.code === '23514',
          text,
        );
      // Approved by two, and used for another change: refused by the database.
      await world.sql("update approval set approved_by = 'opr_x', approved_at = now(), approved_hash = hash where id = $1", [approval]);
      await assert.rejects(
        world.sql('select accept_identity($1, $2, $3, null, $4, $5, $6, $7)', [approval, 'A', 'B', 'female', '1940-01-01', '17299', '99100']),
        /no such change/,
      );
      await world.sql('update approval set approved_by = null, approved_at = null, approved_hash = null where id = $1', [approval]);
      assert.equal((await known(world, id))?.['family_name'], 'Ancien');

      // FranceConnect gives yet another identity before the second opérateur has answered.
      await assert.rejects(personOf(world, 'colette', { family_name: 'Tierce' }), /identity_drift/);
      const from = await mark(world);
      const over = await looked(world, approval, '--fingerprint', fingerprintIn(first.text));
      assert.match(over.text, /fingerprint_differs/);
      const stored = await world.app.approvals.find(approval);
      const marc = (await world.app.aidants.findByEmail('operateur', 'marc@demonstration.example'))[0]?.id ?? '';
      assert.ok(stored);
      assert.deepEqual(await world.app.reviews.give(stored, marc), { refused: 'hash_differs' });
      assert.deepEqual(
        (await entriesSince(world, from)).map(({ type }) => type).filter((type) => type.startsWith('approval') || type.startsWith('usager.identity')),
        ['approval.refused'],
      );
      // Asked again and given twice at once: one of them does it.
      const second = await asked(world, id);
      const again = await world.app.approvals.find(approvalIn(second.text));
      assert.ok(again);
      const both = await Promise.all([world.app.reviews.give(again, marc), world.app.reviews.give(again, marc)]);
      assert.deepEqual(both.map((one) => ('accepted' in one ? 'accepted' : one.refused)).sort(), ['accepted', 'already_approved']);
      assert.equal((await known(world, id))?.['family_name'], 'Tierce');
      assert.equal((await entriesSince(world, from)).filter(({ type }) => type === 'usager.identity-accepted').length, 1);

      await assert.rejects(personOf(world, 'colette'), /identity_drift/);
      const late = await asked(world, id);
      world.advance(31 * 86_400_000);
      const gone = await world.app.approvals.find(approvalIn(late.text));
      assert.ok(gone);
      assert.deepEqual(await world.app.reviews.look(gone), { refused: 'nothing_to_review' });
      await world.app.reviews.purge();
      assert.deepEqual(await world.sql('select 1 from identity_review'), []);
      assert.equal((await known(world, id))?.['family_name'], 'Tierce');
    },
  );

  test(`V9 an identity that waits goes with its person (${kind})`, on, async () => {
    const world = of();
    const { id } = await drifted(world, 'robert');
    await world.sql('update mandate_grant set ended_at = now(), end_reason = $2 where usager_id = $1 and ended_at is null', [id, 'revoked']);
    await world.sql("update mandate set ended_at = now(), end_reason = 'revoked' where usager_id = $1 and ended_at is null", [id]);
    const erase = await desk(world)('journal', 'erase', '--usager', id, '--ground', 'person-asked', ...(await as(world, ALICE)));
    assert.match((await desk(world)('journal', 'erase', '--approve', approvalIn(erase.text), ...(await as(world, MARC)))).text, /Erased: /);
    assert.deepEqual(await world.sql('select 1 from identity_review where usager_id = $1', [id]), []);
    assert.match((await asked(world, id)).text, /nothing_to_review/);
  });
});
