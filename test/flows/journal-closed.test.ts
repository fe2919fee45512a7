import { before } from 'node:test';
import { prepareMandate, signInUsager } from '../../src/practice/story.ts';
import { formOf, type Page, textOf, Walker } from '../../src/practice/walker.ts';
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
  mark,
  personOf,
  redeemAt,
  reportAt,
  resume,
  sessionOf,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant, type TestService, type World } from '../support/world.ts';

inEachWorld(({ world: of, kind }) => {
  let world: World;
  let karim: Walker;
  let csrf = '';
  let service: TestService;
  const on = { database: kind };
  const title = (text: string): string => `${text} (${kind})`;

  before(async () => {
    world = of();
    inTheMorning(world);
    service = await world.service('j2-service');
    karim = await signedInAidant(world);
    csrf = await csrfOf(world, karim);
    await world.sql(`create function journal.test_refuses() returns trigger language plpgsql as $$
        begin if new.parties->>'usager' = tg_argv[0] and (tg_argv[1] = '' or new.type = tg_argv[1]) then raise exception 'the journal refuses'; end if; return new; end $$`);
  });

  /** While `work` runs, the journal takes nothing that concerns this person (of this type, when one is given). */
  const refusing = async <T>(usager: string, type: string, work: () => Promise<T>): Promise<T> => {
    await world.sql(
      `create trigger test_refuses before insert on journal.queue for each row execute function journal.test_refuses('${usager}', '${type}')`,
    );
    try {
      return await work();
    } finally {
      await world.sql('drop trigger test_refuses on journal.queue');
    }
  };
  const stateOf = (usager: string) =>
    world.sql(
      `select to_jsonb(m) row from mandate m where usager_id = $1 union all select to_jsonb(g) from mandate_grant g where usager_id = $1
        union all select to_jsonb(d) from delegated_session d where usager_id = $1 union all select to_jsonb(a) from action a join delegated_session d on d.id = a.session_id where usager_id = $1
        union all select to_jsonb(o) - 'payload' from oidc_artefact o join delegated_session d on d.grant_id = o.grant_id where d.usager_id = $1
        union all select to_jsonb(y.id) from delivery y join delegated_session d on d.id = y.session_id where d.usager_id = $1
        union all select to_jsonb(t) - 'failures' from totp t order by 1`,
      [usager],
    );
  const alerts = (from: number): unknown[] => world.logged.slice(from).filter(({ level }) => level === 'error');
  const clear = (page: Pick<Page, 'html'>): void => {
    const text = textOf(page as Page);
    assert.match(text, /0 800 00 00 00/, 'help');
    assert.match(text, /Rien n’a été|n’a pas été|Attendez|Réessayez|plus tard/i, text.slice(0, 600));
    assert.ok(!/refuses|raise|P0001|plpgsql|\.ts:|at async/.test(page.html), 'nothing of the inside');
  };

  test(title('J2 the journal refuses: no mandate is made, the code is not used up, the page says so, and an alert is logged'), on, async () => {
    const colette = await personOf(world, 'colette');
    await prepareMandate(karim, world.places, { person: 'colette', themes: ['logement'], days: '31' });
    const form = formOf(karim.page as Page, 'mandate-sign');
    const code = await world.code(world.places, 'Karim Benali');
    const before = await stateOf(colette);
    const from = await mark(world);
    const lines = world.logged.length;
    const answer = await refusing(colette, 'mandate.created', () => karim.ask(form.action, { ...form.fields, said_aloud: 'yes', code }));
    assert.ok(answer.status >= 500, String(answer.status));
    clear({ html: await answer.text() });
    assert.ok(alerts(lines).length >= 1, 'an alert');
    assert.deepEqual(await stateOf(colette), before);
    assert.deepEqual(await entriesSince(world, from), []);
    const again = await karim.ask(form.action, { ...form.fields, said_aloud: 'yes', code });
    assert.equal(again.status, 303, 'with the same code, once the journal is back');
    assert.equal((await entriesSince(world, from)).filter((entry) => entry.type === 'mandate.created').length, 1);
  });

  test(title('J2 the journal refuses: no session opens, and none that was open is half ended'), on, async () => {
    const jean = await personOf(world, 'jean');
    const mandate = await agreed(world, 'jean', ['logement']);
    const { tokens } = await delegatedTokens(world, karim, service, 'Jean Petit');
    const begun = await begin(karim, service);
    const before = await stateOf(jean);
    const from = await mark(world);
    for (const type of ['session.opened', 'session.ended', '']) {
      const lines = world.logged.length;
      const answer = await refusing(jean, type, () => confirm(world, karim, begun, confirmation(mandate, 'logement', csrf)));
      assert.ok(answer.status >= 500, `${type}: ${answer.status}`);
      clear({ html: await answer.text() });
      assert.ok(alerts(lines).length >= 1, 'an alert');
      assert.deepEqual(await stateOf(jean), before, type);
    }
    assert.deepEqual(await entriesSince(world, from), []);
    assert.ok((await introspectAt(world, service, tokens.access_token)).active, 'the session before is untouched');
    assert.equal((await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf))).status, 303);
  });

  test(title('J2 the journal refuses: no token is issued, and the code still serves once it is back'), on, async () => {
    const mandate = await agreed(world, 'jean', ['logement']);
    const begun = await begin(karim, service);
    const callback = await resume(karim, await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf)), service);
    assert.ok(callback);
    const before = await stateOf(mandate.usagerId);
    const lines = world.logged.length;
    const refused = await refusing(mandate.usagerId, 'token.issued', () => redeemAt(world, service, begun.request, callback));
    assert.ok(refused.status >= 400 && refused.body.access_token === undefined && refused.body.id_token === undefined);
    assert.ok(!JSON.stringify(refused.body).includes('refuses'));
    assert.ok(alerts(lines).length >= 1, 'an alert');
    assert.deepEqual(await stateOf(mandate.usagerId), before);
    const from = await mark(world);
    const done = await redeemAt(world, service, begun.request, callback);
    assert.equal(done.status, 200);
    assert.equal((await entriesSince(world, from)).filter((entry) => entry.type === 'token.issued').length, 1);
  });

  test(title('J2 the journal refuses: a stop is whole or not at all, and is done by the next try'), on, async () => {
    const mandate = await agreed(world, 'colette', ['logement']);
    const { tokens } = await delegatedTokens(world, karim, service, 'Colette Martin');
    const colette = new Walker();
    await signInUsager(colette, world.places, 'colette');
    await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}/arreter`);
    const form = formOf(colette.page as Page, 'stop-mandate');
    const before = await stateOf(mandate.usagerId);
    for (const type of ['mandate.revoked', 'session.ended']) {
      const lines = world.logged.length;
      const answer = await refusing(mandate.usagerId, type, () => colette.ask(form.action, form.fields));
      assert.ok(answer.status >= 500);
      clear({ html: await answer.text() });
      assert.ok(alerts(lines).length >= 1, 'an alert');
      assert.deepEqual(await stateOf(mandate.usagerId), before, type);
      assert.ok((await introspectAt(world, service, tokens.access_token)).active);
    }
    assert.equal((await colette.ask(form.action, form.fields)).status, 303);
    assert.deepEqual(await introspectAt(world, service, tokens.access_token), { active: false });
  });

  test(title('J2 the journal refuses: an act is not recorded, and the same report again records it once'), on, async () => {
    const mandate = await agreed(world, 'colette', ['logement']);
    const { tokens, claims } = await delegatedTokens(world, karim, service, 'Colette Martin');
    const event = eventOf(service, sessionOf(claims), 'j2-act');
    const before = await stateOf(mandate.usagerId);
    const lines = world.logged.length;
    const refused = await refusing(mandate.usagerId, 'action.reported', () => reportAt(world, tokens.access_token, event));
    assert.ok(refused.status >= 500 && refused.body.index === undefined, JSON.stringify(refused));
    assert.ok(alerts(lines).length >= 1, 'an alert');
    assert.deepEqual(await stateOf(mandate.usagerId), before);
    assert.equal((await reportAt(world, tokens.access_token, event)).status, 202);
    assert.equal((await world.sql("select 1 from action where event_key = 'j2-act'")).length, 1);
    assert.deepEqual((await world.verifyJournal()).faults, []);
  });
});
