import type { StaffId } from '../../src/kernel/ids.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { beginByPages, codeOf, keyOn } from '../support/enrol.ts';
import { faults, inEachWorld, noted } from '../support/protocol.ts';
import { stateOf } from '../support/state.ts';
import { entriesOf, signedInAidant, type World } from '../support/world.ts';

const lea = async (world: World): Promise<StaffId> => {
  const [found] = await world.app.aidants.findByEmail('aidant', 'lea@demonstration.example');
  if (!found) throw new Error('Léa is not there');
  return found.id;
};

/** Léa's link, as she reads it in her mail. */
const linkOf = async (world: World): Promise<string> => {
  for (let tries = 0; tries < 50; tries++) {
    const mail = world.demonstration.messages().find(({ to }) => to === 'lea@demonstration.example');
    const token = /\/inscription\/([A-Za-z0-9_-]{43})/.exec(mail?.text ?? '')?.[1];
    if (token) return token;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('no mail for Léa');
};

const freshLink = async (world: World): Promise<string> => {
  const made = await world.app.aidants.reinvite(await lea(world));
  if (!('token' in made)) throw new Error(made.refused);
  return made.token;
};

const OTHER_ROWS = ['public.web_session', 'journal.checkpoint', 'journal.head'];

inEachWorld(({ world, kind }) => {
  test('S12 opening the link, once or a hundred times, by GET or HEAD, does nothing', { database: kind }, async () => {
    const it = world();
    const token = await linkOf(it);
    const start = await stateOf(it, OTHER_ROWS);
    for (let i = 0; i < 5; i++) {
      const walker = new Walker();
      const page = await walker.open(`${it.places.relais}/inscription/${token}`);
      assert.equal(page.status, 200);
      assert.doesNotMatch(page.html, /totp-key|Léa|Petit/, 'it shows no key, and says nobody’s name');
      for (const method of ['HEAD', 'OPTIONS'] as const) await fetch(page.url, { method, redirect: 'manual' });
      assert.equal((await fetch(page.url, { method: 'POST', redirect: 'manual' })).status, 401, 'a POST that no page of ours sent');
    }
    assert.deepEqual(await stateOf(it, OTHER_ROWS), start);
  });

  test('S12 a link is refused one second after its 24 hours, and an unknown or former one is refused always', { database: kind }, async () => {
    const it = world();
    const former = await linkOf(it);
    const token = await freshLink(it);
    for (const [bad, code] of [
      [former, 'enrolment_link_unknown'],
      ['A'.repeat(43), 'enrolment_link_unknown'],
      ['..%2f..%2fetc', 'enrolment_link_unknown'],
    ] as const) {
      const lines = noted(it, code);
      const page = await new Walker().open(`${it.places.relais}/inscription/${bad}`);
      assert.equal(page.status, 410);
      assert.match(page.html, /enrolment_link_invalid/);
      assert.equal(noted(it, code), lines + 1);
    }
    it.advance(24 * 3_600_000 - 1000);
    const walker = new Walker();
    assert.equal((await walker.open(`${it.places.relais}/inscription/${token}`)).status, 200, 'a second before');
    const idp = await walker.send('enrolment-start');
    it.advance(2000);
    const lines = noted(it, 'enrolment_link_expired');
    const late = await walker.open(idp.url, { identity: 'lea' });
    assert.equal(late.status, 410, 'a second after, even for who had begun to sign in');
    assert.equal(noted(it, 'enrolment_link_expired'), lines + 1);
    const [row] = await it.sql('select status from staff where id = $1', [await lea(it)]);
    assert.equal(row?.['status'], 'invited');
    assert.equal((await it.sql('select 1 from totp where staff_id = $1', [await lea(it)])).length, 0);
  });

  test('S12 the button acts once: a second use, a second browser and somebody else’s account are refused; then Léa signs in', {
    database: kind,
  }, async () => {
    const it = world();
    const token = await freshLink(it);
    const walker = new Walker();
    const page = await beginByPages(it, walker, token, { identity: 'lea' });
    const key = keyOn(page);
    assert.ok(key, textOf(page).slice(0, 400));
    assert.equal(key.length, 20);

    // Somebody else who read her mail, with an account of their own: the link is used up.
    for (const identity of ['paul', 'karim', 'lea']) {
      const lines = noted(it, 'enrolment_link_used');
      const other = new Walker();
      const refused = await beginByPages(it, other, token, { identity }).catch(() => other.page);
      assert.equal(refused?.status, 410, identity);
      assert.equal(noted(it, 'enrolment_link_used'), lines + 1, identity);
    }
    // The same, who signed in at ProConnect before she pressed the button, and types a good code.
    const second = await freshLink(it);
    const paul = new Walker();
    await paul.open(`${it.places.relais}/inscription/${second}`);
    const start = {
      action: paul.page?.url ?? new URL(it.places.relais),
      csrf: /name="_csrf" value="([^"]+)"/.exec(paul.page?.html ?? '')?.[1] ?? '',
    };
    await paul.open((await paul.send('enrolment-start')).url, { identity: 'paul' });
    const walker2 = new Walker();
    const shown = await beginByPages(it, walker2, second, { identity: 'lea' });
    const seed = keyOn(shown);
    assert.ok(seed, 'her new link draws a new key');
    assert.notDeepEqual(seed, key);
    const stolen = await paul.ask(`${start.action.href}/code`, { _csrf: start.csrf, code: codeOf(seed) });
    assert.equal(stolen.status, 403);
    assert.match(await stolen.text(), /not_habilitated/);
    assert.equal(noted(it, 'enrolment_identity_differs'), 1);
    assert.equal((await it.sql('select 1 from staff_identity where staff_id = $1', [await lea(it)])).length, 0);

    // A wrong code is said beside its field; reloading shows the same key; then the good one.
    const refusedCodes = await entriesOf(it, 'factor.refused');
    const wrong = await walker2.send('enrolment-confirm', { code: codeOf(seed, 7) });
    assert.equal(wrong.status, 422);
    assert.equal(await entriesOf(it, 'factor.refused'), refusedCodes + 1);
    const again = await walker2.open(`${it.places.relais}/inscription/${second}`);
    assert.deepEqual(keyOn(again), seed);
    const enrolled = await entriesOf(it, 'factor.enrolled');
    const done = await walker2.send('enrolment-confirm', { code: codeOf(seed) });
    assert.equal(done.status, 200);
    assert.doesNotMatch(done.html, /totp-key/);
    assert.equal(await entriesOf(it, 'factor.enrolled'), enrolled + 1);
    const [linked] = await it.sql('select s.status, i.iss, i.sub from staff s join staff_identity i on i.staff_id = s.id where s.id = $1', [
      await lea(it),
    ]);
    assert.equal(linked?.['status'], 'active');
    assert.equal(linked?.['iss'], it.demonstration.proconnect.issuer);

    const replay = await walker2.ask(`${it.places.relais}/inscription/${second}/code`, {
      _csrf: /name="_csrf" value="([^"]+)"/.exec(again.html)?.[1] ?? '',
      code: codeOf(seed),
    });
    assert.equal(replay.status, 410, 'enrolled already');
    const reopened = await new Walker().open(`${it.places.relais}/inscription/${second}`);
    assert.equal(reopened.status, 410);
    const home = await signedInAidant(it, 'lea', 'lea');
    assert.match(textOf(await home.open(`${it.places.relais}/aidant`)), /Léa Petit/);
    assert.deepEqual(faults(it), []);
  });

  test('S12 twenty presses of the button at once draw one key', { database: kind }, async () => {
    const it = world();
    const organisation = (await it.app.organisations.list())[0];
    const invited = await it.app.aidants.invite({
      givenName: 'Zoé',
      familyName: 'Martineau',
      email: 'zoe@demonstration.example',
      organisationId: organisation?.id ?? '',
      referent: false,
      actor: 'test',
    });
    if ('refused' in invited) throw new Error(invited.refused);
    const account = { iss: it.demonstration.proconnect.issuer, sub: 'zoe-sub' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => it.app.aidants.beginEnrolment(invited.token, account)));
    assert.equal(answers.filter((answer) => 'seed' in answer).length, 1);
  });
});
