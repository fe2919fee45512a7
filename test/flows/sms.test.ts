import { signSms } from '../../src/notices/sms.ts';
import { signInUsager, signMandate } from '../../src/practice/story.ts';
import { formOf, textOf, Walker } from '../../src/practice/walker.ts';
import { inTheMorning, personOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { signedInAidant, type World } from '../support/world.ts';

/** Looks until it holds, or fails. */
const until = async <T>(look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> => {
  for (let tries = 0; tries < 250; tries++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resume) => setTimeout(resume, 40));
  }
  throw new Error(`never: ${what}`);
};
const smsTo = (world: World, phone: string) => world.demonstration.sms.messages().filter((one) => one.phone === phone && !one.mine);

/** The person adds her own number and proves it with the code that she reads. */
const addPhone = async (world: World, person: string, phone: string): Promise<void> => {
  const walker = new Walker();
  await signInUsager(walker, world.places, person);
  await walker.open(`${world.places.relais}/usager/telephone`);
  const before = smsTo(world, phone).length;
  await walker.send('add-phone', { phone: `0${phone.slice(3)}` });
  const code = await until(() => /code est (\d{6})/.exec(smsTo(world, phone)[before]?.text ?? '')?.[1], 'the code of the number');
  await walker.open(`${world.places.relais}/usager/telephone`);
  const page = await walker.send('confirm-phone', { code });
  assert.equal(page.status, 200, textOf(page));
};

/** A draft of Karim's, at the page that is read aloud. */
const draft = async (world: World, walker: Walker, themes: readonly string[]): Promise<string> => {
  await walker.open(`${world.places.relais}/aidant/mandats/nouveau`);
  await walker.send('mandate-themes', { themes });
  const page = await walker.send('mandate-days', { days: '31' });
  assert.match(page.html, /id="ask-by-sms"/);
  return page.url.href;
};
const ask = async (walker: Walker, at: string, person: string) => {
  await walker.open(`${at}/sms`);
  return walker.send('ask-by-sms', { person, recap_asked: 'yes' });
};
const consentOf = async (world: World, at: string): Promise<Record<string, unknown>> => {
  const id = at.split('/').at(-1) ?? '';
  const [found] = await world.sql('select * from remote_consent where draft_id = $1 order by asked_at desc, id desc limit 1', [id]);
  assert.ok(found, 'a question');
  return found;
};
const consentedBy = async (world: World, at: string): Promise<unknown> =>
  (await world.sql('select usager_id from mandate_draft where id = $1', [at.split('/').at(-1)]))[0]?.['usager_id'];

