/** Days of Europe/Paris: the one place where an instant becomes a day, and a duration an end. */

const ZONE = 'Europe/Paris';
const parts = new Intl.DateTimeFormat('en-CA', {
  timeZone: ZONE,
  hourCycle: 'h23',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});

interface Reading {
  readonly day: string;
  readonly wall: number;
}

/** The end of a mandate is read for each token that speaks of it. */
const known = new Map<number, Reading>();

const read = (instant: Date): Reading => {
  const at = instant.getTime();
  const before = known.get(at);
  if (before) return before;
  const found = Object.fromEntries(parts.formatToParts(instant).map((part) => [part.type, part.value]));
  const day = `${found['year']}-${found['month']}-${found['day']}`;
  const reading = { day, wall: Date.parse(`${day}T${found['hour']}:${found['minute']}:${found['second']}Z`) };
  if (known.size >= 1000) known.clear();
  known.set(at, reading);
  return reading;
};

/** The day in Paris at this instant, `YYYY-MM-DD`. */
export const parisDay = (instant: Date): string => read(instant).day;

/** `day` moved by a number of calendar days, `YYYY-MM-DD`. */
export const addDays = (day: string, days: number): string => new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);

/** Reads a day that exists, written `2026-11-21` or `21/11/2026`, as `YYYY-MM-DD`; undefined when it is neither. */
export const readDay = (text: string): string | undefined => {
  const [, y, m, d] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text.trim()) ?? [];
  const [, d2, m2, y2] = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(text.trim()) ?? [];
  const day = y ? `${y}-${m}-${d}` : y2 ? `${y2}-${String(m2).padStart(2, '0')}-${String(d2).padStart(2, '0')}` : '';
  const instant = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(instant.getTime()) && instant.toISOString().startsWith(day) ? day : undefined;
};

/** The instant at which `day` begins in Paris (its midnight; changes of hour never fall at midnight in Paris). */
export const startOfDay = (day: string): Date => {
  const utc = Date.parse(`${day}T00:00:00Z`);
  const offsetAt = (instant: number): number => read(new Date(instant)).wall - instant;
  return new Date(utc - offsetAt(utc - offsetAt(utc)));
};

/**
 * The end of a mandate of `days` days created at `created`, exclusive: the day of creation is day 1, and the end is the midnight in Paris
 * that closes day N (product.md, "Rules of a mandate"). The screen and the check both use this.
 */
export const endOfMandate = (created: Date, days: number): Date => startOfDay(addDays(parisDay(created), days));

/** Whole years lived at `now` by someone born on `birthdate` (`YYYY-MM-DD`; an unknown month or day, `00`, counts as the latest possible). */
export const ageInYears = (birthdate: string, now: Date): number => {
  const [year = '0', month = '00', day = '00'] = birthdate.split('-');
  const birthday = `${month === '00' ? '12' : month}-${day === '00' ? '31' : day}`;
  const today = parisDay(now);
  return Number(today.slice(0, 4)) - Number(year) - (today.slice(5) < birthday ? 1 : 0);
};

/** An instant in ISO 8601 with the offset of Paris, such as `2026-12-22T00:00:00+01:00`. */
export const parisIso = (instant: Date): string => {
  const { wall } = read(instant);
  const minutes = Math.round((wall - Math.floor(instant.getTime() / 1000) * 1000) / 60_000);
  const sign = minutes < 0 ? '-' : '+';
  const abs = Math.abs(minutes);
  return `${new Date(wall).toISOString().slice(0, 19)}${sign}${String(Math.floor(abs / 60)).padStart(2, '0')}:${String(abs % 60).padStart(2, '0')}`;
};
