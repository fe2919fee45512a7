import type { JSX } from 'hono/jsx/jsx-runtime';

/** Outlines in the manner of the Tabler set (MIT), drawn on a 24-unit grid; decorative: a word always stands beside. */
const PATHS = {
  check: 'M5 12l5 5l10 -10',
  cross: 'M18 6l-12 12M6 6l12 12',
  alert: 'M12 9v4M12 16.5v.01M10.4 4l-8 14a1.9 1.9 0 0 0 1.6 2.8h16a1.9 1.9 0 0 0 1.6 -2.8l-8 -14a1.9 1.9 0 0 0 -3.2 0z',
  info: 'M12 11v5M12 8v.01M3 12a9 9 0 1 0 18 0a9 9 0 1 0 -18 0',
  lock: 'M5 13a2 2 0 0 1 2 -2h10a2 2 0 0 1 2 2v6a2 2 0 0 1 -2 2h-10a2 2 0 0 1 -2 -2zM8 11v-4a4 4 0 0 1 8 0v4',
  clock: 'M3 12a9 9 0 1 0 18 0a9 9 0 1 0 -18 0M12 7v5l3 3',
  hand: 'M8 13v-7.5a1.5 1.5 0 0 1 3 0v6.5M11 11.5v-8a1.5 1.5 0 0 1 3 0v8.5M14 11.5v-6a1.5 1.5 0 0 1 3 0v6.5M17 8.5a1.5 1.5 0 0 1 3 0v6.500a7 7 0 0 1 -7 6.500h-1.500c-2.500 0 -4 -1 -5.200 -3l-2.800 -4.800a1.500 1.500 0 0 1 2.500 -1.700l2 2.500',
  person: 'M8 7a4 4 0 1 0 8 0a4 4 0 1 0 -8 0M6 21v-2a4 4 0 0 1 4 -4h4a4 4 0 0 1 4 4v2',
  people: 'M5 7a4 4 0 1 0 8 0a4 4 0 1 0 -8 0M3 21v-2a4 4 0 0 1 4 -4h4a4 4 0 0 1 4 4v2M16 3.100a4 4 0 0 1 0 7.800M21 21v-2a4 4 0 0 0 -3 -3.900',
  building: 'M3 21h18M5 21v-11M19 21v-11M12 3l9 5v2h-18v-2zM9 21v-7M15 21v-7',
  phone: 'M5 4h4l2 5l-2.500 1.500a11 11 0 0 0 5 5l1.500 -2.500l5 2v4a2 2 0 0 1 -2 2a16 16 0 0 1 -15 -15a2 2 0 0 1 2 -2',
  speech: 'M4 21v-13a3 3 0 0 1 3 -3h10a3 3 0 0 1 3 3v6a3 3 0 0 1 -3 3h-9zM8 9h8M8 13h6',
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { name: IconName }): JSX.Element => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d={PATHS[name]} />
  </svg>
);

export const Logo = (): JSX.Element => (
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <circle class="logo__one" cx="10" cy="16" r="7" />
    <circle class="logo__two" cx="22" cy="16" r="7" />
    <path class="logo__link" d="M16 12.400a7 7 0 0 1 0 7.200" />
  </svg>
);
