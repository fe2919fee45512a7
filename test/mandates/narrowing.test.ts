import fc from 'fast-check';
import { covered, isHeld, type Narrowing, nameDemarches, type Offered } from '../../src/mandates/narrowing.ts';
import { THEMES, type Theme } from '../../src/organisations/theme.ts';
import { EFFECTS } from '../../src/services/service.ts';
import { assert, test } from '../support/check.ts';

const CODES = ['a.one', 'a.two', 'b.one', 'b.two', 'c.one'] as const;
const demarche = fc.record({
  code: fc.constantFrom(...CODES),
  effect: fc.constantFrom(...EFFECTS),
  themes: fc.uniqueArray(fc.constantFrom(...THEMES), { minLength: 1, maxLength: 3 }),
});
const catalogue = fc
  .uniqueArray(demarche, { selector: ({ code }) => code, maxLength: 5 })
  .map((all) => all.map((each): Offered => ({ ...each, labelFr: `fr ${each.code}`, labelEn: `en ${each.code}`, serviceName: 'S' })));

test('M7 what a narrowed mandate covers is never more than it names, never more than the service has, and reads only when it is for reading', {
  atLeast: 2000,
}, () => {
  fc.assert(
    fc.property(
      catalogue,
      fc.option(fc.uniqueArray(fc.constantFrom(...CODES), { minLength: 1 }), { nil: undefined }),
      fc.boolean(),
      fc.boolean(),
      (all, codes, readOnly, singleUse) => {
        const narrowing: Narrowing = { demarches: codes?.map((code) => ({ code, service: 'S', fr: code, en: code })), readOnly, singleUse };
        const found = covered(narrowing, all);
        assert.ok(found.every((each) => all.includes(each)));
        assert.ok(found.every((each) => (codes?.some((code) => code === each.code) ?? true) && (!readOnly || each.effect === 'read')));
        assert.equal(isHeld(narrowing) || found.length === all.length, true, 'one use narrows no démarche');
        for (const each of all)
          if ((codes === undefined || codes.some((code) => code === each.code)) && (!readOnly || each.effect === 'read'))
            assert.ok(found.includes(each));
      },
    ),
    { numRuns: 500 },
  );
});

test('M8 démarches are named from the catalogue or not at all: each in a theme of the mandate, each theme with one, only what reads when it is for reading', {
  atLeast: 2000,
}, () => {
  fc.assert(
    fc.property(
      catalogue,
      fc.array(fc.oneof(fc.constantFrom<string>(...CODES), fc.string({ maxLength: 8 })), { minLength: 1, maxLength: 6 }),
      fc.uniqueArray(fc.constantFrom(...THEMES), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      (all, codes, themes: Theme[], readOnly) => {
        const named = nameDemarches(codes, all, themes, readOnly);
        const chosen = [...new Set(codes)].map((code) => all.find((each) => each.code === code));
        const sound =
          chosen.every((each) => each?.themes.some((theme) => themes.includes(theme))) &&
          themes.every((theme) => chosen.some((each) => each?.themes.includes(theme)));
        if (!sound) return assert.deepEqual(named, { refused: 'demarche_not_offered' });
        if (readOnly && chosen.some((each) => each?.effect !== 'read')) return assert.deepEqual(named, { refused: 'demarche_not_read_only' });
        assert.ok('demarches' in named);
        return assert.deepEqual(
          named.demarches,
          [...new Set(codes)].sort().map((code) => ({ code, service: 'S', fr: `fr ${code}`, en: `en ${code}` })),
        );
      },
    ),
    { numRuns: 2000 },
  );
});
