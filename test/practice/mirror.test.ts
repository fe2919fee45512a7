import { after, before, beforeEach } from 'node:test';
import { generateKeyPair } from 'jose';
import { ALLOWANCES } from '../../src/practice/allowances.ts';
import { type Mirror, startMirror } from '../../src/practice/mirror.ts';
import { TAXES } from '../../src/practice/taxes.ts';
import { assert, test } from '../support/check.ts';
import { Browser, type Page } from './browser.ts';
import { startStandIn } from './stand-in-relais.ts';

const SECRET = 'a-secret-drawn-by-relais-a-secret-drawn-by-relais';
let relais: Awaited<ReturnType<typeof startStandIn>>;
let allowances: Mirror;
let taxes: Mirror;
before(async () => {
  relais = await startStandIn();
  const common = { port: 0, relaisIssuer: relais.issuer, relaisOrigin: relais.origin, retryEveryMs: 200 };
  allowances = await startMirror(ALLOWANCES, common);
  taxes = await startMirror(TAXES, common);
  relais.register(allowances.clientMetadata, SECRET);
  relais.register(taxes.clientMetadata);
  allowances.useSecret(SECRET);
});
after(async () => {
  relais.close();
  await allowances.close();
  await taxes.close();
});
beforeEach(() => {
  Object.assign(relais.state, {
    alive: true,
    forgetActor: false,
    refuse: undefined,
    themes: ['logement'],
    privileges: ['read', 'declare', 'change'],
    reports: [],
  });
  relais.state.answer = { status: 202, body: { index: 4711, leaf: 'x', origin: 'stand-in' } };
});

const hidden = (page: Page, name: string): string => new RegExp(`name="${name}" value="([^"]+)"`).exec(page.html)?.[1] ?? assert.fail(`no ${name}`);
const text = (page: Page): string => page.html.replace(/<[^>]+>/g, ' ').replace(/\s+/g, ' ');
const acting = async (mirror = allowances, query = '?theme=logement') => {
  const browser = new Browser();
  const page = await browser.open(`${mirror.origin}/connexion/aidant${query}`);
  return { browser, page };
};
const filled = { adresse: '3 rue des Tilleuls', loyer: '420', personnes: '1' };
const fill = async (browser: Browser, values: Record<string, string> = filled) => {
  const page = await browser.open(`${allowances.origin}/demarches/aide-logement`);
  const fields = { _csrf: hidden(page, '_csrf'), _form: hidden(page, '_form'), ...values };
  return { page, fields, send: () => browser.open(`${allowances.origin}/demarches/aide-logement`, fields) };
};

test('the metadata is what must be registered', () => {
  const { clientMetadata: metadata } = allowances;
  assert.equal(metadata.token_endpoint_auth_method, 'client_secret_basic');
  assert.deepEqual(metadata.themes, ['famille', 'logement', 'social']);
  assert.deepEqual(
    metadata.demarches.map(({ code }) => code),
    ['allocations.aide-logement', 'allocations.paiements', 'allocations.changer-adresse'],
  );
  assert.equal(taxes.clientMetadata.token_endpoint_auth_method, 'private_key_jwt');
  assert.equal(taxes.clientMetadata.jwks?.keys.length, 1);
  assert.equal(JSON.stringify(taxes.clientMetadata).includes('"d"'), false, 'no private key leaves');
});

test('pages carry a strict policy, no inline style or script, and the home page offers both doors', async () => {
  for (const mirror of [allowances, taxes]) {
    const page = await new Browser().open(mirror.origin);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    assert.doesNotMatch(page.html, /<script|style=|<style/);
    assert.match(page.html, /Se connecter avec Relais/);
    assert.match(page.html, /Un aidant agit pour quelqu’un/);
    assert.equal(page.headers.get('cache-control'), 'no-store');
  }
});

test('somebody signs in for herself: no banner, no report', async () => {
  const browser = new Browser();
  const page = await browser.open(`${allowances.origin}/connexion`);
  assert.match(page.html, /Bonjour Colette Martin/);
  assert.doesNotMatch(page.html, /class="acting"/);
  const done = await (await fill(browser)).send();
  assert.match(done.html, /C’est envoyé/);
  assert.equal(relais.state.reports.length, 0);
});

