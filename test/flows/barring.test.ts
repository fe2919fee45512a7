import type { Transaction } from '../../src/kernel/transaction.ts';
import { barStore } from '../../src/persistence/barring.ts';
import { signInStaff, signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  csrfOf,
  entriesSince,
  inTheMorning,
  introspectAt,
  mark,
  post,
  sessionOf,
  userinfoAt,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { postgresOnly } from '../support/database.ts';
import { byHand } from '../support/decisions.ts';
import { inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

const REASON = 'usage suspect, dossier 2026-118';
const agentAt = async (it: World): Promise<{ nora: Walker; csrf: string }> => {
  const nora = new Walker();
  await signInStaff(nora, it.places, 'nora', 'Nora Lefèvre', '/connexion/proconnect?vers=/administration', (places, name) => it.code(places, name));
  return { nora, csrf: await csrfOf(it, nora, '/administration') };
};
/** Another administration takes a service over, so that one mandate serves at services of two. */
const moveToTaxes = (it: World, service: string) =>
  it.sql("update service set administration_id = (select id from administration where name like 'Imp%') where id = $1", [service]);

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;

  test(
    'M21 an administration stops one mandate at its own services: sessions there end, none opens, elsewhere it goes on, for ever',
    on,
    async () => {
      const it = world();
      inTheMorning(it);
      const [here, elsewhere] = [await it.service('m21-here'), await it.service('m21-elsewhere')];
      await moveToTaxes(it, elsewhere.id);
      it.advance(1500); // what is kept of a service for a second
      const karim = await signedInAidant(it);
      const { nora, csrf } = await agentAt(it);
      const mandate = await agreed(it, 'colette', ['logement']);
      const path = `/administration/mandats/${mandate.id}`;
      assert.equal((await nora.ask(new URL(path, it.places.relais))).status, 404, 'a mandate that never served at her services is unknown');
      const there = await delegatedTokens(it, karim, elsewhere, 'Colette Martin');
      assert.equal((await nora.ask(new URL(path, it.places.relais))).status, 404, 'nor one that served only at another administration’s');
      assert.equal((await post(it, nora, path, { _csrf: csrf, reason: REASON })).status, 404);
      const open = await delegatedTokens(it, karim, here, 'Colette Martin');
      const from = await mark(it);
      const read = async () => it.sql('select barred, ended_at from mandate where id = $1', [mandate.id]);
      assert.deepEqual(await read(), [{ barred: [], ended_at: null }]);
      for (const reason of ['', ' ', 'x'.repeat(201), 'a\u202eb'])
        assert.equal((await post(it, nora, path, { _csrf: csrf, reason })).status, 422, JSON.stringify(reason));
      assert.deepEqual(await read(), [{ barred: [], ended_at: null }]);
      await nora.open(new URL('/administration', it.places.relais));
      const found = await nora.send('journal-query', { reason: 'contrôle de ce mandat', service: here.id });
      assert.ok(found.html.includes(`href="${path}"`), 'the journal leads to it');
      await nora.open(new URL(path, it.places.relais));
      assert.match(textOf(await nora.send('bar', { reason: REASON })), /ne sert plus sur vos sites/);
      await post(it, nora, path, { _csrf: csrf, reason: 'une seconde fois' });
      const entries = (await entriesSince(it, from)).filter(({ type }) => ['mandate.barred', 'session.ended'].includes(type));
      assert.deepEqual(
        entries.map(({ type, session, usager }) => [type, session, usager]),
        [
          ['session.ended', sessionOf(open.claims), mandate.usagerId],
          ['mandate.barred', undefined, mandate.usagerId],
        ],
      );
      assert.equal((entries[1]?.detail as { reason: string } | null)?.reason, REASON);
      assert.deepEqual(await introspectAt(it, here, open.tokens.access_token), { active: false });
      assert.equal(await userinfoAt(it, open.tokens.access_token), 401);
      assert.equal(
        (await it.sql("select 1 from delivery where kind = 'logout' and session_id = $1", [sessionOf(open.claims)])).length,
        1,
        'its service is told',
      );
      assert.equal((await introspectAt(it, elsewhere, there.tokens.access_token)).active, true, 'elsewhere it goes on');
      const begun = await begin(karim, here);
      assert.ok(
        !textOf(await karim.open(new URL(`/interaction/${begun.uid}`, it.places.relais))).includes('Colette Martin'),
        'she is not offered there',
      );
      const refused = await confirm(it, karim, begun, confirmation(mandate, 'logement', await csrfOf(it, karim)));
      assert.match(await refused.text(), /mandate_barred|no_mandate|not_found/);
      assert.deepEqual(
        await it.sql('select id from live_session($1) where mandate_id = $2 and service_id = $3', [new Date(), mandate.id, here.id]),
        [],
      );
      const colette = new Walker();
      const home = textOf(await signInUsager(colette, it.places, 'colette'));
      assert.match(home, /Allocations de démonstration a arrêté.*sur ses sites.*usage suspect/);
      assert.match(textOf(await karim.open(new URL('/aidant/desaccords', it.places.relais))), /usage suspect, dossier 2026-118/);
      for (const sql of [
        (text: string) =>
          it.database.run(async (tx) => {
            await (tx as unknown as { query(one: object): Promise<unknown> }).query({ name: '', text, values: [] });
          }),
        it.sql,
      ])
        await assert.rejects(sql(`update mandate set barred = '{}' where id = '${mandate.id}'`), /stays stopped/);
      const renewed = await agreed(it, 'colette', ['logement']);
      await delegatedTokens(it, karim, here, 'Colette Martin');
      assert.equal((await it.sql('select 1 from delegated_session where mandate_id = $1', [renewed.id])).length, 1, 'a new mandate is another one');
    },
  );
});

