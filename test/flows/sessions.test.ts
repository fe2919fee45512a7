import { createApp } from '../../src/app.ts';
import { startSignerWorker } from '../../src/journal/signer-client.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { passFranceConnect, prepareMandate, signInStaff, signInUsager } from '../../src/practice/story.ts';
import { formOf, textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, csrfOf, inesAt, post, selectStructure, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld, introspect } from '../support/protocol.ts';
import { Tab } from '../support/tabs.ts';
import { authorize, delegatedTokens, entriesOf, signedInAidant, type World } from '../support/world.ts';

const HOST = /relais_session=([^;]+)/;
/** The cookie of our own session, as this browser would send it. */
const cookieOf = (world: World, walker: Walker): string => HOST.exec(walker.cookieHeader(new URL(world.places.relais)))?.[1] ?? '';
/** A browser that has this session cookie and nothing else. */
const holding = (token: string): Walker => {
  const walker = new Walker();
  walker.cookies.set('localhost relais_session /', { value: `relais_session=${token}`, path: '/', host: 'localhost' });
  return walker;
};
const refusedSignIns = async (world: World): Promise<number> =>
  (await entriesOf(world, 'aidant.sign-in-refused')) + (await entriesOf(world, 'usager.sign-in-refused'));

/** A session that is over gives nothing: not a page, not a form. */
const assertDead = async (world: World, token: string, path: string): Promise<void> => {
  const walker = holding(token);
  const page = await walker.ask(`${world.places.relais}${path}`);
  assert.equal(page.status, 303, 'sent to sign in');
  assert.match(page.headers.get('location') ?? '', /^\/connexion\//);
  assert.doesNotMatch(await page.text(), /Karim|Colette|Martin|Nora/);
  assert.equal(await world.app.site.webSessions.find(token), undefined);
  const form = await holding(token).ask(`${world.places.relais}/deconnexion`, { _csrf: 'x' });
  assert.equal(form.status, 401);
};

inEachWorld(({ world, kind }) => {
  test('S3 the session has another id after sign-in, after the second factor again, and after choosing a structure; the old one is dead', {
    database: kind,
  }, async () => {
    const it = world();
    const walker = new Walker();
    const idp = await walker.open(`${it.places.relais}/connexion/proconnect?vers=/aidant`);
    const anonymous = cookieOf(it, walker);
    assert.ok(anonymous);
    await walker.open(idp.url, { identity: 'ines' });
    await walker.send('second-factor', { code: await it.code(it.places, 'Inès Moreau') });
    const first = cookieOf(it, walker);
    assert.notEqual(first, anonymous);
    await assertDead(it, anonymous, '/aidant');

    await selectStructure(it, walker, 'Thénac');
    const thenac = cookieOf(it, walker);
    assert.notEqual(thenac, first);
    await assertDead(it, first, '/aidant');
    await selectStructure(it, walker, 'Saintes');
    const saintes = cookieOf(it, walker);
    assert.notEqual(saintes, thenac);
    await assertDead(it, thenac, '/aidant');
    assert.match(textOf(await walker.open(`${it.places.relais}/aidant`)), /CCAS de Saintes/);

    await signInStaff(walker, it.places, 'ines', 'Inès Moreau', '/connexion/proconnect?vers=/aidant', it.code);
    const again = cookieOf(it, walker);
    assert.notEqual(again, saintes, 'a second proof makes another session');
    await assertDead(it, saintes, '/aidant');
  });

  test('S3 a session that somebody else planted in the browser, known or invented, is not the one that is signed in', {
    database: kind,
  }, async () => {
    const it = world();
    const attacker = new Walker();
    await attacker.open(`${it.places.relais}/connexion/franceconnect`);
    for (const planted of [cookieOf(it, attacker), 'A'.repeat(43)]) {
      const victim = holding(planted);
      await signInUsager(victim, it.places, 'jean');
      assert.notEqual(cookieOf(it, victim), planted);
      await assertDead(it, planted, '/usager');
    }
  });

  test('S4 on http our cookies and the provider’s are HttpOnly and SameSite=Lax, without a prefix that a browser would refuse', {
    database: kind,
  }, async () => {
    const it = world();
    await agreed(it, 'colette', ['logement']);
    const service = await it.service('biscuits');
    const set: string[] = [];
    const walker = new (class extends Walker {
      override async ask(...given: Parameters<Walker['ask']>): Promise<Response> {
        const answer = await super.ask(...given);
        if (new URL(given[0]).origin === it.places.relais) set.push(...answer.headers.getSetCookie());
        return answer;
      }
    })();
    await signInStaff(walker, it.places, 'karim', 'Karim Benali', '/connexion/proconnect?vers=/aidant', it.code);
    await delegatedTokens(it, walker, service, 'Colette Martin');
    const names = new Set(set.map((line) => line.split('=')[0]));
    for (const name of ['relais_session', 'relais_op', 'relais_op.sig', 'relais_interaction', 'relais_resume']) assert.ok(names.has(name), name);
    for (const line of set) {
      assert.match(line, /; ?httponly/i, line);
      assert.match(line, /; ?samesite=lax/i, line);
      assert.doesNotMatch(line, /^__|; ?secure|; ?domain=/i, line);
    }
  });

  test('S4 on https our session and the provider’s are __Host-, the provider’s two others __Secure-, all Secure', { database: kind }, async () => {
    const it = world();
    const publicUrl = 'https://relais.test';
    const { config } = it.demonstration;
    const app = await createApp({
      config: { ...config, publicUrl, issuer: `${publicUrl}/oidc` },
      database: it.database,
      clock: systemClock,
      log: () => undefined,
      signer: (origin) =>
        startSignerWorker({
          folder: `${config.varFolder}/signer`,
          privateKeyPem: config.keys.pem('journal-ed25519').reveal(),
          origin,
        }),
      sendMessage: async () => undefined,
    });
    const address = new URL(await app.http.listen({ host: 'localhost', port: 0 }));
    try {
      await agreed(it, 'colette', ['logement']);
      const service = await it.service('biscuits-https');
      const karim = await whoIs(it);
      const set: string[] = [];
      const walker = new (class extends Walker {
        /** Speaks to the server as its proxy does. */
        override async ask(url: string | URL, body?: Parameters<Walker['ask']>[1]): Promise<Response> {
          const target = new URL(url);
          if (target.origin !== publicUrl) return super.ask(target, body);
          const answer = await fetch(new URL(`${target.pathname}${target.search}`, `http://localhost:${address.port}`), {
            method: body ? 'POST' : 'GET',
            redirect: 'manual',
            headers: { cookie: this.cookieHeader(target), ...(body ? { origin: publicUrl } : {}) },
            ...(body ? { body: new URLSearchParams(body as Record<string, string>) } : {}),
          });
          for (const line of answer.headers.getSetCookie()) {
            set.push(line);
            const [value = '', ...rest] = line.split('; ');
            const path = rest.find((part) => /^path=/i.test(part))?.slice(5) ?? '/';
            this.cookies.set(`relais.test ${value.split('=')[0]} ${path}`, { value, path, host: 'relais.test' });
          }
          return answer;
        }
      })();
      const begun = await walker.ask(`${publicUrl}/connexion/franceconnect`);
      assert.equal(begun.headers.get('strict-transport-security')?.includes('max-age=31536000'), true);
      const anonymous = await app.site.webSessions.find(/^__Host-relais=([^;]+)/.exec(set[0] ?? '')?.[1]);
      assert.ok(anonymous);
      // The federations know the address of the demonstration only: what follows the sign-in is done by hand.
      const signedIn = await app.site.webSessions.renew(
        anonymous,
        { kind: 'staff', staffId: karim.aidantId, organisationId: karim.organisationId },
        { signedIn: { acr: 'eidas2', amr: ['pwd', 'otp'], at: Date.now() } },
      );
      walker.cookies.set('relais.test __Host-relais /', { value: `__Host-relais=${signedIn.token}`, path: '/', host: 'relais.test' });
      const request = await authorize(service, 'openid dlg:logement');
      const asked = new URL(`${request.url.pathname}${request.url.search}`, publicUrl);
      const page = await walker.open(asked);
      const person = /name="person"[^>]*value="([^"]+)"[^>]*>(?:(?!<input)[\s\S])*?Colette/.exec(page.html)?.[1] ?? '';
      await walker.send('pick-person', { person });
      const back = await walker.send('confirm', {}, service.redirectUri);
      assert.match(back.url.href, /code=/);
      const expected = new Map([
        ['__Host-relais', '/'],
        ['__Host-relais_op', '/'],
        ['__Secure-relais_interaction', '/interaction/'],
        ['__Secure-relais_resume', '/oidc/auth/'],
      ]);
      const seen = new Set<string>();
      for (const line of set) {
        const name = line.slice(0, line.indexOf('=')).replace(/\.sig$/, '');
        assert.ok(expected.has(name), line);
        seen.add(name);
        assert.match(line, /; ?httponly/i, line);
        assert.match(line, /; ?secure/i, line);
        assert.match(line, /; ?samesite=lax/i, line);
        assert.doesNotMatch(line, /; ?domain=/i, line);
        assert.ok((/; ?path=([^;]+)/i.exec(line)?.[1] ?? '').startsWith(expected.get(name) ?? '-'), line);
      }
      assert.deepEqual([...seen].sort(), [...expected.keys()].sort());
    } finally {
      await app.close();
    }
  });

  test('S5 the end of a sign-in begun in another browser signs nobody in, and takes nothing from the one who has it', {
    database: kind,
  }, async () => {
    const it = world();
    for (const [from, identity, home] of [
      ['/connexion/franceconnect', 'jean', '/usager'],
      ['/connexion/proconnect?vers=/aidant', 'karim', '/aidant'],
    ] as const) {
      const attacker = new Walker();
      const idp = await attacker.open(new URL(from, it.places.relais));
      const callback = await attacker.open(idp.url, { identity }, `${it.places.relais}/connexion/`);
      const victims = [new Walker(), new Walker()];
      await victims[1]?.open(new URL(from, it.places.relais)); // in the middle of a sign-in of their own
      for (const victim of victims) {
        const refused = await refusedSignIns(it);
        const answer = await victim.ask(callback.url);
        assert.equal(answer.status, 403);
        assert.match(await answer.text(), /state_mismatch/);
        assert.equal(await refusedSignIns(it), refused + 1, 'one entry');
        const after = await victim.ask(`${it.places.relais}${home}`);
        assert.equal(after.status, 303);
        assert.equal((await it.app.site.webSessions.find(cookieOf(it, victim)))?.kind ?? 'none', victim === victims[1] ? 'anonymous' : 'none');
      }
      const own = await attacker.open(callback.url);
      assert.equal(own.status, 200, 'the one who began may still end it');
      const again = await attacker.ask(callback.url);
      assert.equal(again.status, 403, 'once');
    }
  });

  test('S5 a consent given in another browser is not the consent of the person at this counter', { database: kind }, async () => {
    const it = world();
    const aidant = await signedInAidant(it);
    const mallory = new Walker();
    const idp = await mallory.open(`${it.places.relais}/connexion/franceconnect`);
    const callback = await mallory.open(idp.url, { identity: 'colette' }, `${it.places.relais}/connexion/`);
    await aidant.open(`${it.places.relais}/aidant/mandats/nouveau`);
    await aidant.send('mandate-themes', { themes: ['famille'] });
    const draft = (await aidant.send('mandate-days', { days: '31' })).url.pathname.split('/').at(-1) ?? '';
    await aidant.send('mandate-consent');
    assert.equal((await aidant.ask(callback.url)).status, 403);
    const [row] = await it.sql('select usager_id, consented_at from mandate_draft where id = $1', [draft]);
    assert.deepEqual(row, { usager_id: null, consented_at: null });
  });

  test('S6 after sign-out the cookie is worth nothing, what was open is over, and the browser is told to forget', { database: kind }, async () => {
    const it = world();
    await agreed(it, 'colette', ['logement']);
    const service = await it.service('sortie');
    const aidant = await signedInAidant(it);
    const { tokens } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const token = cookieOf(it, aidant);
    const csrf = await csrfOf(it, aidant);
    const home = await aidant.ask(`${it.places.relais}/aidant`);
    assert.match(home.headers.get('cache-control') ?? '', /^no-store/);
    assert.match(await home.text(), /Colette/);
    const out = await post(it, aidant, '/deconnexion', { _csrf: csrf });
    assert.equal(out.status, 303);
    assert.equal(out.headers.get('clear-site-data'), '"cache", "storage"');
    assert.match(out.headers.getSetCookie().join('\n'), /^relais_session=;.*Expires=Thu, 01 Jan 1970/im);
    assert.doesNotMatch(await out.text(), /Karim|Colette/);
    const upstream = new URL(out.headers.get('location') ?? '');
    assert.equal(`${upstream.origin}${upstream.pathname}`, `${it.places.proconnect}/api/v2/session/end`, 'ProConnect is left too');
    const back = await aidant.open(upstream);
    assert.deepEqual([back.url.pathname, back.status], ['/connexion/proconnect/sortie', 200]);
    assert.match(textOf(back), /Vous êtes déconnecté/);
    back.url.searchParams.set('state', `${back.url.searchParams.get('state')}A`);
    assert.equal((await aidant.ask(back.url)).status, 303, 'a state that is not ours');
    const next = await aidant.open(`${it.places.relais}/connexion/proconnect?vers=/aidant`);
    assert.equal(next.url.origin, it.places.proconnect, 'the next one is asked who they are');
    await assertDead(it, token, '/aidant');
    assert.equal((await holding(token).ask(`${it.places.relais}/aidant/mandats/nouveau`, { _csrf: csrf, themes: 'famille' })).status, 401);
    const [row] = await it.sql(
      "select data::text as data, ended_at from web_session where hash = sha256(convert_to('relais/web-session/v1' || chr(10), 'utf8') || convert_to($1, 'utf8'))",
      [token],
    );
    assert.ok(row?.['ended_at'], 'the row says when it ended');
    assert.equal(row['data'], '{}');
    assert.deepEqual(await introspect(service, tokens.access_token), { active: false });
    assert.equal(await it.sql('select 1 from delegated_session where ended_at is null').then((found) => found.length), 0);
    const silent = await authorize(service, 'openid dlg:logement', { prompt: 'none' });
    const answer = await aidant.open(silent.url, undefined, service.redirectUri);
    assert.equal(answer.url.searchParams.get('error'), 'login_required');
  });

  test('S6 a usager and an agent who leave are out as well', { database: kind }, async () => {
    const it = world();
    const usager = new Walker();
    await signInUsager(usager, it.places, 'colette');
    const agent = await signedInAidant(it, 'nora', 'Nora Lefèvre');
    for (const [walker, path] of [
      [usager, '/usager'],
      [agent, '/administration'],
    ] as const) {
      const token = cookieOf(it, walker);
      const page = await walker.open(`${it.places.relais}${path}`);
      assert.equal(page.status, 200);
      const form = formOf(page, 'sign-out');
      const out = await walker.open(form.action, form.fields);
      assert.equal(out.status, 200, out.url.href);
      await assertDead(it, token, path);
    }
  });

  test('S13 what one tab chose is not what another tab signs: two drafts, two people', { database: kind }, async () => {
    const it = world();
    const browser = await signedInAidant(it);
    const [one, two] = [new Tab(it, browser), new Tab(it, browser)];
    await prepareMandate(one, it.places, { person: 'colette', themes: ['papiers'], days: '1' });
    await prepareMandate(two, it.places, { person: 'jean', themes: ['loisirs'], days: '1' });
    const draft = one.page?.url.pathname.split('/').at(-2) ?? '';
    const signed = await one.send('mandate-sign', { said_aloud: 'yes', code: await it.code(it.places, 'Karim Benali') });
    assert.match(signed.url.pathname, /\/cree$/);
    const [made] = await it.sql(
      'select u.given_name, array(select theme from mandate_grant g where g.mandate_id = m.id) as themes from mandate m join usager u on u.id = m.usager_id where m.draft_id = $1',
      [draft],
    );
    assert.deepEqual(made, { given_name: 'Colette', themes: ['papiers'] });
  });

  test('S13 a structure chosen in one tab stops what the other tab had open for the one before', { database: kind }, async () => {
    const it = world();
    await agreed(it, 'colette', ['logement'], 31, await whoIs(it, 'ines', 'Thénac'));
    const service = await it.service('structures');
    const browser = await inesAt(it, 'Thénac');
    const { tokens } = await delegatedTokens(it, browser, service, 'Colette Martin');
    const [form] = [await browser.open(`${it.places.relais}/aidant/mandats/nouveau`)];
    assert.match(form.html, /Thénac/);
    await selectStructure(it, new Tab(it, browser), 'Saintes');
    assert.deepEqual(await introspect(service, tokens.access_token), { active: false });
    const stale = await browser.send('mandate-themes', { themes: ['famille'] });
    assert.equal(stale.status, 403, 'the page of before has a token of before');
  });

  test('S8 a session that nobody used for 15 minutes, or that is 8 hours old, is over', { database: kind }, async () => {
    const it = world();
    const usager = new Walker();
    await signInUsager(usager, it.places, 'colette');
    const open = async (): Promise<number> => (await usager.ask(`${it.places.relais}/usager`)).status;
    it.advance(14 * 60_000);
    assert.equal(await open(), 200, '14 minutes');
    it.advance(14 * 60_000);
    assert.equal(await open(), 200, 'each use counts');
    it.advance(15 * 60_000 + 1000);
    assert.equal(await open(), 303, '15 minutes and a second');
    await assertDead(it, cookieOf(it, usager), '/usager');

    await passFranceConnect(usager, await usager.open(`${it.places.relais}/connexion/franceconnect`), 'colette');
    const start = Date.now();
    while (Date.now() - start < 8 * 3_600_000 - 14 * 60_000) {
      it.advance(14 * 60_000);
      assert.equal(await open(), 200);
    }
    it.advance(8 * 3_600_000 - (Date.now() - start) + 1000);
    assert.equal(await open(), 303, '8 hours and a second, used all along');
    await it.app.site.webSessions.purge();
    assert.equal(
      (
        await it.sql('select 1 from web_session where kind = $1 and ended_at is null and seen_at < $2', [
          'usager',
          new Date(Date.now() - 9 * 3_600_000),
        ])
      ).length,
      0,
    );
  });
});