test('an aidant acts: both ways of asking, both profiles, give the banner with organisation, person, theme and time', async () => {
  for (const query of ['?theme=logement', '?theme=logement&demande=details', '']) {
    const { page } = await acting(allowances, query);
    assert.match(text(page), /Un aidant de la structure Mairie de Thénac agit pour Colette Martin/, query);
    assert.match(text(page), /Logement · encore 30 minutes/);
  }
  relais.state.themes = ['argent'];
  for (const query of ['', '?theme=argent&demande=details'])
    assert.match(text((await acting(taxes, query)).page), /agit pour Colette Martin Argent, impôts/, query);
});

test('opening reports once; sending checks again, writes, reports, and shows number and receipt', async () => {
  const { browser } = await acting();
  await browser.open(`${allowances.origin}/demarches/aide-logement`);
  const form = await fill(browser);
  assert.deepEqual(
    relais.state.reports.map(({ body }) => (body['data'] as { verb: string }).verb),
    ['open'],
  );
  const done = await form.send();
  assert.equal(done.status, 200);
  const reference = /id="reference">([^<]+)/.exec(done.html)?.[1] ?? '';
  assert.match(reference, /^\d{4}-\d{5}$/);
  assert.match(text(done), /à la ligne 4711/);
  const report = relais.state.reports[1]?.body ?? assert.fail();
  assert.deepEqual(Object.keys(report).sort(), ['data', 'id', 'source', 'specversion', 'time', 'type']);
  assert.equal(report['source'], allowances.origin);
  assert.deepEqual(report['data'], {
    session: relais.lastSession(),
    outcome: 'success',
    verb: 'send',
    demarche: 'allocations.aide-logement',
    reference,
  });

  const again = await form.send();
  assert.equal(/id="reference">([^<]+)/.exec(again.html)?.[1], reference, 'the same form twice is one act');
  assert.equal(relais.state.reports.length, 2);
});

test('reading and changing carry their verbs; the fapi2 service reports with a DPoP token', async () => {
  const { browser } = await acting();
  assert.match((await browser.open(`${allowances.origin}/demarches/paiements`)).html, /187 euros/);
  const page = await browser.open(`${allowances.origin}/demarches/changer-adresse`);
  const fields = { _csrf: hidden(page, '_csrf'), _form: hidden(page, '_form'), 'nouvelle-adresse': '12 place de l’Église' };
  await browser.open(`${allowances.origin}/demarches/changer-adresse`, fields);
  assert.deepEqual(
    relais.state.reports.map(({ body }) => (body['data'] as { verb: string }).verb),
    ['read', 'open', 'change'],
  );
  assert.match((await browser.open(`${allowances.origin}/demarches/aide-logement`)).html, /12 place de l’Église/);
  assert.match(relais.state.reports[0]?.authorization ?? '', /^Bearer /);

  relais.state.themes = ['argent'];
  relais.state.reports = [];
  const tax = await acting(taxes, '');
  const form = await tax.browser.open(`${taxes.origin}/demarches/declaration`);
  const done = await tax.browser.open(`${taxes.origin}/demarches/declaration`, {
    _csrf: hidden(form, '_csrf'),
    _form: hidden(form, '_form'),
    pensions: '14200',
    autres: '0',
  });
  assert.match(text(done), /à la ligne 4711/);
  assert.match(relais.state.reports[1]?.authorization ?? '', /^DPoP /);
});

test('a mandate stopped meanwhile: nothing is written, the page says so, the session is over', async () => {
  const { browser } = await acting();
  const form = await fill(browser);
  relais.state.alive = false;
  const page = await form.send();
  assert.equal(page.status, 403);
  assert.match(text(page), /Ce mandat a été arrêté/);
  assert.match(text(page), /Rien n’a été transmis aux Allocations de démonstration/);
  assert.equal(relais.state.reports.length, 1, 'only the opening had been told');
  relais.state.alive = true;
  assert.match((await browser.open(allowances.origin)).html, /Se connecter avec Relais/);
});

test('a logout token ends the session by sid, answers 200, and the next page says since when', async () => {
  const { browser } = await acting();
  const form = await fill(browser);
  const sid = relais.lastSession();
  const other = await acting();
  assert.equal(await backChannel(await relais.logoutToken('allocations', sid)), 200);
  const page = await form.send();
  assert.match(text(page), /Ce mandat a été arrêté, ou la session est terminée, à \d\d.h.\d\d\./);
  assert.match((await other.browser.open(allowances.origin)).html, /agit pour/, 'another session goes on');
  assert.equal(allowances.received.at(-1)?.sid, sid);
});

