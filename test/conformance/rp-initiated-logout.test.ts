import { Buffer } from 'node:buffer';
import { after, before, describe } from 'node:test';
import { SignJWT } from 'jose';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { basic, faults, get, makeKeys, post } from '../support/protocol.ts';
import { authorize, openWorld, type World } from '../support/world.ts';
import { arrive, type Reached, reachedService, redeemed, responseOf } from './service.ts';

/** `oidcc-rp-initiated-logout-certification-test-plan`: a person signs in alone, and her service sends her to sign out. */

const [kind] = databases();
if (!kind) throw new Error('no database to test on');

describe(`on ${kind.kind}`, () => {
  let it: World;
  let service: Reached;

  before(async () => {
    it = await openWorld(kind);
    service = await reachedService(it, 'plan-sortie');
  });
  after(async () => {
    await service?.close();
    await it?.close();
  });

  const module = (name: string, says: string, body: () => Promise<void>): void => {
    test(`P22 ${name}: ${says}`, { database: kind.kind }, body);
  };

  const signedIn = async () => {
    const walker = new Walker();
    const request = await authorize(service, 'openid given_name');
    await arrive(walker, request.url);
    return { walker, ...(await redeemed(it, service, request, responseOf(service, 'query'))) };
  };

  const active = async (token: string): Promise<unknown> =>
    (await post(`${it.app.site.issuer}/introspection`, { token }, { authorization: basic(service) })).json['active'];

  const BYE = (): string => `${service.origin}/plan-sortie/bye`;

  /** Sends the browser to the end of session and answers yes when it is asked; says where it stands and what the service saw. */
  const leave = async (walker: Walker, params: Readonly<Record<string, string>>) => {
    const seen = service.arrivals.length;
    const url = new URL(`${it.app.site.issuer}/session/end`);
    url.search = new URLSearchParams(params).toString();
    let page = await walker.open(url);
    const asked = page.html.includes('id="op.logoutForm"');
    if (asked) page = await walker.send('op.logoutForm', { logout: 'yes' });
    return { page, asked, byes: service.arrivals.slice(seen).filter(({ path }) => path.endsWith('/bye')) };
  };

  /** It must come back to the service with these parameters, and she is signed out. */
  const comesBack = async (more: Readonly<Record<string, string>>): Promise<void> => {
    const { walker, idToken, accessToken } = await signedIn();
    const { byes } = await leave(walker, { id_token_hint: idToken, post_logout_redirect_uri: BYE(), ...more });
    assert.deepEqual(
      byes.map(({ method, query }) => [method, Object.fromEntries(query)]),
      [['GET', more]],
    );
    assert.deepEqual(
      [await active(accessToken), (await get(`${it.app.site.issuer}/userinfo`, { authorization: `Bearer ${accessToken}` })).status],
      [false, 401],
    );
  };

  /** It must be refused on a page of ours: the service is not reached, and she stays signed in. */
  const isRefused = async (params: (idToken: string) => Promise<Record<string, string>> | Record<string, string>): Promise<void> => {
    const { walker, idToken, accessToken } = await signedIn();
    const { page, byes, asked } = await leave(walker, await params(idToken));
    assert.deepEqual([page.status, page.url.origin, byes.length, asked], [400, it.places.relais, 0, false], textOf(page).slice(0, 200));
    assert.equal(await active(accessToken), true);
  };

  /** A page of ours says that she is signed out; the service is not reached. */
  const saysSignedOut = async (params: (idToken: string) => Record<string, string>): Promise<void> => {
    const { walker, idToken, accessToken } = await signedIn();
    const { page, byes, asked } = await leave(walker, params(idToken));
    assert.deepEqual([page.status, page.url.origin, byes.length, asked], [200, it.places.relais, 0, true]);
    assert.match(textOf(page), /déconnecté/i);
    assert.equal(await active(accessToken), false);
  };

  module('oidcc-rp-initiated-logout-discovery-endpoint-verification', 'end_session_endpoint', async () => {
    const metadata = (await get(`${it.app.site.issuer}/.well-known/openid-configuration`)).json;
    assert.equal(metadata['end_session_endpoint'], `${it.app.site.issuer}/session/end`);
  });
  module('oidcc-rp-initiated-logout', 'back at the service with its state of 128 characters, signed out', () =>
    comesBack({ state: 'S'.repeat(128) }),
  );
  module('oidcc-rp-initiated-logout-no-state', 'back at the service without a state, signed out', () => comesBack({}));
  module('oidcc-rp-initiated-logout-bad-post-logout-redirect-uri', 'an error page, and nobody is sent anywhere', () =>
    isRefused((hint) => ({ id_token_hint: hint, post_logout_redirect_uri: `${service.origin}/ailleurs/bye`, state: 'x' })),
  );
  module('oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri', 'an error page, and nobody is sent anywhere', () =>
    isRefused((hint) => ({ id_token_hint: hint, post_logout_redirect_uri: `${BYE()}?foo=bar`, state: 'x' })),
  );
  module('oidcc-rp-initiated-logout-modified-id-token-hint', 'alg none: an error page, and nobody is sent anywhere', () =>
    isRefused((hint) => {
      const none = Buffer.from('{"alg":"none"}').toString('base64url');
      return { id_token_hint: `${none}.${hint.split('.')[1]}.`, post_logout_redirect_uri: BYE(), state: 'x' };
    }),
  );
  module('oidcc-rp-initiated-logout-bad-id-token-hint', 'signed by another: an error page, and nobody is sent anywhere', () =>
    isRefused(async (hint) => {
      const keys = await makeKeys();
      const claims = JSON.parse(Buffer.from(hint.split('.')[1] ?? '', 'base64url').toString()) as Record<string, unknown>;
      const forged = await new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: keys.thumbprint }).sign(keys.privateKey);
      return { id_token_hint: forged, post_logout_redirect_uri: BYE(), state: 'x' };
    }),
  );
  module('oidcc-rp-initiated-logout-no-id-token-hint', 'she is asked, told that she is signed out, and sent nowhere', () =>
    saysSignedOut(() => ({ post_logout_redirect_uri: BYE(), state: 'x' })),
  );
  module('oidcc-rp-initiated-logout-no-post-logout-redirect-uri', 'a page says that she is signed out', () =>
    saysSignedOut((hint) => ({ id_token_hint: hint, state: 'x' })),
  );
  module('oidcc-rp-initiated-logout-no-params', 'a page says that she is signed out', () => saysSignedOut(() => ({})));
  module('oidcc-rp-initiated-logout-only-state', 'a page says that she is signed out', () => saysSignedOut(() => ({ state: 'x' })));

  test('no fault of ours was logged meanwhile', { database: kind.kind }, () => {
    assert.deepEqual(faults(it), []);
  });
});
