import { after, before, describe } from 'node:test';
import * as client from 'openid-client';
import { signInStaff } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { createRequests, type Requested } from '../../src/services/requests.ts';
import { agreed, csrfOf, eventOf, inTheMorning, introspectAt, post, reportAt, sessionOf, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { type FapiService, fapiService, get, makeKeys, post as send } from '../support/protocol.ts';
import { twoOperateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';
import { countStatements } from '../support/statements.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

const statements = countStatements();
after(() => statements.stop());

test('what waits of a service is bounded, and what nobody asked for is not noted', async () => {
  const kept: Requested[][] = [];
  const requests = createRequests({
    transactions: { auto: {} as never, run: () => Promise.reject(new Error('none')) },
    store: {
      add: async (_tx, lines) => void kept.push([...lines]),
      trim: async () => undefined,
      recent: async () => [],
      told: async () => [],
      purge: async () => 0,
    },
    clock: { now: () => new Date() },
  });
  for (let i = 0; i < 1000; i++) requests.note('/oidc/token?secret=1', { service: 'a', code: `code_${i}` }, 400);
  requests.note('/oidc/token', {}, 400);
  requests.note('/aidant', { service: 'a' }, 200);
  requests.note('/oidc/userinfo', { service: 'b' }, 200);
  await requests.flush();
  await requests.flush();
  assert.equal(kept.length, 1);
  const [lines = []] = kept;
  assert.deepEqual(
    [lines.length, lines[0]?.code, lines[199]?.code, lines[200]?.endpoint, lines[200]?.code],
    [201, 'code_800', 'code_999', 'userinfo', 'ok'],
  );
  assert.ok(!JSON.stringify(lines).includes('secret'));
});

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let sofia: Walker;
    let service: TestService;
    let foreign: FapiService;
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;
    const at = (path: string): string => `${world.places.relais}${path}`;
    const signedIn = async (id: string, name: string, to: string): Promise<Walker> => {
      const walker = new Walker();
      await signInStaff(walker, world.places, id, name, `/connexion/proconnect?vers=${to}`, (places, who) => world.code(places, who));
      return walker;
    };

    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      service = await world.service('bati');
      foreign = await fapiService(world, 'ailleurs');
      sofia = await signedIn('sofia', 'Sofia Marchand', '/administration/sites');
    });
    after(() => world.close());

    const page = async (): Promise<string> => textOf(await sofia.open(at('/administration/sites/bati')));
    const noted = async (): Promise<string[]> => {
      await world.app.site.requests.flush();
      return (await world.sql("select endpoint || ' ' || code || ' ' || status line from request_log where service_id = 'bati' order by id")).map(
        ({ line }) => String(line),
      );
    };

    test(
      title('M1 an integrator sees the services of their own administration alone, and never the journal; who reads the journal sees no service'),
      on,
      async () => {
        const list = textOf(await sofia.open(at('/administration')));
        assert.ok(/Vos sites/.test(list) && /Service bati/.test(list), 'led to their own pages');
        assert.ok(!/Service ailleurs/.test(list));
        const asked = async (walker: Walker, path: string) => {
          const before = statements.total();
          const answer = await walker.ask(new URL(at(path)));
          const text = (await answer.text()).replaceAll(path, '«path»').replace(/ data-session="\d+".*?<\/p>/, '');
          return [answer.status, text, statements.total() - before];
        };
        assert.deepEqual(await asked(sofia, '/administration/sites/ailleurs'), await asked(sofia, '/administration/sites/nulle-part'));
        for (const path of ['/administration/exports', '/administration/mandats/man_01jx5a9n3m8c4t0r7v2b6k1w9q', '/administration/entrees/1/preuve'])
          assert.equal((await asked(sofia, path))[0], 404, path);
        assert.equal((await sofia.ask(new URL(at('/api/v1/journal/org')))).status, 401);
        const nora = await signedIn('nora', 'Nora Lefèvre', '/administration');
        assert.equal((await asked(nora, '/administration/sites/bati'))[0], 404);
        const csrf = await csrfOf(world, sofia, '/administration/sites');
        for (const [path, fields] of [
          ['cles', { jwks: '{"keys":[]}', until: '2027-01-01' }],
          ['adresses', { redirect: 'https://evil.example/', after: '' }],
        ] as const)
          for (const id of ['ailleurs', 'nulle-part'])
            assert.equal((await post(world, sofia, `/administration/sites/${id}/${path}`, { _csrf: csrf, ...fields })).status, 404);
        assert.equal((await world.sql("select 1 from service_revision where state = 'waiting'")).length, 0);
      },
    );

    test(title('V1 the requests of a service are shown by their codes, each with what to do, and hold nothing of anybody'), on, async () => {
      await agreed(world, 'colette', ['logement']);
      const karim = await signedInAidant(world);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      const session = sessionOf(claims);
      await introspectAt(world, service, tokens.access_token);
      await reportAt(world, tokens.access_token, eventOf(service, session, 'evt-1'));
      await reportAt(world, tokens.access_token, eventOf(service, session, 'evt-2', { demarche: 'bati.rien' }));
      await reportAt(world, tokens.access_token, '{"specversion":"1.0"}');
      await send(`${world.app.site.issuer}/token`, {
        grant_type: 'authorization_code',
        code: 'x',
        client_id: 'bati',
        client_secret: 'canari-secret',
      });
      await client.clientCredentialsGrant(service.config, { scope: 'email' }).catch(() => undefined);
      await get(
        `${world.app.site.issuer}/auth?client_id=bati&redirect_uri=${encodeURIComponent('https://evil.example/canari')}&response_type=code&scope=openid`,
      );
      const lines = await noted();
      for (const line of [
        'auth ok 303',
        'token ok 200',
        'introspection ok 200',
        'actions ok 202',
        'actions demarche_unknown 422',
        'actions malformed 400',
        'token invalid_client 401',
        'token invalid_scope 400',
        'auth invalid_redirect_uri 400',
      ])
        assert.ok(lines.includes(line), `${line} in ${lines.join(', ')}`);
      const rows = JSON.stringify(await world.sql('select * from request_log'));
      for (const personal of ['canari', 'Colette', 'Karim', session, tokens.access_token, '127.0.0.1', 'usg_', 'aid_'])
        assert.ok(!rows.includes(personal), personal);
      const shown = await page();
      assert.ok(/Vérifiez la clé ou le secret du site/.test(shown) && /Proposez-la sur la page de ce site/.test(shown));
      assert.equal((await world.sql('select 1 from request_log where service_id not in (select id from service)')).length, 0);
      for (let i = 0; i < 400; i++) world.app.site.requests.note('/oidc/token', { service: 'bati', code: 'invalid_grant' }, 400);
      await noted();
      for (let i = 0; i < 400; i++) world.app.site.requests.note('/oidc/token', { service: 'bati', code: 'invalid_grant' }, 400);
      assert.equal((await noted()).length, 300, 'a few hundred, and no more');
      world.advance(8 * 86_400_000);
      await world.app.site.requests.purge();
      assert.deepEqual(await noted(), [], 'a week at most');
      sofia = await signedIn('sofia', 'Sofia Marchand', '/administration/sites');
    });

    test(
      title('a change asked by an integrator stands beside what is in force until an opérateur approves; what is wrong is said beside its field'),
      on,
      async () => {
        const csrf = await csrfOf(world, sofia, '/administration/sites');
        const ask = (path: string, fields: Record<string, string>) =>
          post(world, sofia, `/administration/sites/bati/${path}`, { _csrf: csrf, ...fields });
        const before = await world.app.services.find('bati');
        for (const redirect of ['', 'http://evil.example/', 'https://x.example/*', 'pas une adresse', 'x\u0000']) {
          const refused = await ask('adresses', { redirect, after: '' });
          const text = await refused.text();
          assert.deepEqual([refused.status, /Écrivez une adresse par ligne, en https/.test(text)], [422, true], redirect);
        }
        const keys = await ask('cles', { jwks: '{"keys":[]}', until: 'hier' });
        assert.equal(keys.status, 422, 'a service with a secret has no key to change');
        assert.equal(await world.app.services.waiting('bati'), undefined, 'nothing of it was kept');
        const done = await ask('adresses', { redirect: 'https://bati.example/retour\r\n\r\nhttps://bati.example/autre', after: '' });
        assert.deepEqual([done.status, done.headers.get('location')], [303, '/administration/sites/bati']);
        const waits = await world.app.services.waiting('bati');
        assert.deepEqual(waits?.revision.registration.redirectUris, ['https://bati.example/retour', 'https://bati.example/autre']);
        assert.deepEqual(await world.app.services.find('bati'), before, 'in force as it was');
        const shown = await page();
        assert.ok(/Changement qui attend un accord/.test(shown) && shown.includes(waits?.hash.toString('hex') ?? 'no hash'));
        const [staff] = await world.app.aidants.findByEmail('agent', 'sofia@demonstration.example');
        assert.deepEqual(await world.app.services.approve('bati', staff?.id ?? ''), { refused: 'same_person' });
        const [, marc] = await twoOperateurs(world);
        granted(await world.app.services.approve('bati', marc, waits?.hash));
        assert.deepEqual((await world.app.services.find('bati'))?.redirectUris, ['https://bati.example/retour', 'https://bati.example/autre']);
        assert.ok(
          (await world.sql("select 1 from service_revision where service_id = 'bati' and state = 'approved' and asked_by = $1", [staff?.id]))
            .length === 1,
        );
      },
    );

    test(
      title('K3 an integrator changes keys with an overlap, and sees until when the former are accepted and how each notice was answered'),
      on,
      async () => {
        await world.sql("update service set administration_id = (select administration_id from service where id = 'bati') where id = 'ailleurs'");
        const csrf = await csrfOf(world, sofia, '/administration/sites');
        const next = await makeKeys();
        const until_ = new Date(Date.now() + 20 * 86_400_000).toISOString().slice(0, 10);
        const path = '/administration/sites/ailleurs';
        const wrong = await post(world, sofia, `${path}/cles`, {
          _csrf: csrf,
          jwks: JSON.stringify({ keys: [{ ...next.jwk, d: 'un-secret' }] }),
          until: until_,
        });
        const told = await wrong.text();
        assert.deepEqual(
          [wrong.status, /Ce texte contient une clé privée/.test(told), /un-secret/.test(told)],
          [422, true, false],
          'not written back',
        );
        for (const jwks of [`{"keys":[{"\\u0064":"x","kty":"EC"}]}`, '-----BEGIN PRIVATE KEY-----']) {
          const pasted = await post(world, sofia, `${path}/cles`, { _csrf: csrf, jwks, until: until_ });
          assert.deepEqual([pasted.status, /Ce texte contient une clé privée/.test(await pasted.text())], [422, true], jwks);
        }
        for (const [jwks, date] of [
          ['[', until_],
          ['{"keys":1}', until_],
          [JSON.stringify({ keys: [next.jwk] }), '2020-01-01'],
          [JSON.stringify({ keys: [next.jwk] }), '2099-01-01'],
        ] as const)
          assert.equal((await post(world, sofia, `${path}/cles`, { _csrf: csrf, jwks, until: date })).status, 422, `${jwks} ${date}`);
        const done = await post(world, sofia, `${path}/cles`, { _csrf: csrf, jwks: JSON.stringify({ keys: [next.jwk] }), until: until_ });
        assert.equal(done.status, 303);
        const [, marc] = await twoOperateurs(world);
        granted(await world.app.services.approve('ailleurs', marc));
        const shown = textOf(await sofia.open(at(path)));
        assert.ok(
          shown.includes(next.thumbprint) && shown.includes(foreign.keys.thumbprint) && /sans date de fin/.test(shown) && /jusqu’au/.test(shown),
        );
        const service2 = await world.app.services.find('ailleurs');
        assert.deepEqual(
          service2?.jwks?.keys.map(({ kid, exp }) => [kid, exp]),
          [
            [next.thumbprint, undefined],
            [foreign.keys.thumbprint, Date.parse(until_) / 1000],
          ],
        );
        const mandate = await agreed(world, 'colette', ['famille']);
        const karim = await signedInAidant(world);
        const plain = await world.service('averti', { themes: ['famille'] });
        const stream = await world.app.site.streams?.create('averti', {
          delivery: { method: 'poll' },
          requested: ['urn:relais:event:mandate-ended'],
        });
        assert.ok(stream && 'id' in stream, JSON.stringify(stream));
        await delegatedTokens(world, karim, plain, 'Colette Martin', 'openid dlg:famille', 'famille');
        await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
        assert.ok(await until(async () => /pas encore/.test(textOf(await sofia.open(at('/administration/sites/averti'))))), 'nobody answers there');
        const seen = textOf(await sofia.open(at('/administration/sites/averti')));
        assert.ok(/votre site vient chercher/.test(seen) && /mandate-ended/.test(seen) && /logout/.test(seen), 'its stream, and what waits in it');
      },
    );
  });
