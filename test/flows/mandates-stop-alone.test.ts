import type { UsagerId } from '../../src/kernel/ids.ts';
import type { Mandate } from '../../src/mandates/mandate.ts';
import { signSms } from '../../src/notices/sms.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, consented, entriesSince, inesAt, inTheMorning, mandatesOf, mark, personOf, until, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { papersOf, sheetFor } from '../support/paper.ts';
import { inEachWorld } from '../support/protocol.ts';
import type { World } from '../support/world.ts';

let calls = 0;
const text = async (world: World, from: string, said: string, id = `stop-${++calls}`, reference = 'nothing-that-was-asked'): Promise<number> => {
  const body = JSON.stringify({ id, reference, from, text: said });
  const key = world.demonstration.config.keys.raw('sms-gateway').reveal();
  const answer = await fetch(`${world.places.relais}/api/v1/sms/replies`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'relais-signature': signSms(key, 'replies', new Date(), body) },
    body,
  });
  await answer.body?.cancel();
  return answer.status;
};

/** Her own number, as after the code came back. */
const ownNumber = (world: World, usager: UsagerId, address: string) =>
  world.sql(
    `insert into channel (id, usager_id, kind, address, added_by, added_at, verified_at)
      values ('chn_' || substr(md5($1 || $2), 1, 26), $1, 'phone', $2, 'usager', now() - interval '9 days', now() - interval '9 days')`,
    [usager, address],
  );
