import { decodeJwt } from 'jose';
import { startFrontFranceConnect } from '../../src/practice/front-franceconnect.ts';
import { ensureService } from '../../src/practice/seed.ts';
import { Walker as Browser, type Walker } from '../../src/practice/walker.ts';
import { agreed } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import {
  assertion,
  basic,
  dpopNonce,
  type FapiService,
  fapiService,
  faults,
  inEachWorld,
  post,
  proof,
  push,
  redemption,
} from '../support/protocol.ts';
import { actFor, authorize, entriesOf, redeem, signedInAidant, type TestService, type World } from '../support/world.ts';

/** What each profile tries of the others': a service is what was registered, whatever it sends. */
inEachWorld(({ world, kind }) => {
  const on = { database: kind };
  const title = (text: string): string => `${text} (${kind})`;
  const OWN = ['actions:write', 'mandates:check', 'ssf.manage', 'ssf.read'];
  const CALLBACK = 'http://localhost:9/front/retour';
  let front: { id: string; secret: string };
  let standard: TestService;
  let fapi: FapiService;
  let karim: Walker;

  const ready = async (): Promise<World> => {
    const it = world();
    if (karim) return it;
    const made = await startFrontFranceConnect({ port: 0, relaisIssuer: it.app.site.issuer });
    await made.close();
    const metadata = { ...made.metadata, redirect_uris: [CALLBACK] };
    front = { id: metadata.id, secret: (await ensureService(it.app, metadata, 'Impôts de démonstration', false)) ?? '' };
    standard = await it.service('ordinaire');
    fapi = await fapiService(it, 'exigeant');
    await agreed(it, 'colette', ['logement', 'famille']);
    karim = await signedInAidant(it);
    return it;
  };
  const issuer = (): string => world().app.site.issuer;
  const kept = () => world().sql("select model, count(*)::int n from oidc_artefact where model <> 'ReplayDetection' group by model order by model");

  test(title('P18 FranceConnect gets no token of its own, no scope and no detail of ours'), on, async () => {
    await ready();
    const before = await kept();
    const asFront = { client_id: front.id, client_secret: front.secret };
    for (const scope of OWN) {
      const { status, json } = await post(`${issuer()}/token`, { ...asFront, grant_type: 'client_credentials', scope });
      assert.deepEqual([status, json['error_description']], [400, 'requested grant type is not allowed for this client'], scope);
    }
    const request = {
      response_type: 'code',
      redirect_uri: CALLBACK,
      scope: 'openid',
      state: 's'.repeat(32),
      nonce: 'n'.repeat(32),
      acr_values: 'eidas1',
    };
    const details = JSON.stringify([{ type: 'urn:relais:mandate:1', actions: ['famille'] }]);
    for (const more of [
      { scope: 'openid dlg:famille' },
      { scope: 'openid ssf.manage' },
      { authorization_details: details },
      { resource: 'https://api.caf.example' },
      { response_type: 'code id_token' },
      { code_challenge: 'x'.repeat(43), code_challenge_method: 'plain' },
    ]) {
      const url = new URL(`${issuer()}/auth`);
      for (const [name, value] of Object.entries({ ...request, client_id: front.id, ...more })) url.searchParams.set(name, value);
      const page = await karim.open(url, undefined, CALLBACK);
      assert.ok(page.url.href.startsWith(CALLBACK) && /[?#&]error=/.test(page.url.href), `${JSON.stringify(more)} ${page.url.href}`);
      assert.ok(!/[?#&](?:code|access_token|id_token)=/.test(page.url.href));
    }
    assert.deepEqual(await kept(), before);
  });

  test(title('P24 a standard service that asks for FranceConnect’s claims is told nothing in its words'), on, async () => {
    await ready();
    const claims = JSON.stringify({
      id_token: { rep_scope: { essential: true, values: ['famille'] }, acr: null },
      userinfo: { rep_scope: null, email: null },
    });
    const request = await authorize(standard, 'openid given_name dlg:logement', { claims });
    const page = await actFor(karim, standard, request, 'Colette Martin', 'logement');
    const tokens = await redeem(standard, request, page.url);
    const told = decodeJwt(tokens.id_token ?? '');
    assert.deepEqual([told['rep_scope'], told['email'], told['acr']], [undefined, undefined, 'urn:relais:acr:delegated:eidas1']);
    assert.equal((told['authorization_details'] as { actions: unknown }[])[0]?.actions?.toString(), 'logement', 'nor does it choose the theme');
  });

  test(title('P5 P9 what one profile pushed or signed serves no other; each shows who it is in its own way alone'), on, async () => {
    const it = await ready();
    const before = await entriesOf(it, 'session.opened');
    const fields = Object.fromEntries((await authorize(standard, 'openid dlg:logement')).url.searchParams);
    const pushed = await post(`${issuer()}/par`, fields, { authorization: basic(standard) });
    const strict = await push(fapi, 'openid dlg:logement');
    for (const [client, uri] of [
      [fapi.id, String(pushed.json['request_uri'])],
      [standard.id, strict.url.searchParams.get('request_uri') ?? ''],
      [front.id, String(pushed.json['request_uri'])],
    ] as const) {
      const url = new URL(`${issuer()}/auth`);
      url.searchParams.set('client_id', client);
      url.searchParams.set('request_uri', uri);
      const page = await new Browser().open(url);
      assert.deepEqual([page.status, page.url.origin], [400, new URL(it.places.relais).origin], client);
    }
    const nonce = await dpopNonce(it, fapi);
    const dpop = async () => ({ dpop: await proof(fapi.dpop, { method: 'POST', url: `${issuer()}/token`, nonce }) });
    const grant = { grant_type: 'client_credentials', scope: 'actions:write' };
    const stranger = { ...fapi, id: standard.id } as FapiService;
    const wrong: Readonly<Record<string, () => ReturnType<typeof post>>> = {
      'a secret for a key': async () => post(`${issuer()}/token`, { ...grant, client_id: fapi.id, client_secret: standard.secret }, await dpop()),
      'no secret for a key': async () => post(`${issuer()}/token`, { ...grant, client_id: fapi.id }, await dpop()),
      'a key for a secret': async () => post(`${issuer()}/token`, { ...grant, ...(await assertion(it, stranger)) }, await dpop()),
      'both at once': async () =>
        post(`${issuer()}/token`, { ...grant, ...(await assertion(it, fapi)) }, { ...(await dpop()), authorization: basic(standard) }),
    };
    for (const [name, ask] of Object.entries(wrong)) {
      const { status, json } = await ask();
      assert.match(`${status} ${json['error']}`, /^40[01] invalid_(client|request)$/, name);
      assert.equal(json['access_token'], undefined, name);
    }
    const bare = await post(`${issuer()}/token`, { ...grant, ...(await assertion(it, fapi)) });
    assert.deepEqual([bare.status, bare.json['access_token']], [400, undefined], 'a bearer token for who must bind it');
    assert.equal(await entriesOf(it, 'session.opened'), before);
  });

  test(title('P4 a verifier where there was no challenge, or another profile’s habit of sending none, gives no token'), on, async () => {
    await ready();
    const request = await authorize(standard, 'openid dlg:logement');
    const page = await actFor(karim, standard, request, 'Colette Martin', 'logement');
    const { code_verifier: _none, ...fields } = redemption(standard, request, page.url);
    for (const more of [{}, { code_verifier: '' }, { code_verifier: request.url.searchParams.get('code_challenge') ?? '' }]) {
      const { status, json } = await post(`${issuer()}/token`, { ...fields, ...more }, { authorization: basic(standard) });
      assert.deepEqual([status, json['access_token']], [400, undefined], JSON.stringify(more));
    }
  });

  test(title('P8 I1 a kid is a name to compare, whatever is written in it; a key in the header is no key'), on, async () => {
    const it = await ready();
    const ask = async (header: Record<string, unknown>) => {
      const signed = await assertion(it, fapi, { header });
      const { status, json } = await post(
        `${issuer()}/token`,
        { grant_type: 'client_credentials', scope: 'actions:write', ...signed },
        { dpop: await proof(fapi.dpop, { method: 'POST', url: `${issuer()}/token`, nonce: await dpopNonce(it, fapi) }) },
      );
      return `${status} ${json['error'] ?? 'given'}`;
    };
    for (const kid of ['../../../etc/passwd', "' or 1=1 --", '\u0000', 'x'.repeat(10_000), '__proto__', 'constructor', ' ', '\u202e'])
      assert.equal(await ask({ kid }), '401 invalid_client', JSON.stringify(kid.slice(0, 20)));
    for (const header of [{ jku: 'http://169.254.169.254/keys' }, { x5u: 'http://169.254.169.254/keys' }, { jwk: fapi.dpop.jwk }])
      assert.equal(await ask(header), '200 given', 'what else the header says is not looked at: the registered key signed');
  });

  test(title('no fault of ours was logged meanwhile'), on, () => {
    assert.deepEqual(faults(world()), []);
  });
});
