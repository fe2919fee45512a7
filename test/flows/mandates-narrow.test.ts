import { before } from 'node:test';
import { decodeJwt } from 'jose';
import { textOf, Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  csrfOf,
  entriesSince,
  eventOf,
  inTheMorning,
  introspectAt,
  mandatesOf,
  mark,
  post,
  redeemAt,
  reportAt,
  resume,
  sessionOf,
  whoIs,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { authorize, delegatedTokens, signedInAidant, type TestService, type World } from '../support/world.ts';

inEachWorld(({ world: of, kind }) => {
  let world: World;
  let karim: Walker;
  let service: TestService;
  let other: TestService;
  const on = { database: kind };
  const title = (text: string): string => `${text} (${kind})`;

  before(async () => {
    world = of();
    inTheMorning(world);
    const reads = (id: string) => [
      { code: `${id}.paiements`, label_fr: 'vos paiements', label_en: 'your payments', themes: ['logement'], effect: 'read' as const },
      { code: `${id}.adresse`, label_fr: 'votre adresse', label_en: 'your address', themes: ['logement'], effect: 'change' as const },
    ];
    service = await world.service('nar-one', { demarches: reads('nar-one') });
    other = await world.service('nar-two', { demarches: reads('nar-two') });
    karim = await signedInAidant(world);
  });

  const detailOf = (claims: Awaited<ReturnType<typeof delegatedTokens>>['claims']) =>
    ((claims?.['authorization_details'] ?? []) as { demarches?: string[]; privileges?: string[] }[])[0];
  const isOffered = async (at: TestService, name: string): Promise<boolean> => {
    const begun = await begin(karim, at);
    return textOf(await karim.open(`${world.places.relais}/interaction/${begun.uid}?choisir=1`)).includes(name);
  };

  test(
    title('M7 a mandate for one démarche lets its service know of that one, records another as outside the mandate, and opens no other service'),
    on,
    async () => {
      const mandate = await agreed(world, 'jean', ['logement'], 31, undefined, undefined, { demarches: ['nar-one.paiements'] });
      assert.deepEqual(
        mandate.narrowing.demarches?.map(({ code, fr }) => [code, fr]),
        [['nar-one.paiements', 'vos paiements']],
      );
      const paper = await world.app.site.attestations.find(mandate.id);
      const verified = textOf(await new Walker().open(`${world.places.relais}/verifier/${paper?.code ?? ''}`));
      assert.match(verified, /vos paiements/, 'whoever checks the paper reads that it is for this alone');
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Jean Petit');
      assert.deepEqual([detailOf(claims)?.demarches, detailOf(claims)?.privileges], [['nar-one.paiements'], ['read']]);
      const told = (await introspectAt(world, service, tokens.access_token)) as { authorization_details?: { demarches?: string[] }[] };
      assert.deepEqual(told.authorization_details?.[0]?.demarches, ['nar-one.paiements']);
      const report = (id: string, more: Record<string, unknown>) =>
        reportAt(world, tokens.access_token, eventOf(service, sessionOf(claims), id, more));
      assert.equal((await report('n-1', { demarche: 'nar-one.paiements', verb: 'read' })).status, 202);
      for (const [id, more] of [
        ['n-2', { demarche: 'nar-one.logement', verb: 'send' }],
        ['n-3', { demarche: 'nar-one.adresse', verb: 'change' }],
        ['n-4', { demarche: 'nar-one.paiements', verb: 'send' }],
      ] as const) {
        const answer = await report(id, more);
        assert.deepEqual([answer.status, answer.body.code, typeof answer.body.receipt?.index], [422, 'outside_mandate', 'number'], id);
      }
      assert.equal(await isOffered(service, 'Jean Petit'), true);
      assert.equal(await isOffered(other, 'Jean Petit'), false, 'the other site has none of it');
      const from = await mark(world);
      const begun = await begin(karim, other);
      const answer = await confirm(world, karim, begun, confirmation(mandate, 'logement', await csrfOf(world, karim)));
      assert.equal(answer.status, 403);
      assert.match(await answer.text(), /demarche_not_covered/);
      const entries = await entriesSince(world, from);
      assert.deepEqual(
        entries.map((entry) => [entry.type, (entry.detail as { reason?: string }).reason]),
        [['session.refused', 'demarche_not_covered']],
      );
    },
  );

  test(title('M7 a mandate for reading gives reading alone, whatever else the service does'), on, async () => {
    await agreed(world, 'colette', ['logement'], 31, undefined, undefined, { readOnly: true });
    const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
    assert.deepEqual([detailOf(claims)?.demarches, detailOf(claims)?.privileges], [['nar-one.paiements'], ['read']]);
    const answer = await reportAt(world, tokens.access_token, eventOf(service, sessionOf(claims), 'r-1', { verb: 'send' }));
    assert.deepEqual([answer.status, answer.body.code], [422, 'outside_mandate']);
  });

  test(title('M7 a service that asks for one démarche receives that one or nothing'), on, async () => {
    await agreed(world, 'colette', ['logement'], 31);
    const asked = async (demarche: string) => {
      const request = await authorize(service, 'openid given_name', {
        authorization_details: JSON.stringify([{ type: 'urn:relais:mandate:1', actions: ['logement'], demarche }]),
      });
      const page = await karim.open(request.url);
      return { request, page };
    };
    const { page, request } = await asked('nar-one.adresse');
    const uid = /\/interaction\/([^/?]+)/.exec(page.url.pathname)?.[1] ?? '';
    const mandate = (
      await mandatesOf(world.app, world).ofOrganisation((await whoIs(world)).organisationId, {
        now: world.app.site.clock.now(),
        limit: 50,
        after: undefined,
        name: 'Colette',
      })
    ).find((each) => each.narrowing.readOnly === false);
    assert.ok(mandate);
    const confirmed = await confirm(world, karim, { uid, request }, confirmation(mandate, 'logement', await csrfOf(world, karim)));
    assert.equal(confirmed.status, 303);
    const [row] = await world.sql('select demarches, privileges from delegated_session where mandate_id = $1', [mandate.id]);
    assert.deepEqual([row?.['demarches'], row?.['privileges']], [['nar-one.adresse'], ['change']]);
    const back = await resume(karim, confirmed, service);
    assert.ok(back);
    const { body } = await redeemAt(world, service, request, back);
    const from = await mark(world);
    const session = sessionOf(decodeJwt(body.id_token ?? ''));
    const report = (id: string, demarche: string, verb: string) =>
      reportAt(world, body.access_token ?? '', eventOf(service, session, id, { demarche, verb }));
    assert.equal((await report('o-1', 'nar-one.adresse', 'change')).status, 202);
    const beyond = await report('o-2', 'nar-one.logement', 'send');
    assert.deepEqual([beyond.status, beyond.body.code, typeof beyond.body.receipt?.index], [422, 'outside_session', 'number']);
    const told = (await entriesSince(world, from)).filter(({ type }) => type === 'action.reported').map(({ detail }) => detail);
    assert.deepEqual(
      told.map((each) => [(each as { outsideMandate: boolean }).outsideMandate, (each as { signInAgain?: boolean }).signInAgain]),
      [
        [false, undefined],
        [false, true],
      ],
      'her mandate allows it: it is not said to be outside, only not what the sign-in was for',
    );
    const none = await asked('nar-one.inconnue');
    assert.ok(!textOf(none.page).includes('Colette Martin'), 'nobody is offered for what the service never registered');
  });

  test(
    title('an act of another theme of her mandate is outside the session alone, and outside the mandate once she has stopped that theme'),
    on,
    async () => {
      const mandate = await agreed(world, 'colette', ['logement', 'famille'], 31);
      const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin', undefined, 'logement');
      const report = async (id: string, word: string, verb: string) => {
        const { status, body } = await reportAt(
          world,
          tokens.access_token,
          eventOf(service, sessionOf(claims), id, { demarche: `nar-one.${word}`, verb, time: new Date().toISOString() }),
        );
        return [status, body.code];
      };
      assert.deepEqual(await report('t-1', 'famille', 'send'), [422, 'outside_session']);
      assert.deepEqual(await report('t-2', 'logement', 'send'), [202, undefined]);
      world.advance(1000);
      await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id, 'famille');
      world.advance(1000);
      assert.deepEqual(await report('t-3', 'famille', 'send'), [422, 'outside_mandate']);
      assert.deepEqual(await report('t-4', 'logement', 'send'), [202, undefined]);
    },
  );

  test(title('M8 a mandate for one use opens one session, of ten asked at once; then none, and says so to both'), on, async () => {
    const mandate = await agreed(world, 'jean', ['famille'], 31, undefined, undefined, { singleUse: true });
    const csrf = await csrfOf(world, karim);
    const begun = [];
    for (let i = 0; i < 10; i++) begun.push(await begin(karim, i % 2 ? other : service, 'openid dlg:famille'));
    const answers = await Promise.all(begun.map((each) => confirm(world, karim, each, confirmation(mandate, 'famille', csrf))));
    const opened = answers.filter((answer) => answer.status === 303);
    assert.equal(opened.length, 1, answers.map((answer) => answer.status).join());
    for (const answer of answers) if (answer.status !== 303) assert.match(await answer.text(), /mandate_used|interaction_expired/);
    assert.deepEqual(await world.sql('select count(*)::int n from delegated_session where mandate_id = $1', [mandate.id]), [{ n: 1 }]);
    const winner = begun[answers.findIndex((answer) => answer.status === 303)];
    assert.ok(winner && opened[0]);
    const at = answers.indexOf(opened[0]) % 2 ? other : service;
    const back = await resume(karim, opened[0], at);
    assert.ok(back);
    const { body } = await redeemAt(world, at, winner.request, back);
    assert.ok((await introspectAt(world, at, body.access_token ?? '')).active, 'its one session lives');
    assert.equal((await mandatesOf(world.app, world).find(mandate.id))?.used, true);
    assert.equal(
      await isOffered(service, 'Jean Petit'),
      (await world.sql(`select 1 from mandate where usager_id = $1 and not single_use and ended_at is null`, [mandate.usagerId])).length > 0,
    );
    assert.match(textOf(await karim.open(`${world.places.relais}/aidant`)), /Ce mandat a déjà servi/);
    await assert.rejects(
      world.sql(
        `insert into delegated_session select 'dls_x', 'g_x', web_session, mandate_id, theme, aidant_id, organisation_id, usager_id, service_id, acr, aidant_acr, aidant_amr, auth_time,
            privileges, identifier, opened_event, opened_at, expires_at, null, null, null, demarches, single_use from delegated_session where mandate_id = $1`,
        [mandate.id],
      ),
      /delegated_session_once/,
    );
  });

  test(title('M10 a renewal is as narrow as what it renews; M8 the pages take no démarche, effect or use that was not offered'), on, async () => {
    const mandates = mandatesOf(world.app, world);
    const who = await whoIs(world);
    const older = await agreed(world, 'robert', ['logement'], 1, undefined, undefined, {
      demarches: ['nar-one.paiements'],
      readOnly: true,
      singleUse: true,
    });
    const drafted = await mandates.renew(who, older.id);
    assert.ok('draft' in drafted);
    assert.deepEqual(drafted.draft.narrowing, older.narrowing);
    // Widened behind the code's back, the draft is refused at the person's will and again by the database.
    await world.sql('update mandate_draft set read_only = false where id = $1', [drafted.draft.id]);
    const given = await mandates.consent(who, drafted.draft.id, older.usagerId, {
      method: 'franceconnect',
      acr: 'eidas1',
      evidence: Buffer.from('x'),
    });
    assert.deepEqual(given, { refused: 'renewal_refused' });
    const csrf = await csrfOf(world, karim);
    const drafts = async () => Number((await world.sql('select count(*)::int n from mandate_draft'))[0]?.['n']);
    const before = await drafts();
    for (const [fields, status] of [
      [{ themes: ['logement'], demarches: ['nar-one.inconnue'], days: '1' }, 409],
      [{ themes: ['famille'], demarches: ['nar-one.paiements'], days: '1' }, 409],
      [{ themes: ['logement', 'famille'], demarches: ['nar-one.paiements'], days: '1' }, 409],
      [{ themes: ['logement'], demarches: ['nar-one.adresse'], days: '1', read_only: 'yes' }, 422],
      [{ themes: ['logement'], demarches: Array.from({ length: 40 }, (_, i) => `nar-one.x${i}`), days: '1' }, 409],
      [{ themes: [], demarches: ['nar-one.paiements'], days: '1' }, 422],
      [{ themes: ['logement'], demarches: ['nar-one.paiements'], days: '2' }, 422],
    ] as const) {
      const answer = await post(world, karim, '/aidant/mandats/nouveau/duree', { _csrf: csrf, ...fields });
      assert.equal(answer.status, status, JSON.stringify(fields));
      await answer.body?.cancel();
    }
    assert.equal(await drafts(), before);
  });

  test(title('the démarche is picked, its theme follows, one day is chosen beforehand, and the text says how narrow it is'), on, async () => {
    const csrf = await csrfOf(world, karim);
    const first = await karim.open(`${world.places.relais}/aidant/mandats/nouveau`);
    assert.match(textOf(first), /vos paiements/);
    const picked = await post(world, karim, '/aidant/mandats/nouveau', { _csrf: csrf, demarches: ['nar-one.paiements'] });
    const to = picked.headers.get('location') ?? '';
    assert.equal(to, '/aidant/mandats/nouveau/duree?themes=logement&demarches=nar-one.paiements');
    const days = await karim.open(`${world.places.relais}${to}`);
    assert.match(days.html, /id="days-1"[^>]*value="1"[^>]*checked/);
    const drafted = await post(world, karim, '/aidant/mandats/nouveau/duree', {
      _csrf: csrf,
      themes: ['logement'],
      demarches: ['nar-one.paiements'],
      days: '1',
      read_only: 'yes',
      single_use: 'yes',
    });
    const text = textOf(await karim.open(`${world.places.relais}${drafted.headers.get('location') ?? ''}`));
    assert.match(text, /Et seulement ces démarches/);
    assert.match(text, /vos paiements, sur le site Service nar-one/);
    assert.match(text, /L’aidant peut seulement regarder/);
    assert.match(text, /se connecter au site une seule fois/);
    const both = await post(world, karim, '/aidant/mandats/nouveau', { _csrf: csrf, demarches: ['nar-one.paiements'], themes: ['famille'] });
    assert.equal(both.status, 422);
    const held = await post(world, karim, '/aidant/mandats/nouveau', { _csrf: csrf, demarches: ['nar-one.paiements'], themes: ['logement'] });
    assert.equal(held.headers.get('location'), '/aidant/mandats/nouveau/duree?themes=logement', 'the whole theme was chosen on purpose');
  });
});
