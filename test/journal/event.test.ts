import * as fc from 'fast-check';
import { checkDetail, type Details, type Entry, type EventType, PARTIES } from '../../src/journal/event.ts';
import type { StoredEntry } from '../../src/journal/journal.ts';
import { KINDS_SEEN, type View, visibleTo } from '../../src/journal/visible.ts';
import { fr } from '../../src/web/i18n/fr.ts';
import { assert, test } from '../support/check.ts';
import { anyDetail, fieldsOf, markedDetail, TYPES } from './made.ts';

const WRONG = [null, {}, [[]], Number.NaN, -1, 1.5, 2 ** 60, Symbol('x'), new Date()];

test('J1 every detail made from the set passes its check; with a field less, more or of another shape, it is named', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...TYPES).chain((type) => fc.tuple(fc.constant(type), anyDetail(type))),
      fc.nat(),
      fc.constantFrom(...WRONG),
      ([type, detail], pick, wrong) => {
        assert.equal(checkDetail(type, detail), undefined);
        assert.equal(checkDetail(type, { ...detail, surname: 'Martin' }), 'surname');
        for (const [name, { optional }] of Object.entries(fieldsOf(type))) {
          const { [name]: _, ...without } = detail;
          assert.equal(checkDetail(type, without), optional ? undefined : name);
        }
        const names = Object.keys(fieldsOf(type));
        const name = names[pick % names.length];
        if (name !== undefined) assert.equal(checkDetail(type, { ...detail, [name]: wrong }), name);
      },
    ),
    { numRuns: 2000 },
  );
});

test('J1 the compiler knows each kind: what is missing, unknown or of another type does not compile', () => {
  const right: Entry = { type: 'mandate.barred', detail: { reason: 'x', sessions: 1 } };
  // @ts-expect-error a field is missing
  const missing: Entry = { type: 'mandate.barred', detail: { reason: 'x' } };
  // @ts-expect-error a field is unknown
  const unknown: Entry = { type: 'mandate.barred', detail: { reason: 'x', sessions: 1, surname: 'x' } };
  // @ts-expect-error a word that is not of the choice
  const word: Details['factor.enrolled'] = { kind: 'letter' };
  // @ts-expect-error a field where there is none
  const none: Details['log.heartbeat'] = { reason: 'x' };
  for (const [type, detail, wrong] of [
    [right.type, right.detail, undefined],
    [missing.type, missing.detail, 'sessions'],
    [unknown.type, unknown.detail, 'surname'],
    ['factor.enrolled', word, 'kind'],
    ['log.heartbeat', none, 'reason'],
  ] as const)
    assert.equal(checkDetail(type, { ...detail }), wrong);
});

test('J1 a detail is checked in less than two microseconds', () => {
  const detail = markedDetail('mandate.created', (name) => name);
  const best = Math.min(
    ...Array.from({ length: 5 }, () => {
      const from = process.hrtime.bigint();
      for (let i = 0; i < 20_000; i++) checkDetail('mandate.created', detail);
      return Number(process.hrtime.bigint() - from) / 20_000;
    }),
  );
  assert.ok(best < 2000, `${best} ns`);
});

const AIDANT = 'aid_karim';
const USAGER = 'usg_colette';
const stored = (type: EventType, detail: Record<string, unknown> | null): StoredEntry => ({
  ...Object.fromEntries(PARTIES.map((party) => [party, `§${party}§`])),
  usager: USAGER,
  aidant: AIDANT,
  index: 12,
  eventId: 'e',
  at: new Date(0),
  type,
  leaf: 'l',
  detail: detail as StoredEntry['detail'],
});
const ministry: View = { who: 'administration', id: '§administration§', pseudonym: (aidant, service) => `${aidant.length}/${service}` };
const townHall = (helps: boolean): View => ({ who: 'organisation', id: '§organisation§', helps: () => helps });
const colette: View = { who: 'usager', id: USAGER };
const seenIn = (view: View, type: EventType): string =>
  JSON.stringify(
    visibleTo(
      view,
      stored(
        type,
        markedDetail(type, (name) => `§${name}§`),
      ),
    ) ?? '',
  );

