import { base32, stepAt } from '../../src/aidants/code.ts';
import { totp } from '../../src/kernel/crypto.ts';
import { confirmDelegation, signMandate } from '../../src/practice/story.ts';
import { type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { eventOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { beginByPages, codeOf, keyOn } from '../support/enrol.ts';
import { basic, faults, inEachWorld, post } from '../support/protocol.ts';
import { dumpOf, writingsOf } from '../support/state.ts';
import { authorize, redeem, signedInAidant, type World } from '../support/world.ts';

/** People whose names nobody else has: whatever leaks is theirs. */
const PERSON = {
  saisie: 'oui',
  given_name: 'Zwobelline Ykxaria',
  family_name: 'Qanarivoix',
  preferred_username: 'Wuzanari-Dupuits',
  birthdate: '1947-03-29',
  gender: 'female',
  birthplace: '17444',
  birthcountry: '99100',
} as const;
const AIDANT = { givenName: 'Vqanaridant', familyName: 'Xylozkanari', email: 'kqanari.aidant@zzcanari.example' } as const;
const REASON = 'Kqanarimotif demandé par la personne';
const REFERENCE = 'QKREF-77813-ZW';
const CANARIES = [
  'Zwobelline',
  'Ykxaria',
  'Qanarivoix',
  'Wuzanari',
  '1947-03-29',
  '29/03/1947',
  'Vqanaridant',
  'Xylozkanari',
  'kqanari.aidant',
  'zzcanari',
  'Kqanarimotif',
  REFERENCE,
] as const;

/** A browser that remembers every address it was given: its own requests, the redirects, the links and forms of the pages. */
class Watched extends Walker {
  readonly urls: { readonly from: string; readonly url: string }[] = [];
  readonly secrets = new Set<string>();

  override async ask(...given: Parameters<Walker['ask']>): Promise<Response> {
    const target = new URL(given[0]);
    this.urls.push({ from: 'request', url: target.href });
    const answer = await super.ask(...given);
    const location = answer.headers.get('location');
    if (location) this.urls.push({ from: target.pathname, url: new URL(location, target).href });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      // The library's two interaction cookies hold the id that stands in the address; what makes them worth something is their signature.
      if (value.length >= 16 && !/interaction$|resume$/.test(name)) this.secrets.add(value);
    }
    return answer;
  }

  override async open(...given: Parameters<Walker['open']>): Promise<Page> {
    const page = await super.open(...given);
    for (const [, url = ''] of page.html.matchAll(/(?:href|src|action)="([^"]*)"/g))
      this.urls.push({ from: page.url.pathname, url: new URL(url.replaceAll('&amp;', '&') || '/', page.url).href });
    for (const [, value = ''] of page.html.matchAll(/name="_csrf" value="([^"]+)"/g)) this.secrets.add(value);
    return page;
  }
}

interface Told {
  readonly walkers: readonly Watched[];
  /** Named, so that a failure says what leaked and not its value. */
  readonly secrets: ReadonlyMap<string, string>;
  readonly codes: readonly string[];
  readonly answers: readonly string[];
}

/** The whole life of a mandate, errors included, for people who are canaries. */
const story = async (it: World): Promise<Told> => {
  const { relais } = it.places;
  const [aidant, usager, agent] = [new Watched(), new Watched(), new Watched()];
  const secrets = new Map<string, string>();
  const codes: string[] = [];
  const answers: string[] = [];
  const organisation = (await it.app.organisations.list()).find(({ name }) => name.includes('Thénac'));
  const invited = await it.app.aidants.invite(
    { ...AIDANT, organisationId: organisation?.id ?? '', referent: false, actor: 'test' },
    (tx, { token }) =>
      it.app.deliveries.queue(tx, 'mail', {
        about: { template: 'enrolment' },
        to: AIDANT.email,
        subject: 'Relais',
        text: `Bonjour ${AIDANT.givenName}, ${relais}/inscription/${token}`,
      }),
  );
  if ('refused' in invited) throw new Error(invited.refused);
  secrets.set('link', invited.token);
  it.app.site.nudgeDeliveries();
  const account = {
    saisie: 'oui',
    given_name: AIDANT.givenName,
    usual_name: AIDANT.familyName,
    email: AIDANT.email,
    siret: '21170444000018',
  };
  const key = keyOn(await beginByPages(it, aidant, invited.token, account));
  if (!key) throw new Error('no key');
  secrets.set('seed', base32(key)).set('seed in bytes', key.toString('hex'));
  const code = async (): Promise<string> => {
    it.advance(31_000);
    const now = totp(key, stepAt(new Date()));
    codes.push(now);
    return now;
  };
  await aidant.send('enrolment-confirm', { code: codeOf(key, 5) });
  await aidant.send('enrolment-confirm', { code: await code() });
  const idp = await aidant.open(`${relais}/connexion/proconnect?vers=/aidant`);
  await aidant.open(idp.url, account);
  await aidant.send('second-factor', { code: '000000' });
  const home = await aidant.send('second-factor', { code: await code() });
  assert.match(textOf(home), /Xylozkanari/, 'the aidant is in');

  await aidant.open(`${relais}/aidant/mandats/nouveau`);
  await aidant.send('mandate-themes', { themes: ['logement', 'famille'] });
  await aidant.send('mandate-days', { days: '31' });
  const consent = await aidant.send('mandate-consent');
  assert.match(textOf(await aidant.open(consent.url, PERSON)), /Wuzanari-Dupuits/, 'the person is there');
  await signMandate(aidant, it.places, 'x', code);
  const mandate = /\/aidant\/mandats\/(man_[a-z0-9]+)\/cree/.exec(aidant.page?.url.pathname ?? '')?.[1] ?? '';
  assert.ok(mandate);
  await aidant.open(`${relais}/aidant/mandats/${mandate}`);
  const listed = await aidant.open(`${relais}/aidant`);
  if (listed.html.includes('id="filter"')) assert.match(textOf(await aidant.send('filter', { q: 'Qanarivoix' })), /Wuzanari|Aucun/);

  const service = await it.service('canaris', { scopes: ['given_name', 'family_name', 'birthdate', 'preferred_username'] });
  secrets.set('client secret', service.secret);
  const request = await authorize(service, 'openid given_name family_name birthdate dlg:logement');
  const picking = await aidant.open(request.url, undefined, service.redirectUri);
  if (picking.html.includes('id="filter"')) await aidant.send('filter', { q: 'wuzanari' });
  const callback = await confirmDelegation(aidant, await aidant.open(new URL(picking.url.pathname, relais)), 'Wuzanari-Dupuits', service.redirectUri);
  secrets.set('authorization code', callback.url.searchParams.get('code') ?? '');
  const tokens = await redeem(service, request, callback.url);
  secrets
    .set('access token', tokens.access_token)
    .set('id token', tokens.id_token ?? '')
    .set('code verifier', request.verifier);
  const told = JSON.stringify(tokens.claims());
  assert.ok(!told.includes('1947'), 'the id_token keeps the identity for userinfo');
  const session = String((tokens.claims()?.['authorization_details'] as { session: string }[] | undefined)?.[0]?.session);
  const bearer = { authorization: `Bearer ${tokens.access_token}` };
  const userinfo = await (await fetch(`${relais}/oidc/userinfo`, { headers: bearer })).text();
  assert.match(userinfo, /Qanarivoix/);
  const report = await fetch(`${relais}/api/v1/actions`, {
    method: 'POST',
    headers: { ...bearer, 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify(eventOf(service, session, 'evt-canari-1', { reference: REFERENCE })),
  });
  assert.equal(report.status, 202, await report.text());

  // What goes wrong, with the same names and secrets in hand.
  const wrong = async (answer: Promise<Response | { readonly text: string }>): Promise<void> => {
    const given = await answer;
    answers.push(typeof given.text === 'string' ? given.text : await given.text());
  };
  const bad = new Watched();
  await wrong(
    post(
      `${relais}/oidc/token`,
      { grant_type: 'authorization_code', code: 'x', redirect_uri: service.redirectUri, code_verifier: request.verifier },
      { authorization: basic(service) },
    ),
  );
  await wrong(post(`${relais}/oidc/token`, { grant_type: 'authorization_code', code: 'x' }, { authorization: `Basic ${btoa('canaris:wrong')}` }));
  await wrong(post(`${relais}/oidc/introspection`, { token: tokens.access_token }, { authorization: `Basic ${btoa('nobody:wrong')}` }));
  await wrong(
    bad.ask(
      `${relais}/oidc/auth?client_id=canaris&redirect_uri=${encodeURIComponent('https://elsewhere.example/')}&login_hint=${PERSON.family_name}`,
    ),
  );
  await wrong(bad.ask(`${relais}/usager/entrees/${PERSON.family_name}`));
  await wrong(bad.ask(`${relais}/inscription/${AIDANT.familyName}`));
  await wrong(bad.ask(`${relais}/connexion/proconnect/retour?code=${secrets.get('access token')}&state=${PERSON.family_name}`));
  await wrong(aidant.ask(`${relais}/aidant/mandats/nouveau`, { _csrf: PERSON.family_name, themes: PERSON.given_name }));
  await wrong(
    fetch(`${relais}/api/v1/actions`, {
      method: 'POST',
      headers: { ...bearer, 'content-type': 'application/cloudevents+json' },
      body: JSON.stringify({ id: PERSON.family_name }),
    }),
  );
  await wrong(
    fetch(`${relais}/api/v1/actions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${PERSON.family_name}`, 'content-type': 'application/cloudevents+json' },
      body: '{}',
    }),
  );
  await wrong(fetch(`${relais}/api/v1/${PERSON.family_name}`));

  const fc = await usager.open(`${relais}/connexion/franceconnect`);
  assert.match(textOf(await usager.open(fc.url, PERSON)), /Wuzanari-Dupuits/);
  const [, entry = ''] = /usager\/entrees\/(\d+)/.exec(usager.page?.html ?? '') ?? [];
  await usager.open(`${relais}/usager/entrees/${entry}`);
  await usager.open(`${relais}/usager/mandats/${mandate}`);
  const agentIn = await signedInAidant(it, 'nora', 'Nora Lefèvre');
  for (const [name, cookie] of agentIn.cookies) agent.cookies.set(name, cookie);
  await agent.open(`${relais}/administration`);
  await agent.send('journal-query', { reason: REASON });
  await usager.open(`${relais}/usager/mandats/${mandate}/arreter`);
  await usager.send('stop-mandate');
  assert.match(usager.page?.url.pathname ?? '', /arrete$/, `she stopped it: ${usager.page?.url.pathname}`);
  await it.app.deliveries.work();
  const replay = await post(`${relais}/oidc/introspection`, { token: tokens.access_token }, { authorization: basic(service) });
  assert.deepEqual(replay.json, { active: false });
  await usager.open(`${relais}/usager`);
  for (const walker of [aidant, usager, agent]) {
    await walker.open(`${relais}/${walker === usager ? 'usager' : walker === agent ? 'administration' : 'aidant'}`);
    await walker.send('sign-out');
  }
  const { keys, proconnect, franceconnect } = it.demonstration.config;
  secrets.set('ProConnect secret', proconnect.clientSecret.reveal()).set('FranceConnect secret', franceconnect.clientSecret.reveal());
  for (const name of ['cookies', 'pairwise', 'payload-kek', 'journal-mac', 'totp-kek', 'dpop-nonce'] as const) {
    secrets.set(`key ${name}`, keys.raw(name).reveal().toString('base64url'));
    secrets.set(`key ${name} in hexadecimal`, keys.raw(name).reveal().toString('hex'));
  }
  let n = 0;
  for (const walker of [aidant, usager, agent]) for (const value of walker.secrets) secrets.set(`cookie or form token ${n++}`, value);
  return { walkers: [aidant, usager, agent, bad], secrets, codes, answers };
};

