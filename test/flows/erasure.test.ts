import { boxKey, tagOf } from '../../src/journal/keys.ts';
import { openBox } from '../../src/journal/payload.ts';
import type { MandateId } from '../../src/kernel/ids.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, entriesSince, eventOf, inTheMorning, mark, personOf, reportAt, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { openCutter } from '../support/cut.ts';
import { as, desk } from '../support/desk.ts';
import { WITHOUT_ENTRY } from '../support/never.ts';
import { get, inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type World } from '../support/world.ts';

type Parameters = Readonly<Record<string, string>> | undefined;

/** The public parameters of the leaves of a kind, oldest first. */
const saidIn = async (world: World, type: string, from: number): Promise<Parameters[]> => {
  await world.app.flushJournal();
  const rows = await world.sql("select convert_from(leaf, 'UTF8') leaf from journal.leaf where idx >= $1 order by idx", [from]);
  return rows
    .map((row) => JSON.parse(String(row['leaf'])) as { e: string; p?: Record<string, string> })
    .filter(({ e }) => e === type)
    .map(({ p }) => p);
};

/** Everything sealed of some entries, with the public name of each. */
const boxesOf = (world: World, indices: readonly number[]) =>
  world.sql(
    "select idx, class, to_char(month, 'YYYY-MM') period, event_id, box_subject from journal.payload where idx = any($1::bigint[]) order by idx",
    [indices],
  );

/** How many of these boxes any key of the store opens: whose they are is not asked. */
const readable = async (world: World, indices: readonly number[]): Promise<number> => {
  const rows = await boxesOf(world, indices);
  const persons = (await world.sql('select party_id from journal_keys.person_key')).map((row) => String(row['party_id']));
  const periods = rows.map((row) => ({ class: row['class'] as 'access', period: String(row['period']) }));
  const keys = await world.app.keyStore.load(world.database.auto, { persons, periods });
  return rows.filter((row) => {
    const period = keys.period(row['class'] as 'access', String(row['period']));
    return [undefined, ...persons].some((id) => {
      const person = id === undefined ? undefined : keys.person(id);
      if (person === null || !period) return false;
      try {
        return openBox(boxKey(person, period), String(row['event_id']), 'subject', row['box_subject'] as Buffer) !== undefined;
      } catch {
        return false;
      }
    });
  }).length;
};

const rowsOf = async (world: World, usager: string) =>
  (
    await world.sql(
      `select (select count(*)::int from usager_identity where usager_id = $1) identities, (select count(*)::int from channel where usager_id = $1) channels,
        (select count(*)::int from web_session where holder_id = $1) sessions, (select count(*)::int from journal.projection where usager = $1) entries,
        (select count(*)::int from journal_keys.person_key where party_id = $1 and wrapped is not null) keys`,
      [usager],
    )
  )[0];

/** Both opérateurs, one after the other. */
const erase = async (world: World, usager: string) => {
  const asked = await desk(world)('journal', 'erase', '--usager', usager, '--ground', 'person-asked', ...(await as(world, 'Alice Fontaine')));
  const approval = /--approve (apr_\w+)/.exec(asked.text)?.[1] ?? '';
  return { asked, approval, given: async () => desk(world)('journal', 'erase', '--approve', approval, ...(await as(world, 'Marc Dubreuil'))) };
};

