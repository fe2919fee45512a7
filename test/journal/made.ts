import * as fc from 'fast-check';
import { type EventType, KINDS, type Kind } from '../../src/journal/event.ts';
import type { Shape } from '../../src/journal/schema.ts';

/** Details made from the closed set itself: whatever kind is added is tried without anybody's help. */

export const TYPES = Object.keys(KINDS) as EventType[];
export const fieldsOf = (type: EventType): Kind['detail'] => KINDS[type].detail;

const instant = fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true }).map((at) => at.toISOString());

const valueFor = (shape: Shape): fc.Arbitrary<unknown> => {
  switch (shape.is) {
    case 'text':
    case 'decider':
      return fc.string({ unit: 'grapheme' });
    case 'instant':
      return instant;
    case 'day':
      return instant.map((at) => at.slice(0, 10));
    case 'month':
      return instant.map((at) => at.slice(0, 7));
    case 'number':
      return fc.nat();
    case 'flag':
      return fc.boolean();
    case 'choice':
      return fc.constantFrom(...shape.of);
    case 'list':
      return fc.array(valueFor(shape.item), { maxLength: 3 });
  }
};

export const anyDetail = (type: EventType): fc.Arbitrary<Record<string, unknown>> => {
  const fields = Object.entries(fieldsOf(type));
  return fc.record(Object.fromEntries(fields.map(([name, { shape }]) => [name, valueFor(shape)])), {
    requiredKeys: fields.flatMap(([name, { optional }]) => (optional ? [] : [name])),
  }) as fc.Arbitrary<Record<string, unknown>>;
};

/** A detail in which every text is recognised wherever it comes out: `mark` makes it of the field's name. */
export const markedDetail = (type: EventType, mark: (name: string) => string): Record<string, unknown> => {
  const marked = (name: string, shape: Shape): unknown => {
    switch (shape.is) {
      case 'text':
        return mark(name);
      case 'decider':
        return `opr_${mark(name)}`;
      case 'instant':
        return '2026-03-03T13:32:00.000Z';
      case 'day':
        return '2026-03-03';
      case 'month':
        return '2026-03';
      case 'number':
        return 7;
      case 'flag':
        return true;
      case 'choice':
        return shape.of[0];
      case 'list':
        return [marked(name, shape.item)];
    }
  };
  return Object.fromEntries(Object.entries(fieldsOf(type)).map(([name, { shape }]) => [name, marked(name, shape)]));
};
