import { after, before, describe } from 'node:test';
import type { UsagerId } from '../../src/kernel/ids.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, consented, csrfOf, inTheMorning, mandatesOf, mark, personOf, post, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { sessionOf } from '../support/protocol.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    const database = kind.kind;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
    });
    after(() => world.close());

    const endings = () => world.app.endings;
    const grants = async (id: string) =>
      (await world.sql('select theme, end_reason from mandate_grant where mandate_id = $1 order by theme', [id])).map(
        (grant) => `${grant['theme']} ${grant['end_reason'] ?? 'lives'}`,
      );
    const mandateRow = async (id: string) => (await world.sql('select end_reason, ended_by from mandate where id = $1', [id]))[0];
    const entriesSince = async (from: number, usager: UsagerId, type: string) =>
      (await world.app.journal.read(world.database.auto, { usager, limit: 500 })).filter((entry) => entry.index >= from && entry.type === type);

    test('M19 one theme is stopped, its session with it; the others live; the last one ends the mandate', { database }, async () => {
      const service = await world.service('arret-partiel', { themes: ['logement', 'famille'] });
      const mandate = await agreed(world, 'colette', ['famille', 'logement', 'social']);
      const karim = await signedInAidant(world);
      const session = sessionOf((await delegatedTokens(world, karim, service, 'Colette Martin')).claims);
      const opened = (await world.sql('select theme, ended_at from delegated_session where id = $1', [session]))[0];
      const theme = String(opened?.['theme']) as 'logement' | 'famille';
      const other = theme === 'logement' ? 'famille' : 'logement';
      const untouched = await endings().revokeByUsager(mandate.usagerId, mandate.id, other);
      assert.ok('mandate' in untouched && !untouched.again && untouched.mandate.state.kind === 'active');
      assert.equal((await world.sql('select ended_at from delegated_session where id = $1', [session]))[0]?.['ended_at'], null);
      const from = await mark(world);
      await endings().revokeByUsager(mandate.usagerId, mandate.id, theme);
      assert.deepEqual(await grants(mandate.id), ['famille revoked', 'logement revoked', 'social lives']);
      assert.notEqual((await world.sql('select ended_at from delegated_session where id = $1', [session]))[0]?.['ended_at'], null);
      const again = await endings().revokeByUsager(mandate.usagerId, mandate.id, theme);
      assert.ok('mandate' in again && again.again);
      assert.equal((await mandateRow(mandate.id))?.['end_reason'], null);
      const last = await endings().revokeByUsager(mandate.usagerId, mandate.id, 'social');
      assert.ok('mandate' in last && last.mandate.state.kind === 'ended' && last.mandate.state.reason === 'revoked');
      await world.app.flushJournal();
      const entries = await entriesSince(from, mandate.usagerId, 'mandate.revoked');
      assert.deepEqual(entries.flatMap(({ detail }) => (detail && 'left' in detail ? [[detail.themes, detail.left]] : [])).reverse(), [
        [[theme], ['social']],
        [['social'], []],
      ]);
    });

    test('M19 the page of the person offers each theme, and stops the one that she chose', { database }, async () => {
      const mandate = await agreed(world, 'colette', ['famille', 'logement']);
      const colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      const page = await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}/arreter`);
      assert.match(page.html, /value="logement"/);
      assert.match(page.html, /Tout le mandat/);
      const csrf = await csrfOf(world, colette, '/usager');
      const wrong = await post(world, colette, `/usager/mandats/${mandate.id}/arreter`, { _csrf: csrf, theme: 'tout' });
      assert.equal(wrong.status, 400);
      assert.deepEqual(await grants(mandate.id), ['famille lives', 'logement lives']);
      const done = await post(world, colette, `/usager/mandats/${mandate.id}/arreter`, { _csrf: csrf, theme: 'logement' });
      assert.equal(done.status, 303);
      assert.deepEqual(await grants(mandate.id), ['famille lives', 'logement revoked']);
      const receipt = await colette.open(`${world.places.relais}/usager/mandats/${mandate.id}/arrete`);
      assert.match(receipt.html, /Une partie du mandat est arrêtée/);
    });

    test('M21 a person, an aidant of another structure and a stranger id end nothing; the opérateur must say why, and she reads it', {
      database,
    }, async () => {
      const mandate = await agreed(world, 'colette', ['travail']);
      const stranger = await personOf(world, 'robert');
      assert.deepEqual(await endings().revokeByUsager(stranger, mandate.id), { refused: 'not_found' });
      assert.deepEqual(await endings().renounce(await whoIs(world, 'ines', 'Saintes'), mandate.id), { refused: 'not_found' });
      assert.deepEqual(await endings().endByOperateur(mandate.id, { reason: ' ', actor: 'opr_x' }), { refused: 'reason_malformed' });
      assert.deepEqual(await endings().endByOperateur('man_00000000000000000000000000' as never, { reason: 'x', actor: 'cli' }), {
        refused: 'not_found',
      });
      assert.deepEqual(await grants(mandate.id), ['travail lives']);
      const done = await endings().endByOperateur(mandate.id, { reason: 'Signalement 2026-311', actor: 'cli' });
      assert.ok('mandate' in done && done.mandate.state.kind === 'ended');
      await world.app.flushJournal();
      const colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      assert.match((await colette.open(`${world.places.relais}/usager`)).html, /Signalement 2026-311/);
    });

    test('M12 after a death or a guardianship every mandate has ended, and none is made, whoever was in the middle of it', { database }, async () => {
      const usager = await personOf(world, 'robert');
      const mandate = await agreed(world, 'robert', ['famille', 'social']);
      const who = await whoIs(world);
      const mandates = mandatesOf(world.app, world);
      const waiting = await consented(world, mandates, who, usager, ['logement']);
      const from = await mark(world);
      assert.deepEqual(await endings().endOfPerson(usager, 'guardianship', 'cli'), { ended: 1, again: false });
      assert.deepEqual(await grants(mandate.id), ['famille guardianship', 'social guardianship']);
      assert.deepEqual(await mandates.accept(who, waiting.id, waiting.hash, ''), { refused: 'protected_person' });
      assert.deepEqual(await endings().endOfPerson(usager, 'guardianship', 'cli'), { ended: 0, again: true });
      assert.deepEqual(await endings().endOfPerson('usg_00000000000000000000000000' as UsagerId, 'death', 'cli'), { refused: 'unknown_usager' });
      await assert.rejects(
        world.sql(
          `insert into mandate select 'man_x', 'M-XXXX-XXXX', d.id, d.organisation_id, d.usager_id, '2026-11', d.text_hash, d.days, now(), now() + interval '1 hour', 'franceconnect',
            'eidas1', d.consent_evidence, now(), d.aidant_id, now(), 'totp' from mandate_draft d where d.id = $1`,
          [waiting.id],
        ),
        /no mandate may be made for this person/,
      );
      await world.app.flushJournal();
      assert.equal((await entriesSince(from, usager, 'mandate.ended')).length, 1);
      assert.equal((await entriesSince(from, usager, 'usager.protected')).length, 1);
    });

    if (kind.kind === 'postgres')
      test('M12 a guardianship and a signature at the same moment leave no live mandate', { database, atLeast: 6 }, async () => {
        const who = await whoIs(world);
        const mandates = mandatesOf(world.app, world);
        for (let round = 0; round < 6; round++) {
          const usager = await personOf(world, `course-${round}`, {
            sub: `course-${round}`,
            given_name: `Course${'abcdef'[round]}`,
            email: undefined,
          });
          const draft = await consented(world, mandates, who, usager, ['papiers']);
          await Promise.all([mandates.accept(who, draft.id, draft.hash, ''), endings().endOfPerson(usager, 'guardianship', 'cli')]);
          const live = await world.sql('select id from mandate where usager_id = $1 and ended_at is null', [usager]);
          assert.deepEqual(live, []);
        }
      });

    test('an organisation that ends takes its mandates with it, and leaves the others alone', { database }, async () => {
      const ines = await whoIs(world, 'ines', 'Saintes');
      const theirs = await agreed(world, 'colette', ['papiers'], 31, ines);
      const ours = await agreed(world, 'colette', ['transports']);
      const done = await world.app.organisations.end(ines.organisationId, { reason: 'fermeture', actor: 'cli' });
      assert.ok('mandates' in done && done.mandates >= 1);
      assert.deepEqual(await grants(theirs.id), ['papiers organisation_ended']);
      assert.deepEqual(await grants(ours.id), ['transports lives']);
      assert.deepEqual(await world.app.organisations.end(ines.organisationId, { reason: 'encore', actor: 'cli' }), { refused: 'not_active' });
    });
  });
