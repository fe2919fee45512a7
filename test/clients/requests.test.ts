import { after, before } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import type { Walker } from '../../src/practice/walker.ts';
import { ownToken, sessionOf } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { printed } from '../support/integration.ts';
import { basic, endOf, post, report } from '../support/protocol.ts';
import { delegatedTokens, mandateByPages, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

/** What docs/integrate.md says in words about introspection, reports and a fresher sign-in, asked as it says. */

const [pglite] = databases();
let world: World;
let service: TestService;
let aidant: Walker;
before(async () => {
  if (!pglite) throw new Error('no database');
  world = await openWorld(pglite);
  service = await world.service('mon-service', {
    themes: ['logement'],
    demarches: [{ code: 'mon-service.demande', label_fr: 'votre demande', label_en: 'your request', themes: ['logement'], effect: 'declare' }],
  });
  aidant = await signedInAidant(world);
  await mandateByPages(world, aidant, 'colette', ['logement'], '1');
});
after(() => world?.close());

const opened = async () => {
  const { tokens, claims } = await delegatedTokens(world, aidant, service, 'Colette Martin');
  return { token: tokens.access_token, session: sessionOf(claims), claims };
};
const introspection = (token: string, accept: string) =>
  post(`${world.app.site.issuer}/introspection`, { token }, { authorization: basic(service), accept });

test('P20 introspection says what the ID token says, signed when it is asked so, for the service alone', { database: 'pglite' }, async () => {
  const { token, session, claims } = await opened();
  const plain = await introspection(token, 'application/json');
  for (const member of ['act', 'acr', 'auth_time', 'authorization_details', 'journal'])
    assert.deepEqual(plain.json[member], claims?.[member], member);
  assert.deepEqual([plain.json['active'], plain.json['session']], [true, session]);
  const signed = await introspection(token, 'application/token-introspection+jwt');
  const keys = createRemoteJWKSet(new URL(`${world.app.site.issuer}/jwks`));
  const { payload } = await jwtVerify(signed.text, keys, { issuer: world.app.site.issuer, audience: service.id, typ: 'token-introspection+jwt' });
  assert.deepEqual(payload['token_introspection'], plain.json);
});

test('J11 the event that docs/integrate.md prints is recorded once, whoever sends it again, alone or in a batch', {
  database: 'pglite',
}, async () => {
  const { token, session } = await opened();
  const event = JSON.parse(printed('cloudevent')) as { time: string; data: { session: string } };
  event.time = new Date().toISOString();
  event.data.session = session;
  const url = `${world.places.relais}/api/v1/actions`;
  const first = await report(url, event, { authorization: `Bearer ${token}` });
  assert.equal(first.status, 202, first.text);
  assert.deepEqual(Object.keys(first.json).sort(), ['index', 'leaf', 'origin']);
  const own = `Bearer ${await ownToken(service)}`;
  assert.deepEqual((await report(url, event, { authorization: own })).json, first.json, 'the same receipt');
  assert.equal(
    (await report(url, { ...event, time: new Date(Date.parse(event.time) - 1).toISOString() }, { authorization: own })).json['code'],
    'event_differs',
  );
  const batch = await report(url, [event, { ...event, id: 'evt-78', data: { ...event.data, session: `dls_${'0'.repeat(26)}` } }], {
    authorization: own,
  });
  assert.equal(batch.status, 207, batch.text);
  const events = batch.json['events'] as { status: number; receipt?: unknown }[];
  assert.deepEqual(events[0], { status: 202, receipt: first.json });
  assert.ok((events[1]?.status ?? 0) >= 400 && events[1]?.receipt === undefined);
  const [rows] = await world.sql('select count(*)::int n from action where session_id = $1', [session]);
  assert.equal(rows?.['n'], 1);
});

test('P24 a session asked again replaces the former one', { database: 'pglite' }, async () => {
  const former = await opened();
  const again = await opened();
  assert.notEqual(again.session, former.session);
  assert.deepEqual([await endOf(world, former.session), await endOf(world, again.session)], ['superseded', 'live']);
  assert.deepEqual((await introspection(former.token, 'application/json')).json, { active: false });
});
