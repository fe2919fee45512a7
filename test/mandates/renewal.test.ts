import { after, before, describe } from 'node:test';
import { sha256 } from '../../src/kernel/crypto.ts';
import type { DraftId } from '../../src/kernel/ids.ts';
import type { Mandate } from '../../src/mandates/mandate.ts';
import { renewal } from '../../src/mandates/policy.ts';
import { agreed, csrfOf, inTheMorning, mandatesOf, personOf, post, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { openWorld, signedInAidant, type World } from '../support/world.ts';

const DAY = 86_400_000;
const CONSENT = { method: 'franceconnect', acr: 'eidas1', evidence: sha256('renewal') } as const;

test('M10 what may be renewed: a live mandate, or one that ended by itself or was given up, for 365 days; never one that the person stopped', () => {
  const end = new Date('2026-06-01T22:00:00Z');
  const base = {
    endsAt: end,
    usagerId: 'usg_x',
    themes: [
      { theme: 'famille', endedAt: undefined },
      { theme: 'social', endedAt: new Date('2026-05-01T10:00:00Z') },
    ],
    state: { kind: 'active' },
  } as unknown as Mandate;
  const ended = (reason: string, at = end) =>
    ({ ...base, state: { kind: 'ended', at, reason }, themes: [{ theme: 'famille', endedAt: at }, base.themes[1]] }) as unknown as Mandate;
  const themes = (mandate: Mandate, now: Date) => {
    const held = renewal(mandate, now);
    return 'refused' in held ? held.refused : held.themes;
  };
  assert.deepEqual(themes(base, new Date(end.getTime() - 1)), ['famille'], 'a theme that was stopped stays stopped');
  assert.deepEqual(themes(base, new Date(end.getTime() + DAY)), ['famille'], 'over, and not written down yet');
  assert.deepEqual(themes(ended('expired'), new Date(end.getTime() + 365 * DAY - 1)), ['famille']);
  assert.equal(themes(ended('expired'), new Date(end.getTime() + 365 * DAY)), 'renewal_refused');
  assert.deepEqual(themes(ended('renounced'), end), ['famille']);
  assert.equal(themes(ended('revoked'), end), 'mandate_revoked');
  for (const reason of ['replaced', 'death', 'guardianship', 'organisation_ended']) assert.equal(themes(ended(reason), end), 'renewal_refused');
});

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    const database = kind.kind;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
    });
    after(() => world.close());

    test('M10 a renewal needs both wills anew, keeps themes and days, and replaces the older one at the same instant', { database }, async () => {
      const mandates = mandatesOf(world.app, world);
      const who = await whoIs(world);
      const older = await agreed(world, 'colette', ['loisirs', 'papiers'], 31);
      const drafted = await mandates.renew(who, older.id);
      assert.ok('draft' in drafted);
      const { id } = drafted.draft;
      assert.deepEqual([[...drafted.draft.themes].sort(), drafted.draft.days], [['loisirs', 'papiers'], 31]);
      assert.deepEqual(await mandates.accept(who, id, Buffer.alloc(32), ''), { refused: 'consent_missing' });
      assert.deepEqual(await mandates.consent(who, id, await personOf(world, 'robert'), CONSENT), { refused: 'usager_mismatch' });
      const given = await mandates.consent(who, id, older.usagerId, CONSENT);
      assert.ok('draft' in given);
      const done = await mandates.accept(who, id, given.draft.consent?.textHash ?? Buffer.alloc(0), '');
      assert.ok('mandate' in done && !done.again);
      assert.deepEqual([done.mandate.days, done.mandate.themes.map(({ theme }) => theme).sort()], [31, ['loisirs', 'papiers']]);
      const [before] = await world.sql('select ended_at, end_reason from mandate where id = $1', [older.id]);
      assert.equal(before?.['end_reason'], 'replaced');
      assert.deepEqual(before?.['ended_at'], done.mandate.startsAt);
      assert.equal(
        (await world.sql("select 1 from mandate_grant where usager_id = $1 and theme = 'loisirs' and ended_at is null", [older.usagerId])).length,
        1,
      );
      assert.deepEqual(await mandates.renew(who, older.id), { refused: 'renewal_refused' }, 'the newer one is the one to renew');
    });

    test('M10 a mandate stopped while its renewal waits takes the renewal with it', { database }, async () => {
      const mandates = mandatesOf(world.app, world);
      const who = await whoIs(world);
      const older = await agreed(world, 'colette', ['justice'], 31);
      const drafted = await mandates.renew(who, older.id);
      assert.ok('draft' in drafted);
      const given = await mandates.consent(who, drafted.draft.id, older.usagerId, CONSENT);
      assert.ok('draft' in given);
      await mandates.revokeByUsager(older.usagerId, older.id);
      assert.deepEqual(await mandates.accept(who, drafted.draft.id, given.draft.consent?.textHash ?? Buffer.alloc(0), ''), {
        refused: 'mandate_revoked',
      });
      assert.deepEqual(await mandates.renew(who, older.id), { refused: 'mandate_revoked' });
      assert.equal(
        (await world.sql("select 1 from mandate_grant where usager_id = $1 and theme = 'justice' and ended_at is null", [older.usagerId])).length,
        0,
      );
    });

    test('M10 the page renews only what is ours, and nothing posted widens it', { database }, async () => {
      const mandate = await agreed(world, 'colette', ['transports'], 1);
      const karim = await signedInAidant(world);
      const csrf = await csrfOf(world, karim, '/aidant');
      const answer = await post(world, karim, `/aidant/mandats/${mandate.id}/renouveler`, { _csrf: csrf, themes: 'argent', days: '365' });
      assert.equal(answer.status, 303);
      const id = (answer.headers.get('location') ?? '').split('/').at(-1) as DraftId;
      const [draft] = await world.sql('select themes, days, renews from mandate_draft where id = $1', [id]);
      assert.deepEqual(draft, { themes: ['transports'], days: 1, renews: mandate.id });
      const elsewhere = await agreed(world, 'colette', ['transports'], 1, await whoIs(world, 'ines', 'Saintes'));
      const drafts = await world.sql('select count(*)::int n from mandate_draft');
      assert.equal((await post(world, karim, `/aidant/mandats/${elsewhere.id}/renouveler`, { _csrf: csrf })).status, 404);
      assert.deepEqual(await world.sql('select count(*)::int n from mandate_draft'), drafts);
    });
  });
