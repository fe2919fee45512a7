import { parisDay } from '../../kernel/calendar.ts';
import type { Lang } from './language.ts';

const NB = '\u00a0';
const LOCALES: Record<Lang, string> = { fr: 'fr-FR', en: 'en-GB' };
const inParis = (options: Intl.DateTimeFormatOptions): Record<Lang, Intl.DateTimeFormat> => ({
  fr: new Intl.DateTimeFormat(LOCALES.fr, { timeZone: 'Europe/Paris', ...options }),
  en: new Intl.DateTimeFormat(LOCALES.en, { timeZone: 'Europe/Paris', ...options }),
});

const DAY = inParis({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const PLAIN_DAY = inParis({ day: 'numeric', month: 'long', year: 'numeric' });
const MONTH = inParis({ month: 'long', year: 'numeric' });
const CLOCK = inParis({ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

/** The first of a month reads « 1er » in French. A comma after the weekday is left out in both languages. */
const write = (format: Intl.DateTimeFormat, at: Date, lang: Lang): string =>
  format
    .formatToParts(at)
    .map((part) => (part.type === 'day' && part.value === '1' && lang === 'fr' ? '1er' : part.value === ', ' ? ' ' : part.value))
    .join('');

/** Writes a day in full: « mardi 3 mars 2026 ». */
export const day = (at: Date, lang: Lang): string => write(DAY[lang], at, lang);

/** Writes a day without its weekday: « 3 mars 2026 ». */
export const plainDay = (at: Date, lang: Lang): string => write(PLAIN_DAY[lang], at, lang);

/** Writes a month: « mars 2026 ». */
export const month = (at: Date, lang: Lang): string => write(MONTH[lang], at, lang);

const clock = (at: Date): { hour: string; minute: string; second: string } => {
  const found = Object.fromEntries(CLOCK.fr.formatToParts(at).map((part) => [part.type, part.value]));
  return { hour: found['hour'] ?? '', minute: found['minute'] ?? '', second: found['second'] ?? '' };
};

/** Writes a time: « 14 h 32 », with no-break spaces. */
export const time = (at: Date, lang: Lang): string => {
  const { hour, minute } = clock(at);
  return lang === 'fr' ? `${Number(hour)}${NB}h${NB}${minute}` : `${hour}:${minute}`;
};

/** Writes a time to the second: « 14 h 31 min 02 s ». */
export const exactTime = (at: Date, lang: Lang): string => {
  const { hour, minute, second } = clock(at);
  return lang === 'fr' ? `${Number(hour)}${NB}h${NB}${minute}${NB}min${NB}${second}${NB}s` : `${hour}:${minute}:${second}`;
};

/** Writes a day and a time to the second. */
export const exactDayAndTime = (at: Date, lang: Lang): string => `${day(at, lang)} ${lang === 'fr' ? 'à' : 'at'} ${exactTime(at, lang)}`;

/** Writes a day and a time: « mardi 3 mars 2026 à 14 h 32 ». */
export const dayAndTime = (at: Date, lang: Lang): string => `${day(at, lang)} ${lang === 'fr' ? 'à' : 'at'} ${time(at, lang)}`;

/** The last day on which something holds, given its exclusive end (kernel/calendar.ts, `endOfMandate`). */
export const lastDay = (endsAt: Date): Date => new Date(endsAt.getTime() - 1);

/** Says until when a mandate holds: « aujourd’hui, jusqu’à minuit », or « jusqu’au dimanche 31 mai 2026 à minuit ». */
export const until = (endsAt: Date, now: Date, lang: Lang): string => {
  const last = lastDay(endsAt);
  if (parisDay(last) === parisDay(now)) return lang === 'fr' ? 'aujourd’hui, jusqu’à minuit' : 'today, until midnight';
  return lang === 'fr' ? `jusqu’au ${day(last, lang)} à minuit` : `until ${day(last, lang)} at midnight`;
};

/** Whole minutes left before `end`, at least 0. */
export const minutesLeft = (end: Date, now: Date): number => Math.max(0, Math.ceil((end.getTime() - now.getTime()) / 60_000));

/** Writes a date of birth `YYYY-MM-DD`, of which the month or the day may be unknown (`00`). */
export const birthday = (birthdate: string, lang: Lang): string => {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(birthdate);
  if (!match) return birthdate;
  const [, year = '', month = '', dayOfMonth = ''] = match;
  if (month === '00') return year;
  const noon = new Date(`${year}-${month}-${dayOfMonth === '00' ? '01' : dayOfMonth}T12:00:00Z`);
  if (Number.isNaN(noon.getTime())) return birthdate;
  return write(dayOfMonth === '00' ? MONTH[lang] : PLAIN_DAY[lang], noon, lang);
};
