import { prepareMandate, signInStaff } from '../../src/practice/story.ts';
import { formOf, textOf, Walker } from '../../src/practice/walker.ts';
import { consented, personOf, whoIs } from '../support/acting.ts';
import { Authenticator, askedOn, type Lies } from '../support/authenticator.ts';
import { assert, test } from '../support/check.ts';
import { faults, inEachWorld } from '../support/protocol.ts';
import { dumpOf } from '../support/state.ts';
import { entriesOf, signedInAidant, type World } from '../support/world.ts';

const PAGE = '/aidant/securite';
const at = (world: World, path: string): string => `${world.places.relais}${path}`;
const rowsOf = async (world: World, table: string, where = 'true'): Promise<number> =>
  Number((await world.sql(`select count(*)::int n from ${table} where ${where}`))[0]?.['n']);

const addKey = async (world: World, walker: Walker, name: string, key = new Authenticator(world.places.relais), lies: Lies = {}) => {
  await walker.open(at(world, PAGE));
  const page = await walker.send('add-passkey', { name });
  return { key, page: await walker.send('create-passkey', { assertion: key.create(askedOn(page), lies) }) };
};

/** A browser at the page of the second factor: ProConnect has been passed. */
const atFactor = async (world: World, identity = 'karim'): Promise<Walker> => {
  const walker = new Walker();
  const idp = await walker.open(at(world, '/connexion/proconnect?vers=/aidant'));
  await walker.open(idp.url, { identity });
  return walker;
};
const mailsTo = (world: World, who: string, about: RegExp) =>
  world.demonstration.messages().filter(({ to, subject }) => to.startsWith(who) && about.test(subject ?? ''));
const mail = async (world: World, who: string, about: RegExp): Promise<number> => {
  for (let tries = 0; tries < 40 && mailsTo(world, who, about).length === 0; tries++) await new Promise((resume) => setTimeout(resume, 50));
  return mailsTo(world, who, about).length;
};

