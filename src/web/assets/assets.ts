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

const ed25519 = fileURLToPath(import.meta.resolve('@noble/ed25519'));

/**
 * Everything the pages load: one style sheet, one icon, two fonts; a script where somebody is signed in, one where a passkey is asked for, one on the
 * page that waits, one where a scanned sheet is checked; two where entries of the journal are shown, a third where the browser has no Ed25519, a fourth
 * where mirrors are asked.
 */
export const ASSETS: readonly Asset[] = [
  { path: '/assets/relais.css', file: own('./relais.css'), type: 'text/css; charset=utf-8' },
  { path: '/assets/passkey.js', file: own('./passkey.js'), type: 'text/javascript; charset=utf-8' },
  { path: '/assets/session.js', file: own('./session.js'), type: 'text/javascript; charset=utf-8' },
  { path: '/assets/wait.js', file: own('./wait.js'), type: 'text/javascript; charset=utf-8' },
  { path: '/assets/statement-fill.js', file: own('./statement-fill.js'), type: 'text/javascript; charset=utf-8' },
  { path: '/assets/verify.js', file: own('./verify.js'), type: 'text/javascript; charset=utf-8' },
  { path: '/assets/verify-log.js', file: own('./verify-log.js'), type: 'text/javascript; charset=utf-8' },
  { path: '/assets/verify-mirrors.js', file: own('./verify-mirrors.js'), type: 'text/javascript; charset=utf-8' },
  { path: '/assets/ed25519.js', file: ed25519, type: 'text/javascript; charset=utf-8' },
  { path: '/assets/relais.svg', file: own('./relais.svg'), type: 'image/svg+xml' },
  font('atkinson-hyperlegible-next-latin-wght-normal.woff2', 'atkinson-latin.woff2'),
  font('atkinson-hyperlegible-next-latin-ext-wght-normal.woff2', 'atkinson-latin-ext.woff2'),
];

const marked = (path: string, file: string): string => `${path}?v=${sha256(readFileSync(file)).toString('hex').slice(0, 8)}`;

/** Addresses of the style sheet and of the scripts, with a mark of their content, so that browsers may keep them for ever. */
export const STYLE_SHEET = marked('/assets/relais.css', own('./relais.css'));
export const PASSKEY_SCRIPT = marked('/assets/passkey.js', own('./passkey.js'));
export const WAIT_SCRIPT = marked('/assets/wait.js', own('./wait.js'));
export const FILL_SCRIPT = marked('/assets/statement-fill.js', own('./statement-fill.js'));
export const SESSION_SCRIPT = marked('/assets/session.js', own('./session.js'));
export const VERIFY_SCRIPT = marked('/assets/verify.js', own('./verify.js'));
export const VERIFY_LOG_SCRIPT = marked('/assets/verify-log.js', own('./verify-log.js'));
export const VERIFY_MIRRORS_SCRIPT = marked('/assets/verify-mirrors.js', own('./verify-mirrors.js'));
export const ED25519_SCRIPT = marked('/assets/ed25519.js', ed25519);
export const ICON = '/assets/relais.svg';
