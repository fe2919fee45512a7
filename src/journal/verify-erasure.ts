import type { Leaf } from './entry.ts';
import { ifReadable, type LoadedKeys, type PeriodClass } from './keys.ts';
import type { Fault } from './verify-entry.ts';

/**
 * What is missing must have been said (journal.md §3.8): a sealed part that is not there, a key that is gone, an usager who was taken out of what is
 * searched. Each is noted as entries are walked, and compared at the end with what the leaves say was erased.
 */
export interface Accounts {
  /** A leaf that says what was erased. */
  said(index: number, leaf: Leaf): void;
  /** The usager of an entry is gone from what is searched, or her key is: nobody reads it. */
  person(index: number): void;
  /** The key of this class and month is gone. */
  period(index: number, boxClass: PeriodClass, month: string): void;
  /** The sealed part of an entry of this month is not there. */
  part(index: number, month: string): void;
  /** Faults for what nobody said. Without keys, what they alone would show is not asked. */
  faults(keys: LoadedKeys | undefined): readonly Fault[];
  /** Every class and month that was said to be erased: their keys are to be loaded for `faults`. */
  periods(): { readonly class: PeriodClass; readonly period: string }[];
}

interface Gone {
  readonly first: number;
  count: number;
}

const note = (gone: Map<string, Gone>, name: string, index: number): void => {
  const known = gone.get(name);
  if (known) known.count++;
  else gone.set(name, { first: index, count: 1 });
};

/** A count is digits; anything else is no count. */
const countIn = (text: string | undefined): number => (text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : 0);

/** `partial`: the walk began in the middle: what was erased of persons cannot be counted, and of a month only that no more is gone than was said. */
export const createAccounts = (partial = false): Accounts => {
  const persons = new Map<string, Gone>();
  const periods = new Map<string, Gone>();
  const parts = new Map<string, Gone>();
  let saidPersons = 0;
  const saidPeriods = new Map<string, { index: number; class: PeriodClass; period: string }>();
  const saidParts = new Map<string, number>();
  return {
    said(index, leaf) {
      const { parameters = {}, type } = leaf;
      if (type === 'erasure.executed' && parameters['scope'] === 'person') saidPersons += countIn(parameters['entries']);
      if (type === 'erasure.executed' && parameters['scope'] === 'period') {
        const [of, period] = [parameters['class'] as PeriodClass, parameters['month'] ?? ''];
        saidPeriods.set(`${of} ${period}`, { index, class: of, period });
      }
      const month = parameters['month'];
      if (type === 'partition.dropped' && month !== undefined) saidParts.set(month, (saidParts.get(month) ?? 0) + countIn(parameters['entries']));
    },
    person: (at) => note(persons, '', at),
    period: (at, boxClass, month) => note(periods, `${boxClass} ${month}`, at),
    part: (at, month) => note(parts, month, at),
    periods: () => [...saidPeriods.values()].map(({ class: of, period }) => ({ class: of, period })),
    faults(keys) {
      const faults: Fault[] = [];
      const gone = persons.get('') ?? { first: 0, count: 0 };
      if (!partial && gone.count !== saidPersons)
        faults.push({
          kind: 'erasure_unaccounted',
          index: gone.first,
          message: `${gone.count} entries lost their usager, the first at ${gone.first}, and the journal says that ${saidPersons} were erased`,
        });
      for (const [name, { first }] of periods)
        if (!saidPeriods.has(name))
          faults.push({
            kind: 'erasure_unaccounted',
            index: first,
            message: `entry ${first}: the key of ${name} is gone, and no entry says that it was erased`,
          });
      for (const [month, { first, count }] of parts)
        if (partial ? count > (saidParts.get(month) ?? 0) : saidParts.get(month) !== count)
          faults.push({
            kind: 'payload_missing',
            index: first,
            message: `entry ${first}: its sealed part is missing (${count} of ${month}, of which ${saidParts.get(month) ?? 0} are said to be dropped)`,
          });
      for (const { index: at, class: of, period } of saidPeriods.values())
        if (ifReadable(() => keys?.period(of, period)))
          faults.push({
            kind: 'erasure_unaccounted',
            index: at,
            message: `entry ${at} says that the key of ${of} ${period} was erased, and it is there`,
          });
      return faults;
    },
  };
};