inEachWorld(({ world, kind }) => {
  const on = { database: kind };

  test('S9 passkeys and recovery codes change only within five minutes of a factor, and the step-up page returns', on, async () => {
    const it = world();
    const karim = await signedInAidant(it);
    const fresh = await karim.open(at(it, PAGE));
    assert.match(fresh.html, /id="add-passkey"/, 'just signed in: fresh');
    const forms = [formOf(fresh, 'add-passkey'), formOf(fresh, 'make-recovery')];
    it.advance(5 * 60_000 + 1000);
    const stale = await karim.open(at(it, PAGE));
    assert.doesNotMatch(stale.html, /id="add-passkey"|id="make-recovery"/);
    assert.match(textOf(stale), /confirmez d’abord que c’est vous/);
    const begun = await rowsOf(it, 'passkey_challenge');
    for (const form of forms) {
      const answer = await karim.ask(form.action, { ...form.fields, name: 'bureau' });
      assert.equal(answer.headers.get('location'), '/aidant/securite/confirmer?vers=%2Faidant%2Fsecurite');
    }
    assert.deepEqual([await rowsOf(it, 'passkey_challenge'), await rowsOf(it, 'recovery_code')], [begun, 0], 'the guard is in the transaction');
    await karim.open(at(it, '/aidant/securite/confirmer?vers=/aidant/securite'));
    const wrong = await karim.send('step-up', { code: 'x' });
    assert.equal(wrong.status, 422);
    const back = await karim.send('step-up', { code: await it.code(it.places, 'Karim Benali') });
    assert.equal(back.url.pathname, PAGE);
    assert.match(back.html, /id="add-passkey"/);
    const away = await karim.ask(at(it, '/aidant/securite/confirmer'), {
      ...formOf(await karim.open(at(it, '/aidant/securite/confirmer')), 'step-up').fields,
      to: 'https://evil.example/',
      code: await it.code(it.places, 'Karim Benali'),
    });
    assert.equal(away.headers.get('location'), PAGE, 'nowhere but our own pages');
  });

  test('S9 a passkey is added once and signs in; its assertion is accepted once, for this sign-in alone, verified, from our origin', on, async () => {
    const it = world();
    const karim = await signedInAidant(it);
    for (const [lies, why] of [
      [{ verified: false }, 'the person was not verified'],
      [{ origin: 'https://relais.example' }, 'another origin'],
      [{ challenge: 'A'.repeat(43) }, 'a challenge of its own'],
      [{ fmt: 'tpm' }, 'an attestation with certificates'],
    ] as const)
      assert.equal((await addKey(it, karim, 'fausse', undefined, lies)).page.status, 422, why);
    assert.equal(await rowsOf(it, 'passkey'), 0);
    const { key, page } = await addKey(it, karim, 'Clé du bureau');
    assert.match(textOf(page), /La clé d’accès est ajoutée.*Clé du bureau/);
    assert.equal((await addKey(it, karim, 'la même', key)).page.status, 422, 'a credential is registered once');
    assert.deepEqual([await rowsOf(it, 'passkey'), await mail(it, 'karim', /clé d’accès a été ajoutée/)], [1, 1]);

    const one = await atFactor(it);
    const first = one.page;
    assert.ok(first);
    assert.match(first.headers.get('content-security-policy') ?? '', /script-src 'self';/);
    assert.match(first.html, /id="code"/, 'the code is always there');
    const two = await atFactor(it); // another browser of the same person
    const assertion = key.use(askedOn(first));
    assert.equal((await two.send('second-factor-passkey', { assertion })).status, 422, 'asked of another browser');
    for (const lies of [{ verified: false }, { origin: 'https://relais.example' }] as const)
      assert.equal((await two.send('second-factor-passkey', { assertion: key.use(askedOn(two.page ?? first), lies) })).status, 422);
    for (const junk of ['{}', '[', 'null', '"x"', JSON.stringify({ id: 'x', response: { clientDataJSON: 'e30' } }), 'x'.repeat(30_000)])
      assert.equal((await two.send('second-factor-passkey', { assertion: junk })).status, 422, junk.slice(0, 20));
    const shown = await one.open(at(it, '/connexion/code')); // the first challenge was used up by the other browser
    const good = key.use(askedOn(shown));
    const form = formOf(shown, 'second-factor-passkey');
    const answers = await Promise.all(Array.from({ length: 5 }, () => one.ask(form.action, { ...form.fields, assertion: good })));
    assert.equal(answers.filter((answer) => answer.status === 303 && answer.headers.get('location') === '/aidant').length, 1, 'accepted once');
    const proved = `kind = 'staff' and data->'signedIn'->'amr' @> '["hwk","user"]'::jsonb`;
    assert.equal(await rowsOf(it, 'web_session', proved), 1, 'the session says what was used');

    const late = await atFactor(it);
    const asked = askedOn(late.page ?? first);
    it.advance(5 * 60_000 + 1000);
    assert.equal((await late.send('second-factor-passkey', { assertion: key.use(asked) })).status, 422, 'five minutes are over');
    const copied = await atFactor(it);
    assert.equal((await copied.send('second-factor-passkey', { assertion: key.use(askedOn(copied.page ?? first), { counter: 2 }) })).status, 422);
    const refused = await it.sql('select 1 from passkey where counter = 2');
    assert.equal(refused.length, 0, 'a counter that goes back changes nothing');
  });

  test('S9 M16 an assertion signs the text it was asked for, once: not another text, not a second mandate; a recovery code never', on, async () => {
    const it = world();
    const karim = await signedInAidant(it);
    const { key } = await addKey(it, karim, 'Clé de signature');
    const mandates = await rowsOf(it, 'mandate');
    const page = await prepareMandate(karim, it.places, { person: 'colette', themes: ['travail'], days: '31' });
    const asked = askedOn(page);
    const other = await prepareMandate(karim, it.places, { person: 'jean', themes: ['travail'], days: '31' });
    const wrongText = await karim.send('mandate-sign', { said_aloud: 'yes', assertion: key.use(asked) });
    assert.equal(wrongText.status, 422, 'asked over the text of another person');
    assert.equal(await rowsOf(it, 'mandate'), mandates);
    const again = await karim.open(page.url);
    const good = key.use(askedOn(again));
    const unread = await karim.send('mandate-sign', { assertion: good });
    assert.equal(unread.status, 422, 'not read aloud: the assertion is left unused');
    const fresh = formOf(again, 'mandate-sign');
    const done = await karim.ask(fresh.action, { ...fresh.fields, said_aloud: 'yes', assertion: good });
    assert.match(done.headers.get('location') ?? '', /\/aidant\/mandats\/man_[a-z0-9]+\/cree$/);
    await karim.open(other.url);
    assert.equal((await karim.send('mandate-sign', { said_aloud: 'yes', assertion: good })).status, 422, 'used: it signs no second mandate');
    assert.equal(await rowsOf(it, 'mandate'), mandates + 1);
    assert.equal(await rowsOf(it, 'mandate', "acceptance_means = 'passkey'"), 1);

    // The same at the door of the use case: the hash of the text decides, in the transaction.
    const who = await whoIs(it);
    const real = it.app.site.mandates;
    const jean = await personOf(it, 'jean');
    const [a, b] = [await consented(it, real, who, jean, ['social']), await consented(it, real, who, jean, ['papiers'])];
    const options = JSON.parse((await it.app.site.passkeys.ask(who.aidantId, 'mandate', a.hash)) ?? '{}') as { challenge: string };
    const stepUp = JSON.parse((await it.app.site.passkeys.ask(who.aidantId, 'step-up', b.hash)) ?? '{}') as { challenge: string };
    assert.deepEqual(await real.accept(who, b.id, b.hash, { assertion: key.use(options) }), { refused: 'passkey_expired' });
    assert.deepEqual(await real.accept(who, b.id, b.hash, { assertion: key.use(stepUp) }), { refused: 'passkey_expired' }, 'another purpose');
    assert.deepEqual(await real.accept(who, a.id, a.hash, { assertion: key.use(options) }), { refused: 'passkey_expired' }, 'its one use is spent');
    // Whoever accepts and then fails has accepted nothing: the answer is still good, once.
    const { passkeys } = it.app.site;
    const asked2 = JSON.parse((await passkeys.ask(who.aidantId, 'mandate', b.hash)) ?? '{}') as { challenge: string };
    const kept = key.use(asked2);
    const failing = it.app.site.transactions.run(async (tx) => {
      assert.ok('accepted' in (await passkeys.verifyIn(tx, who.aidantId, kept, 'mandate', b.hash)));
      throw new Error('the caller failed');
    });
    await assert.rejects(failing);
    const both = await Promise.all(
      [1, 2, 3].map(() => it.app.site.transactions.run((tx) => passkeys.verifyIn(tx, who.aidantId, kept, 'mandate', b.hash))),
    );
    assert.equal(both.filter((answer) => 'accepted' in answer).length, 1);
    const made = await it.app.site.recovery.make(who.aidantId, Buffer.alloc(32));
    assert.deepEqual(made, { refused: 'factor_not_fresh' });
    await karim.open(at(it, PAGE));
    const codes = [...(await karim.send('make-recovery')).html.matchAll(/[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}/g)].map(([code]) => code);
    assert.deepEqual(await real.accept(who, b.id, b.hash, codes[0] ?? ''), { refused: 'wrong_code' });
    assert.equal(await rowsOf(it, 'recovery_code', 'used_at is null'), 10);
  });

  test('S9 a revoked passkey neither signs in nor signs, and the last strong means stays', on, async () => {
    const it = world();
    const karim = await signedInAidant(it);
    const { key } = await addKey(it, karim, 'À retirer');
    const [row] = await it.sql("select id, staff_id from passkey where name = 'À retirer'");
    const waiting = await atFactor(it);
    const asked = askedOn(waiting.page ?? (await waiting.open(at(it, '/connexion/code'))));
    await karim.open(at(it, PAGE));
    const form = formOf(karim.page ?? (await karim.open(at(it, PAGE))), `revoke-${row?.['id']}`);
    const ines = await signedInAidant(it, 'ines', 'Inès Moreau');
    const stolen = await ines.open(form.action, { ...formOf(await ines.open(at(it, PAGE)), 'add-passkey').fields, key: String(row?.['id']) });
    assert.equal(stolen.status, 422, 'nobody revokes another’s');
    const revoked = await karim.open(form.action, form.fields);
    assert.match(textOf(revoked), /La clé d’accès est retirée/);
    assert.equal((await waiting.send('second-factor-passkey', { assertion: key.use(asked) })).status, 422);
    assert.equal((await karim.open(form.action, form.fields)).status, 422, 'once');
    assert.equal(await entriesOf(it, 'factor.revoked'), 1);

    const others = await it.sql('select id from passkey where staff_id = $1 and revoked_at is null order by id', [row?.['staff_id']]);
    await it.sql('update totp set confirmed_at = null where staff_id = $1', [row?.['staff_id']]);
    const page = await karim.open(at(it, PAGE));
    const answers = await Promise.all(others.map(({ id }) => karim.ask(formOf(page, `revoke-${id}`).action, formOf(page, `revoke-${id}`).fields)));
    assert.equal(answers.filter((answer) => answer.status === 422).length, 1, 'two at once: one stays');
    assert.equal(await rowsOf(it, 'passkey', `staff_id = '${row?.['staff_id']}' and revoked_at is null`), 1);
    await it.sql('update totp set confirmed_at = now() where staff_id = $1', [row?.['staff_id']]);
  });

  test('S10 T1 ten wrong codes, of the application or of recovery, lock one person for 15 minutes, who is told; nobody else waits', on, async () => {
    const it = world();
    const ines = await signedInAidant(it, 'ines', 'Inès Moreau');
    await ines.open(at(it, PAGE));
    const page = await ines.send('make-recovery');
    const codes = [...page.html.matchAll(/[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}/g)].map(([code]) => code);
    assert.equal(new Set(codes).size, 10);
    const dump = JSON.stringify(await dumpOf(it));
    assert.ok(!codes.some((code) => dump.includes(code) || dump.includes(code.replaceAll('-', ''))), 'the database holds no code');
    const walker = await atFactor(it, 'ines');
    for (let i = 1; i <= 5; i++) assert.equal((await walker.send('second-factor', { code: 'x' })).status, 422, `code ${i}`);
    await walker.open(at(it, '/connexion/secours'));
    for (let i = 6; i <= 9; i++) assert.equal((await walker.send('recovery', { recovery: 'AAAA-AAAA-AAAA-AAAA' })).status, 422, `code ${i}`);
    assert.equal(mailsTo(it, 'ines', /Trop de codes/).length, 0);
    assert.equal((await walker.send('recovery', { recovery: '' })).status, 429, 'the tenth');
    assert.equal((await walker.send('recovery', { recovery: codes[0] ?? '' })).status, 429, 'the eleventh, although it is right');
    await walker.open(at(it, '/connexion/code'));
    assert.equal((await walker.send('second-factor', { code: 'x' })).status, 429);
    assert.equal(await mail(it, 'ines', /Trop de codes/), 1, 'told once');
    assert.equal((await signedInAidant(it)).page?.url.pathname, '/aidant', 'Karim signs in');

    it.advance(15 * 60_000 + 1000);
    const later = await atFactor(it, 'ines');
    const back = await later.open(at(it, '/connexion/secours'));
    const form = formOf(back, 'recovery');
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => later.ask(form.action, { ...form.fields, recovery: (codes[0] ?? '').toLowerCase().replaceAll('-', ' ') })),
    );
    assert.equal(answers.filter((answer) => answer.headers.get('location') === '/aidant/securite?motif=secours').length, 1, 'used once');
    assert.match(textOf(await later.open(at(it, '/aidant/securite?motif=secours'))), /Il vous reste 9 codes de secours/);
    assert.equal(await mail(it, 'ines', /code de secours a servi/), 1);
    assert.deepEqual(faults(it), []);
  });

  test('agents look after their means too', on, async () => {
    const it = world();
    const nora = new Walker();
    await signInStaff(nora, it.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (places, name) => it.code(places, name));
    const { page } = await addKey(it, nora, 'Clé de Nora');
    assert.match(textOf(page), /Nora Lefèvre.*Clé de Nora/);
    assert.equal((await new Walker().open(at(it, PAGE))).url.origin, it.places.proconnect, 'nobody is sent to sign in');
  });
});
