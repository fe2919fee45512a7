import fc from 'fast-check';
import { addDays, ageInYears, endOfMandate, parisDay, parisIso, startOfDay } from '../../src/kernel/calendar.ts';
import { assert, test } from '../support/check.ts';

const at = (iso: string): Date => new Date(iso);

test('the day in Paris is not the day in UTC around midnight', () => {
  assert.equal(parisDay(at('2026-01-15T23:30:00Z')), '2026-01-16');
  assert.equal(parisDay(at('2026-07-15T21:59:59Z')), '2026-07-15');
  assert.equal(parisDay(at('2026-07-15T22:00:00Z')), '2026-07-16');
});

test('a day begins at midnight in Paris, in winter, in summer and on the two days when the hour changes', () => {
  assert.equal(startOfDay('2026-01-15').toISOString(), '2026-01-14T23:00:00.000Z');
  assert.equal(startOfDay('2026-07-15').toISOString(), '2026-07-14T22:00:00.000Z');
  // 29 March 2026 lasts 23 hours, 25 October 2026 lasts 25.
  assert.equal(startOfDay('2026-03-30').getTime() - startOfDay('2026-03-29').getTime(), 23 * 3_600_000);
  assert.equal(startOfDay('2026-10-26').getTime() - startOfDay('2026-10-25').getTime(), 25 * 3_600_000);
});

test('every day begins on that day, and one millisecond earlier is the day before', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 40_000 }), (days) => {
      const day = addDays('1990-01-01', days);
      const start = startOfDay(day);
      assert.equal(parisDay(start), day);
      assert.equal(parisDay(new Date(start.getTime() - 1)), addDays(day, -1));
    }),
    { seed: 20261121, numRuns: 2000 },
  );
});

test('days are counted over 29 February', () => {
  assert.equal(addDays('2028-02-28', 1), '2028-02-29');
  assert.equal(addDays('2028-02-29', 1), '2028-03-01');
  assert.equal(addDays('2027-02-28', 1), '2027-03-01');
  assert.equal(addDays('2028-02-29', 365), '2029-02-28');
  assert.equal(addDays('2026-01-01', -1), '2025-12-31');
});

test('T4 a mandate of one day created at 23:50 in Paris ends ten minutes later', () => {
  const created = at('2026-11-21T22:50:00Z'); // 23:50 in Paris
  assert.equal(endOfMandate(created, 1).toISOString(), '2026-11-21T23:00:00.000Z');
});

test('T4 a mandate made a minute after midnight in Paris lasts its whole day, though UTC still says the day before', () => {
  assert.equal(endOfMandate(at('2026-11-21T23:01:00Z'), 1).toISOString(), '2026-11-22T23:00:00.000Z');
});

test('T4 a mandate across a change of hour ends at midnight in Paris', () => {
  assert.equal(parisIso(endOfMandate(at('2026-03-20T10:00:00Z'), 30)), '2026-04-19T00:00:00+02:00');
  assert.equal(parisIso(endOfMandate(at('2026-10-20T10:00:00Z'), 30)), '2026-11-19T00:00:00+01:00');
  assert.equal(parisIso(endOfMandate(at('2026-03-29T00:30:00Z'), 1)), '2026-03-30T00:00:00+02:00');
});

test('T4 a mandate over 29 February counts that day', () => {
  assert.equal(parisIso(endOfMandate(at('2028-02-28T12:00:00Z'), 2)), '2028-03-01T00:00:00+01:00');
  assert.equal(parisIso(endOfMandate(at('2028-02-29T12:00:00Z'), 1)), '2028-03-01T00:00:00+01:00');
  assert.equal(parisIso(endOfMandate(at('2027-03-01T12:00:00Z'), 365)), '2028-02-29T00:00:00+01:00');
});

test('T5 the end of a mandate is the first instant after it: the same moment closes day N and opens the next', () => {
  const end = endOfMandate(at('2026-11-21T09:00:00Z'), 30);
  assert.equal(parisDay(new Date(end.getTime() - 1)), '2026-12-20');
  assert.equal(parisDay(end), '2026-12-21');
});

test('an age changes on the birthday in Paris; an unknown month or day counts as the latest', () => {
  assert.equal(ageInYears('2008-11-22', at('2026-11-21T22:59:59Z')), 17);
  assert.equal(ageInYears('2008-11-22', at('2026-11-21T23:00:00Z')), 18);
  assert.equal(ageInYears('2008-02-29', at('2026-02-28T12:00:00Z')), 17);
  assert.equal(ageInYears('2008-02-29', at('2026-03-01T12:00:00Z')), 18);
  assert.equal(ageInYears('2008-00-00', at('2026-12-30T12:00:00Z')), 17);
  assert.equal(ageInYears('2008-11-00', at('2026-11-29T12:00:00Z')), 17);
  assert.equal(ageInYears('2008-11-00', at('2026-12-01T12:00:00Z')), 18);
});

test('an instant is written with the offset of Paris', () => {
  assert.equal(parisIso(at('2026-07-14T10:00:00.900Z')), '2026-07-14T12:00:00+02:00');
  assert.equal(parisIso(at('2026-12-21T23:00:00Z')), '2026-12-22T00:00:00+01:00');
});