/** Where a text is found, however it is written there. */
const foundIn = (text: string, haystack: string): boolean => {
  const small = haystack.toLowerCase();
  return (
    writingsOf(text).some((written) => (/^[0-9a-f]+$/.test(written) ? small.includes(written.toLowerCase()) : haystack.includes(written))) ||
    small.includes(text.toLowerCase())
  );
};

inEachWorld(({ world, kind }) => {
  let told: Told | undefined;
  const printed: string[] = [];
  const lived = async (): Promise<Told> => {
    if (told) return told;
    const real = { ...console };
    for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const)
      console[level] = (...given) => void printed.push(given.map(String).join(' '));
    try {
      told = await story(world());
    } finally {
      Object.assign(console, real);
    }
    return told;
  };
  const logOf = (): string =>
    `${world()
      .logged.map(({ line }) => JSON.stringify(line))
      .join('\n')}\n${printed.join('\n')}`;

  test('V1 nobody’s name, birth date, address or words stand in the logs, in an address, in an error, or in a table that has no business with them', {
    database: kind,
    atLeast: 60,
  }, async () => {
    const { walkers, answers } = await lived();
    const log = logOf();
    assert.ok(log.length > 2000, 'there is a log to read');
    const urls = walkers.flatMap((walker) => walker.urls);
    // The three that this test itself made with a name in them are the attack, not the leak.
    const ours = urls.filter(
      ({ from, url }) =>
        from !== 'request' || !CANARIES.some((name) => url.includes(name) && /oidc\/auth|entrees\/Q|inscription\/X|retour\?/.test(url)),
    );
    assert.ok(ours.length > 100, 'there are addresses to read');
    const dump = await dumpOf(world(), ['public.usager', 'public.staff']);
    for (const canary of CANARIES) {
      assert.equal(foundIn(canary, log), false, `${canary} in the log`);
      const url = ours.find((each) => foundIn(canary, each.url));
      assert.equal(url, undefined, `${canary} in an address`);
      assert.equal(
        answers.some((answer) => foundIn(canary, answer)),
        false,
        `${canary} in an error`,
      );
      const row = dump.find((each) => foundIn(canary, each.row));
      assert.equal(row, undefined, `${canary} in ${row?.table}`);
    }
    for (const table of ['journal.leaf', 'journal.projection', 'journal.checkpoint', 'public.oidc_artefact', 'public.delivery', 'public.web_session'])
      assert.ok(
        dump.some((each) => each.table === table),
        `${table} was read`,
      );
    const people = await dumpOf(world());
    assert.ok(
      people.some(({ table, row }) => table === 'public.usager' && row.includes('Qanarivoix')),
      'the search finds what is there',
    );
  });

  test('V2 no code, token, secret, cookie, form token or key stands in the logs, nor in clear in the database', {
    database: kind,
    atLeast: 60,
  }, async () => {
    const { secrets, codes, answers } = await lived();
    const log = logOf();
    const dump = await dumpOf(world());
    assert.ok(secrets.size > 25 && codes.length >= 3);
    for (const [name, secret] of secrets) {
      assert.ok(secret.length >= 16, `${name} is long enough to be looked for`);
      assert.equal(foundIn(secret, log), false, `${name} in the log`);
      assert.equal(
        answers.some((answer) => answer.includes(secret)),
        false,
        `${name} in an error`,
      );
      const row = dump.find((each) => foundIn(secret, each.row));
      assert.equal(row, undefined, `${name} in ${row?.table}: ${row?.row.slice(0, 300)}`);
    }
    // Six digits are also a part of many numbers: only a code that stands alone counts.
    for (const code of codes) {
      const alone = new RegExp(`(?<![0-9a-zA-Z.+_-])${code}(?![0-9a-zA-Z_-])`);
      assert.doesNotMatch(log, alone, 'a one-time code in the log');
      assert.equal(dump.find(({ row }) => alone.test(row))?.table, undefined, 'a one-time code in the database');
    }
    assert.deepEqual(faults(world()), []);
  });

  test('V2 while things are under way as well: a link being used, a code not yet redeemed, a request pushed', { database: kind }, async () => {
    const it = world();
    const [lea] = await it.app.aidants.findByEmail('aidant', 'lea@demonstration.example');
    const invited = await it.app.aidants.reinvite(lea?.id ?? '');
    if (!('token' in invited)) throw new Error(invited.refused);
    const walker = new Watched();
    await walker.open(`${it.places.relais}/inscription/${invited.token}`);
    await walker.send('enrolment-start'); // on her way to ProConnect
    const service = await it.service('canaris-en-cours');
    const aidant = await signedInAidant(it);
    const request = await authorize(service, 'openid dlg:logement');
    const page = await confirmDelegation(aidant, await aidant.open(request.url, undefined, service.redirectUri), 'Jean Petit', service.redirectUri);
    const cookies = [...aidant.cookies.values()].filter(({ host }) => host === 'localhost').map(({ value }) => value);
    const values = cookies
      .filter((pair) => /^relais_(session|op)(\.sig)?=|^relais_\w+\.sig=/.test(pair))
      .map((pair) => pair.slice(pair.indexOf('=') + 1));
    assert.ok(values.length >= 3);
    const pushed = await post(
      `${it.app.site.issuer}/par`,
      {
        client_id: service.id,
        redirect_uri: service.redirectUri,
        response_type: 'code',
        scope: 'openid',
        code_challenge: 'a'.repeat(43),
        code_challenge_method: 'S256',
      },
      { authorization: basic(service) },
    );
    const uri = String(pushed.json['request_uri']).split(':').at(-1) ?? '';
    assert.ok(uri.length > 20, pushed.text);
    const dump = await dumpOf(it);
    for (const [name, secret] of [
      ['link', invited.token],
      ['authorization code', page.url.searchParams.get('code') ?? ''],
      ['pushed request', uri],
      ...values.map((value) => ['cookie', value] as const),
      ...[...walker.secrets].map((value) => ['cookie or form token', value] as const),
    ] as const) {
      assert.ok(secret.length >= 16, name);
      const row = dump.find((each) => foundIn(secret, each.row));
      assert.equal(row, undefined, `${name} in ${row?.table}: ${row?.row.slice(0, 600)}`);
    }
  });
});
