import { confirmDelegation } from '../../src/practice/story.ts';
import { textOf, type Walker } from '../../src/practice/walker.ts';
import { agreed, entriesSince } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { actionEvent, faults, inEachWorld, introspect, report, sessionOf } from '../support/protocol.ts';
import { registrationOf, twoOperateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';
import { authorize, delegatedTokens, entriesOf, mandateByPages, redeem, signedInAidant, type TestService, type World } from '../support/world.ts';

/** A démarche may ask for a level, or for a sign-in of now: what a report of it is answered, and how a service goes on from there (RFC 9470). */
inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let service: TestService;

  const ready = async (): Promise<World> => {
    const it = world();
    if (service) return it;
    service = await it.service('guichet-palier');
    aidant = await signedInAidant(it);
    await mandateByPages(it, aidant, 'colette', ['logement', 'famille']);
    const [alice, marc] = await twoOperateurs(it);
    const now = await registrationOf(it.app, service.id);
    const more = { labelFr: 'votre dossier', labelEn: 'your file', themes: ['logement'], effect: 'declare' };
    const demarches = [
      ...now.demarches,
      { ...more, code: `${service.id}.frais`, maxAge: 300 },
      { ...more, code: `${service.id}.tres-frais`, maxAge: 120 },
      { ...more, code: `${service.id}.haut`, level: 'eidas2' },
    ];
    granted(await it.app.services.change({ ...now, demarches }, { askedBy: alice }));
    granted(await it.app.services.approve(service.id, marc));
    it.advance(1_500);
    return it;
  };

  const tell = (token: string, events: unknown) => report(`${world().places.relais}/api/v1/actions`, events, { authorization: `Bearer ${token}` });
  const act = (session: string, word: string) => actionEvent(service.id, session, { demarche: `${service.id}.${word}` });
  /** Of the acts that were kept since the start, those said to be outside the mandate, and those that another sign-in was needed for. */
  const kept = async (): Promise<{ outside: number; old: number }> => {
    const entries = await entriesSince(world(), 0);
    const said = (member: 'outsideMandate' | 'signInAgain') =>
      entries.filter(({ type, detail }) => type === 'action.reported' && (detail as Record<string, unknown>)[member] === true).length;
    return { outside: said('outsideMandate'), old: said('signInAgain') };
  };

  test('P24 an act that asks for a fresh sign-in is answered 401 with max_age, kept as done with too little, and taken after a new one', {
    database: kind,
  }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const session = sessionOf(claims);
    assert.equal((await tell(tokens.access_token, act(session, 'frais'))).status, 202, 'the sign-in is of now');
    it.advance(400_000);
    const said = await introspect(service, tokens.access_token);
    assert.ok(Date.now() / 1000 - Number(said['auth_time']) > 300, 'which the service could see');
    const [before, reported] = [await kept(), await entriesOf(it, 'action.reported')];
    const answer = await tell(tokens.access_token, act(session, 'frais'));
    assert.deepEqual(
      [answer.status, answer.json['code'], answer.json['max_age'], answer.json['acr_values']],
      [401, 'insufficient_authentication', 300, undefined],
      answer.text,
    );
    assert.equal(
      answer.headers.get('www-authenticate'),
      'Bearer error="insufficient_user_authentication", error_description="the demarche asks more of the sign-in", max_age="300"',
    );
    assert.equal(typeof (answer.json['receipt'] as { index?: unknown }).index, 'number', 'the person reads it');
    assert.deepEqual([await kept(), await entriesOf(it, 'action.reported')], [{ ...before, old: before.old + 1 }, reported + 1]);
    assert.equal((await tell(tokens.access_token, act(session, 'logement'))).status, 202, 'the token serves what asks for less');

    const request = await authorize(service, 'openid dlg:logement', { max_age: '300' });
    const upstream = await aidant.open(request.url, undefined, service.redirectUri);
    const factor = await aidant.open(upstream.url, { identity: 'karim' });
    assert.equal(factor.url.pathname, '/connexion/code');
    const back = await aidant.send('second-factor', { code: await it.code(it.places, 'Karim Benali') });
    const done = await confirmDelegation(aidant, back, 'Colette Martin', service.redirectUri);
    const fresh = await redeem(service, request, done.url);
    assert.equal((await tell(fresh.access_token, act(sessionOf(fresh.claims()), 'frais'))).status, 202);
    assert.deepEqual(await kept(), { ...before, old: before.old + 1 });
  });

  test('P24 a démarche asked for by name has the aidant sign in anew when it asks for that, and no other does', { database: kind }, async () => {
    const it = await ready();
    it.advance(400_000);
    const asking = async (word: string, more: Readonly<Record<string, string>> = {}) => {
      const details = [{ type: 'urn:relais:mandate:1', actions: ['logement'], demarche: `${service.id}.${word}` }];
      const request = await authorize(service, 'openid', { authorization_details: JSON.stringify(details), ...more });
      return (await aidant.open(request.url, undefined, service.redirectUri)).url.origin;
    };
    const proconnect = new URL(it.places.proconnect).origin;
    assert.deepEqual([await asking('logement'), await asking('frais')], [it.places.relais, proconnect]);
    assert.deepEqual(
      [await asking('frais', { max_age: '86400' }), await asking('logement', { max_age: '86400' }), await asking('logement', { max_age: '60' })],
      [proconnect, it.places.relais, proconnect],
      'a service may ask for less time, never for more',
    );
  });

  test('P24 an act above the level of the session is answered 401 with the level to ask for', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const before = await kept();
    const answer = await tell(tokens.access_token, act(sessionOf(claims), 'haut'));
    assert.deepEqual([answer.status, answer.json['acr_values']], [401, 'urn:relais:acr:delegated:eidas2'], answer.text);
    assert.match(answer.headers.get('www-authenticate') ?? '', /insufficient_user_authentication.*acr_values="urn:relais:acr:delegated:eidas2"$/);
    assert.deepEqual(await kept(), { ...before, old: before.old + 1 }, 'her mandate allows it: it is not said to be outside');
  });

  test('P24 M7 an act that is outside the mandate is that, whatever level it asks, and no sign-in is asked for it', { database: kind }, async () => {
    const it = await ready();
    await agreed(it, 'jean', ['logement'], 31, undefined, undefined, { demarches: [`${service.id}.logement`] });
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Jean Petit');
    const before = await kept();
    const answer = await tell(tokens.access_token, act(sessionOf(claims), 'haut'));
    assert.deepEqual([answer.status, answer.json['code'], answer.headers.get('www-authenticate')], [422, 'outside_mandate', null], answer.text);
    assert.deepEqual(await kept(), { ...before, outside: before.outside + 1 });
  });

  test('P24 a batch has one challenge, the strictest, and each act its own answer', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const session = sessionOf(claims);
    it.advance(400_000);
    const events = ['logement', 'frais', 'tres-frais', 'haut'].map((word) => act(session, word));
    const answer = await tell(tokens.access_token, events);
    const statuses = (answer.json['events'] as { status: number }[]).map(({ status }) => status);
    assert.deepEqual([answer.status, statuses], [207, [202, 401, 401, 401]], answer.text);
    assert.match(answer.headers.get('www-authenticate') ?? '', /acr_values="urn:relais:acr:delegated:eidas2", max_age="120"$/);
    const again = await tell(tokens.access_token, events);
    assert.deepEqual(again.json, answer.json, 'the same again is the same answer');
    const quiet = await tell(tokens.access_token, [act(session, 'logement')]);
    assert.deepEqual([quiet.status, quiet.headers.get('www-authenticate')], [202, null]);
  });

  test('P24 S3 a factor of ours makes the sign-in recent, in another browser session that ends no later; what was open goes on, and no level or login is won', {
    database: kind,
  }, async () => {
    const it = await ready();
    const aidant = await signedInAidant(it, 'courriel', 'Camille Courrier');
    const other = await it.service('guichet-palier-2');
    const beside = await delegatedTokens(it, aidant, other, 'Colette Martin');
    const browser = async () => {
      const [row] = await it.sql(
        `select w.hash, w.created_at, w.data->'signedIn' signed_in from web_session w join staff s on s.id = w.holder_id
           where s.email like 'courriel@%' and w.ended_at is null`,
      );
      assert.ok(row);
      return { hash: row['hash'], createdAt: row['created_at'], signedIn: row['signed_in'] as { at: number; upstream: number; acr: string } };
    };
    const was = await browser();
    it.advance(400_000);
    const asking = async (more: Readonly<Record<string, string>>) =>
      aidant.open((await authorize(service, 'openid dlg:logement', more)).url, undefined, service.redirectUri);
    const page = await asking({ max_age: '60' });
    assert.match(textOf(page), /Le site demande une preuve récente/);
    const wrong = await aidant.send('step-up', { code: '000000' });
    assert.equal(wrong.status, 422);
    assert.deepEqual((await browser()).signedIn, was.signedIn, 'a wrong code proves nothing');
    await asking({ max_age: '60' });
    const back = await aidant.send('step-up', { code: await it.code(it.places, 'Camille Courrier') });
    assert.match(back.url.pathname, /^\/interaction\//);
    const now = await browser();
    assert.ok(Date.now() - now.signedIn.at < 60_000 && now.signedIn.at > was.signedIn.at);
    assert.deepEqual([now.signedIn.upstream, now.signedIn.acr, now.createdAt], [was.signedIn.upstream, 'eidas1', new Date(was.signedIn.upstream)]);
    assert.notDeepEqual(now.hash, was.hash, 'under another id');
    const [former] = await it.sql('select ended_at from web_session where hash = $1', [was.hash]);
    assert.ok(former?.['ended_at'], 'the former is dead');
    assert.ok((await introspect(other, beside.tokens.access_token)).active, 'what is open elsewhere goes on');
    const [moved] = await it.sql('select web_session from delegated_session where id = $1', [sessionOf(beside.claims)]);
    assert.deepEqual(moved?.['web_session'], now.hash, 'and ends with this browser session');

    // ProConnect, whose own session still lives, answers at once; our factor is asked again behind it.
    const behind = '/connexion/code';
    assert.equal((await asking({ prompt: 'login' })).url.pathname, behind, 'that was no sign-in there');
    assert.notEqual((await asking({ max_age: '0', acr_values: 'urn:relais:acr:delegated:eidas2' })).url.pathname, '/aidant/securite/confirmer');
    await it.sql(`update web_session set data = jsonb_set(data, '{signedIn,acr}', '"eidas2"') where hash = $1`, [now.hash]);
    it.advance(400_000);
    assert.equal((await asking({ max_age: '60' })).url.pathname, behind, 'the higher level is ProConnect’s to ask for');
    await aidant.open(`${it.places.relais}/aidant/securite/confirmer?vers=/interaction/abcdefghijkl`);
    await aidant.send('step-up', { code: await it.code(it.places, 'Camille Courrier') });
    const last = await browser();
    assert.deepEqual([last.hash, last.signedIn.at], [now.hash, now.signedIn.at]);
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
