import { addDays, parisDay, startOfDay } from '../kernel/calendar.ts';
import { month } from './i18n/dates.ts';
import { type Lang, t } from './i18n/language.ts';

/** Days of Paris, both included. Without `from`, since the beginning. */
export interface Period {
  /** As an address says it. */
  readonly value: string;
  readonly from?: string;
  readonly to: string;
}

const ALL = 'tout';
const RECENT = 'derniers-mois';
const RECENT_MONTHS = 3;
const MONTHS = 12;
const YEARS = 5;

const monthOf = (year: number, index: number): string => new Date(Date.UTC(year, index, 1)).toISOString().slice(0, 7);
const lastOf = (first: string): string => addDays(monthOf(Number(first.slice(0, 4)), Number(first.slice(5, 7))).concat('-01'), -1);
const yearAndMonth = (today: string): [year: number, index: number] => [Number(today.slice(0, 4)), Number(today.slice(5, 7)) - 1];

/** Reads a period that an address names; what names none is the last three months. A period does not go beyond today. */
export const readPeriod = (value: string | undefined, now: Date): Period => {
  const today = parisDay(now);
  const [year, index] = yearAndMonth(today);
  const upTo = (day: string): string => (day < today ? day : today);
  const [, named, inYear] = /^((?:19|20)\d{2})(?:-(0[1-9]|1[0-2]))?$/.exec(value ?? '') ?? [];
  if (value === ALL) return { value, to: today };
  if (named !== undefined && inYear !== undefined && `${named}-${inYear}` <= today.slice(0, 7))
    return { value: `${named}-${inYear}`, from: `${named}-${inYear}-01`, to: upTo(lastOf(`${named}-${inYear}-01`)) };
  if (named !== undefined && inYear === undefined && Number(named) <= year)
    return { value: named, from: `${named}-01-01`, to: upTo(`${named}-12-31`) };
  return { value: RECENT, from: `${monthOf(year, index - RECENT_MONTHS)}-01`, to: today };
};

/** The instants between which a period lies: the second is excluded. */
export const instantsOf = ({ from, to }: Period): { readonly from?: Date; readonly until: Date } => ({
  ...(from === undefined ? {} : { from: startOfDay(from) }),
  until: startOfDay(addDays(to, 1)),
});

/** The periods that are offered: the last months together, each of the last twelve, the last years, everything. */
export const periodsOf = (now: Date, lang: Lang): (readonly [value: string, label: string])[] => {
  const words = t(lang).statement.periods;
  const [year, index] = yearAndMonth(parisDay(now));
  const months = Array.from({ length: MONTHS }, (_, i) => monthOf(year, index - i));
  return [
    [RECENT, words.recent],
    ...months.map((each) => [each, month(startOfDay(`${each}-15`), lang)] as const),
    ...Array.from({ length: YEARS }, (_, i) => [String(year - i), words.year(String(year - i))] as const),
    [ALL, words.all],
  ];
};