const backChannel = async (token: string | undefined): Promise<number> =>
  (
    await fetch(`${allowances.origin}/deconnexion/relais`, {
      method: 'POST',
      body: new URLSearchParams(token === undefined ? {} : { logout_token: token }),
    })
  ).status;

test('every wrong logout token is refused with 400 and ends nothing', async () => {
  const { browser } = await acting();
  const stranger = (await generateKeyPair('ES256')).privateKey;
  const good = await relais.logoutToken('allocations', 'some-sid');
  const wrong: (string | undefined)[] = [
    undefined,
    'garbage',
    await relais.logoutToken('another', 'x'),
    await relais.logoutToken('allocations', 'x', { iss: 'https://another.example' }),
    await relais.logoutToken('allocations', 'x', { nonce: 'n' }),
    await relais.logoutToken('allocations', 'x', { events: {} }),
    await relais.logoutToken('allocations', 'x', { jti: '' }),
    await relais.logoutToken('allocations', 'x', { sid: undefined }),
    await relais.logoutToken('allocations', 'x', { iat: Math.floor(Date.now() / 1000) - 3600 }),
    await relais.logoutToken('allocations', 'x', {}, 'JWT'),
    await relais.logoutToken('allocations', 'x', {}, 'logout+jwt', stranger),
    `${good.split('.').slice(0, 2).join('.')}.`,
  ];
  for (const [at, token] of wrong.entries()) assert.equal(await backChannel(token), 400, `wrong token ${at}`);
  assert.equal(await backChannel(good), 200, 'an unknown sid has nothing to end');
  assert.equal(await backChannel(good), 400, 'the same token twice');
  assert.match((await browser.open(allowances.origin)).html, /agit pour/);
});

test('Arrêter leads to the logout of Relais with hint and state; the way back is answered once', async () => {
  const { browser, page } = await acting();
  const response = await browser.ask(`${allowances.origin}/arreter`, { _csrf: hidden(page, '_csrf') });
  const url = new URL(response.headers.get('location') ?? '');
  assert.equal(`${url.origin}${url.pathname}`, `${relais.issuer}/session/end`);
  assert.equal(url.searchParams.get('post_logout_redirect_uri'), `${allowances.origin}/au-revoir`);
  const state = url.searchParams.get('state') ?? '';
  assert.match((await browser.open(`${allowances.origin}/au-revoir?state=${state}`)).html, /C’est terminé/);
  assert.match((await browser.open(`${allowances.origin}/au-revoir?state=${state}`)).html, /Se connecter avec Relais/);
});

test('a form of one session is refused in another, never carried over to another person', async () => {
  const { browser } = await acting();
  const form = await fill(browser);
  await browser.open(`${allowances.origin}/connexion/aidant?theme=logement`);
  relais.state.reports = [];
  const page = await form.send();
  assert.equal(page.status, 403);
  assert.match(text(page), /appartenait à une autre session/);
  assert.equal(relais.state.reports.length, 0);
  assert.equal((await browser.open(`${allowances.origin}/arreter`, { _csrf: 'x' })).status, 403);
});

test('the answer must belong to this browser, this state and this demand', async () => {
  const browser = new Browser();
  const begun = await browser.ask(`${allowances.origin}/connexion/aidant?theme=logement`);
  const back = await browser.open(begun.headers.get('location') ?? '', undefined, `${allowances.origin}/retour`);
  assert.match((await new Browser().open(back.url)).html, /state_mismatch/, 'another browser');
  assert.match((await browser.open(`${allowances.origin}/retour?code=x&state=y&iss=${relais.issuer}`)).html, /state_mismatch/, 'another state');
  const iss = new URL(back.url);
  iss.searchParams.set('iss', 'https://another.example');
  assert.match((await browser.open(iss)).html, /Erreur/, 'another issuer');
  relais.state.forgetActor = true;
  assert.match((await acting()).page.html, /actor_missing/);
  relais.state.forgetActor = false;
  relais.state.themes = ['social'];
  assert.match((await acting()).page.html, /theme_not_asked/);
});

