import { formOf, textOf, Walker } from '../../src/practice/walker.ts';
import { whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { beginByPages, codeOf, keyOn } from '../support/enrol.ts';
import { faults, inEachWorld, noted, sessionOf } from '../support/protocol.ts';
import { stateOf } from '../support/state.ts';
import { countStatements } from '../support/statements.ts';
import { delegatedTokens, entriesOf, mandateByPages, signedInAidant, type World } from '../support/world.ts';

const LOST = '/connexion/perdu';
const HOUR = 3_600_000;
const at = (world: World, path: string): string => `${world.places.relais}${path}`;
const MAILBOX = (id: string): string => `${id}@demonstration.example`;

const report = async (world: World, email: string, origin = world.places.relais) => {
  const walker = new Walker();
  await walker.open(`${origin}${LOST}`);
  return walker.send('lost-report', { email });
};

/** The links in her mails, each once: a mail whose sender was slow is sent again as it is. */
const linksTo = (world: World, who: string): string[] => [
  ...new Set(
    world.demonstration
      .messages()
      .filter(({ to }) => to === MAILBOX(who))
      .map(({ text }) => /\/connexion\/perdu\/([A-Za-z0-9_-]{43})/.exec(text)?.[1] ?? '')
      .filter(Boolean),
  ),
];
const mailsTo = (world: World, who: string, about: RegExp): number =>
  world.demonstration.messages().filter(({ to, subject }) => to === MAILBOX(who) && about.test(subject ?? '')).length;
const until = async (met: () => boolean | Promise<boolean>): Promise<void> => {
  for (let tries = 0; tries < 400 && !(await met()); tries++) await new Promise((resume) => setTimeout(resume, 25));
};
/** The link of a report, as she reads it in her mail. */
const linkOf = async (world: World, who: string): Promise<string> => {
  assert.equal((await report(world, MAILBOX(who))).status, 200);
  await looked(world);
  await until(async () => (await world.sql("select 1 from delivery where kind = 'mail' and done_at is null")).length === 0);
  return linksTo(world, who).at(-1) ?? '';
};
const looked = async (world: World): Promise<void> => until(async () => (await world.sql('select 1 from loss_report')).length === 0);
const statusOf = async (world: World, who: string): Promise<unknown> =>
  (await world.sql('select status from staff where email = $1', [MAILBOX(who)]))[0]?.['status'];
const confirm = async (world: World, token: string, walker = new Walker()) => {
  await walker.open(at(world, `${LOST}/${token}`));
  return walker.send('lost-confirm');
};

const OTHER_ROWS = ['public.web_session', 'public.delivery', 'journal.checkpoint', 'journal.head'];

inEachWorld(({ world, kind }) => {
  const on = { database: kind };

  test('S11 S16 a report of a loss answers alike for a known and an unknown address: status, body, statements; it suspends nobody', on, async () => {
    const it = world();
    const statements = countStatements();
    const people = ['karim', 'ines', 'nora', 'alice', 'courriel', 'hugo'];
    const seen = new Map<string, number>();
    const costs = new Set<number>();
    const walker = new Walker();
    let form = formOf(await walker.open(at(it, LOST)), 'lost-report');
    for (let i = 0; i < 200; i++) {
      if (i % 10 === 0) {
        it.advance(HOUR);
        form = formOf(await walker.open(at(it, LOST)), 'lost-report');
      }
      const email = i % 2 ? MAILBOX(people[Math.floor(i / 2) % people.length] ?? '') : `nobody-${i}@example.org`;
      const before = statements.total();
      const answer = await walker.ask(form.action, { ...form.fields, email });
      costs.add(statements.total() - before);
      const body = (await answer.text()).replaceAll(form.fields['_csrf'] ?? '', '');
      const key = `${answer.status} ${answer.headers.get('location')} ${[...answer.headers.keys()].sort()} ${body}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    statements.stop();
    assert.deepEqual([...seen.values()], [200], 'one answer');
    assert.equal(costs.size, 1, `statements: ${[...costs]}`);
    await looked(it);
    assert.deepEqual(await it.sql("select 1 from staff where status = 'suspended'"), []);
    await until(() => linksTo(it, 'hugo').length >= 3);
    for (const who of people) assert.equal(linksTo(it, who).length, 3, `${who}: three mails in 24 hours, each with another link`);
    const asked = Number((await it.sql('select count(*)::int n from loss_link where asked'))[0]?.['n']);
    assert.equal(await entriesOf(it, 'loss.reported'), asked);
    const [kept] = await it.sql("select string_agg(holder, ' ') holders from loss_quota");
    assert.doesNotMatch(String(kept?.['holders']), /@|127\.0\.0\.1|::1/, 'no address stands in the counters');
    assert.equal((await report(it, 'not an address')).status, 422);
  });

  test(
    'S12 S16 the link does nothing until its button: then, once, sessions end, services and référents are told, and nobody gets in',
    on,
    async () => {
      const it = world();
      it.advance(25 * HOUR);
      const karim = await signedInAidant(it);
      await mandateByPages(it, karim, 'colette', ['logement']);
      const service = await it.service('lost-service');
      const { tokens } = await delegatedTokens(it, karim, service, 'Colette Martin');
      const session = sessionOf(tokens.claims());
      const token = await linkOf(it, 'karim');
      const start = await stateOf(it, OTHER_ROWS);
      for (let i = 0; i < 3; i++) {
        const page = await new Walker().open(at(it, `${LOST}/${token}`));
        assert.equal(page.status, 200);
        assert.doesNotMatch(page.html, /Karim|Benali|demonstration\.example/, 'it says nobody’s name');
        for (const headers of [{}, { purpose: 'prefetch', 'sec-purpose': 'prefetch' }])
          for (const method of ['HEAD', 'GET', 'OPTIONS']) await fetch(page.url, { method, headers, redirect: 'manual' });
        assert.equal((await fetch(page.url, { method: 'POST', redirect: 'manual' })).status, 401, 'a POST that no page of ours sent');
      }
      assert.deepEqual(await stateOf(it, OTHER_ROWS), start);
      assert.equal((await karim.open(at(it, '/aidant'))).status, 200);

      const walkers = Array.from({ length: 5 }, () => new Walker());
      for (const walker of walkers) await walker.open(at(it, `${LOST}/${token}`));
      const presses = await Promise.all(walkers.map((walker) => walker.send('lost-confirm')));
      assert.deepEqual(presses.map(({ status }) => status).sort(), [200, 410, 410, 410, 410], 'one acts');
      assert.equal((await confirm(it, token).catch(() => undefined))?.status, undefined, 'the page has no button any more');
      assert.equal(await statusOf(it, 'karim'), 'suspended');
      assert.equal(await entriesOf(it, 'staff.suspended'), 1);
      const [ended] = await it.sql('select end_reason from delegated_session where id = $1', [session]);
      assert.equal(ended?.['end_reason'], 'suspended');
      assert.equal((await it.sql("select 1 from delivery where kind = 'logout' and session_id = $1", [session])).length, 1, 'its service is told');
      const { aidantId } = await whoIs(it);
      assert.deepEqual(await it.sql('select 1 from web_session where holder_id = $1 and ended_at is null', [aidantId]), []);
      await until(() => mailsTo(it, 'ines', /aidant de votre structure est suspendu/) > 0 && mailsTo(it, 'karim', /accès à Relais est suspendu/) > 0);
      assert.deepEqual([mailsTo(it, 'ines', /aidant de votre structure/), mailsTo(it, 'karim', /accès à Relais est suspendu/)], [1, 1]);
      assert.equal(mailsTo(it, 'courriel', /aidant de votre structure/), 0, 'colleagues are not told');
      assert.equal((await karim.open(at(it, '/aidant'))).url.origin, it.places.proconnect, 'his browser is out');
      const back = new Walker();
      const idp = await back.open(at(it, '/connexion/proconnect?vers=/aidant'));
      assert.match((await back.open(idp.url, { identity: 'karim' })).html, /aidant_suspended/);

      const mails = linksTo(it, 'karim').length;
      it.advance(HOUR);
      assert.equal((await report(it, MAILBOX('karim'))).status, 200, 'nothing says that he is suspended');
      await looked(it);
      assert.equal(linksTo(it, 'karim').length, mails);
      assert.deepEqual(faults(it), []);
    },
  );

  test('S16 whoever comes back enrols anew, with the account they had: old means, old sessions and another account are refused', on, async () => {
    const it = world();
    const { aidantId } = await whoIs(it);
    const [kept] = await it.sql("select hash from web_session where holder_id is not null and kind = 'staff' order by created_at desc limit 1");
    assert.deepEqual(await it.app.aidants.reinstate(aidantId, { reason: '', actor: 'cli' }), { refused: 'reason_malformed' });
    const made = await it.app.aidants.reinstate(aidantId, { reason: 'vu en personne', actor: 'cli' });
    if ('refused' in made) throw new Error(made.refused);
    assert.deepEqual(await it.app.aidants.reinstate(aidantId, { reason: 'encore', actor: 'cli' }), { refused: 'not_suspended' });
    assert.equal(await statusOf(it, 'karim'), 'invited');
    assert.deepEqual(await it.sql('select 1 from totp where staff_id = $1 and confirmed_at is not null', [aidantId]), []);
    assert.deepEqual(await it.sql('select 1 from passkey where staff_id = $1 and revoked_at is null', [aidantId]), []);
    const thief = new Walker();
    const refused = await beginByPages(it, thief, made.token, { identity: 'paul' });
    assert.equal(refused.status, 403, 'the mailbox alone is not enough');
    assert.deepEqual(await it.sql('select 1 from enrolment where staff_id = $1 and used_at is not null', [aidantId]), [], 'and it used nothing up');
    const karim = new Walker();
    const seed = keyOn(await beginByPages(it, karim, made.token, { identity: 'karim' }));
    assert.ok(seed);
    assert.equal((await karim.send('enrolment-confirm', { code: codeOf(seed) })).status, 200);
    assert.equal(await statusOf(it, 'karim'), 'active');
    assert.equal((await it.sql('select 1 from staff_identity where staff_id = $1', [aidantId])).length, 1);
    assert.equal((await it.sql('select 1 from web_session where hash = $1 and ended_at is null', [kept?.['hash']])).length, 0);
    assert.equal(await entriesOf(it, 'staff.reinstated'), 1);
  });

  test('S16 a recovery code changes no means; its mail at once carries a link that suspends, for 24 hours', on, async () => {
    const it = world();
    const ines = await signedInAidant(it, 'ines', 'Inès Moreau');
    await ines.open(at(it, '/aidant/securite'));
    const page = await ines.send('make-recovery');
    const [code = ''] = /[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}/.exec(page.html) ?? [];
    const thief = new Walker();
    const idp = await thief.open(at(it, '/connexion/proconnect?vers=/aidant'));
    await thief.open(idp.url, { identity: 'ines' });
    await thief.open(at(it, '/connexion/secours'));
    const inside = await thief.send('recovery', { recovery: code });
    assert.match(textOf(inside), /Vous êtes entré avec un code de secours/);
    assert.doesNotMatch(inside.html, /id="add-passkey"|id="make-recovery"/);
    const form = formOf(page, 'sign-out'); // any form of hers: the token is of another session
    const forced = await thief.ask(at(it, '/aidant/securite/cles'), { ...form.fields, ...formOf(inside, 'sign-out').fields, name: 'clé du voleur' });
    assert.match(forced.headers.get('location') ?? '', /\/aidant\/securite\/confirmer/);
    const { aidantId } = await whoIs(it, 'ines');
    assert.deepEqual(
      await it.sql("select 1 from passkey_challenge where staff_id = $1 and purpose = 'enrol'", [aidantId]),
      [],
      'the guard is in the transaction',
    );
    const told = () =>
      it.demonstration.messages().findLast(({ to, subject }) => to === MAILBOX('ines') && /code de secours a servi/.test(subject ?? ''));
    await until(() => told() !== undefined);
    const token = /\/connexion\/perdu\/([A-Za-z0-9_-]{43})/.exec(told()?.text ?? '')?.[1] ?? '';
    assert.match(told()?.text ?? '', /Ce n’était pas vous/);
    assert.equal((await confirm(it, token)).status, 200);
    assert.equal(await statusOf(it, 'ines'), 'suspended');
    assert.equal((await thief.open(at(it, '/aidant'))).url.origin, it.places.proconnect);
    assert.deepEqual(faults(it), []);

    const links = await it.sql('select expires_at - created_at as life, asked from loss_link group by 1, 2 order by 1');
    assert.equal(links.length, 2);
    const news = await it.app.site.transactions.run((tx) => it.app.site.losses.linkFor(tx, aidantId));
    const asked = await new Walker().open(at(it, `${LOST}/${news}`));
    assert.equal(asked.status, 200);
    it.advance(24 * HOUR + 1000);
    assert.equal((await new Walker().open(at(it, `${LOST}/${news}`))).status, 410, 'a second after its 24 hours');
    assert.equal((await new Walker().open(at(it, `${LOST}/${'A'.repeat(43)}`))).status, 410);
  });

  // Last: the other instance delivers mails too, and keeps none.
  test('S16 three reports an hour for one address, ten from one origin: the next is refused, on every instance, and no mail leaves', on, async () => {
    const it = world();
    it.advance(25 * HOUR);
    const other = it.kind === 'postgres' ? (await it.secondInstance()).origin : it.places.relais;
    for (const email of [MAILBOX('courriel'), 'nobody@example.org']) {
      for (let i = 0; i < 3; i++) assert.equal((await report(it, email)).status, 200);
      const over = await report(it, email);
      assert.equal(over.status, 429, email);
      assert.match(over.html, /too_many_reports/);
    }
    for (let i = 0; i < 4; i++) assert.equal((await report(it, `other-${i}@example.org`)).status, 200);
    const walker = new Walker();
    const form = formOf(await walker.open(`${other}${LOST}`), 'lost-report');
    const capped = await fetch(`${other}${LOST}`, {
      method: 'POST',
      headers: { cookie: walker.cookieHeader(new URL(other)) },
      body: new URLSearchParams({ ...form.fields, email: MAILBOX('hugo') }),
    });
    assert.equal(capped.status, 429, 'the eleventh of one origin');
    assert.equal(noted(it, 'loss_capped'), 3);
    await looked(it);
    const links = await it.sql('select count(*)::int n from loss_link where asked and created_at > $1', [new Date(Date.now() - HOUR)]);
    assert.equal(links[0]?.['n'], 3, 'for the one who is known');
    it.advance(HOUR);
    assert.equal((await report(it, MAILBOX('courriel'))).status, 200);
    await looked(it);
    const day = await it.sql('select count(*)::int n from loss_link where asked and created_at > $1', [new Date(Date.now() - 2 * HOUR)]);
    assert.equal(day[0]?.['n'], 3, 'a fourth mail in 24 hours is not written');
    const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => it.app.site.losses.report('one@example.org', `origin-${i}`)));
    assert.equal(answers.filter((answer) => 'noted' in answer).length, 3, 'six at once: three');
  });
});
