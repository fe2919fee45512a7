import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { type Page, textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, csrfOf, entriesSince, eventOf, inesAt, inTheMorning, mark, personOf, post, reportAt, sessionOf, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type TestService, type World } from '../support/world.ts';

const SAID = ['action.contested', 'action.error-declared'];

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  let it: World;
  let service: TestService;
  let karim: Walker;
  let colette: Walker;
  let csrf = '';
  let hers = '';
  let act = 0;
  let opened = 0;

  const at = (path: string): string => `${it.places.relais}${path}`;
  const remarks = () => it.sql('select about, kind, said_by, session_id, event_id from remark order by said_at, kind');
  const lineOf = async (type: 'action.reported' | 'session.opened', session: string): Promise<number> => {
    await it.app.flushJournal();
    const [entry] = await it.app.journal.read(it.database.auto, { session, types: [type], limit: 1 });
    return entry?.index ?? -1;
  };
  const actFor = async (): Promise<string> => {
    await agreed(it, 'colette', ['logement']);
    const { tokens, claims } = await delegatedTokens(it, karim, service, 'Colette Martin');
    assert.equal((await reportAt(it, tokens.access_token, eventOf(service, sessionOf(claims), `act-${sessionOf(claims)}`))).status, 202);
    return sessionOf(claims);
  };
  const asApplication = (text: string) =>
    it.database.run(async (tx) => {
      await (tx as unknown as { query(one: object): Promise<unknown> }).query({ name: '', text, values: [] });
    });
  const agentOf = async (): Promise<Walker> => {
    const nora = new Walker();
    await signInStaff(nora, it.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (places, name) => it.code(places, name));
    return nora;
  };
  const queried = async (nora: Walker): Promise<Page> => {
    await nora.open(at('/administration'));
    return nora.send('journal-query', { reason: 'vérification des désaccords', service: service.id });
  };

  test(
    'J15 the person says once that she did not agree: entry, mail to the référents, read by her, the structure and the administration',
    on,
    async () => {
      it = world();
      inTheMorning(it);
      service = await it.service('j15-service');
      karim = await signedInAidant(it);
      csrf = await csrfOf(it, karim);
      colette = new Walker();
      await signInUsager(colette, it.places, 'colette');
      hers = await csrfOf(it, colette, '/usager');
      const session = await actFor();
      [act, opened] = [await lineOf('action.reported', session), await lineOf('session.opened', session)];
      const home = await colette.open(at('/usager'));
      assert.match(home.html, new RegExp(`href="/usager/entrees/${act}/desaccord"`));
      const before = await remarks();
      const asked = await colette.open(at(`/usager/entrees/${act}/desaccord`));
      assert.match(textOf(asked), /Vous n’avez pas à dire pourquoi/);
      assert.match(textOf(asked), new RegExp(it.app.site.helpNumber));
      assert.deepEqual(await remarks(), before, 'to open the page says nothing');
      const from = await mark(it);
      const mails = async () => Number((await it.sql("select count(*)::int n from delivery where kind = 'mail'"))[0]?.['n']);
      const mailed = await mails();
      const path = `/usager/entrees/${act}/desaccord`;
      const answers = await Promise.all(Array.from({ length: 6 }, () => post(it, colette, path, { _csrf: hers })));
      assert.deepEqual(
        answers.map((answer) => [answer.status, answer.headers.get('location')]),
        Array.from({ length: 6 }, () => [303, path]),
      );
      const said = (await entriesSince(it, from)).filter(({ type }) => SAID.includes(type));
      const usager = await personOf(it, 'colette');
      const who = await whoIs(it);
      assert.equal(said.length, 1, 'six at once are one');
      const [kept] = await it.app.journal.read(it.database.auto, { session, types: ['action.reported'], limit: 1 });
      const detail = said[0]?.detail as { entry: number; event: string } | null;
      assert.deepEqual(
        [said[0]?.usager, said[0]?.aidant, said[0]?.organisation, said[0]?.service, said[0]?.session, detail?.entry, detail?.event],
        [usager, who.aidantId, who.organisationId, service.id, session, act, kept?.eventId],
      );
      const referents = await it.sql('select count(*)::int n from membership where organisation_id = $1 and referent', [who.organisationId]);
      assert.ok(Number(referents[0]?.['n']) > 0);
      assert.equal((await mails()) - mailed, Number(referents[0]?.['n']), 'one mail a référent, once');
      assert.match(textOf(await colette.open(at(path))), /Votre désaccord est écrit/);
      assert.match(textOf(await colette.open(at('/usager'))), /Vous n’étiez pas d’accord avec ce que Karim/);
      assert.match(textOf(await karim.open(at('/aidant/desaccords'))), new RegExp(`Ligne ${said[0]?.index}.*n’était pas d’accord`));
      assert.match(textOf(await queried(await agentOf())), new RegExp(`Désaccord de la personne.*Sur la ligne ${act}`));
    },
  );

  test('J15 the aidant says once that it was an error: the person reads it, with the contest beside it', on, async () => {
    const from = await mark(it);
    assert.match((await karim.open(at('/aidant/actes'))).html, new RegExp(`href="/aidant/actes/${act}/erreur"`));
    await karim.open(at(`/aidant/actes/${act}/erreur`));
    assert.match(textOf(await karim.send('declare-error')), /Votre erreur est déclarée/);
    await post(it, karim, `/aidant/actes/${act}/erreur`, { _csrf: csrf });
    const said = (await entriesSince(it, from)).filter(({ type }) => SAID.includes(type));
    assert.deepEqual(
      said.map(({ type, usager, aidant }) => [type, usager !== undefined, aidant !== undefined]),
      [['action.error-declared', true, true]],
    );
    assert.match(textOf(await colette.open(at('/usager'))), /Karim.* a dit avoir fait une erreur/);
    assert.match(textOf(await colette.open(at(`/usager/entrees/${act}/desaccord`))), /L’aidant a dit avoir fait une erreur/);
    assert.match(textOf(await karim.open(at('/aidant/desaccords'))), /Désaccord, et erreur déclarée/);
  });

  test('J15 nobody speaks for another: only the person contests, only whoever did it declares, and the database refuses the rest', on, async () => {
    const before = await remarks();
    const ines = await inesAt(it, 'Thénac');
    const jean = new Walker();
    await signInUsager(jean, it.places, 'jean');
    const tries = [
      await post(it, ines, `/aidant/actes/${act}/erreur`, { _csrf: await csrfOf(it, ines) }), // a colleague
      await post(it, jean, `/usager/entrees/${opened}/desaccord`, { _csrf: await csrfOf(it, jean, '/usager') }), // another person
      await post(it, karim, `/usager/entrees/${opened}/desaccord`, { _csrf: csrf }), // the aidant, for her
      await post(it, colette, `/aidant/actes/${opened}/erreur`, { _csrf: hers }), // she, for the aidant
      ...(await Promise.all(
        ['-1', '1e400', 'x', '999999', '1.5'].map((id) => post(it, colette, `/usager/entrees/${id}/desaccord`, { _csrf: hers })),
      )),
    ];
    for (const answer of tries) assert.ok([303, 401, 404].includes(answer.status), `${answer.url} ${answer.status}`);
    const [row] = await it.sql("select * from remark where kind = 'contest'");
    for (const [about, by] of [
      [`(select opened_event from delegated_session where id = '${row?.['session_id']}')`, `'${(await whoIs(it)).aidantId}'`],
      ['gen_random_uuid()', `'${row?.['said_by']}'`],
    ])
      await assert.rejects(
        asApplication(
          `insert into remark (about, kind, session_id, said_by, said_at, event_id) values (${about}, 'contest', '${row?.['session_id']}', ${by}, now(), gen_random_uuid())`,
        ),
        /the person or the aidant/,
      );
    assert.deepEqual(await remarks(), before);
  });

  test(
    'J15 what was said is removed or hidden by no SQL, no route and no command: an end of mandate, aidant, service or structure leaves it',
    on,
    async () => {
      const before = await remarks();
      assert.equal(before.length, 2);
      const events = before.map((each) => each['event_id']);
      const entries = () =>
        it.sql('select p.* from journal.projection p join journal.receipt r on r.idx = p.idx where r.event_id = any ($1::uuid[])', [events]);
      const kept = await entries();
      assert.equal(kept.length, 2);
      for (const statement of [
        'delete from remark',
        'update remark set about = gen_random_uuid()',
        "update remark set kind = 'error'",
        'truncate remark',
        "delete from journal.projection where type = 'action.contested'",
        "update journal.projection set usager = null where type = 'action.contested'",
        'delete from journal.payload',
        'delete from journal.receipt',
        'delete from journal.leaf',
      ])
        await assert.rejects(asApplication(statement), /permission denied/, statement);
      for (const statement of ['delete from remark', 'update remark set said_by = said_by', 'truncate remark'])
        await assert.rejects(it.sql(statement), /append-only/, `the owner: ${statement}`);
      // What aidants, référents and administrations can post, and what the command line can do, to all that the entries name.
      const routes = it.app.http.printRoutes({ commonPrefix: false }).split('\n');
      const destroying = routes.filter((line) => /\b(DELETE|PUT|PATCH)\b/.test(line));
      // The provider's own answers every method; a service changes and removes its own stream of signals, which says nothing of anybody.
      assert.ok(
        destroying.every((line) => line.includes('* (') || line.includes('── ssf/stream (')),
        `no route of ours deletes or replaces: ${destroying}`,
      );
      const again = await agentOf();
      for (const [walker, token] of [
        [karim, csrf],
        [again, await csrfOf(it, again, '/administration')],
      ] as const)
        for (const path of [
          '/aidant/desaccords',
          '/aidant/actes',
          `/aidant/actes/${act}/erreur`,
          `/usager/entrees/${act}/desaccord`,
          '/administration/journal',
        ])
          await (await post(it, walker, path, { _csrf: token, delete: 'yes', entry: String(act) })).body?.cancel();
      const by = { reason: 'pour essayer de tout cacher', actor: 'opr_test' };
      const [session] = await it.sql('select * from delegated_session where id = $1', [before[0]?.['session_id']]);
      assert.ok('mandate' in (await it.app.endings.endByOperateur(session?.['mandate_id'] as never, by)));
      assert.match(textOf(await karim.open(at('/aidant/desaccords'))), /Désaccord, et erreur déclarée/, 'after the end of the mandate');
      await it.app.services.disable(service.id, by.actor);
      await it.app.aidants.remove(session?.['aidant_id'] as never, session?.['organisation_id'] as never, by);
      assert.match(
        textOf(await (await inesAt(it, 'Thénac')).open(at('/aidant/desaccords'))),
        /Désaccord, et erreur déclarée/,
        'after the aidant left',
      );
      await it.app.organisations.end(session?.['organisation_id'] as never, by);
      assert.deepEqual(await remarks(), before);
      assert.deepEqual(await entries(), kept);
      const text = textOf(await colette.open(at('/usager')));
      assert.match(text, /Vous n’étiez pas d’accord avec ce que Karim/);
      assert.match(text, /a dit avoir fait une erreur/);
      assert.match(textOf(await queried(again)), new RegExp(`Désaccord de la personne.*Sur la ligne ${act}`));
      assert.equal((await it.verifyJournal()).ok, true);
    },
  );
});