const smsTo = (world: World, phone: string) => world.demonstration.sms.messages().filter((one) => one.phone === phone && !one.mine);

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  const row = async (mandate: Mandate) => (await world().sql('select end_reason, ended_by from mandate where id = $1', [mandate.id]))[0];
  const codeOf = async (mandate: Mandate) =>
    String((await world().sql('select code from attestation where mandate_id = $1', [mandate.id]))[0]?.['code']);
  const birthdateOf = async (mandate: Mandate): Promise<string> => {
    const [found] = await world().sql('select birthdate from usager where id = $1', [mandate.usagerId]);
    return String(found?.['birthdate']).split('-').reverse().join('/');
  };
  const byLetter = async (walker: Walker, code: string, birthdate: string) => {
    await walker.open(`${world().places.relais}/arreter`);
    return walker.send('stop-by-paper', { code, birthdate });
  };

  test('M18 one word from her own number stops every mandate and every consent not yet accepted, once, and she is told', on, async () => {
    const it = world();
    inTheMorning(it);
    const phone = '+33639980101';
    const mandates = mandatesOf(it.app, it);
    const first = await agreed(it, 'colette', ['logement']);
    const second = await agreed(it, 'colette', ['papiers'], 31, await whoIs(it, 'ines', 'Saintes'));
    const someoneElses = await agreed(it, 'jean', ['loisirs']);
    const pending = await consented(it, mandates, await whoIs(it), first.usagerId, ['transports']);
    await ownNumber(it, first.usagerId, phone);
    const sheet = await sheetFor(it, await whoIs(it), first.usagerId, ['justice']);
    const from = await mark(it);
    assert.equal(await text(it, phone, 'non'), 202);
    assert.equal((await row(first))?.['end_reason'], null, 'a no that answers nothing stops nothing');
    assert.ok(await until(() => smsTo(it, phone).some((one) => /répondez STOP/.test(one.text))));
    assert.deepEqual(
      await Promise.all([text(it, phone, 'Arrêt !', 'twice'), text(it, phone, 'Arrêt !', 'twice')]).then((all) => all.toSorted()),
      [200, 202],
    );
    for (const mandate of [first, second]) assert.deepEqual(await row(mandate), { end_reason: 'revoked', ended_by: 'usager sms' });
    assert.equal((await row(someoneElses))?.['end_reason'], null);
    const refused = await mandates.accept(await whoIs(it), pending.id, pending.hash, '');
    assert.ok('refused' in refused, 'what she had agreed to makes no mandate any more');
    const seen = await papersOf(it.app, it).witness(await whoIs(it, 'ines'), sheet.id, sheet.textHash, '');
    assert.deepEqual(seen, { refused: 'draft_expired' }, 'nor what she may have signed before');
    assert.deepEqual(await it.sql('select usager_id, consented_at from mandate_draft where id = $1', [sheet.draftId]), [
      { usager_id: null, consented_at: null },
    ]);
    const entries = (await entriesSince(it, from)).filter(({ type }) => type === 'mandate.revoked');
    assert.deepEqual(
      entries.map(({ usager, detail }) => [usager, (detail as { by: string }).by, (detail as { through: string }).through]),
      [first, second].map(() => [first.usagerId, 'usager', 'sms']),
    );
    assert.ok(await until(() => smsTo(it, phone).some((one) => /Vos 2 mandats sont terminés/.test(one.text))));
    assert.equal(await text(it, phone, 'stop'), 202);
    assert.ok(await until(() => smsTo(it, phone).some((one) => /aucun mandat en cours/.test(one.text))));
    for (const one of smsTo(it, phone)) assert.doesNotMatch(one.text, /logement|papier|mairie|CCAS|Thénac|Saintes|démarche/i, 'V10');
  });

  test('M18 stop, said to a question, is a no to it; she is told how to stop the rest, and the same word again does', on, async () => {
    const it = world();
    const phone = '+33639980106';
    const mandate = await agreed(it, 'robert', ['logement']);
    await ownNumber(it, mandate.usagerId, phone);
    const who = await whoIs(it);
    const drafted = await mandatesOf(it.app, it).draft(who, ['papiers'], 31);
    assert.ok('draft' in drafted);
    const question = await it.app.site.sms?.consents.ask(who, drafted.draft.id, mandate.usagerId);
    assert.ok(question && 'asked' in question);
    assert.equal(await text(it, phone, 'STOP', undefined, question.asked.reference), 202);
    assert.deepEqual(await it.sql('select state from remote_consent where id = $1', [question.asked.id]), [{ state: 'no' }]);
    assert.equal((await row(mandate))?.['end_reason'], null);
    assert.ok(await until(() => smsTo(it, phone).some((one) => /NON est noté.* répondez STOP/.test(one.text))));
    assert.equal(await text(it, phone, 'STOP', undefined, question.asked.reference), 202);
    assert.deepEqual(await row(mandate), { end_reason: 'revoked', ended_by: 'usager sms' });
  });

  test('M18 a number of two people, of a structure, entered by an aidant, or unknown stops nobody’s mandate', on, async () => {
    const it = world();
    const mandate = await agreed(it, 'jean', ['social']);
    const other = await personOf(it, 'colette');
    const shared = '+33639980102';
    await ownNumber(it, mandate.usagerId, shared);
    await it.sql('update channel set ended_at = now() where usager_id = $1', [other]);
    await ownNumber(it, other, shared);
    const entered = '+33639980103';
    await it.sql(
      `insert into channel (id, usager_id, kind, address, added_by, organisation_id, added_at)
        select 'chn_' || substr(md5('entered'), 1, 26), $1, 'phone', $2, accepted_by, organisation_id, now() - interval '9 days' from mandate where id = $3`,
      [mandate.usagerId, entered, mandate.id],
    );
    const professional = '+33639980104';
    await it.sql('update channel set ended_at = now() where usager_id = $1 and address = $2', [other, shared]);
    await ownNumber(it, other, professional);
    await it.sql("insert into professional_number (address, holder, declared_at) values ($1, 'org_x', now())", [professional]);
    const theirs = await agreed(it, 'colette', ['social']);
    for (const phone of [entered, professional]) {
      assert.equal(await text(it, phone, 'STOP'), 202);
      assert.ok(await until(() => smsTo(it, phone).some((one) => /ne suffit pas pour savoir qui vous êtes/.test(one.text))));
    }
    await it.sql('update channel set ended_at = null where usager_id = $1 and address = $2', [other, professional]);
    assert.equal(await text(it, '+33639980199', 'STOP'), 404);
    assert.equal((await row(mandate))?.['end_reason'], null);
    assert.equal((await row(theirs))?.['end_reason'], null);
    await it.sql('delete from professional_number');
    await it.sql('update channel set address = $2 where usager_id = $1 and address = $3', [other, shared, professional]);
    assert.equal(await text(it, shared, 'STOP'), 202);
    assert.equal((await row(mandate))?.['end_reason'], null, 'two people: nobody’s');
    assert.equal((await row(theirs))?.['end_reason'], null);
  });

  test(
    'M18 the code of the paper and the birth date stop the mandate without account or reason; opening the page does nothing; a receipt is shown',
    on,
    async () => {
      const it = world();
      const mandate = await agreed(it, 'revoquee', ['famille']);
      const walker = new Walker();
      const code = await codeOf(mandate);
      const birthdate = await birthdateOf(mandate);
      await walker.open(`${it.places.relais}/arreter?code=${code}&birthdate=${birthdate}`);
      assert.equal((await row(mandate))?.['end_reason'], null);
      const unknown = await byLetter(walker, '2'.repeat(24), birthdate);
      const wrong = await byLetter(walker, code, '01/02/1903');
      const same = (html: string) => html.replace(/name="_csrf" value="[^"]*"/, '');
      assert.equal(unknown.status, 422);
      assert.equal(same(unknown.html), same(wrong.html), 'the same answer');
      assert.equal((await byLetter(walker, code, 'hier')).status, 422);
      assert.equal((await row(mandate))?.['end_reason'], null);
      const done = await byLetter(walker, ` ${code.toLowerCase()} `, birthdate);
      assert.match(textOf(done), /Le mandat est arrêté/, textOf(done));
      assert.match(done.html, /id="receipt-number">\d+ · [\w-]{43}/);
      assert.ok(textOf(done).includes(mandate.reference));
      assert.doesNotMatch(textOf(done), /Rosa|Révoquée|famille|Thénac/i);
      assert.deepEqual(await row(mandate), { end_reason: 'revoked', ended_by: 'usager letter' });
      assert.match(textOf(await byLetter(walker, code, birthdate)), /était déjà arrêté/);
    },
  );

  test('M18 ten wrong birth dates of a day are all that one address has for a paper; they stop nobody else’s right one', on, async () => {
    const it = world();
    const mandate = await agreed(it, 'expiree', ['argent']);
    const code = await codeOf(mandate);
    const right = String((await it.sql('select birthdate from usager where id = $1', [mandate.usagerId]))[0]?.['birthdate']);
    const ways = it.app.site.stopping;
    const others = kind === 'postgres' ? (await it.secondInstance()).app.site.stopping : ways;
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => (n % 2 ? ways : others).byLetter({ code, birthdate: `19${10 + n}-01-01` }, '192.0.2.1')),
    );
    assert.deepEqual(answers.map((answer) => ('refused' in answer ? answer.refused : 'stopped')).toSorted(), [
      'stop_capped',
      'stop_capped',
      ...Array.from({ length: 10 }, () => 'stop_unknown'),
    ]);
    assert.deepEqual(await ways.byLetter({ code, birthdate: right }, '192.0.2.1'), { refused: 'stop_capped' }, 'there, even the right date');
    const unknown = '3'.repeat(24);
    for (let n = 0; n < 11; n++) await ways.byLetter({ code: unknown, birthdate: right }, '192.0.2.2');
    assert.deepEqual(await ways.byLetter({ code: unknown, birthdate: right }, '192.0.2.2'), { refused: 'stop_capped' }, 'as for a code that exists');
    assert.equal((await row(mandate))?.['end_reason'], null);
    assert.ok(!('refused' in (await ways.byLetter({ code, birthdate: right }, '192.0.2.2'))), 'and elsewhere the right one stops it');
    assert.equal((await row(mandate))?.['end_reason'], 'revoked');
  });

  test('M18 a paper that many addresses guess at is answered once a minute; an aidant, who signs, is not kept waiting', on, async () => {
    const it = world();
    const mandate = await agreed(it, 'expiree', ['transports']);
    const code = await codeOf(mandate);
    const right = String((await it.sql('select birthdate from usager where id = $1', [mandate.usagerId]))[0]?.['birthdate']);
    const ways = it.app.site.stopping;
    await Promise.all(Array.from({ length: 100 }, (_, n) => ways.byLetter({ code, birthdate: '1903-02-01' }, `198.51.100.${n}`)));
    assert.deepEqual(await ways.byLetter({ code, birthdate: '1903-02-02' }, '198.51.100.200'), { refused: 'stop_unknown' });
    for (let n = 0; n < 12; n++) assert.deepEqual(await ways.byLetter({ code, birthdate: right }, '203.0.113.1'), { refused: 'stop_capped' });
    assert.equal((await row(mandate))?.['end_reason'], null);
    const ines = await whoIs(it, 'ines', 'Saintes');
    assert.deepEqual(await ways.byPaper(ines, { code, birthdate: '1903-02-03' }), { refused: 'stop_unknown' }, 'looked at');
    it.advance(60_000);
    assert.ok(!('refused' in (await ways.byLetter({ code, birthdate: right }, '203.0.113.1'))), 'having waited counts for nothing against her');
    assert.equal((await row(mandate))?.['end_reason'], 'revoked');
    it.advance(86_400_000);
    await ways.purge();
    assert.deepEqual(await it.sql('select 1 from stop_try'), []);
  });

  test('M18 an aidant of any structure records her signed stop: the mandate ends at once, the entry says who received it', on, async () => {
    const it = world();
    const mandate = await agreed(it, 'noms-longs', ['transports']);
    const ines = await inesAt(it, 'Saintes');
    const send = async (more: Readonly<Record<string, string>>) => {
      await ines.open(`${it.places.relais}/aidant/arret`);
      return ines.send('stop-by-paper', { code: await codeOf(mandate), birthdate: await birthdateOf(mandate), ...more });
    };
    assert.equal((await send({})).status, 422, 'not without her signature');
    assert.equal((await row(mandate))?.['end_reason'], null);
    const from = await mark(it);
    const done = await send({ signed: 'yes' });
    assert.match(textOf(done), /Le mandat est arrêté/, textOf(done));
    assert.deepEqual(await row(mandate), { end_reason: 'revoked', ended_by: 'usager paper' });
    const who = await whoIs(it, 'ines', 'Saintes');
    const entry = (await entriesSince(it, from)).find(({ type }) => type === 'mandate.revoked');
    assert.deepEqual([entry?.usager, entry?.organisation, entry?.actor], [mandate.usagerId, mandate.organisationId, who.aidantId]);
    assert.deepEqual(
      { ...(entry?.detail as object), sessions: 0 },
      {
        by: 'usager',
        themes: ['transports'],
        left: [],
        sessions: 0,
        organisationName: mandate.organisationName,
        through: 'paper',
        receivedBy: 'Inès',
        receivedAt: entry && (await it.sql('select name from organisation where id = $1', [who.organisationId]))[0]?.['name'],
      },
    );
  });
});
