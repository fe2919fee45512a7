import { after, before, describe } from 'node:test';
import type { Mandate } from '../../src/mandates/mandate.ts';
import { confirmDelegation, signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  backChannel,
  begin,
  confirm,
  confirmation,
  csrfOf,
  entriesSince,
  eventOf,
  inTheMorning,
  introspectAt,
  mark,
  ownToken,
  redeemAt,
  reportAt,
  resume,
  securitySince,
  sessionOf,
  until,
  userinfoAt,
  writtenSince,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases, postgresOnly } from '../support/database.ts';
import { delegatedTokens, openWorld, redeem, signedInAidant, type TestService, type World } from '../support/world.ts';

const codeOn = (html: string): string | undefined => /Code à donner si vous appelez l’aide : ([a-z_]+)/.exec(textOf({ html } as never))?.[1];

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let karim: Walker;
    let colette: Walker;
    let service: TestService;
    let channel: Awaited<ReturnType<typeof backChannel>>;
    let csrf = '';
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      channel = await backChannel();
      service = await world.service('m5-service', { backchannelLogoutUri: `${channel.origin}/logout` });
      karim = await signedInAidant(world);
      csrf = await csrfOf(world, karim);
      colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
    });
    after(async () => {
      await world.close();
      await channel.close();
    });

    /** The usager stops the mandate by her own page. */
    const stop = async (mandate: Mandate): Promise<void> => {
      await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}/arreter`);
      const page = await colette.send('stop-mandate');
      assert.equal(page.url.pathname, `/usager/mandats/${mandate.id}/arrete`);
    };
    const tokensOf = async (): Promise<number> =>
      Number((await world.sql("select count(*)::int n from oidc_artefact where model in ('AccessToken', 'AuthorizationCode', 'Grant')"))[0]?.['n']);
    const told = (session: string): boolean => channel.received.some(({ claims }) => claims['sid'] === session);
    const sessionUnder = async (mandate: Mandate): Promise<string> =>
      String((await world.sql('select id from delegated_session where mandate_id = $1 order by opened_at desc limit 1', [mandate.id]))[0]?.['id']);

    type Reached = { mandate: Mandate; session?: string };
    /** Each step of the way, up to where the mandate is stopped, and the next one, which must be refused. */
    const STEPS: readonly (readonly [between: string, way: () => Promise<Reached>, next: (reached: Reached) => Promise<void>])[] = [];
    const steps = STEPS as [string, () => Promise<Reached>, (reached: Reached) => Promise<void>][];

    let begun: Awaited<ReturnType<typeof begin>>;
    let callback: URL | undefined;
    let confirmed: Response;
    let token = '';
    const upTo = async (where: 'authorize' | 'page' | 'confirm' | 'resume' | 'token'): Promise<Reached> => {
      const mandate = await agreed(world, 'colette', ['logement']);
      begun = await begin(karim, service);
      if (where === 'authorize') return { mandate };
      const page = await karim.open(`${world.places.relais}/interaction/${begun.uid}?personne=${mandate.id}`);
      assert.ok(page.html.includes('id="confirm"'));
      if (where === 'page') return { mandate };
      confirmed = await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf));
      assert.equal(confirmed.status, 303);
      const session = await sessionUnder(mandate);
      if (where === 'confirm') return { mandate, session };
      callback = await resume(karim, confirmed, service);
      if (!callback?.searchParams.get('code')) throw new Error('no code');
      if (where === 'resume') return { mandate, session };
      const tokens = await redeem(service, begun.request, callback);
      token = tokens.access_token;
      assert.equal(sessionOf(tokens.claims()), session);
      return { mandate, session };
    };

    steps.push(
      [
        'authorize and the page',
        () => upTo('authorize'),
        async () => {
          const page = await karim.open(`${world.places.relais}/interaction/${begun.uid}`);
          assert.ok(!textOf(page).includes('Colette Martin'), 'she is not offered');
        },
      ],
      [
        'the page and the confirmation',
        () => upTo('page'),
        async ({ mandate }) => {
          const from = await mark(world);
          const answer = await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf));
          assert.deepEqual([answer.status, codeOn(await answer.text())], [410, 'mandate_revoked'], 'the aidant is told');
          assert.deepEqual(
            (await writtenSince(world, from)).map((entry) => [entry.type, entry.usager, (entry.detail as { reason: string }).reason]),
            [['session.refused', mandate.usagerId, 'mandate_revoked']],
          );
          assert.deepEqual(await world.sql('select 1 from delegated_session where mandate_id = $1', [mandate.id]), []);
        },
      ],
      [
        'the confirmation and the return to the library',
        () => upTo('confirm'),
        async () => {
          const target = new URL(confirmed.headers.get('location') ?? '', world.places.relais);
          const security = world.logged.length;
          const answer = await karim.ask(target);
          await answer.body?.cancel();
          const back = new URL(answer.headers.get('location') ?? 'http://none.invalid/', target);
          assert.ok(back.href.startsWith(service.redirectUri), `the service is told: ${answer.status} ${back.href}`);
          assert.deepEqual(
            ['code', 'error', 'state', 'iss'].map((name) => back.searchParams.get(name)),
            [null, 'access_denied', begun.request.state, world.app.site.issuer],
          );
          assert.deepEqual(
            securitySince(world, security).map(({ line }) => line['code']),
            ['oauth_access_denied'],
          );
        },
      ],
      [
        'the code and its redemption',
        () => upTo('resume'),
        async () => {
          const security = world.logged.length;
          const answer = await redeemAt(world, service, begun.request, callback as URL);
          assert.deepEqual([answer.status, answer.body.error, answer.body.access_token], [400, 'invalid_grant', undefined]);
          assert.deepEqual(
            securitySince(world, security).map(({ line }) => line['code']),
            ['oauth_invalid_grant'],
          );
        },
      ],
      [
        'the token and userinfo',
        () => upTo('token'),
        async () => {
          const security = world.logged.length;
          assert.equal(await userinfoAt(world, token), 401);
          assert.deepEqual(
            securitySince(world, security).map(({ line }) => line['code']),
            ['oauth_invalid_token'],
          );
        },
      ],
      [
        'userinfo and introspection',
        async () => {
          const reached = await upTo('token');
          assert.equal(await userinfoAt(world, token), 200);
          return reached;
        },
        async () => assert.deepEqual(await introspectAt(world, service, token), { active: false }),
      ],
      [
        'introspection and the report',
        async () => {
          const reached = await upTo('token');
          assert.ok((await introspectAt(world, service, token)).active);
          return reached;
        },
        async ({ session }) => {
          const security = world.logged.length;
          const act = eventOf(service, session ?? '', `m5-${session}`);
          assert.equal((await reportAt(world, token, act)).status, 401);
          assert.deepEqual(
            securitySince(world, security).map(({ line }) => line['code']),
            ['api_token_refused'],
          );
          world.advance(1);
          const from = await mark(world);
          const late = eventOf(service, session ?? '', `m5-own-${session}`);
          assert.deepEqual(await reportAt(world, await ownToken(service), late).then(({ status, body }) => [status, body.code]), [
            422,
            'time_out_of_range',
          ]);
          assert.deepEqual(
            (await writtenSince(world, from)).map((entry) => entry.type),
            ['action.refused'],
          );
          assert.deepEqual(await world.sql('select 1 from action where session_id = $1', [session]), []);
        },
      ],
    );

    for (const [between, way, next] of steps)
      test(title(`M5 a mandate stopped between ${between}: the next step is refused, and person, aidant and service know`), on, async () => {
        const reached = await way();
        const { mandate, session } = reached;
        const from = await mark(world);
        await stop(mandate);
        const tokens = await tokensOf();
        await next(reached);
        assert.ok((await tokensOf()) <= tokens, 'nothing was issued afterwards');
        assert.deepEqual(await world.sql('select id from live_session($2) where mandate_id = $1', [mandate.id, new Date()]), []);
        // The person: her page says it, once.
        const entries = await entriesSince(world, from);
        assert.equal(entries.filter((entry) => entry.type === 'mandate.revoked' && entry.mandate === mandate.id).length, 1);
        assert.match(textOf(await colette.open(`${world.places.relais}/usager`)), /arrêté/i);
        // The aidant: she has left the list.
        assert.ok(!textOf(await karim.open(`${world.places.relais}/aidant`)).includes('Colette Martin'));
        // The service: its back channel has heard of that session, and nothing of another.
        if (session) {
          assert.equal(entries.filter((entry) => entry.type === 'session.ended' && entry.session === session).length, 1);
          assert.ok(await until(() => told(session)), 'the service is told');
          const { claims } = channel.received.find((one) => one.claims['sid'] === session) ?? { claims: {} as Record<string, unknown> };
          assert.deepEqual(
            [claims['iss'], claims['aud'], claims['sub'], typeof claims['jti']],
            [world.app.site.issuer, service.id, undefined, 'string'],
          );
        }
      });

    test(title('M5 what holds is asked of everything it rests on, not of the session alone: each end by itself is enough'), on, async () => {
      const mandate = await agreed(world, 'colette', ['logement']);
      const { tokens } = await delegatedTokens(world, karim, service, 'Colette Martin');
      const bearer = tokens.access_token;
      const holds = async (): Promise<boolean[]> => [(await introspectAt(world, service, bearer)).active, (await userinfoAt(world, bearer)) === 200];
      const aidant = mandate.acceptedBy;
      // Each written as the owner, beside the use cases: the row of the session itself stays open.
      for (const [what, change, back] of [
        ['the structure is suspended', `update organisation set status = 'suspended' where id = '${mandate.organisationId}'`, "status = 'active'"],
        ['the aidant is suspended', `update staff set status = 'suspended' where id = '${aidant}'`, "status = 'active'"],
        ['the aidant has left', `update membership set status = 'ended' where aidant_id = '${aidant}'`, "status = 'active'"],
        [
          'the service takes no delegation',
          `update service set delegation_supported = false where id = '${service.id}'`,
          'delegation_supported = true',
        ],
        ['the service has no such theme', `update service set themes = '{famille}' where id = '${service.id}'`, "themes = '{logement,famille}'"],
        [
          'the mandate has not begun',
          `update mandate set starts_at = starts_at + interval '1 hour' where id = '${mandate.id}'`,
          "starts_at = starts_at - interval '1 hour'",
        ],
        ['the grant has ended', `update mandate_grant set ended_at = now(), end_reason = 'revoked' where mandate_id = '${mandate.id}'`, undefined],
      ] as const) {
        if (what !== 'the grant has ended') assert.deepEqual(await holds(), [true, true], `before: ${what}`);
        await world.sql(change);
        world.advance(1500); // what is kept of a service for a second
        assert.deepEqual(await holds(), [false, false], what);
        if (back) await world.sql(change.replace(/ set .* where /, ` set ${back} where `));
        world.advance(1500);
      }
      const second = await agreed(world, 'colette', ['logement']);
      const again = await delegatedTokens(world, karim, service, 'Colette Martin');
      assert.ok((await introspectAt(world, service, again.tokens.access_token)).active);
      await world.sql("update mandate set ended_at = now(), end_reason = 'revoked', ended_by = 'x' where id = $1", [second.id]);
      assert.deepEqual(await introspectAt(world, service, again.tokens.access_token), { active: false }, 'the mandate has ended');
      assert.equal(
        (await world.sql('select 1 from delegated_session where mandate_id = $1 and ended_at is null', [second.id])).length,
        1,
        'the session alone would still say yes',
      );
    });

    test(title('the mirror service hears by sid that one session has ended; the usager reads when it knew'), on, async () => {
      const mandate = await agreed(world, 'colette', ['famille', 'logement']);
      const { mirrors, addresses } = world.demonstration;
      const browser = await signedInAidant(world);
      await browser.open(`${world.places.relais}/aidant`);
      const deep = new RegExp(`href="(/aidant/agir/${mandate.id}/allocations)"`).exec(browser.page?.html ?? '')?.[1];
      assert.ok(deep, 'the list leads to the service');
      const asked = await browser.open(new URL(deep, world.places.relais));
      const page = await confirmDelegation(browser, asked, 'Colette Martin', 'http://nowhere.invalid/', 'logement');
      assert.ok(page.url.href.startsWith(addresses.allowances), `${page.url.href} ${textOf(page).slice(0, 700)}`);
      const [session] = await world.sql('select id from delegated_session where mandate_id = $1', [mandate.id]);
      const heard = mirrors.allowances.received.length;
      const other = mirrors.taxes.received.length;
      await stop(mandate);
      assert.ok(await until(() => mirrors.allowances.received.length > heard));
      assert.deepEqual(
        mirrors.allowances.received.slice(heard).map(({ sid, sub }) => ({ sid, sub })),
        [{ sid: session?.['id'], sub: undefined }],
      );
      assert.equal(mirrors.taxes.received.length, other, 'no other service is told');
      const after = await browser.open(`${addresses.allowances}/demarches/aide-logement`);
      assert.ok(!after.html.includes('id="envoyer"'), 'nothing can be sent any more');
      assert.ok(
        await until(
          async () =>
            (await world.sql('select 1 from delivery where session_id = $1 and acknowledged_at is not null', [session?.['id']])).length === 1,
        ),
      );
      const [delivery] = await world.sql('select acknowledged_at, attempts from delivery where session_id = $1', [session?.['id']]);
      const at = delivery?.['acknowledged_at'] as Date;
      const clock = new Intl.DateTimeFormat('fr-FR', { timeZone: 'Europe/Paris', hour: '2-digit', minute: '2-digit' }).formatToParts(at);
      const part = (type: string): string => clock.find((each) => each.type === type)?.value ?? '';
      const stopped = textOf(await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}/arrete`));
      assert.match(stopped, new RegExp(`Allocations de démonstration.*${Number(part('hour'))} ?h ?${part('minute')}`), stopped.slice(0, 1500));
      const home = textOf(await colette.open(`${world.places.relais}/usager`));
      assert.match(home, /Allocations de démonstration/);
      const entries = await world.app.journal.read(world.database.auto, { usager: mandate.usagerId, types: ['revocation.delivered'], limit: 1 });
      assert.deepEqual(
        [entries[0]?.session, (entries[0]?.detail as { acknowledgedAt: string } | null)?.acknowledgedAt],
        [session?.['id'], at.toISOString()],
      );
    });

    test(
      title('a service that is down is told again and again, and told once when it is back; until then the usager reads that it does not know'),
      on,
      async () => {
        const mandate = await agreed(world, 'colette', ['logement']);
        karim = await signedInAidant(world);
        csrf = await csrfOf(world, karim);
        const { claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
        const session = sessionOf(claims);
        const heard = (): number => channel.received.filter((one) => one.claims['sid'] === session).length;
        const delivery = async () =>
          (await world.sql('select attempts, done_at, acknowledged_at, next_at, last_error from delivery where session_id = $1', [session]))[0] ?? {};
        channel.answer(503);
        await stop(mandate);
        for (let attempts = 1; attempts <= 4; attempts++) {
          assert.ok(
            await until(async () => Number((await delivery())['attempts']) === attempts && (await delivery())['last_error'] !== null),
            `try ${attempts}`,
          );
          assert.ok(await until(async () => ((await delivery())['next_at'] as Date).getTime() > Date.now()), 'it waits before the next');
          assert.equal(heard(), attempts);
          assert.equal((await delivery())['acknowledged_at'], null);
          world.advance(((await delivery())['next_at'] as Date).getTime() - Date.now());
        }
        assert.ok(await until(() => heard() === 5));
        colette = new Walker();
        await signInUsager(colette, world.places, 'colette');
        const waiting = textOf(await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}/arrete`));
        assert.match(waiting, /ne sai(t|vent) pas encore|pas encore|en cours/i, waiting.slice(0, 1200));
        channel.answer(200);
        world.advance(3_600_000);
        assert.ok(await until(async () => (await delivery())['acknowledged_at'] !== null));
        const total = heard();
        world.advance(7_200_000);
        await world.app.deliveries.work();
        assert.equal(heard(), total, 'what was acknowledged is not said again');
        await world.app.flushJournal();
        const entries = await world.app.journal.read(world.database.auto, { session, types: ['revocation.delivered'], limit: 10 });
        assert.deepEqual(
          entries.map((entry) => (entry.detail as { attempts: number }).attempts),
          [total],
        );
      },
    );

    test(title('stopping twice is stopping once: one entry, one notice, the same page'), on, async () => {
      const mandate = await agreed(world, 'colette', ['logement']);
      karim = await signedInAidant(world);
      csrf = await csrfOf(world, karim);
      colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      const { claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
      const token = await csrfOf(world, colette, '/usager');
      const from = await mark(world);
      const path = `${world.places.relais}/usager/mandats/${mandate.id}/arreter`;
      const answers = await Promise.all(Array.from({ length: 8 }, () => colette.ask(path, { _csrf: token })));
      const later = await colette.ask(path, { _csrf: token });
      assert.deepEqual(
        [...answers, later].map((answer) => [answer.status, answer.headers.get('location')]),
        Array.from({ length: 9 }, () => [303, `/usager/mandats/${mandate.id}/arrete`]),
      );
      const reopened = await colette.open(path);
      assert.equal(reopened.url.pathname, `/usager/mandats/${mandate.id}/arrete`, 'the page of an ended mandate leads to its end');
      const types = (await entriesSince(world, from)).map((entry) => entry.type);
      assert.deepEqual([types.filter((type) => type === 'mandate.revoked').length, types.filter((type) => type === 'session.ended').length], [1, 1]);
      assert.equal((await world.sql('select 1 from delivery where session_id = $1', [sessionOf(claims)])).length, 1);
    });

    test(
      title('a session that ends and of which the service said nothing reads « Sans compte rendu »; a refused report is no report'),
      on,
      async () => {
        const silent = await agreed(world, 'colette', ['logement']);
        karim = await signedInAidant(world);
        csrf = await csrfOf(world, karim);
        const first = await delegatedTokens(world, karim, service, 'Colette Martin');
        const refused = await reportAt(
          world,
          first.tokens.access_token,
          eventOf(service, sessionOf(first.claims), 'none', { demarche: `${service.id}.inconnue` }),
        );
        assert.equal(refused.status, 422);
        const lineOf = async (session: string): Promise<string> => {
          const [entry] = await world.app.journal.read(world.database.auto, { session, types: ['session.opened'], limit: 1 });
          return textOf(await colette.open(`${world.places.relais}/usager/entrees/${entry?.index}`));
        };
        await world.app.flushJournal();
        assert.ok(!(await lineOf(sessionOf(first.claims))).includes('Sans compte rendu'), 'while it runs, nothing is said');
        await stop(silent);
        await world.app.flushJournal();
        assert.ok((await lineOf(sessionOf(first.claims))).includes('Sans compte rendu'));
        assert.ok(textOf(await colette.open(`${world.places.relais}/usager`)).includes('Sans compte rendu'));
        const spoken = await agreed(world, 'colette', ['logement']);
        const second = await delegatedTokens(world, karim, service, 'Colette Martin');
        assert.equal(
          (await reportAt(world, second.tokens.access_token, eventOf(service, sessionOf(second.claims), `said-${spoken.id}`))).status,
          202,
        );
        await stop(spoken);
        await world.app.flushJournal();
        assert.ok(!(await lineOf(sessionOf(second.claims))).includes('Sans compte rendu'));
        const ended = await world.app.journal.read(world.database.auto, { types: ['session.ended'], session: sessionOf(second.claims), limit: 1 });
        assert.equal((ended[0]?.detail as { reported: boolean } | null)?.reported, true);
      },
    );
  });

const kind = postgresOnly();
if (kind)
  test('two instances tell a service once: each notice is taken by one of them (postgres)', { database: 'postgres' }, async () => {
    const world = await openWorld(kind);
    const channel = await backChannel();
    try {
      const { app } = await world.secondInstance();
      const service = await world.service('once-service', { backchannelLogoutUri: `${channel.origin}/logout` });
      const karim = await signedInAidant(world);
      const sessions: string[] = [];
      for (let i = 0; i < 8; i++) {
        const mandate = await agreed(world, 'colette', ['logement']);
        const { claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
        sessions.push(sessionOf(claims));
        await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
        await Promise.all([world.app.deliveries.work(), app.deliveries.work(), app.deliveries.work(), world.app.deliveries.work()]);
      }
      assert.ok(await until(async () => (await world.sql('select 1 from delivery where done_at is null')).length === 0));
      assert.deepEqual(channel.received.map(({ claims }) => claims['sid']).sort(), [...sessions].sort());
      assert.deepEqual(await world.sql('select distinct attempts from delivery where session_id = any($1)', [sessions]), [{ attempts: 1 }]);
    } finally {
      await world.close();
      await channel.close();
    }
  });
