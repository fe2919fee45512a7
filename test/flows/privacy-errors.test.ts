import { signInUsager } from '../../src/practice/story.ts';
import { formOf, type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { fr } from '../../src/web/i18n/fr.ts';
import { agreed, inesAt, mandatesOf, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { basic, inEachWorld, post } from '../support/protocol.ts';
import { authorize, signedInAidant, type World } from '../support/world.ts';

/** What no answer may say of how it is made. */
const INTERNALS =
  /node_modules|node:internal|\bat (async )?[\w.<>]+ \(|\.tsx?:\d|Error:|FST_ERR|ECONNRE|EPIPE|\/work\/|\/home\/|PGlite|postgres|fastify|oidc-provider|relais_app|\bselect .* from\b|\binsert into\b|violates|constraint|a-secret-of-the-inside|\[object/i;
/** Words of a program that has lost a value, where a person reads. */
const LOST = /\bundefined\b|\bNaN\b/;

const trigger = (world: World, when: 'create' | 'drop') =>
  when === 'create'
    ? world
        .sql(
          `create function refuse_all() returns trigger language plpgsql as $$ begin raise exception 'a-secret-of-the-inside in journal.queue'; end $$`,
        )
        .then(() => world.sql('create trigger refuse_all before insert on journal.queue for each row execute function refuse_all()'))
    : world.sql('drop trigger refuse_all on journal.queue').then(() => world.sql('drop function refuse_all()'));

inEachWorld(({ world, kind }) => {
  /** A page says what happened, what it changes, what to do, its code and the number to call; nothing of the inside. */
  const page = async (what: string, answer: Response | Page, status: number, code: string): Promise<void> => {
    const html = 'html' in answer ? answer.html : await answer.text();
    assert.equal(answer.status, status, `${what}: ${html.slice(0, 300)}`);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/html/, what);
    const text = textOf({ html } as Page);
    assert.match(text, new RegExp(`Code à donner si vous appelez l’aide : ${code}\\b`), `${what}: ${text.slice(0, 400)}`);
    assert.ok(text.includes(world().demonstration.config.helpNumber), what);
    const refusals: Readonly<Record<string, { readonly todo: string } | undefined>> = fr.refusals;
    const todo = refusals[code]?.todo ?? '';
    assert.ok(todo && text.includes(todo.replaceAll(/[\s\u00a0\u202f]+/g, ' ')), `${what}: what to do`);
    // The form token of a signed-in person is 43 letters drawn at random: they are nobody's words.
    assert.equal(INTERNALS.exec(html.replaceAll(/name="_csrf" value="[^"]*"/g, ''))?.[0], undefined, what);
    assert.doesNotMatch(text, LOST, what);
  };
  /** An error for a program: a code, and nothing of the inside. */
  const json = async (what: string, answer: Response, status: number, code: string): Promise<void> => {
    const text = await answer.text();
    assert.equal(answer.status, status, `${what}: ${text}`);
    assert.match(answer.headers.get('content-type') ?? '', /json/, what);
    const body = JSON.parse(text) as { error?: string; code?: string };
    assert.equal(body.code ?? body.error, code, what);
    assert.doesNotMatch(text, INTERNALS, what);
  };

  test('V3 each kind of refusal has its code, its words and the number to call, and says nothing of the inside', { database: kind }, async () => {
    const it = world();
    const { relais } = it.places;
    const nobody = new Walker();
    const service = await it.service('erreurs');
    const usager = new Walker();
    await signInUsager(usager, it.places, 'colette');
    const csrf = formOf(await usager.open(`${relais}/usager`), 'sign-out').fields['_csrf'] ?? '';
    await page('no such page', await nobody.ask(`${relais}/nothing`), 404, 'not_found');
    await page('an address that cannot be read', await nobody.ask(`${relais}/%ff%fe`), 404, 'not_found');
    await page('an entry of nobody', await usager.ask(`${relais}/usager/entrees/999999`), 404, 'not_found');
    await page('a form of another site', await usager.ask(`${relais}/deconnexion`, { _csrf: csrf }, { 'sec-fetch-site': 'cross-site' }), 403, 'csrf');
    await page('a form without a session', await nobody.ask(`${relais}/deconnexion`, { _csrf: csrf }), 401, 'session_expired');
    await page('a form too large', await usager.ask(`${relais}/deconnexion`, { _csrf: csrf, more: 'x'.repeat(70_000) }), 413, 'too_large');
    const raw = (type: string, body: string) =>
      fetch(`${relais}/deconnexion`, { method: 'POST', headers: { 'content-type': type, cookie: usager.cookieHeader(new URL(relais)) }, body });
    await page('a form of another kind', await raw('image/png', 'x'), 415, 'unsupported_media_type');
    await page('JSON that is none', await raw('application/json', '{"a":'), 400, 'invalid_request');
    await page('an answer nobody asked for', await nobody.ask(`${relais}/connexion/proconnect/retour?code=x&state=y`), 403, 'state_mismatch');
    await page('an unknown link', await nobody.ask(`${relais}/inscription/${'x'.repeat(43)}`), 410, 'enrolment_link_invalid');
    await page('an interaction of nobody', await nobody.ask(`${relais}/interaction/${'x'.repeat(43)}`), 410, 'interaction_expired');
    await page('an unknown service', await nobody.ask(`${relais}/oidc/auth?client_id=nothing`), 400, 'invalid_request');
    await page(
      'an address of return that is not registered',
      await nobody.ask(`${relais}/oidc/auth?client_id=erreurs&response_type=code&scope=openid&redirect_uri=https%3A%2F%2Fevil.example`),
      400,
      'invalid_request',
    );
    await page('a request that is over', await nobody.ask(`${relais}/oidc/auth/nothing`), 400, 'interaction_expired');
    await page(
      'somebody without habilitation',
      await (async () => {
        const walker = new Walker();
        return walker.open((await walker.open(`${relais}/connexion/proconnect?vers=/aidant`)).url, { identity: 'paul' });
      })(),
      403,
      'not_habilitated',
    );

    const api = (body: string, headers: Record<string, string> = {}) =>
      fetch(`${relais}/api/v1/actions`, { method: 'POST', headers: { 'content-type': 'application/cloudevents+json', ...headers }, body });
    const granted = await post(
      `${relais}/oidc/token`,
      { grant_type: 'client_credentials', scope: 'actions:write' },
      { authorization: basic(service) },
    );
    const bearer = { authorization: `Bearer ${String(granted.json['access_token'])}` };
    await json('no token', await api('{}'), 401, 'token_refused');
    await json('not JSON', await api('{"a":', bearer), 400, 'invalid_request');
    await json('not an event', await api('{"a":1}', bearer), 400, 'malformed');
    await json('another media type', await api('{}', { ...bearer, 'content-type': 'text/csv' }), 415, 'unsupported_media_type');
    await json('too large', await api(`"${'x'.repeat(1_100_000)}"`, bearer), 413, 'too_large');
    await json('no such resource', await fetch(`${relais}/api/v1/nothing`), 404, 'not_found');
    const form = (path: string, fields: Record<string, string>, headers = { authorization: basic(service) }) =>
      fetch(`${relais}${path}`, { method: 'POST', headers, body: new URLSearchParams(fields) });
    await json(
      'a wrong secret',
      await form('/oidc/token', { grant_type: 'authorization_code' }, { authorization: 'Basic ZXJyZXVyczp4' }),
      401,
      'invalid_client',
    );
    await json(
      'a code of nobody',
      await form('/oidc/token', { grant_type: 'authorization_code', code: 'x', redirect_uri: service.redirectUri, code_verifier: 'x'.repeat(43) }),
      400,
      'invalid_grant',
    );
    await json('another grant', await form('/oidc/token', { grant_type: 'password' }), 400, 'unsupported_grant_type');
    await json('a bad pushed request', await form('/oidc/par', { response_type: 'token' }), 400, 'invalid_request');
    await json('userinfo of nobody', await fetch(`${relais}/oidc/userinfo`, { headers: { authorization: 'Bearer x' } }), 401, 'invalid_token');
    await page('an endpoint that is not there', await fetch(`${relais}/oidc/nothing`), 404, 'not_found');
  });

  test('V3 a fault of the inside: a code, the number to call, an alarm for the operator, and not a word of what broke', {
    database: kind,
  }, async () => {
    const it = world();
    const { relais } = it.places;
    await agreed(it, 'colette', ['logement']);
    const service = await it.service('erreurs-dedans');
    const aidant = await signedInAidant(it);
    const request = await authorize(service, 'openid dlg:logement');
    await aidant.open(request.url, undefined, service.redirectUri);
    const person = /name="person"[^>]*value="([^"]+)"[^>]*>(?:(?!<input)[\s\S])*?Colette/.exec(aidant.page?.html ?? '')?.[1] ?? '';
    await aidant.send('pick-person', { person });
    const granted = await post(
      `${relais}/oidc/token`,
      { grant_type: 'client_credentials', scope: 'actions:write' },
      { authorization: basic(service) },
    );
    assert.equal(granted.status, 200);
    await trigger(it, 'create');
    const before = it.logged.length;
    let after: unknown;
    try {
      await page('a journal that refuses', await aidant.send('confirm', {}, service.redirectUri), 500, 'unexpected');
      await page(
        'a sign-in that the journal refuses',
        await (async () => {
          const walker = new Walker();
          return walker.open((await walker.open(`${relais}/connexion/franceconnect`)).url, { identity: 'colette' });
        })(),
        500,
        'unexpected',
      );
      after = await it.sql('select 1 from delegated_session where ended_at is null');
    } finally {
      await trigger(it, 'drop');
    }
    assert.deepEqual(after, [], 'nothing half done');
    const alarms = it.logged.slice(before).filter(({ level, line }) => level === 'error' && line['code'] === 'fault');
    assert.equal(alarms.length, 2, 'the operator hears of each, once');
    assert.ok(
      alarms.every(({ line }) => !JSON.stringify(line).includes('a-secret-of-the-inside')),
      'and by its kind, not by its words',
    );
  });

  test('V6 a name that an aidant types finds only live mandates of the structure that is selected, on both lists', { database: kind }, async () => {
    const it = world();
    const saintes = await whoIs(it, 'ines', 'Saintes');
    await agreed(it, 'etranger', ['logement'], 31, saintes); // known at Saintes only
    await signInUsager(new Walker(), it.places, 'un-aidant'); // known to Relais, without any mandate
    const stopped = await agreed(it, 'colette', ['logement'], 1);
    await mandatesOf(it.app, it).revokeByUsager(stopped.usagerId, stopped.id);
    const service = await it.service('recherche');
    const karim = await signedInAidant(it);
    const request = await authorize(service, 'openid dlg:logement');
    const names = (found: Page): string[] => [
      ...new Set(
        ['Hoa', 'Benali', 'Martin', 'Expiré', 'Autrethème', 'Deux', 'Petit', 'Révoquée', 'Vandenbroucke'].filter((name) =>
          new RegExp(`(Madame|Monsieur) [^<]*${name}`).test(found.html),
        ),
      ),
    ];
    const home = async (q: string): Promise<Page> => {
      await karim.open(`${it.places.relais}/aidant`);
      return karim.send('filter', { q });
    };
    const waiting = new URL((await karim.open(request.url, undefined, service.redirectUri)).url.pathname, it.places.relais);
    const picking = async (q: string): Promise<Page> => {
      await karim.open(`${waiting.href}?choisir=1`);
      return karim.send('filter', { q });
    };
    assert.deepEqual(names(await home('petit')), ['Petit'], 'the search finds');
    assert.deepEqual(names(await picking('petit')), ['Petit']);
    for (const q of ['Hoa', 'Nguyễn', 'Martin', 'Colette', 'Benali', 'Expiré', 'Émile', '1955', 'etranger', 'usg_', 'man_'])
      for (const list of [home, picking]) {
        const found = await list(q);
        assert.equal(found.status, 200);
        assert.deepEqual(names(found), [], `${list.name} ${q}`);
        assert.match(textOf(found), /Aucun nom ne correspond/);
      }
    // Whatever is typed, what comes is a part of what comes without typing.
    const all = { home: names(await home('')), picking: names(await picking('')) };
    assert.deepEqual(all.home.sort(), ['Autrethème', 'Deux', 'Petit', 'Révoquée', 'Vandenbroucke']);
    assert.deepEqual(all.picking.sort(), ['Deux', 'Petit', 'Révoquée']);
    for (const q of ['%', '_', '%%', '*', '.*', 'a', 'e', '\\', "' or 1=1 --", '%a%', ' ', 'é', 'É'.repeat(200)])
      for (const [list, whole] of [
        [home, all.home],
        [picking, all.picking],
      ] as const)
        for (const name of names(await list(q))) assert.ok(whole.includes(name), `${list.name} ${q}: ${name}`);
    assert.deepEqual(names(await home('%')), [], 'a wildcard is a character');
    assert.deepEqual(names(await home('_')), []);
    const old = await karim.open(`${it.places.relais}/aidant?q=Hoa`);
    assert.doesNotMatch(old.html, /Hoa/, 'nothing is searched from an address');
    const ines = await inesAt(it, 'Saintes');
    await ines.open(`${it.places.relais}/aidant`);
    assert.deepEqual(names(await ines.send('filter', { q: 'Hoa' })), ['Hoa'], 'who has her mandate finds her');
    assert.deepEqual(names(await ines.send('filter', { q: 'Petit' })), []);
  });

  test('S15 names made of markup and scripts are words on every page where they stand', { database: kind }, async () => {
    const it = world();
    const payload = (n: number): string =>
      [
        `<script>alert(${n})</script>`,
        `"><img src=x onerror=alert(${n})>`,
        `'-alert(${n})-'`,
        `javascript:alert(${n})`,
        '{{7*7}}',
        '</title><svg/onload=alert(1)>',
      ][n % 6] ?? '';
    const person = {
      saisie: 'oui',
      given_name: payload(0),
      family_name: payload(1),
      preferred_username: payload(5),
      birthdate: '1950-01-02',
      gender: 'female',
      birthplace: '17444',
      birthcountry: '99100',
    };
    const seen: Page[] = [];
    const keep = (given: Page): Page => {
      seen.push(given);
      return given;
    };
    await it.sql('update organisation set name = $1 where name like $2', [`Mairie ${payload(0)}${payload(1)}`, '%Thénac%']);
    await it.sql('update staff set given_name = $1, family_name = $2 where email = $3', [payload(1), payload(5), 'karim@demonstration.example']);
    const service = await it.service('balises');
    await it.sql('update service set name = $1 where id = $2', [`Service ${payload(0)} ${payload(3)}`, 'balises']);
    await it.sql('update demarche set label_fr = $1 where service_id = $2', [`votre ${payload(1)}`, 'balises']);
    const { relais } = it.places;
    const aidant = new Walker();
    const idp = await aidant.open(`${relais}/connexion/proconnect?vers=/aidant`);
    await aidant.open(idp.url, { identity: 'karim' });
    const next = await it.demonstration.nextCode('karim@demonstration.example');
    it.advance(Math.max(0, (next?.from.getTime() ?? 0) - Date.now()) + 1000);
    keep(await aidant.send('second-factor', { code: next?.code ?? '' }));
    await aidant.open(`${relais}/aidant/mandats/nouveau`);
    await aidant.send('mandate-themes', { themes: ['logement'] });
    keep(await aidant.send('mandate-days', { days: '31' }));
    const consent = await aidant.send('mandate-consent');
    const signing = keep(await aidant.open(consent.url, person));
    assert.ok(signing.html.includes('onload=alert(1)&gt;'), 'the name is there, as words');
    keep(await aidant.open(`${signing.url.href.replace(/signer$/, 'texte')}`));
    await aidant.open(signing.url);
    const code = await it.demonstration.nextCode('karim@demonstration.example');
    it.advance(Math.max(0, (code?.from.getTime() ?? 0) - Date.now()) + 1000);
    const made = keep(await aidant.send('mandate-sign', { said_aloud: 'yes', code: code?.code ?? '' }));
    assert.match(made.url.pathname, /\/cree$/);
    const id = made.url.pathname.split('/').at(-2) ?? '';
    keep(await aidant.open(`${relais}/aidant/mandats/${id}`));
    await aidant.open(`${relais}/aidant`);
    keep(await aidant.send('filter', { q: payload(1) }));
    const request = await authorize(service, 'openid dlg:logement');
    keep(await aidant.open(request.url, undefined, service.redirectUri));
    keep(await aidant.send('pick-person', { person: id }));
    await aidant.send('confirm', {}, service.redirectUri);
    const usager = new Walker();
    const fc = await usager.open(`${relais}/connexion/franceconnect`);
    keep(await usager.open(fc.url, person));
    const entry = /usager\/entrees\/(\d+)/.exec(usager.page?.html ?? '')?.[1] ?? '';
    for (const path of [`/usager/entrees/${entry}`, `/usager/mandats/${id}`, `/usager/mandats/${id}/arreter`])
      keep(await usager.open(`${relais}${path}`));
    const agent = await signedInAidant(it, 'nora', 'Nora Lefèvre');
    await agent.open(`${relais}/administration`);
    keep(await agent.send('journal-query', { reason: payload(0), demarche: payload(1), session: payload(0), from: payload(1) }));
    keep(await agent.send('journal-query', { reason: `Contrôle ${payload(0)}` }));
    await usager.open(`${relais}/usager/mandats/${id}/arreter`);
    keep(await usager.send('stop-mandate'));
    keep(await usager.open(`${relais}/usager`));
    assert.ok(seen.length >= 15);
    for (const { html, url, headers } of seen) {
      assert.equal(url.origin, relais);
      assert.doesNotMatch(
        html,
        /<script(?! src="\/assets\/)|<img src=x|<svg\/|<svg onload|\son(error|load)=(?!&)[^&]*>|href="javascript:|>49/,
        `${url.pathname}`,
      );
      assert.doesNotMatch(headers.get('content-security-policy') ?? 'none', /script-src (?!'self'(;|$))|unsafe-inline/, url.pathname);
    }
  });
});
