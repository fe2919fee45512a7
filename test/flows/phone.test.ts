import { randomToken } from '../../src/kernel/crypto.ts';
import { passFranceConnect, signMandate } from '../../src/practice/story.ts';
import { formOf, type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, entriesSince, inTheMorning, mark, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { dumpOf, writingsOf } from '../support/state.ts';
import { Tab } from '../support/tabs.ts';
import { signedInAidant, type World } from '../support/world.ts';

/** A draft of an aidant's, at the page that is read aloud; its address. */
const draft = async (world: World, aidant: Walker, themes: readonly string[]): Promise<string> => {
  await aidant.open(`${world.places.relais}/aidant/mandats/nouveau`);
  await aidant.send('mandate-themes', { themes });
  return (await aidant.send('mandate-days', { days: '31' })).url.href;
};
/** The address that the waiting page shows to be typed. */
const addressOf = (page: Page): string => {
  const shown = /id="phone-address"[^>]*>([\s\S]*?)<\/span>\s*<\/p>/.exec(page.html)?.[1] ?? '';
  const address = shown.replaceAll(/<[^>]+>|\s/g, '');
  assert.match(address, /\/accord\/([a-z2-7]{4}-){12}[a-z2-7]{4}$/, textOf(page));
  return `http://${address}`;
};
/** Shows a code for a draft. */
const show = async (aidant: Walker, at: string): Promise<string> => {
  await aidant.open(at);
  return addressOf(await aidant.send('mandate-phone'));
};
/** A telephone that stands where FranceConnect sends it back; the return is not opened. */
const atReturn = async (world: World, link: string, person: string, phone = new Walker()): Promise<{ phone: Walker; back: URL }> => {
  await phone.open(link);
  const page = await passFranceConnect(phone, await phone.send('give-consent'), person, `${world.places.relais}/connexion/franceconnect/retour`);
  assert.ok(page.url.searchParams.get('code'), page.url.href);
  return { phone, back: page.url };
};
const agree = async (world: World, link: string, person: string): Promise<{ phone: Walker; page: Page }> => {
  const { phone, back } = await atReturn(world, link, person);
  return { phone, page: await phone.open(back) };
};
const idOf = (at: string): string => at.split('/').at(-1) ?? '';
const draftRow = async (world: World, at: string) => (await world.sql('select * from mandate_draft where id = $1', [idOf(at)]))[0] ?? {};
const links = (world: World, at: string) => world.sql('select * from phone_link where draft_id = $1 order by created_at, id', [idOf(at)]);
const nameOf = async (world: World, at: string): Promise<unknown> =>
  (await world.sql('select u.family_name from mandate_draft d join usager u on u.id = d.usager_id where d.id = $1', [idOf(at)]))[0]?.['family_name'];
const waiting = (aidant: Walker, at: string): Promise<Page> => aidant.open(`${at}/telephone`);

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  let karim: Walker;

  test('M11 a person agrees on her own telephone, which stays signed in to nothing, and only then can the aidant sign', on, async () => {
    const it = world();
    inTheMorning(it);
    karim = await signedInAidant(it);
    const at = await draft(it, karim, ['papiers']);
    const link = await show(karim, at);
    const shown = karim.page?.html ?? '';
    assert.match(shown, /id="phone-qr"[^>]*>\s*<svg/);
    assert.doesNotMatch(shown, /http-equiv="refresh"/, 'it reads itself again only when asked, or by its script');
    assert.match(karim.page?.headers.get('content-security-policy') ?? '', /script-src 'self'; connect-src 'self'/);
    assert.match((await karim.open(`${at}/telephone?suivre=1`)).html, /http-equiv="refresh" content="15"/);
    assert.match((await karim.open(`${at}/signer`)).url.pathname, /brouillon\/dra_[a-z0-9]+$/, 'no way round by URL');
    const from = await mark(it);
    const { phone, page } = await agree(it, link, 'jean');
    assert.equal(page.status, 200, textOf(page));
    assert.match(textOf(page), /C’est fait.*mairie de Thénac.*L’aidant doit encore signer/);
    const space = await phone.ask(`${it.places.relais}/usager`);
    assert.match(space.headers.get('location') ?? '', /\/connexion\/franceconnect$/, 'nobody is signed in there');
    assert.deepEqual(await it.sql(`select 1 from web_session where kind = 'usager'`), []);
    assert.equal(await nameOf(it, at), 'Petit');
    const entries = await entriesSince(it, from);
    assert.equal(entries.filter((entry) => entry.type === 'mandate.consented' && entry.usager).length, 1);
    assert.match(textOf(await waiting(karim, at)), /La personne a donné son accord/);
    await karim.open(`${at}/signer`);
    const wrong = await karim.send('mandate-sign', { said_aloud: 'yes', code: '000000' });
    assert.equal(wrong.status, 422);
    assert.deepEqual(await it.sql('select 1 from mandate where draft_id = $1', [idOf(at)]), [], 'S9 the aidant proves herself still');
    await karim.open(`${at}/signer`);
    const done = await signMandate(karim, it.places, 'Karim Benali', (places, name) => it.code(places, name));
    assert.match(done.url.pathname, /\/cree$/, textOf(done));
    const [mandate] = await it.sql('select reference, consent_method from mandate where draft_id = $1', [idOf(at)]);
    assert.equal(mandate?.['consent_method'], 'franceconnect');
    assert.ok(textOf(await phone.open(`${it.places.relais}/accord/suite`)).includes(String(mandate?.['reference'])));
  });

  test('S12 a link that is opened, read again, fetched ahead or asked by HEAD changes nothing, and nobody else reads its secret', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['famille']);
    const link = await show(karim, at);
    const before = [await links(it, at), await draftRow(it, at), await mark(it)];
    const scanner = new Walker();
    for (const headers of [{}, { purpose: 'prefetch', 'sec-purpose': 'prefetch' }, {}]) {
      const answer = await scanner.ask(link, undefined, headers);
      assert.equal(answer.status, 200);
      assert.doesNotMatch(await answer.text(), /Petit|Martin/);
    }
    assert.equal((await fetch(link, { method: 'HEAD' })).status, 200);
    for (const body of [{}, { _csrf: 'x' }]) {
      const posted = await new Walker().ask(link, body);
      assert.ok(posted.status === 401 || posted.status === 403, `${posted.status}: a form of no page of ours`);
      await posted.body?.cancel();
    }
    assert.deepEqual([await links(it, at), await draftRow(it, at), await mark(it)], before);
    const secret = new URL(link).pathname.slice('/accord/'.length).replaceAll('-', '');
    const { back, phone } = await atReturn(it, link, 'incomplete');
    await phone.open(back);
    for (const { table, row } of await dumpOf(it))
      for (const writing of [...writingsOf(secret), ...writingsOf(new URL(link).pathname)]) assert.ok(!row.includes(writing), `in ${table}`);
    for (const { line } of it.logged) assert.ok(!JSON.stringify(line).includes(secret), 'in the log');
  });

  test('S12 a link that was used, replaced, guessed or too old, or whose draft is closed, does nothing and says so alike', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['transports']);
    const first = await show(karim, at);
    const early = await atReturn(it, first, 'jean');
    await waiting(karim, at);
    const second = addressOf(await karim.send('new-code'));
    const replaced = await early.phone.open(early.back);
    assert.equal(replaced.status, 410, 'replaced while she signed in');
    assert.equal((await draftRow(it, at))['consented_at'], null);
    await agree(it, second, 'colette');
    const given = await draftRow(it, at);
    const again = new Walker();
    const guesses = [first, second, `${it.places.relais}/accord/${'a'.repeat(52)}`, `${it.places.relais}/accord/${randomToken(32)}`];
    const bodies = new Set<string>();
    for (const address of [...guesses, `${it.places.relais}/accord/x`]) {
      const page = await again.open(address);
      assert.equal(page.status, 410, address);
      assert.match(textOf(page), /Votre accord n’a pas été enregistré.*ne marchait plus/);
      bodies.add(page.html);
    }
    assert.equal(bodies.size, 1, 'S11 nothing tells a guess from a link that was');
    assert.deepEqual(await draftRow(it, at), given);

    const abandoned = await draft(it, karim, ['transports']);
    const closed = await show(karim, abandoned);
    const late = await atReturn(it, closed, 'jean');
    await karim.open(abandoned);
    await karim.send('mandate-refuse');
    assert.equal((await late.phone.open(late.back)).status, 410);
    assert.equal((await draftRow(it, abandoned))['consented_at'], null);

    const old = await draft(it, karim, ['transports']);
    const slow = await atReturn(it, await show(karim, old), 'jean');
    it.advance(13 * 60_000);
    assert.match(textOf(await waiting(karim, old)), /Ce code marche encore 17 minutes/);
    await slow.phone.open(await addressOf(await waiting(karim, old)));
    it.advance(14 * 60_000);
    await waiting(karim, old);
    it.advance(3 * 60_000 + 1000);
    const over = await waiting(karim, old);
    assert.match(textOf(over), /Ce code ne marche plus.*Faire un nouveau code|Ce code ne marche plus.*Recommencer/);
    await slow.phone.open(slow.back);
    assert.equal((await draftRow(it, old))['consented_at'], null, 'too late');
  });

  test('M16 two people who scan one code at once: one consent, the other is told', on, async () => {
    const it = world();
    karim = await signedInAidant(it); // an hour has passed
    const other = it.kind === 'postgres' ? (await it.secondInstance()).origin : undefined;
    for (let round = 0; round < 2; round++) {
      const at = await draft(it, karim, ['loisirs']);
      const link = await show(karim, at);
      const from = await mark(it);
      const [one, two] = [await atReturn(it, link, 'jean'), await atReturn(it, link, 'colette', new Tab(it, new Walker(), other))];
      const pages = await Promise.all([one.phone.open(one.back), two.phone.open(two.back)]);
      assert.deepEqual(pages.map((page) => page.status).sort(), [200, 410]);
      const entries = await entriesSince(it, from);
      assert.equal(entries.filter((entry) => entry.type === 'mandate.consented').length, 1);
      const [told] = entries.filter((entry) => entry.type === 'mandate.refused');
      assert.deepEqual(told?.detail, { reason: 'phone_link_over' });
      const winner = pages[0]?.status === 200 ? 'Petit' : 'Martin';
      assert.equal(await nameOf(it, at), winner, 'whoever was told yes is the person of the draft');
    }
  });

  test('M16 consent on this screen and on the telephone at once: the first counts, and no second one takes its place unasked', on, async () => {
    const it = world();
    for (let round = 0; round < 3; round++) {
      const at = await draft(it, karim, ['travail']);
      const link = await show(karim, at);
      const { phone, back } = await atReturn(it, link, 'jean');
      await karim.open(at);
      const here = await passFranceConnect(
        karim,
        await karim.send('mandate-consent'),
        'colette',
        `${it.places.relais}/connexion/franceconnect/retour`,
      );
      const [counter, mobile] = round === 1 ? [undefined, undefined] : await Promise.all([karim.open(here.url), phone.open(back)]);
      const first = round === 1 ? await phone.open(back) : mobile;
      const second = round === 1 ? await karim.open(here.url) : counter;
      assert.equal([first?.status === 200, second?.url.pathname.endsWith('/signer')].filter(Boolean).length, 1);
      assert.equal(await nameOf(it, at), first?.status === 200 ? 'Petit' : 'Martin');
      if (first?.status === 200) assert.match(textOf(second as Page), /Un accord a déjà été donné/);
      else assert.equal((await phone.open(link)).status, 410, 'the link died with the consent');
    }
  });

  test('M11 M12 the aidant himself, a minor, an incomplete identity, or nobody at all: plain words on both screens, no consent', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['logement']);
    const link = await show(karim, at);
    for (const [person, why] of [
      ['un-aidant', /Un aidant ne peut pas faire un mandat avec lui-même/],
      ['mineur', /personne majeure/],
      ['incomplete', /pas donné toutes les informations/],
    ] as const) {
      const { page } = await agree(it, link, person);
      assert.ok(page.status === 403 && page.url.pathname === '/accord/suite', `${person}: ${page.status}`);
      assert.match(textOf(page), why);
      assert.match(textOf(await waiting(karim, at)), why, 'the aidant is told');
    }
    const leaves = new Walker();
    await leaves.open(link);
    await leaves.send('give-consent');
    assert.match(textOf(await waiting(karim, at)), /La personne se connecte/);
    const { phone, back } = await atReturn(it, link, 'colette');
    back.searchParams.delete('code');
    back.searchParams.set('error', 'access_denied');
    assert.match(textOf(await phone.open(back)), /La connexion à FranceConnect a été arrêtée.*Essayer encore/);
    assert.match(textOf(await waiting(karim, at)), /La connexion à FranceConnect a été arrêtée/);
    assert.equal((await draftRow(it, at))['consented_at'], null);
    const { page } = await agree(it, link, 'jean');
    assert.equal(page.status, 200, 'the same code still serves the right person');
    assert.equal(await nameOf(it, at), 'Petit');
  });

  test('M22 on her telephone too, a person with a mandate elsewhere says first whether she keeps it or stops it', on, async () => {
    const it = world();
    const elsewhere = await agreed(it, 'jean', ['logement'], 31, await whoIs(it, 'ines', 'Saintes'));
    const ended = async () => (await it.sql('select ended_at from mandate where id = $1', [elsewhere.id]))[0]?.['ended_at'];
    const at = await draft(it, karim, ['logement']);
    const link = await show(karim, at);
    const { phone, page } = await agree(it, link, 'jean');
    assert.equal(page.url.pathname, '/consentement/autres-mandats', textOf(page));
    assert.equal((await draftRow(it, at))['consented_at'], null);
    assert.equal((await phone.send('other-mandates')).status, 422, 'nothing is chosen for her');
    assert.match(textOf(await waiting(karim, at)), /La personne se connecte/);
    const done = await phone.send('other-mandates', { [elsewhere.id]: 'stop' });
    assert.equal(done.url.pathname, '/accord/suite', textOf(done));
    assert.match(textOf(done), /C’est fait/);
    assert.equal(await nameOf(it, at), 'Petit');
    assert.ok(await ended());
    assert.equal((await links(it, at))[0]?.['state'], 'yes');

    const late = await agreed(it, 'jean', ['logement'], 31, await whoIs(it, 'ines', 'Saintes'));
    const second = await draft(it, karim, ['logement']);
    const asked = await agree(it, await show(karim, second), 'jean');
    await waiting(karim, second);
    await karim.send('new-code');
    assert.equal((await asked.phone.send('other-mandates', { [late.id]: 'stop' })).status, 410, 'the link was replaced while she read');
    assert.equal((await draftRow(it, second))['consented_at'], null);
    assert.equal((await it.sql('select ended_at from mandate where id = $1', [late.id]))[0]?.['ended_at'], null, 'and nothing is stopped');
  });

  test('S5 a return from FranceConnect is finished by the telephone that left, and by no other browser', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['social']);
    const { phone, back } = await atReturn(it, await show(karim, at), 'jean');
    for (const thief of [new Walker(), karim]) assert.equal((await thief.open(back)).status, 403);
    assert.equal((await draftRow(it, at))['consented_at'], null);
    assert.equal((await links(it, at))[0]?.['state'], 'open');
    void phone;
  });

  test('M18 a person who does not agree ends the link with one press, and the aidant reads it', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['social']);
    const link = await show(karim, at);
    const from = await mark(it);
    const phone = new Walker();
    await phone.open(link);
    const csrf = formOf(phone.page as Page, 'decline-consent').fields['_csrf'] ?? '';
    assert.match(textOf(await phone.send('decline-consent')), /Vous avez dit non.*Aucun mandat/);
    assert.match(textOf(await waiting(karim, at)), /La personne n’a pas donné son accord/);
    const answers = (await entriesSince(it, from)).filter((entry) => entry.type === 'consent.answered');
    assert.deepEqual(
      answers.map((entry) => entry.detail),
      [{ answer: 'no', method: 'franceconnect' }],
    );
    assert.equal((await phone.open(link, { _csrf: csrf })).status, 410, 'it cannot be taken back by the same link');
    assert.equal((await links(it, at))[0]?.['state'], 'no');
  });

  test('M14 an aidant suspended while the person signs in gets no consent', on, async () => {
    const it = world();
    const camille = await signedInAidant(it, 'courriel', 'Camille Courrier');
    const at = await draft(it, camille, ['logement']);
    const { phone, back } = await atReturn(it, await show(camille, at), 'jean');
    const [staff] = await it.app.aidants.findByEmail('aidant', 'courriel@demonstration.example');
    assert.ok(!('refused' in (await it.app.aidants.suspend(staff?.id ?? '', { actor: 'cli', reason: 'vérification' }))));
    const page = await phone.open(back);
    assert.equal(page.status, 403);
    assert.match(textOf(page), /L’habilitation de l’aidant est suspendue/);
    assert.equal((await draftRow(it, at))['consented_at'], null);
  });

  test('M20 in SQL as the application: no yes without a consent, nothing after an end, one open link a draft', on, async () => {
    const it = world();
    const at = await draft(it, karim, ['justice']);
    await show(karim, at);
    const [open] = await links(it, at);
    const refusedBy = async (text: string, values: unknown[]): Promise<string> => {
      try {
        await it.sql(text, values);
        return '';
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    };
    assert.match(await refusedBy(`update phone_link set state = 'yes', ended_at = now() where id = $1`, [open?.['id']]), /no consent for this link/);
    await it.sql(`update phone_link set state = 'no', ended_at = now() where id = $1`, [open?.['id']]);
    assert.match(await refusedBy(`update phone_link set state = 'open', ended_at = null where id = $1`, [open?.['id']]), /has been used/);
  });
});
