import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PLANS } from './modules.ts';

/** Writes the tables of `docs/conformance.md` (`npm run docs:conformance`); a test compares the two. */

const PAGE = resolve(import.meta.dirname, '../../docs/conformance.md');
const START = '<!-- written by npm run docs:conformance -->';

const tables = (): string =>
  PLANS.map(({ name, variant, modules, provedBy }) => {
    const rows = Object.entries(modules).map(([module, said]) => {
      const [outcome, why = ''] = typeof said === 'string' ? [said] : said;
      return `| \`${module}\` | ${outcome} | ${why} |`;
    });
    return `### ${name}\nVariant: ${variant}.\n\n| module | outcome | ${provedBy ? 'shown by' : 'because'} |\n|---|---|---|\n${rows.join('\n')}\n`;
  }).join('\n');

export const writtenPage = (): string => readFileSync(PAGE, 'utf8');

/** The page as it should stand: what people wrote above, and the tables. */
export const conformancePage = (): string => `${writtenPage().split(START)[0]}${START}\n${tables()}`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(PAGE, conformancePage());
