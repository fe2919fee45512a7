import { after, before, describe } from 'node:test';
import fc from 'fast-check';
import { sha256 } from '../../src/kernel/crypto.ts';
import type { DraftId, UsagerId } from '../../src/kernel/ids.ts';
import { DURATIONS, type Mandate } from '../../src/mandates/mandate.ts';
import type { Mandates } from '../../src/mandates/mandates.ts';
import type { Theme } from '../../src/organisations/theme.ts';
import { inTheMorning, mandatesOf, personOf, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { neverThat } from '../support/never.ts';
import { openWorld, type World } from '../support/world.ts';

const SOME: readonly Theme[] = ['logement', 'famille', 'argent'];
const CONSENT = { method: 'franceconnect', acr: 'eidas1', evidence: sha256('sequences') } as const;
const index = fc.nat({ max: 5 });
const theme = fc.option(fc.constantFrom(...SOME), { nil: undefined });

/** Démarches to name beside these themes, some of which nobody offers. */
const CHOICES = {
  none: () => undefined,
  fitting: (themes: readonly Theme[]) => themes.map((each) => `seq.${each}`),
  odd: () => ['seq.paiements', 'seq.inconnue'],
} as const;

/** What anybody may try; indices name what exists by then, the newest first. */
const drafting = {
  who: fc.nat({ max: 2 }),
  themes: fc.subarray([...SOME], { minLength: 1 }),
  days: fc.constantFrom(...DURATIONS),
  demarches: fc.constantFrom('none', 'none', 'fitting', 'odd'),
  readOnly: fc.constantFrom(false, false, true),
  singleUse: fc.boolean(),
};
const operation = fc.oneof(
  fc.record({ op: fc.constant('draft' as const), ...drafting }),
  // A draft and both wills in a row, so that mandates are made often.
  { weight: 4, arbitrary: fc.record({ op: fc.constant('make' as const), usager: fc.nat({ max: 1 }), ...drafting }) },
  fc.record({ op: fc.constant('consent' as const), who: fc.nat({ max: 2 }), draft: index, usager: fc.nat({ max: 1 }) }),
  fc.record({
    op: fc.constant('accept' as const),
    who: fc.nat({ max: 2 }),
    draft: index,
    shown: fc.constantFrom('right', 'right', 'right', 'wrong'),
  }),
  fc.record({ op: fc.constant('agree' as const), draft: index, usager: fc.nat({ max: 1 }) }),
  fc.record({ op: fc.constant('agree' as const), draft: fc.constant(0), usager: fc.nat({ max: 1 }) }),
  fc.record({ op: fc.constant('renew' as const), who: fc.nat({ max: 2 }), mandate: index }),
  fc.record({ op: fc.constant('revoke' as const), usager: fc.nat({ max: 1 }), mandate: index, theme }),
  fc.record({ op: fc.constant('renounce' as const), who: fc.nat({ max: 2 }), mandate: index, theme }),
  fc.record({ op: fc.constant('wait' as const), minutes: fc.constantFrom(10, 90, 1440, 31 * 1440) }),
  fc.record({ op: fc.constant('expire' as const) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let mandates: Mandates;
    const database = kind.kind;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      await world.service('seq', {
        themes: SOME,
        demarches: [{ code: 'seq.paiements', label_fr: 'vos paiements', label_en: 'your payments', themes: ['logement'], effect: 'read' }],
      });
      mandates = mandatesOf(world.app, world);
    });
    after(() => world.close());

    test('M16 M20 no sequence of permitted operations leaves two active grants, a will missing, or a grant wider than its consent', {
      database,
      atLeast: 300,
    }, async () => {
      const who = [await whoIs(world), await whoIs(world, 'ines'), await whoIs(world, 'ines', 'Saintes')] as const;
      const usagers = [await personOf(world, 'colette'), await personOf(world, 'jean')] as const;
      const of = (by: number) => who[by] ?? who[0];
      const since = new Date(world.app.site.clock.now().getTime() - 1);
      let made = 0;
      const ended = new Map<string, string>();
      const play = async (operations: readonly Operation[]): Promise<void> => {
        const drafts: { id: DraftId; by: number }[] = [];
        const live: Mandate[] = [];
        const accept = async (by: number, id: DraftId, shown: 'right' | 'wrong'): Promise<void> => {
          const found = await mandates.findDraft(of(by), id);
          const hash = found?.draft.consent?.textHash ?? Buffer.alloc(32);
          const done = await mandates.accept(of(by), id, shown === 'right' ? hash : sha256('another text'), '');
          if ('refused' in done) return;
          assert.equal(shown === 'right' || done.again, true);
          if (!done.again) made++;
          live.unshift(done.mandate);
        };
        const agree = async (by: number, id: DraftId, whose: number): Promise<void> => {
          const usager = usagers[whose] ?? usagers[0];
          const found = await mandates.findDraft(of(by), id);
          const others = found ? await mandates.overlaps(found.draft, usager) : [];
          const answers = new Map(others.map(({ mandate }, i) => [mandate.id, i % 2 ? 'stop' : 'keep'] as const));
          await mandates.consent(of(by), id, usager, CONSENT, answers);
          await accept(by, id, 'right');
        };
        for (const it of operations) {
          if (it.op === 'draft' || it.op === 'make') {
            const demarches = CHOICES[it.demarches as keyof typeof CHOICES](it.themes);
            const { readOnly, singleUse } = it;
            const done = await mandates.draft(of(it.who), it.themes, it.days, { ...(demarches ? { demarches } : {}), readOnly, singleUse });
            if (!('draft' in done)) continue;
            drafts.unshift({ id: done.draft.id, by: it.who });
            if (it.op === 'make') await agree(it.who, done.draft.id, it.usager);
          } else if (it.op === 'consent' || it.op === 'agree' || it.op === 'accept') {
            const draft = drafts[it.draft];
            if (!draft) continue;
            if (it.op === 'agree') await agree(draft.by, draft.id, it.usager);
            else if (it.op === 'consent') await mandates.consent(of(it.who), draft.id, usagers[it.usager] ?? usagers[0], CONSENT);
            else await accept(it.who, draft.id, it.shown);
          } else if (it.op === 'wait') world.advance(it.minutes * 60_000);
          else if (it.op === 'expire') await mandates.expireOverdue();
          else {
            const mandate = live[it.mandate];
            if (!mandate) continue;
            if (it.op === 'renew') {
              const done = await mandates.renew(of(it.who), mandate.id);
              if ('draft' in done) drafts.unshift({ id: done.draft.id, by: it.who });
            } else if (it.op === 'revoke') {
              const by = usagers[it.usager] ?? usagers[0];
              const done = await mandates.revokeByUsager(by, mandate.id, it.theme);
              assert.equal('refused' in done, by !== mandate.usagerId, 'hers alone to stop, always');
            } else await mandates.renounce(of(it.who), mandate.id, it.theme);
          }
        }
        await world.app.flushJournal();
        await neverThat(world, since, JSON.stringify(operations));
        // What ended stays ended, and at the same instant.
        for (const { id, at } of (await world.sql('select id, ended_at::text "at" from mandate where ended_at is not null')) as {
          id: string;
          at: string;
        }[]) {
          assert.equal(ended.get(id) ?? at, at);
          ended.set(id, at);
        }
      };
      await fc.assert(fc.asyncProperty(fc.array(operation, { minLength: 6, maxLength: 18, size: 'max' }), play), { numRuns: 40, endOnFailure: true });
      assert.ok(made > 20, `${made} mandates were made on the way`);
    });

    test('M8 a person’s identifier that is posted in the place of hers changes nothing', { database }, async () => {
      const who = await whoIs(world);
      const colette = await personOf(world, 'colette');
      const before = await world.sql('select count(*)::int n from mandate_draft where usager_id is not null');
      const done = await mandates.draft(who, ['logement'], 1);
      assert.ok('draft' in done);
      const unknown = 'usg_00000000000000000000000000' as UsagerId;
      assert.deepEqual(await mandates.consent(who, done.draft.id, unknown, CONSENT), { refused: 'not_found' });
      assert.deepEqual(await mandates.revokeByUsager(unknown, 'man_00000000000000000000000000' as Mandate['id']), { refused: 'not_found' });
      assert.deepEqual(await world.sql('select count(*)::int n from mandate_draft where usager_id is not null'), before);
      assert.notEqual(colette, unknown);
    });
  });
