import { after, before, describe } from 'node:test';
import type { Walker } from '../../src/practice/walker.ts';
import { overlap, readUntil } from '../../src/services/rotation.ts';
import type { Registration } from '../../src/services/service.ts';
import { agreed, backChannel, eventOf, inTheMorning, introspectAt, reportAt, sessionOf, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { assertion, endOf, type FapiService, fapiService, makeKeys, post } from '../support/protocol.ts';
import { registrationOf as input, twoOperateurs as operateurs } from '../support/services.ts';
import { granted } from '../support/staff.ts';
import { delegatedTokens, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let karim: Walker;
    let service: TestService;
    let fapi: FapiService;
    let channel: Awaited<ReturnType<typeof backChannel>>;
    let [alice, marc] = ['', ''];
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      channel = await backChannel();
      service = await world.service('revised', {
        backchannelLogoutUri: `${channel.origin}/logout`,
        demarches: [{ code: 'revised.copie', label_fr: 'une copie', label_en: 'a copy', themes: ['logement'], effect: 'declare' }],
      });
      fapi = await fapiService(world, 'tournant');
      karim = await signedInAidant(world);
      [alice, marc] = await operateurs(world);
    });
    after(async () => {
      await world.close();
      await channel.close();
    });
    const change = async (to: (now: Registration) => object) =>
      granted(await world.app.services.change({ ...to(await input(world.app, service.id)) }, { askedBy: alice }));
    const approve = async () => granted(await world.app.services.approve(service.id, marc));
    const active = async (token: string): Promise<boolean> => (await introspectAt(world, service, token)).active;
    const told = (session: string): Promise<boolean> => until(() => channel.received.some(({ claims }) => claims['sid'] === session));

    test(
      title('M5 a change that waits stops nothing: the session goes on, and a code opened under the former catalogue can still be reported'),
      on,
      async () => {
        await agreed(world, 'colette', ['logement']);
        const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
        const session = sessionOf(claims);
        await change((now) => ({ ...now, demarches: now.demarches.filter(({ code }) => code !== 'revised.copie') }));
        world.advance(1500);
        assert.equal(await active(tokens.access_token), true, 'while it waits');
        await approve();
        world.advance(1500);
        assert.equal(await active(tokens.access_token), true, 'nothing that it needs was cut');
        const told = await reportAt(world, tokens.access_token, eventOf(service, session, 'evt-retired', { demarche: 'revised.copie' }));
        assert.equal(told.status, 202, JSON.stringify(told.body));
        const next = await delegatedTokens(world, karim, service, 'Colette Martin');
        const after = await reportAt(
          world,
          next.tokens.access_token,
          eventOf(service, sessionOf(next.claims), 'evt-gone', { demarche: 'revised.copie' }),
        );
        assert.equal(after.body.code, 'demarche_unknown');
      },
    );

    test(
      title('M5 M6 a theme that leaves a service with the second person’s approval ends its sessions there, and the service is told'),
      on,
      async () => {
        await agreed(world, 'colette', ['logement', 'famille']);
        const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
        const session = sessionOf(claims);
        await change((now) => ({
          ...now,
          themes: ['famille'],
          demarches: now.demarches.filter(({ themes }) => !themes.includes('logement')),
        }));
        world.advance(1500);
        assert.equal(await active(tokens.access_token), true);
        await approve();
        assert.equal(await active(tokens.access_token), false);
        assert.equal(await endOf(world, session), 'suspended');
        assert.ok(await told(session), 'the service was told');
      },
    );

    test(
      title('M5 M6 a service that is disabled has its sessions ended at once, each with its notice, and what waited is taken back'),
      on,
      async () => {
        const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:famille', 'famille');
        const session = sessionOf(claims);
        await change((now) => ({ ...now, name: 'Autre' }));
        assert.equal(granted(await world.app.services.disable(service.id, alice)).sessions, 1);
        assert.equal(await endOf(world, session), 'suspended');
        assert.equal(
          (await world.sql('select 1 from oidc_artefact where grant_id in (select grant_id from delegated_session where id = $1)', [session])).length,
          0,
        );
        assert.equal((await world.sql('select 1 from delivery where session_id = $1', [session])).length, 1);
        assert.ok(await told(session));
        assert.deepEqual(await world.app.services.approve(service.id, marc), { refused: 'not_pending' });
        assert.equal((await world.app.services.revisions(service.id))[0]?.state, 'withdrawn');
        void tokens;
        await change((now) => now);
        await approve();
      },
    );

    test(
      title('M7 a démarche above the level of the session is not in it, in the token as in the database, and cannot be reported'),
      on,
      async () => {
        await change((now) => ({
          ...now,
          demarches: [
            ...now.demarches,
            { code: 'revised.haute', labelFr: 'votre choix', labelEn: 'your choice', themes: ['famille'], effect: 'change', level: 'eidas2' },
          ],
        }));
        await approve();
        world.advance(1500);
        const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin', 'openid dlg:famille', 'famille');
        const session = sessionOf(claims);
        const [held] = await world.sql('select acr, demarches, privileges from delegated_session where id = $1', [session]);
        assert.deepEqual(held, { acr: 'eidas1', demarches: ['revised.famille'], privileges: ['declare'] });
        const said = await reportAt(world, tokens.access_token, eventOf(service, session, 'evt-high', { demarche: 'revised.haute' }));
        assert.deepEqual([said.status, said.body.code], [401, 'insufficient_authentication']);
        await assert.rejects(
          world.database.run((tx) =>
            (tx as unknown as { query(it: object): Promise<unknown> }).query({
              name: 'wider',
              text: `insert into delegated_session (id, grant_id, web_session, mandate_id, theme, aidant_id, organisation_id, usager_id, service_id, acr, aidant_acr, aidant_amr,
                auth_time, privileges, demarches, single_use, identifier, opened_event, opened_at, expires_at)
              select 'dls_wider', 'wider', web_session, mandate_id, theme, aidant_id, organisation_id, usager_id, service_id, acr, aidant_acr, aidant_amr,
                auth_time, privileges, null, single_use, identifier, opened_event, opened_at, expires_at from delegated_session where id = $1`,
              values: [session],
            }),
          ),
          /the service has changed/,
        );
      },
    );

    test(
      title('K3 both the former and the next key of a service are taken until the date that was approved, and then the next alone'),
      on,
      async () => {
        const next = await makeKeys();
        const url = `${world.app.site.issuer}/introspection`;
        const withKey = async (keys: typeof next): Promise<number> =>
          (await post(url, { token: 'x', ...(await assertion(world, fapi, { key: keys.privateKey, header: { kid: keys.thumbprint } })) })).status;
        const takes = async (): Promise<[number, number]> => [await withKey(fapi.keys), await withKey(next)];
        assert.deepEqual(await takes(), [200, 401]);
        const now = await input(world.app, fapi.id);
        const at = world.app.site.clock.now();
        const date = readUntil(new Date(at.getTime() + 3_600_000).toISOString().replace(/\.\d+/, ''), at);
        assert.ok(date && now.jwks);
        const jwks = overlap(now.jwks, { keys: [next.jwk] }, date, at);
        granted(await world.app.services.change({ ...now, jwks }, { askedBy: alice }));
        world.advance(1500);
        assert.deepEqual(await takes(), [200, 401], 'while it waits');
        granted(await world.app.services.approve(fapi.id, marc));
        world.advance(1500);
        assert.deepEqual(await takes(), [200, 200], 'during the overlap');
        world.advance(date.getTime() - Date.now() - 1500);
        assert.deepEqual(await takes(), [200, 200], 'until its last second');
        world.advance(3000);
        assert.deepEqual(await takes(), [401, 200], 'after it');
        const all = await world.app.services.change({ ...now, jwks: { keys: jwks.keys.slice(1) } }, { askedBy: alice });
        assert.ok('faults' in all && all.faults[0]?.code === 'keys_all_end', 'one key has no end');
      },
    );
  });