/** What journal.md §2 keeps from each view, whatever the kind: by the names of fields, so that a new one with such a name is caught too. */
const KEPT: Readonly<Record<'administration' | 'organisation', readonly string[]>> = {
  administration: [
    USAGER,
    AIDANT,
    '§actor§',
    ...['aidantName', 'witnessName', 'receivedBy', 'receivedAt', 'textHash', 'kept'].map((name) => `§${name}§`),
  ],
  organisation: [
    ...['demarche', 'verb', 'outcome', 'actor', 'demarcheLabel', 'demarcheLabelEn', 'receivedBy', 'receivedAt', 'privileges', 'amr'].map(
      (name) => `§${name}§`,
    ),
  ],
};

test('V5 no view is shown a field that is not its own, for any kind of entry', () => {
  for (const type of TYPES) {
    const administration = seenIn(ministry, type);
    for (const kept of KEPT.administration) assert.ok(!administration.includes(kept), `${type}: administration sees ${kept}`);
    const organisation = seenIn(townHall(false), type);
    for (const kept of [USAGER, ...KEPT.organisation]) assert.ok(!organisation.includes(kept), `${type}: organisation sees ${kept}`);
    for (const kept of [AIDANT, '§actor§']) assert.ok(!seenIn(colette, type).includes(kept), `${type}: usager sees ${kept}`);
    assert.ok(!/opr_/.test(administration + organisation + seenIn(colette, type)), `${type}: who decided is a word`);
  }
  const act = 'action.reported';
  for (const name of ['demarcheLabel', 'reference', 'verb', 'outcome']) {
    assert.ok(seenIn(ministry, act).includes(`§${name}§`), name);
    assert.ok(!seenIn(townHall(true), act).includes(`§${name}§`), name);
  }
  assert.ok(!seenIn(townHall(true), act).includes('outsideMandate'), 'nor whether it went beyond');
});

test('V5 an administration reads a pseudonym per service; an organisation names the person only while a mandate lives', () => {
  const act = stored(
    'action.reported',
    markedDetail('action.reported', (name) => name),
  );
  assert.equal(visibleTo(ministry, act)?.aidant, `${AIDANT.length}/§service§`);
  const { service: _, ...nowhere } = act;
  assert.equal(visibleTo(ministry, nowhere)?.aidant, undefined, 'no service, no pseudonym');
  assert.equal(visibleTo({ ...ministry, pseudonym: () => undefined } as View, act)?.aidant, undefined);
  assert.equal(visibleTo(townHall(true), act)?.usager, USAGER);
  assert.equal(visibleTo(townHall(false), act)?.usager, undefined);
  assert.equal(visibleTo(townHall(false), act)?.aidant, AIDANT);
  assert.equal(visibleTo(ministry, { ...stored('agent.added', { administrationName: 'x' }), outcome: 'agt_nora' })?.outcome, undefined);
});

test('V5 nobody sees an entry of somebody else, nor a kind that is not for them; an erased one keeps its parties alone', () => {
  const views: readonly View[] = [ministry, townHall(true), colette];
  for (const type of TYPES)
    for (const view of views) {
      const entry = stored(
        type,
        markedDetail(type, (name) => name),
      );
      assert.equal(visibleTo(view, { ...entry, [view.who]: 'another' }), undefined);
      assert.equal(visibleTo(view, entry) !== undefined, KINDS_SEEN[view.who].includes(type), type);
    }
  assert.equal(visibleTo(colette, stored('mandate.created', null))?.detail, null);
  assert.equal(visibleTo(colette, stored('mandate.created', null))?.mandate, '§mandate§');
});

test('every kind that an administration reads has its name on the page', () => {
  assert.deepEqual(Object.keys(fr.administration.types).sort(), [...KINDS_SEEN.administration].sort());
});