const kind = postgresOnly();
if (kind)
  test('M21 a session that opens while its administration stops the mandate, on two instances: none is left open (postgres)', {
    database: 'postgres',
  }, async () => {
    const it = await openWorld(kind);
    try {
      const other = await it.secondInstance();
      const service = await it.service('m21-race');
      const karim = await signedInAidant(it);
      const csrf = await csrfOf(it, karim);
      const [agent] = await it.sql(
        "select a.staff_id, d.id, d.name from agent a join administration d on d.id = a.administration_id join service s on s.administration_id = d.id where s.id = 'm21-race'",
      );
      const by = { staffId: String(agent?.['staff_id']), administration: { id: String(agent?.['id']), name: String(agent?.['name']) } };
      const wait = (ms: number) => new Promise((resume) => setTimeout(resume, ms));
      const seen = { opened: 0, refused: 0 };
      for (let i = 0; i < 6; i++) {
        const mandate = await agreed(it, 'colette', ['logement']);
        await delegatedTokens(it, karim, service, 'Colette Martin');
        const begun = await begin(karim, service);
        const [answer, done] = await Promise.all([
          confirm(it, karim, begun, confirmation(mandate, 'logement', csrf)),
          wait(i * 2).then(() => other.app.site.barring.bar(by, mandate.id, REASON)),
        ]);
        await answer.body?.cancel();
        assert.deepEqual(done, { again: false });
        const rows = await it.sql('select id, ended_at from delegated_session where mandate_id = $1', [mandate.id]);
        seen[rows.length > 1 ? 'opened' : 'refused']++;
        assert.ok(answer.status < 500, `${answer.status}`);
        assert.deepEqual(
          rows.filter((one) => one['ended_at'] === null),
          [],
          `turn ${i}: nothing is left open`,
        );
        await it.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      }
      assert.equal(seen.opened + seen.refused, 6);
      // Between the two, to the letter: she is still offered when the opening is asked, and the stop commits while it waits.
      const mandate = await agreed(it, 'colette', ['logement']);
      const begun = await begin(karim, service);
      let answer: Promise<Response> | undefined;
      const stopping = async (tx: Transaction): Promise<void> => {
        assert.equal(await barStore.bar(tx, mandate.id, by.administration.id, it.app.site.clock.now()), true);
        answer = confirm(it, karim, begun, confirmation(mandate, 'logement', csrf));
        await wait(400);
      };
      await byHand(() => other.app.site.transactions.run(stopping));
      assert.match((await (await answer)?.text()) ?? '', /Ce mandat ne sert plus sur ce site/);
      assert.deepEqual(await it.sql('select 1 from delegated_session where mandate_id = $1', [mandate.id]), []);
    } finally {
      await it.close();
    }
  });
