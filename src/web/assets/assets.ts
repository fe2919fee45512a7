import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../../kernel/crypto.ts';

export interface Asset {
  /** Path on the site. */
  readonly path: string;
  /** File on disk. */
  readonly file: string;
  readonly type: string;
}

const own = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const fonts = join(dirname(createRequire(import.meta.url).resolve('@fontsource-variable/atkinson-hyperlegible-next/package.json')), 'files');
const font = (name: string, to: string): Asset => ({ path: `/assets/${to}`, file: join(fonts, name), type: 'font/woff2' });

/** Everything the pages load: one style sheet, one icon, two fonts, all from the same origin. */
export const ASSETS: readonly Asset[] = [
  { path: '/assets/relais.css', file: own('./relais.css'), type: 'text/css; charset=utf-8' },
  { path: '/assets/relais.svg', file: own('./relais.svg'), type: 'image/svg+xml' },
  font('atkinson-hyperlegible-next-latin-wght-normal.woff2', 'atkinson-latin.woff2'),
  font('atkinson-hyperlegible-next-latin-ext-wght-normal.woff2', 'atkinson-latin-ext.woff2'),
];

/** Address of the style sheet, with a mark of its content, so that browsers may keep it for ever. */
export const STYLE_SHEET = `/assets/relais.css?v=${sha256(readFileSync(own('./relais.css')))
  .toString('hex')
  .slice(0, 8)}`;
export const ICON = '/assets/relais.svg';