inEachWorld(({ world: of, kind }) => {
  const on = { database: kind } as const;

  test(
    `L6 J10 a person is erased by two people: no sealed part of hers opens, nothing names her, and the journal still holds (§6.32) (${kind})`,
    on,
    async () => {
      const world = of();
      inTheMorning(world);
      const karim = await signedInAidant(world);
      const service = await world.service('l6-service');
      const from = await mark(world);
      for (const [person, name] of [
        ['colette', 'Colette Martin'],
        ['jean', 'Jean Petit'],
      ] as const) {
        await agreed(world, person, ['logement']);
        const { tokens, claims } = await delegatedTokens(world, karim, service, name, 'openid dlg:logement');
        const events = [eventOf(service, sessionOf(claims), `l6-${person}`, { reference: `REF-${person}` })];
        assert.equal((await reportAt(world, tokens.access_token, events)).status, 202);
      }
      await signInUsager(new Walker(), world.places, 'colette');
      const [colette, jean] = [await personOf(world, 'colette'), await personOf(world, 'jean')];
      const mandate = String((await world.sql('select id from mandate where usager_id = $1', [colette]))[0]?.['id']) as MandateId;
      const code = String((await world.sql('select code from attestation where mandate_id = $1', [mandate]))[0]?.['code']);

      assert.match((await erase(world, colette)).asked.text, /refused: live_mandates/);
      await desk(world)('mandate', 'end', mandate, '--reason', 'Elle le demande');
      const { approval, given } = await erase(world, colette);
      assert.match(
        (await desk(world)('journal', 'erase', '--approve', approval, ...(await as(world, 'Alice Fontaine')))).text,
        /refused: same_person/,
      );
      const [waiting] = await world.sql('select id from erasure where done_at is null');
      await assert.rejects(world.sql('select erase_person($1, now())', [waiting?.['id']]), /two people/, 'not even by SQL');
      assert.equal((await rowsOf(world, colette))?.['keys'], 1, 'asked, not erased');

      await world.app.flushJournal();
      const hers = (await world.sql('select idx::int from journal.projection where usager = $1 order by idx', [colette])).map((row) =>
        Number(row['idx']),
      );
      const his = (await world.sql('select idx::int from journal.projection where usager = $1 order by idx', [jean])).map((row) =>
        Number(row['idx']),
      );
      const tagKey = await world.app.journal.tagKey(world.database.auto, colette);
      assert.equal(await readable(world, hers), hers.length);
      const done = await given();
      assert.match(done.text, new RegExp(`Erased: ${hers.length} entries[\\s\\S]*three days[\\s\\S]*30 days`));

      assert.deepEqual(await rowsOf(world, colette), { identities: 0, channels: 0, sessions: 0, entries: 0, keys: 0 });
      const [person] = await world.sql('select given_name, family_name, birthdate, birthplace, email from usager where id = $1', [colette]);
      assert.deepEqual(person, { given_name: '', family_name: 'Personne effacée', birthdate: '', birthplace: '', email: null });
      assert.deepEqual([await readable(world, hers), await readable(world, his)], [0, his.length], 'hers no more, his all the same');
      const named = (await world.sql('select distinct type from journal.projection where mandate = $1', [mandate])).map((row) => String(row['type']));
      // That a message left concerns no usager: what it names is a mandate that names nobody any more.
      assert.deepEqual(
        named.filter((type) => !type.startsWith('message.')),
        [],
        'her mandate is not searched any more',
      );
      assert.equal(await world.app.journal.tagKey(world.database.auto, colette), undefined);
      const [said, ...more] = await saidIn(world, 'erasure.executed', from);
      const lastTag = tagKey && tagOf(tagKey, 'usager', hers.length).toString('base64url');
      assert.deepEqual([said, more], [{ scope: 'person', ground: 'person-asked', entries: String(hers.length), lastTag }, []]);
      assert.deepEqual((await world.verifyJournal()).faults, []);
      assert.deepEqual(await world.sql(WITHOUT_ENTRY), [], 'what was hers and is nobody’s still has its entries');
      assert.equal((await world.sql("select 1 from happened where kind = 'erasure.executed'")).length, 1);

      const listed = await get(`${world.places.relais}/api/v1/journal/erasures`);
      const erasures = (listed.json as { erasures: { index: number; leaf: string }[] }).erasures;
      assert.deepEqual([listed.status, erasures.length], [200, (await saidIn(world, 'erasure.executed', 0)).length]);
      assert.deepEqual((JSON.parse(erasures[0]?.leaf ?? '{}') as { p?: Parameters }).p, said);
      assert.equal((await get(`${world.places.relais}/api/v1/journal/erasures?before=x`)).status, 400);

      const attested = await world.app.site.attestations.verify(code);
      assert.deepEqual(attested?.kind, 'ended', 'who holds the paper still learns that this mandate was, and has ended');
      const kept = await world.app.site.attestations.find(mandate);
      assert.deepEqual([kept?.intact, kept?.sealed.usager.familyName], [true, 'Personne effacée']);
      assert.match((await desk(world)('journal', 'erase', '--approve', approval, ...(await as(world, 'Marc Dubreuil')))).text, /Erased/);
      assert.equal((await saidIn(world, 'erasure.executed', from)).length, 1, 'the same again changes nothing');
      await signInUsager(new Walker(), world.places, 'colette');
      assert.notEqual(await personOf(world, 'colette'), colette, 'she who comes back is somebody else to us');
    },
  );

  if (kind === 'postgres')
    test('J10 an erasure cut at any statement, before or after it, is finished by the same command', {
      database: 'postgres',
      atLeast: 8,
    }, async () => {
      const world = of();
      const cutter = openCutter();
      const { erasures, approvals } = world.app;
      try {
        for (const when of ['before', 'after'] as const)
          for (let at = 1, cut = true; cut; at += process.env['RELAIS_TEST_NIGHTLY'] ? 1 : 6) {
            const other = await personOf(world, `cut-${when}-${at}`, { given_name: 'Odile', family_name: 'Coupée', birthdate: '1951-01-01' });
            await world.app.flushJournal();
            const asked = await erasures.ask({ usagerId: other, ground: 'person-asked', askedBy: 'opr_one' });
            assert.ok('approval' in asked);
            cut = await cutter.around(at, when, () => erasures.give(asked.approval, 'opr_two').catch(() => undefined));
            const approval = await approvals.find(asked.approval.id);
            const done = await erasures.give(approval ?? asked.approval, 'opr_two');
            assert.ok('done' in done, `${when} ${at}: ${JSON.stringify(done)}`);
            assert.deepEqual(await rowsOf(world, other), { identities: 0, channels: 0, sessions: 0, entries: 0, keys: 0 }, `${when} ${at}`);
          }
      } finally {
        cutter.close();
      }
      assert.deepEqual((await world.verifyJournal()).faults, []);
      assert.deepEqual(await world.sql('select id from erasure where begun_at is not null and done_at is null'), []);
    });

  test(
    `J10 two opérateurs who approve at once erase once; a hold and an erasure exclude each other, and the refusal is an entry (${kind})`,
    on,
    async () => {
      const world = of();
      const { erasures, holds, approvals } = world.app;
      const usager = await personOf(world, 'deux', { given_name: 'Deux', family_name: 'Fois', birthdate: '1952-01-01' });
      const asked = await erasures.ask({ usagerId: usager, ground: 'person-asked', askedBy: 'opr_one' });
      assert.ok('approval' in asked);
      const held = await holds.place({ usager, ground: 'judge', by: 'opr_one' });
      const from = await mark(world);
      assert.deepEqual(await erasures.give(asked.approval, 'opr_two'), { refused: 'held' });
      assert.equal((await rowsOf(world, usager))?.['keys'], 1);
      const [refusal] = (await entriesSince(world, from)).filter(({ type }) => type === 'erasure.refused');
      assert.deepEqual(
        [refusal?.usager, refusal?.detail],
        [undefined, { scope: 'person', ground: 'person-asked', reason: 'held' }],
        'she does not learn of the hold',
      );
      await world.sql("update approval set approved_by = 'opr_two', approved_at = now(), approved_hash = hash where id = $1", [asked.approval.id]);
      await assert.rejects(world.sql('select erase_person($1, now())', [asked.approval.subject]), /a hold stands/, 'not even by SQL');
      await world.sql('update approval set approved_by = null, approved_at = null, approved_hash = null where id = $1', [asked.approval.id]);
      assert.ok('hold' in held && 'hold' in (await holds.lift(held.hold, 'opr_one')));
      const [one, two] = await Promise.all([erasures.give(asked.approval, 'opr_two'), erasures.give(asked.approval, 'opr_three')]);
      assert.ok('done' in one && 'done' in two, JSON.stringify([one, two]));
      assert.ok((await approvals.find(asked.approval.id))?.approvedBy);
      assert.equal((await saidIn(world, 'erasure.executed', from)).length, 1);
      assert.deepEqual(await holds.place({ usager, ground: 'judge', by: 'opr_one' }), { refused: 'already_erased' });
      assert.deepEqual((await world.verifyJournal()).faults, []);
    },
  );

  test(`J10 an entry that comes after its usager was erased names nobody, and the journal says why (${kind})`, on, async () => {
    const world = of();
    const usager = await personOf(world, 'paul', { given_name: 'Paul', family_name: 'Tard', sub: 'tard' });
    assert.match((await (await erase(world, usager)).given()).text, /Erased/);
    const from = await mark(world);
    await world.database.run((tx) =>
      world.app.journal.record(tx, { type: 'mandate.refused', usager, mandate: 'man_late', detail: { reason: 'late' } }),
    );
    assert.deepEqual(await saidIn(world, 'mandate.refused', from), [{ erased: 'usager' }]);
    const [late] = (await entriesSince(world, from)).filter((entry) => entry.type === 'mandate.refused');
    assert.deepEqual([late?.usager, late?.mandate, late?.detail], [undefined, undefined, null]);
    assert.deepEqual((await world.verifyJournal()).faults, []);
  });
});
