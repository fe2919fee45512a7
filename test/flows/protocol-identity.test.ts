import { decodeProtectedHeader } from 'jose';
import * as client from 'openid-client';
import type { Walker } from '../../src/practice/walker.ts';
import { assert, test } from '../support/check.ts';
import {
  actionEvent,
  endOf,
  type FapiService,
  fapiService,
  faults,
  get,
  inEachWorld,
  introspect,
  makeKeys,
  noted,
  proof,
  push,
  rejection,
  report,
  sessionOf,
  signInAlone,
} from '../support/protocol.ts';
import {
  actFor,
  authorize,
  delegatedTokens,
  entriesOf,
  mandateByPages,
  redeem,
  signedInAidant,
  type TestService,
  type World,
} from '../support/world.ts';

type Members = Readonly<Record<string, unknown>>;

const TYPE = 'urn:relais:mandate:1';
const IDENTITY = 'openid given_name family_name';

inEachWorld(({ world, kind }) => {
  let aidant: Walker;
  let service: TestService;
  let fapi: FapiService;

  const ready = async (): Promise<World> => {
    if (!service) {
      service = await world().service('guichet-identite');
      fapi = await fapiService(world(), 'guichet-fapi');
      aidant = await signedInAidant(world());
      await mandateByPages(world(), aidant, 'colette', ['logement', 'famille']);
    }
    return world();
  };

  const issuer = (): string => world().app.site.issuer;

  /** Everything that a service learns from one delegated session, whichever way it asked and whatever its profile. */
  const learn = async (ask: 'scope' | 'details', at: TestService | FapiService = service) => {
    const scope = ask === 'scope' ? `${IDENTITY} dlg:logement` : IDENTITY;
    const more: Record<string, string> = ask === 'scope' ? {} : { authorization_details: JSON.stringify([{ type: TYPE, actions: ['logement'] }]) };
    const request = 'handle' in at ? await push(at, scope, more) : await authorize(at, scope, more);
    const page = await actFor(aidant, at, request, 'Colette Martin');
    const dpop = 'handle' in at ? { DPoP: at.handle } : {};
    const checks = { pkceCodeVerifier: request.verifier, expectedState: request.state, expectedNonce: request.nonce, idTokenExpected: true };
    const tokens = await client.authorizationCodeGrant(at.config, page.url, checks, undefined, dpop);
    const claims = tokens.claims() as Members;
    const info = (await client.fetchUserInfo(at.config, tokens.access_token, String(claims['sub']), dpop)) as Members;
    const checked = (await introspect(at, tokens.access_token)) as Members;
    return { request, tokens, claims, info, checked };
  };

  const detailOf = (members: Members): Members => ((members['authorization_details'] ?? []) as Members[])[0] ?? {};

  /** What must differ between two sessions, taken out, so that the rest can be compared. */
  const comparable = (members: Members): unknown => {
    const { iat: _iat, exp: _exp, nonce: _nonce, sid: _sid, session: _session, journal, authorization_details, ...rest } = members;
    const details = Array.isArray(authorization_details)
      ? authorization_details.map(({ session: _each, ...detail }: Members) => detail)
      : authorization_details;
    return { ...rest, journal: journal && Object.keys(journal).sort(), authorization_details: details, members: Object.keys(members).sort() };
  };

  test('P24 the tokens of a delegated session hold what protocol.md says, and nothing else', { database: kind }, async () => {
    const it = await ready();
    const { request, tokens, claims, info, checked } = await learn('scope');
    assert.deepEqual(Object.keys(claims).sort(), [
      'acr',
      'act',
      'aud',
      'auth_time',
      'authorization_details',
      'exp',
      'iat',
      'iss',
      'journal',
      'nonce',
      'sid',
      'sub',
    ]);
    const authTime = claims['auth_time'];
    assert.equal(claims['iss'], issuer());
    assert.equal(claims['aud'], service.id);
    assert.equal(claims['nonce'], request.nonce);
    assert.equal(claims['acr'], 'urn:relais:acr:delegated:eidas1');
    assert.match(String(claims['sub']), /^[A-Za-z0-9_-]{43}$/);
    const act = claims['act'] as Members;
    assert.deepEqual(act, {
      iss: issuer(),
      sub: act['sub'],
      acr: 'eidas2',
      amr: act['amr'],
      auth_time: authTime,
      act: { iss: 'urn:fr:insee:siret', sub: (await it.sql("select siret from organisation where name = 'Mairie de Thénac'"))[0]?.['siret'] },
    });
    assert.match(String(act['sub']), /^[A-Za-z0-9_-]{43}$/);
    assert.ok(Array.isArray(act['amr']) && act['amr'].includes('otp'));
    const [row] = await it.sql(
      'select d.id, d.identifier, d.privileges, m.consented_at from delegated_session d join mandate m on m.id = d.mandate_id where d.id = $1',
      [sessionOf(claims)],
    );
    const detail = detailOf(claims);
    assert.deepEqual(detail, {
      type: TYPE,
      identifier: `urn:uuid:${row?.['identifier']}`,
      session: row?.['id'],
      actions: ['logement'],
      privileges: ['declare'],
      organisation: { siret: (act['act'] as Members)['sub'], name: 'Mairie de Thénac' },
      consent: { method: 'franceconnect', acr: 'eidas1', at: detail['consent'] && (detail['consent'] as Members)['at'] },
      valid_to: detail['valid_to'],
    });
    assert.match(String((detail['consent'] as Members)['at']), /^\d{4}-\d{2}-\d{2}$/);
    assert.match(String(detail['valid_to']), /^\d{4}-\d{2}-\d{2}T00:00:00\+0[12]:00$/);
    assert.equal(claims['sid'], row?.['id'], 'the session that a logout token will name');
    await it.app.flushJournal();
    const [opened] = await it.sql("select p.idx, p.type from journal.projection p where p.type = 'session.opened' order by p.idx desc limit 1");
    const journal = claims['journal'] as Members;
    assert.deepEqual(
      [Object.keys(journal).sort(), journal['index'], journal['origin']],
      [['index', 'leaf', 'origin'], Number(opened?.['idx']), it.app.origin],
    );
    assert.deepEqual(decodeProtectedHeader(tokens.id_token ?? '').alg, 'ES256');
    for (const word of ['Karim', 'Benali', 'karim@', 'man_', 'aid_', 'usg_', 'org_'])
      assert.ok(!JSON.stringify([claims, info, checked]).includes(word), word);
    assert.ok(!JSON.stringify([claims, checked]).includes('Colette'), 'the civil identity is in userinfo alone');
    assert.deepEqual(info, {
      sub: claims['sub'],
      given_name: 'Colette',
      family_name: 'Martin',
      ...Object.fromEntries(Object.entries(info).filter(([key]) => !['sub', 'given_name', 'family_name'].includes(key))),
    });
    for (const member of ['sub', 'act', 'acr', 'auth_time', 'authorization_details', 'journal', 'iss', 'aud'])
      if (member !== 'aud') assert.deepEqual(checked[member], claims[member], `introspection repeats ${member}`);
    assert.deepEqual(
      [checked['active'], checked['client_id'], checked['token_type'], checked['scope']],
      [true, service.id, 'Bearer', `${IDENTITY} dlg:logement`],
    );
    assert.ok(Number(checked['exp']) - Math.floor(Date.now() / 1000) <= 1800);
    assert.equal(tokens.refresh_token, undefined);
    assert.deepEqual(detailOf(tokens as Members), detail);
  });

  test('P24 both ways of asking give the same id_token, userinfo and introspection, in both profiles', { database: kind }, async () => {
    await ready();
    for (const at of [service, fapi]) {
      const byScope = await learn('scope', at);
      const byDetails = await learn('details', at);
      assert.deepEqual(comparable(byDetails.claims), comparable(byScope.claims));
      assert.deepEqual(comparable(byDetails.info), comparable(byScope.info));
      assert.deepEqual(comparable(byDetails.checked), comparable(byScope.checked));
      assert.equal(byScope.tokens.scope, byDetails.tokens.scope);
      assert.notEqual(sessionOf(byScope.claims), sessionOf(byDetails.claims));
    }
  });

  test('P24 in the fapi2 profile tokens are bound to a key, and say it', { database: kind }, async () => {
    await ready();
    const { tokens, checked, claims } = await learn('scope', fapi);
    assert.deepEqual([tokens.token_type, checked['token_type']], ['dpop', 'DPoP']);
    assert.deepEqual(checked['cnf'], { jkt: fapi.dpop.thumbprint });
    assert.equal(claims['acr'], 'urn:relais:acr:delegated:eidas1');
    assert.equal((claims['act'] as Members)['acr'], 'eidas2');
  });

  test('P24 a person who signs in alone has the same sub, no act, and a plain level', { database: kind }, async () => {
    await ready();
    const delegated = await learn('scope');
    const request = await authorize(service, IDENTITY);
    const page = await signInAlone(request, service.redirectUri, 'colette');
    const tokens = await redeem(service, request, page.url);
    const claims = tokens.claims() as Members;
    assert.equal(claims['sub'], delegated.claims['sub']);
    assert.equal(claims['acr'], 'eidas1');
    const info = (await client.fetchUserInfo(service.config, tokens.access_token, String(claims['sub']))) as Members;
    const checked = (await introspect(service, tokens.access_token)) as Members;
    for (const members of [claims, info, checked])
      for (const absent of ['act', 'authorization_details', 'journal', 'session']) assert.ok(!Object.hasOwn(members, absent), absent);
    assert.deepEqual([info['given_name'], checked['active'], checked['sub']], ['Colette', true, claims['sub']]);
    assert.ok(!String(checked['scope']).includes('dlg:'));
    assert.equal((await introspect(service, delegated.tokens.access_token)).active, true, 'her own session leaves the delegated one alone');
  });

  test('P19 two services that compare everything they hold find nothing in common', { database: kind }, async () => {
    const it = await ready();
    const other = await it.service('guichet-voisin');
    const [one, two] = [await learn('scope'), await learn('scope', other)];
    for (const of of [
      (c: Members) => c['sub'],
      (c: Members) => (c['act'] as Members)['sub'],
      (c: Members) => detailOf(c)['identifier'],
      sessionOf,
      (c: Members) => c['sid'],
    ]) {
      assert.ok(of(one.claims));
      assert.notEqual(of(one.claims), of(two.claims));
    }
    const leaves = (value: unknown): string[] =>
      typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [String(value)];
    const held = (it: { tokens: object; claims: Members; info: Members; checked: Members }): Set<string> =>
      new Set(leaves([it.tokens, it.claims, it.info, it.checked]).filter((leaf) => leaf.length >= 16));
    const common = [...held(one)].filter((leaf) => held(two).has(leaf));
    const shared = new Set([issuer(), it.app.origin, TYPE, 'urn:relais:acr:delegated:eidas1', 'urn:fr:insee:siret', 'Mairie de Thénac']);
    const beyond = common.filter((leaf) => !shared.has(leaf) && leaf !== detailOf(one.claims)['valid_to'] && leaf !== `${IDENTITY} dlg:logement`);
    assert.deepEqual(beyond, []);
    assert.ok(!JSON.stringify(one.claims).includes(it.app.site.pairwiseKey.toString()) && held(one).size > 5);
    const again = await learn('scope');
    assert.deepEqual(
      [again.claims['sub'], (again.claims['act'] as Members)['sub'], detailOf(again.claims)['identifier']],
      [one.claims['sub'], (one.claims['act'] as Members)['sub'], detailOf(one.claims)['identifier']],
      'and yet each service recognises who comes back',
    );
  });

  test('P20 introspection says nothing of another service’s token, and leaves it alone', { database: kind }, async () => {
    const it = await ready();
    const other = await it.service('guichet-curieux');
    const { tokens } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const mine = await learn('scope', fapi);
    for (const token of [tokens.access_token, mine.tokens.access_token, `${tokens.access_token}x`, 'x'.repeat(43), '0']) {
      assert.deepEqual(await introspect(other, token), { active: false });
      assert.deepEqual(Object.keys(await introspect(fapi, token === mine.tokens.access_token ? 'x' : token)), ['active']);
    }
    await client.tokenRevocation(other.config, tokens.access_token).catch(() => undefined);
    assert.equal((await introspect(service, tokens.access_token)).active, true, 'nor can it revoke it');
    const without = await fetch(`${issuer()}/introspection`, { method: 'POST', body: new URLSearchParams({ token: tokens.access_token }) });
    assert.ok([400, 401].includes(without.status) && !(await without.text()).includes('active'));
  });

  test('P13 a token of one service opens nothing at another, nor in our own pages', { database: kind }, async () => {
    const it = await ready();
    const { tokens, claims } = await delegatedTokens(it, aidant, service, 'Colette Martin');
    const hers = await learn('scope', fapi);
    const actions = `${it.places.relais}/api/v1/actions`;
    const reported = await entriesOf(it, 'action.reported');
    // A's token speaking of B's session, and B's own token speaking of A's.
    const lines = noted(it);
    const refused = await entriesOf(it, 'action.refused');
    const crossed = await report(actions, actionEvent(service.id, sessionOf(hers.claims)), { authorization: `Bearer ${tokens.access_token}` });
    assert.deepEqual([crossed.status, crossed.json['code']], [404, 'session_unknown']);
    const nonceless = await proof(fapi.dpop, { method: 'POST', url: actions, token: hers.tokens.access_token });
    const back = await report(actions, actionEvent(fapi.id, sessionOf(claims)), {
      authorization: `DPoP ${hers.tokens.access_token}`,
      dpop: nonceless,
    });
    assert.deepEqual([back.status, back.json['code']], [404, 'session_unknown']);
    // Another session of the same service, which the service itself could report with a token of its own.
    const elsewhere = await delegatedTokens(it, await signedInAidant(it), service, 'Colette Martin');
    const sideways = await report(actions, actionEvent(service.id, sessionOf(elsewhere.claims)), { authorization: `Bearer ${tokens.access_token}` });
    assert.deepEqual([sideways.status, sideways.json['code']], [404, 'session_unknown']);
    assert.equal((await entriesOf(it, 'action.refused')) - refused + (noted(it) - lines), 3, 'each refusal left one trace');
    // A bound token without its key: as a bearer, with another key, with a proof for another token.
    const thief = await makeKeys();
    const userinfo = `${issuer()}/userinfo`;
    const token = hers.tokens.access_token;
    for (const [url, method] of [
      [userinfo, 'GET'],
      [actions, 'POST'],
    ] as const) {
      const headers: Record<string, string>[] = [
        { authorization: `Bearer ${token}` },
        { authorization: `DPoP ${token}` },
        { authorization: `DPoP ${token}`, dpop: await proof(thief, { method, url, token }) },
        { authorization: `DPoP ${token}`, dpop: await proof(fapi.dpop, { method, url, token: tokens.access_token }) },
        { authorization: `DPoP ${token}`, dpop: await proof(fapi.dpop, { method, url }) },
        { authorization: `DPoP ${token}`, dpop: await proof(fapi.dpop, { method: 'PUT', url, token }) },
        { authorization: `DPoP ${token}`, dpop: await proof(fapi.dpop, { method, url: `${url}/x`, token }) },
        { authorization: `DPoP ${tokens.access_token}`, dpop: await proof(thief, { method, url, token: tokens.access_token }) },
        { authorization: `Bearer ${tokens.id_token}` },
      ];
      for (const [i, header] of headers.entries()) {
        const before = noted(it);
        const answer = method === 'GET' ? await get(url, header) : await report(url, actionEvent(fapi.id, sessionOf(hers.claims)), header);
        assert.equal(answer.status, i === 1 && method === 'GET' ? answer.status : 401, `${method} ${i} ${answer.text}`);
        assert.ok(answer.status >= 400 && answer.status < 500);
        assert.equal(noted(it), before + 1, `${method} ${i} left one line`);
      }
    }
    assert.equal(await entriesOf(it, 'action.reported'), reported);
    for (const path of ['/aidant', '/usager', '/administration']) {
      const page = await get(`${it.places.relais}${path}`, { authorization: `Bearer ${tokens.access_token}` });
      assert.equal(page.status, 303, `${path}: a token is not a session`);
    }
    assert.equal(await endOf(it, sessionOf(claims)), 'live');
    const own = await rejection(client.fetchUserInfo(fapi.config, token, String(hers.claims['sub']), { DPoP: fapi.handle }));
    assert.equal(own.message, '', 'the owner of the key still reads it');
  });

  test('no fault of ours was logged meanwhile', { database: kind }, () => {
    assert.deepEqual(faults(world()), []);
  });
});