test('an error of Relais is a page that names it', async () => {
  relais.state.refuse = 'access_denied';
  const { page } = await acting();
  assert.equal(page.status, 403);
  assert.match(page.html, /La connexion a été refusée/);
  assert.match(page.html, /access_denied/);
  assert.match(page.html, /si un mandat couvre ce service/);
  const alone = await new Browser().open(`${allowances.origin}/connexion`);
  assert.equal(alone.status, 403);
  assert.match(alone.html, /Vous pouvez recommencer quand vous voulez/);
  assert.doesNotMatch(alone.html, /mandat/, 'who signs in for herself has none to look at');
});

test('initiated from Relais: the hint and theme are passed on; another issuer or theme is refused', async () => {
  relais.state.hints = [];
  const at = (query: string) => new Browser().open(`${allowances.origin}/connexion/relais?${query}`);
  const iss = encodeURIComponent(relais.issuer);
  assert.match((await at(`iss=${iss}&login_hint=the-hint&theme=logement`)).html, /agit pour Colette Martin/);
  assert.deepEqual(relais.state.hints, ['the-hint']);
  assert.match((await at('iss=https://another.example&login_hint=h')).html, /unknown_issuer/);
  assert.match((await at(`iss=${iss}&theme=argent`)).html, /unknown_theme/);
});

test('a démarche outside the mandate is neither offered nor opened', async () => {
  relais.state.privileges = ['read'];
  const { browser, page } = await acting();
  assert.match(text(page), /Le mandat ne permet pas cette démarche/);
  assert.match((await browser.open(`${allowances.origin}/demarches/aide-logement`)).html, /not_covered/);
  assert.equal(relais.state.reports.length, 0);
});

test('a wrong form keeps what was written and says what to correct', async () => {
  const { browser } = await acting();
  const page = await (await fill(browser, { adresse: '"><script>alert(1)</script>', loyer: 'cher', personnes: '' })).send();
  assert.equal(page.status, 422);
  assert.match(page.html, /<title>Erreur : /);
  assert.match(page.html, /Écrivez le loyer en euros/);
  assert.doesNotMatch(page.html, /<script/);
  assert.match(page.html, /value="cher"/);
});

test('a mandate that ends between the check and the report: the act is told under the service’s own name', async () => {
  const { browser } = await acting();
  const form = await fill(browser);
  relais.state.dead = relais.state.reports[0]?.authorization ?? '';
  const done = await form.send();
  relais.state.dead = '';
  assert.match(text(done), /à la ligne 4711/);
  assert.equal(relais.state.reports.length, 2);
  assert.notEqual(relais.state.reports[1]?.authorization, relais.state.reports[0]?.authorization);
});

test('a report that Relais does not answer is kept and said again, once, in the same words', async () => {
  const { browser } = await acting();
  const form = await fill(browser);
  relais.state.answer = { status: 503, body: {} };
  assert.match((await form.send()).html, /Le compte rendu partira dès qu’il répondra/);
  relais.state.reports = [];
  relais.state.answer = { status: 202, body: { index: 4712 } };
  await new Promise((resolve) => setTimeout(resolve, 900));
  assert.equal(relais.state.reports.length, 1);
});

test('a report that is refused is told to the aidant; without a report a démarche does not open', async () => {
  const { browser } = await acting();
  const form = await fill(browser);
  relais.state.answer = { status: 409, body: { type: 'about:blank', code: 'other_body' } };
  assert.match((await form.send()).html, /Relais a refusé le compte rendu.*other_body/);
  const next = await acting();
  assert.match((await next.browser.open(`${allowances.origin}/demarches/paiements`)).html, /Cette démarche ne peut pas être ouverte/);
});

test('when Relais is silent: sign-in and sending say so, and nothing is sent', async () => {
  const alone = await startMirror(ALLOWANCES, {
    port: 0,
    relaisIssuer: 'http://localhost:9/oidc',
    relaisOrigin: 'http://localhost:9',
    credentials: { secret: SECRET },
  });
  const page = await new Browser().open(`${alone.origin}/connexion`, undefined, 'http://nowhere/');
  assert.equal(page.status, 503);
  assert.match(page.html, /Relais ne répond pas/);
  const token = await fetch(`${alone.origin}/deconnexion/relais`, { method: 'POST', body: new URLSearchParams({ logout_token: 'x' }) });
  assert.equal(token.status, 503, 'so that Relais tries again');
  await alone.close();
});