const call = async (
  world: World,
  path: 'replies' | 'receipts',
  content: object,
  more: { at?: Date; key?: Buffer; purpose?: 'send' | 'replies' } = {},
) => {
  const body = JSON.stringify(content);
  const key = more.key ?? world.demonstration.config.keys.raw('sms-gateway').reveal();
  const response = await fetch(`${world.places.relais}/api/v1/sms/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'relais-signature': signSms(key, more.purpose ?? path, more.at ?? new Date(), body) },
    body,
  });
  await response.body?.cancel();
  return response.status;
};

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  const JEAN = '+33639980001';
  const JEAN_NOW = '+33639980077'; // since the test of M11
  let karim: Walker;
  let jean: string;

  test('U10 a person on the phone answers OUI to two messages, and only then can the aidant sign', on, async () => {
    const it = world();
    inTheMorning(it);
    karim = await signedInAidant(it);
    jean = (await personOf(it, 'jean')) as unknown as string;
    await addPhone(it, 'jean', JEAN);
    const at = await draft(it, karim, ['papiers']);
    const before = smsTo(it, JEAN).length;
    const waiting = await ask(karim, at, jean);
    assert.match(waiting.url.pathname, /\/attente$/);
    assert.doesNotMatch(waiting.html, /http-equiv="refresh"/, 'it reads itself again only when asked');
    assert.match((await karim.open(`${at}/attente?suivre=1`)).html, /http-equiv="refresh" content="15"/);
    const [recap, question] = await until(() => (smsTo(it, JEAN).length >= before + 2 ? smsTo(it, JEAN).slice(before) : undefined), 'two messages');
    assert.match(recap?.text ?? '', /Papiers, citoyenneté/);
    assert.match(question?.text ?? '', /OUI ou NON/);
    for (const address of [`${at}/signer`, `${at}/signer?oui=1`])
      assert.match((await karim.open(address)).url.pathname, /\/attente$/, 'no way round by URL');
    assert.equal(await it.demonstration.sms.reply(JEAN, 'peut-être'), 202);
    assert.equal(await consentedBy(it, at), null);
    await until(() => smsTo(it, JEAN).find((one) => /pas compris/.test(one.text)), 'asked again');
    assert.equal(await it.demonstration.sms.reply(JEAN, ' Oui. '), 202);
    const said = await consentOf(it, at);
    assert.equal(said['state'], 'yes');
    assert.equal(await it.demonstration.sms.reply(JEAN, 'non'), 202);
    assert.equal((await consentOf(it, at))['state'], 'yes', 'the first clear answer wins');
    await karim.open(`${at}/attente`);
    await karim.open(`${at}/signer`);
    const done = await signMandate(karim, it.places, 'Karim Benali', (places, name) => it.code(places, name));
    assert.match(done.url.pathname, /\/cree$/, textOf(done));
    const [mandate] = await it.sql('select consent_method, consent_evidence from mandate where draft_id = $1', [at.split('/').at(-1)]);
    assert.equal(mandate?.['consent_method'], 'sms');
    assert.deepEqual(mandate?.['consent_evidence'], said['evidence']);
  });

  test('V10 no message but the recap names a theme, a service or a procedure', on, async () => {
    const others = smsTo(world(), JEAN).filter((one) => !/vous propose un mandat/.test(one.text));
    assert.ok(others.length >= 4);
    for (const { text } of others) {
      assert.doesNotMatch(text, /papier|citoyen|logement|santé|social|argent|impôt|allocation|démarche|mairie|CCAS/i, text);
      assert.doesNotMatch(text, /[\p{Cc}\p{Cf}]/u, 'I6 one line');
    }
  });

  test('U10 a no, a forged, replayed, old, reflected or unknown call never records a will', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['transports']);
    await ask(karim, at, jean);
    const reference = String((await consentOf(it, at))['reference']);
    const yes = { id: 'm-1', reference, from: JEAN, text: 'oui' };
    const state = async () => (await consentOf(it, at))['state'];
    assert.equal(await call(it, 'replies', yes, { key: Buffer.alloc(32, 1) }), 401);
    assert.equal(await call(it, 'replies', yes, { at: new Date(Date.now() - 301_000) }), 401);
    assert.equal(await call(it, 'replies', yes, { at: new Date(Date.now() + 301_000) }), 401);
    assert.equal(await call(it, 'replies', yes, { purpose: 'send' }), 401);
    assert.equal(await call(it, 'replies', { ...yes, reference: 'x'.repeat(43) }), 404);
    assert.equal(await call(it, 'replies', { ...yes, from: '+33639980009' }), 404, 'another phone');
    for (const malformed of [{}, { ...yes, text: 1 }, { ...yes, id: '' }, [], 'oui']) assert.equal(await call(it, 'replies', malformed), 400);
    assert.equal(await call(it, 'receipts', { id: 'r-1', reference, status: 'yes' }), 400);
    assert.equal(await state(), 'asked');
    assert.equal(await call(it, 'replies', { ...yes, id: 'm-2', text: 'Non merci' }), 202);
    assert.equal(await state(), 'no');
    assert.equal(await call(it, 'replies', { ...yes, id: 'm-2', text: 'oui' }), 200, 'the same message counts once');
    assert.equal(await call(it, 'receipts', { id: 'r-2', reference, status: 'delivered' }), 202, 'a receipt after the answer');
    assert.equal(await call(it, 'replies', { ...yes, id: 'm-3' }), 202);
    assert.equal(await state(), 'no');
    assert.equal(await consentedBy(it, at), null);
    assert.match(textOf(await karim.open(`${at}/attente`)), /a répondu non/);
    await assert.rejects(it.sql("update remote_consent set state = 'yes' where reference = $1", [reference]), /cannot be changed|answered/);
  });

  test('U10 the same yes called in five times at once is one will', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['loisirs']);
    await ask(karim, at, jean);
    const reference = String((await consentOf(it, at))['reference']);
    const all = await Promise.all(Array.from({ length: 5 }, () => call(it, 'replies', { id: 'once', reference, from: JEAN, text: 'OUI' })));
    assert.deepEqual(all.toSorted(), [200, 200, 200, 200, 202]);
    assert.equal((await consentOf(it, at))['state'], 'yes');
  });

  test('S9 M11 a number that an aidant noted, the structure’s own, or one that four people share cannot carry consent', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['travail']);
    const refused = async (why: RegExp): Promise<void> => {
      const page = await ask(karim, at, jean);
      assert.equal(page.status, 422);
      assert.match(textOf(page), why);
      assert.equal((await it.sql('select 1 from remote_consent where draft_id = $1', [at.split('/').at(-1)])).length, 0);
    };
    await it.sql('insert into professional_number (address, holder, declared_at) select $1, id, now() from organisation limit 1', [JEAN]);
    await refused(/numéro d’une structure/);
    await it.sql('delete from professional_number');
    await it.sql(
      `insert into channel (id, usager_id, kind, address, added_by, organisation_id, added_at)
        select 'chn_' || substr(md5(u.usager_id), 1, 26), u.usager_id, 'phone', $1, m.accepted_by, m.organisation_id, now() - interval '9 days'
        from (select distinct on (usager_id) usager_id, accepted_by, organisation_id from mandate where usager_id <> $2 and organisation_id in
          (select organisation_id from mandate where usager_id = $2) limit 3) m join (select distinct usager_id from mandate) u using (usager_id)`,
      [JEAN, jean],
    );
    await refused(/plus de 3 personnes/i);
    await it.sql("delete from channel where added_by like 'aid%'");
    await it.sql('delete from sms_quota'); // another day, for what counts messages

    // S9: a number is noted within five minutes of a factor, and not after.
    it.advance(5 * 60_000 + 1000);
    const stale = await karim.open(`${at}/sms`);
    assert.doesNotMatch(stale.html, /id="note-phone"/);
    const channels = async () => (await it.sql('select 1 from channel')).length;
    const count = await channels();
    const forced = await karim.ask(`${at}/sms/numero`, { ...formOf(stale, 'ask-by-sms').fields, person: jean, phone: '06 39 98 00 77' });
    assert.match(forced.headers.get('location') ?? '', /^\/aidant\/securite\/confirmer\?vers=.*sms$/);
    assert.equal(await channels(), count, 'the guard is in the transaction');
    await karim.open(new URL(forced.headers.get('location') ?? '', stale.url));
    const back = await karim.send('step-up', { code: await it.code(it.places, 'Karim Benali') });
    assert.match(back.url.pathname, /\/sms$/);
    const before = smsTo(it, JEAN).length;
    const noted = await karim.send('note-phone', { person: jean, phone: '06 39 98 00 77' });
    assert.match(textOf(noted), /Le numéro est noté/);
    await until(
      () =>
        smsTo(it, JEAN)
          .slice(before)
          .find((one) => /autre numéro/.test(one.text)),
      'the old number is told',
    );
    assert.equal(smsTo(it, '+33639980077').length, 0);
    await addPhone(it, 'jean', '+33639980077');
    await refused(/moins de 48 heures/);
  });

  test('U10 a gateway that is down: the waiting room says so and offers another way, and nothing is agreed', on, async () => {
    const it = world();
    await it.sql('delete from sms_quota');
    await it.sql("delete from channel where added_by like 'aid%'");
    await it.demonstration.sms.close();
    const at = await draft(it, karim, ['etranger']);
    assert.match(textOf(await ask(karim, at, jean)), /SMS partent|ne répond pas/);
    it.advance(31_000);
    const waiting = await karim.open(`${at}/attente`);
    assert.match(textOf(waiting), /Le service de SMS ne répond pas/);
    assert.match(waiting.html, /id="other-way"/);
    assert.match((await karim.open(`${at}/signer`)).url.pathname, /\/attente$/);
    assert.equal(await consentedBy(it, at), null);
  });

  test('U10 an answer after midnight comes too late: the text names its first day, and the person must be asked again', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['famille']);
    await ask(karim, at, jean);
    const asked = await consentOf(it, at);
    const [draftRow] = await it.sql('select expires_at from mandate_draft where id = $1', [at.split('/').at(-1)]);
    assert.deepEqual(draftRow?.['expires_at'], asked['expires_at'], 'the draft lives as long as its question');
    it.advance(new Date(String(asked['expires_at'])).getTime() - Date.now() + 1000);
    const late = { id: 'late-1', reference: String(asked['reference']), from: JEAN_NOW, text: 'oui' };
    assert.equal(await call(it, 'replies', late), 202);
    assert.equal((await consentOf(it, at))['state'], 'expired');
    assert.equal(await consentedBy(it, at), null);
  });

  test('D7 the twelfth-and-next message of a day to one person does not leave, and the operator is told', on, async () => {
    const it = world();
    const walker = new Walker();
    await signInUsager(walker, it.places, 'jean');
    await walker.open(`${it.places.relais}/usager/telephone`);
    let last = 0;
    for (let i = 0; i < 14 && last !== 422; i++) {
      await walker.open(`${it.places.relais}/usager/telephone`);
      last = (await walker.send('add-phone', { phone: '06 39 98 00 50' })).status;
    }
    assert.equal(last, 422);
    const [sent] = await it.sql("select max(sent) n from sms_quota where scope = 'number'");
    assert.ok(Number(sent?.['n']) <= 12);
    assert.ok(it.logged.some(({ line }) => line['code'] === 'sms_capped'));
    await walker.open(`${it.places.relais}/usager/telephone`);
    assert.equal((await walker.send('add-phone', { phone: '08 99 12 34 56' })).status, 422);
    const counters = async () => (await it.sql('select 1 from sms_quota')).length;
    const before = await counters();
    await it.sql("insert into sms_quota (day, scope, holder, sent) values ('2020-01-01', 'person', 'usg_x', 1)");
    await it.app.site.sms?.consents.purge();
    assert.equal(await counters(), before, 'the counters of a month ago are gone, and no other');
  });
});
