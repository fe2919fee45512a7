import { after, before, describe } from 'node:test';
import { rows } from '../../src/persistence/database.ts';
import type { Statement } from '../../src/persistence/sql.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { Walker } from '../../src/practice/walker.ts';
import { agreed, csrfOf, inTheMorning, mandatesOf, mark, post, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { delegatedTokens, openWorld, signedInAidant, type World } from '../support/world.ts';

/** What somebody with the application's database role might try on a mandate that has ended, on one that lives, and on what hangs on them. */
const ATTEMPTS: readonly (readonly [what: string, sql: string])[] = [
  ['lives again', "update mandate set ended_at = null, end_reason = null, ended_by = null where id = '$ENDED'"],
  ['ends later', "update mandate set ended_at = ended_at + interval '1 hour' where id = '$ENDED'"],
  ['ends for another reason', "update mandate set end_reason = 'expired' where id = '$ENDED'"],
  ['a grant lives again', "update mandate_grant set ended_at = null, end_reason = null where mandate_id = '$ENDED'"],
  ['a grant ends for another reason', "update mandate_grant set end_reason = 'replaced' where mandate_id = '$ENDED'"],
  ['a session lives again', "update delegated_session set ended_at = null, end_reason = null where mandate_id = '$ENDED'"],
  ['a session ended later', "update delegated_session set ended_at = ended_at + interval '1 hour' where mandate_id = '$ENDED'"],
  ['is deleted', "delete from mandate where id = '$ENDED'"],
  ['its grants are deleted', "delete from mandate_grant where mandate_id = '$ENDED'"],
  ['its sessions are deleted', "delete from delegated_session where mandate_id = '$ENDED'"],
  ['its recap is deleted', "delete from mandate_draft where id = (select draft_id from mandate where id = '$ENDED')"],
  ['all are deleted at once', 'truncate mandate cascade'],
  ['its acts are deleted', 'delete from action'],
  ['its acts change', "update action set event_key = 'x'"],
  ['its end moves', "update mandate set ends_at = ends_at + interval '1 day' where id = '$LIVE'"],
  ['its start moves', "update mandate set starts_at = starts_at - interval '1 day' where id = '$LIVE'"],
  ['its days change', "update mandate set days = 365 where id = '$LIVE'"],
  ['its consent changes', "update mandate set consent_method = 'paper' where id = '$LIVE'"],
  ['its proof changes', "update mandate set consent_evidence = '\\x01' where id = '$LIVE'"],
  ['its level rises', "update mandate set consent_acr = 'eidas2' where id = '$LIVE'"],
  ['its text changes', "update mandate set text_hash = '\\x01' where id = '$LIVE'"],
  ['its person changes', "update mandate set usager_id = (select id from usager where id <> mandate.usager_id limit 1) where id = '$LIVE'"],
  [
    'its structure changes',
    "update mandate set organisation_id = (select id from organisation where id <> mandate.organisation_id) where id = '$LIVE'",
  ],
  ['its acceptance changes', "update mandate set accepted_by = 'aid_x' where id = '$LIVE'"],
  ['a grant has another theme', "update mandate_grant set theme = 'argent' where mandate_id = '$LIVE'"],
  ['a grant goes to another mandate', "update mandate_grant set mandate_id = '$LIVE' where mandate_id = '$ENDED'"],
  [
    'a session has another person',
    "update delegated_session set usager_id = (select id from usager where id <> usager_id limit 1) where mandate_id = '$LIVE'",
  ],
  ['a session lasts longer', "update delegated_session set expires_at = expires_at + interval '1 minute' where mandate_id = '$LIVE'"],
  ['a session has another theme', "update delegated_session set theme = 'famille' where mandate_id = '$LIVE'"],
  ['the trigger is taken off', 'alter table mandate disable trigger no_revival'],
  ['the triggers are passed by', "set session_replication_role = 'replica'"],
];

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
    });
    after(() => world.close());

    test(`M20 as the application's role, nothing revives, deletes or rewrites a mandate, its grants or its sessions (${kind.kind})`, {
      database: kind.kind,
    }, async () => {
      const karim = await signedInAidant(world);
      const service = await world.service('m20-service');
      const ended = await agreed(world, 'colette', ['logement']);
      await delegatedTokens(world, karim, service, 'Colette Martin');
      await world.app.site.mandates.revokeByUsager(ended.usagerId, ended.id);
      const live = await agreed(world, 'jean', ['logement']);
      await delegatedTokens(world, karim, service, 'Jean Petit');
      const state = () =>
        world.sql(`select to_jsonb(m) row from mandate m union all select to_jsonb(g) from mandate_grant g union all select to_jsonb(d) - 'reported_at' from delegated_session d
          union all select to_jsonb(a) from action a order by 1`);
      const before = await state();
      for (const [what, text] of ATTEMPTS) {
        const statement: Statement = {
          name: `m20-${what.replaceAll(/\W/g, '-')}`,
          text: text.replaceAll('$ENDED', ended.id).replaceAll('$LIVE', live.id),
          values: [],
        };
        const error = await world.database
          .run((tx) => rows(tx, statement))
          .then(
            () => undefined,
            (reason: unknown) => reason,
          );
        const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
        // 42501: no right. 23514: the trigger that refuses revival.
        assert.ok(code === '42501' || code === '23514', `${what}: ${code ?? 'it was done'}`);
      }
      assert.deepEqual(await state(), before);
      // The same statements as the owner, to be sure that each of them means something: only the trigger stands there.
      await assert.rejects(world.sql('update mandate set ended_at = null, end_reason = null where id = $1', [ended.id]), /has ended/);
      await assert.rejects(world.sql('update mandate_grant set ended_at = null, end_reason = null where mandate_id = $1', [ended.id]), /has ended/);
      await assert.rejects(
        world.sql('update delegated_session set ended_at = null, end_reason = null where mandate_id = $1', [ended.id]),
        /has ended/,
      );
    });

    test(`M20 no use case and no page revives a mandate, lengthens it or widens it (${kind.kind})`, { database: kind.kind }, async () => {
      const who = await whoIs(world);
      const mandates = mandatesOf(world.app, world);
      const mandate = await agreed(world, 'colette', ['famille']);
      await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      const state = () =>
        world.sql('select to_jsonb(m) row from mandate m where id = $1 union all select to_jsonb(g) from mandate_grant g where mandate_id = $1', [
          mandate.id,
        ]);
      const before = await state();
      const from = await mark(world);
      const [draft] = await world.sql('select draft_id, text_hash from mandate where id = $1', [mandate.id]);
      const again = await mandates.accept(who, String(draft?.['draft_id']) as `dra_${string}`, draft?.['text_hash'] as Buffer, '');
      assert.ok('mandate' in again && again.again && again.mandate.state.kind === 'ended', 'its recap again gives it back, ended');
      const consent = { method: 'franceconnect', acr: 'eidas1', evidence: Buffer.alloc(32) } as const;
      assert.deepEqual(await mandates.consent(who, String(draft?.['draft_id']) as `dra_${string}`, mandate.usagerId, consent), {
        refused: 'draft_expired',
      });
      const renounced = await mandates.renounce(who, mandate.id);
      assert.ok('mandate' in renounced && renounced.again);
      const twice = await mandates.revokeByUsager(mandate.usagerId, mandate.id);
      assert.ok('mandate' in twice && twice.again && twice.mandate.state.kind === 'ended' && twice.mandate.state.reason === 'revoked');
      await mandates.expireOverdue();
      assert.deepEqual(await state(), before);
      const colette = new Walker();
      await signInUsager(colette, world.places, 'colette');
      const csrf = await csrfOf(world, colette, '/usager');
      const stopped = await post(world, colette, `/usager/mandats/${mandate.id}/arreter`, { _csrf: csrf });
      assert.equal(stopped.status, 303, 'stopping again is no error');
      for (const path of ['', '/arreter', '/arrete', '/reprendre', '/prolonger'])
        for (const method of ['PUT', 'PATCH', 'DELETE']) {
          const answer = await fetch(`${world.places.relais}/usager/mandats/${mandate.id}${path}`, {
            method,
            headers: { cookie: colette.cookieHeader(new URL(world.places.relais)), origin: world.places.relais },
          });
          assert.ok(answer.status === 404 || answer.status === 403 || answer.status === 405, `${method} ${path}: ${answer.status}`);
          await answer.body?.cancel();
        }
      assert.deepEqual(await state(), before);
      const entries = (await world.app.journal.read(world.database.auto, { usager: mandate.usagerId, limit: 500 })).filter(
        (entry) => entry.index >= from,
      );
      assert.deepEqual(
        entries.filter((entry) => /^mandate\.(created|revoked|renounced|ended|replaced)/.test(entry.type)),
        [],
        'and nothing is written twice',
      );
    });
  });
