import { after, before, describe } from 'node:test';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { faults, get } from '../support/protocol.ts';
import { actFor, authorize, mandateByPages, openWorld, signedInAidant, type World } from '../support/world.ts';
import { type Arrival, arrive, jwksOf, type Reached, reachedService, redeemed, responseOf } from './service.ts';

/** `oidcc-backchannel-rp-initiated-logout-certification-test-plan`, for a person alone and for an aidant who acts. */

const [kind] = databases();
if (!kind) throw new Error('no database to test on');

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

describe(`on ${kind.kind}`, () => {
  let it: World;
  let service: Reached;

  before(async () => {
    it = await openWorld(kind);
    service = await reachedService(it, 'plan-annonce', { delegation: true });
  });
  after(async () => {
    await service?.close();
    await it?.close();
  });

  const arrived = async (path: string, since: number): Promise<Arrival[]> => {
    const found = () => service.arrivals.slice(since).filter((each) => each.path.endsWith(path));
    for (let tries = 0; tries < 100 && found().length === 0; tries++) await new Promise((resume) => setTimeout(resume, 50));
    return found();
  };

  /** Signs out at the service's demand; asserts what comes by the front and what comes by the back. */
  const leaves = async (walker: Walker, idToken: string, sid: unknown, sub: string | undefined): Promise<void> => {
    const since = service.arrivals.length;
    const url = new URL(`${it.app.site.issuer}/session/end`);
    const state = 'S'.repeat(128);
    url.search = new URLSearchParams({ id_token_hint: idToken, post_logout_redirect_uri: `${service.origin}/plan-annonce/bye`, state }).toString();
    await walker.open(url);
    await walker.send('op.logoutForm', { logout: 'yes' });
    assert.deepEqual(
      (await arrived('/bye', since)).map(({ query }) => Object.fromEntries(query)),
      [{ state }],
    );
    const [call, ...more] = await arrived('/logout', since);
    assert.deepEqual([call?.method, more.length], ['POST', 0]);
    assert.match(call?.type ?? '', /^application\/x-www-form-urlencoded/);
    assert.deepEqual([...(call?.body.keys() ?? [])], ['logout_token']);
    const token = call?.body.get('logout_token') ?? '';
    assert.equal(decodeProtectedHeader(token).alg, 'ES256', 'the algorithm of the id_token');
    const { payload } = await jwtVerify(token, await jwksOf(it), { issuer: it.app.site.issuer, audience: service.id, typ: 'logout+jwt' });
    const now = Date.now() / 1000;
    assert.ok(payload.iat && payload.iat <= now + 5 && payload.exp && payload.exp > now && payload.exp - payload.iat <= 120 && payload.jti);
    assert.deepEqual(payload['events'], { [EVENT]: {} });
    assert.deepEqual([payload['sid'], payload.sub, Object.hasOwn(payload, 'nonce')], [sid, sub, false]);
  };

  test('P22 oidcc-backchannel-logout-discovery-endpoint-verification: both members are true, and end_session_endpoint is there', {
    database: kind.kind,
  }, async () => {
    const metadata = (await get(`${it.app.site.issuer}/.well-known/openid-configuration`)).json;
    assert.deepEqual([metadata['backchannel_logout_supported'], metadata['backchannel_logout_session_supported']], [true, true]);
    assert.equal(metadata['end_session_endpoint'], `${it.app.site.issuer}/session/end`);
  });

  test('P22 oidcc-backchannel-rp-initiated-logout: of a person alone, sid and sub of her id_token', { database: kind.kind }, async () => {
    const walker = new Walker();
    const request = await authorize(service, 'openid given_name');
    await arrive(walker, request.url);
    const { idToken, claims } = await redeemed(it, service, request, responseOf(service, 'query'));
    assert.equal(typeof claims['sid'], 'string');
    await leaves(walker, idToken, claims['sid'], claims.sub);
  });

  test('P22 oidcc-backchannel-rp-initiated-logout: of an aidant who acts, sid alone, since sub is somebody who is not there', {
    database: kind.kind,
  }, async () => {
    const walker = await signedInAidant(it);
    await mandateByPages(it, walker, 'colette', ['logement']);
    const request = await authorize(service, 'openid given_name dlg:logement');
    const page = await actFor(walker, service, request, 'Colette Martin');
    const { idToken, claims } = await redeemed(it, service, request, page.url.searchParams);
    await leaves(walker, idToken, claims['sid'], undefined);
  });

  test('no fault of ours was logged meanwhile', { database: kind.kind }, () => {
    assert.deepEqual(faults(it), []);
  });
});
