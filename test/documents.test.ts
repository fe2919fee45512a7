import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { helpOf } from '../src/cli/command.ts';
import { commands, findCommand } from '../src/cli/run.ts';
import { entriesPage, writtenPage } from './journal/entries-page.ts';
import { assert, test } from './support/check.ts';
import { errorsPage, writtenErrors } from './web/errors-page.ts';

/** What the documents name exists. */

const root = resolve(import.meta.dirname, '..');
const pages = globSync(['*.md', 'docs/**/*.md', 'keys/*.md', 'bench/*.md'], { cwd: root }).sort();
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

test('every link of the documents to a file leads to one', () => {
  const dead = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => target !== 'docs/claims.md' && target !== 'claims.md') // written by `npm run claims`, after the tests
      .filter((target) => !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  assert.deepEqual(dead, []);
});

test('every file of the sources that the documents name is there', () => {
  const dead = pages.flatMap((page) =>
    [...textOf(page).matchAll(/`((?:src|test|migrations|docker)\/[\w./-]+)`/g)]
      .map(([, path = '']) => path)
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${page}: ${path}`),
  );
  assert.deepEqual(dead, []);
});

test('every command of `relais` that the documents quote exists, with its flags', () => {
  let quoted = 0;
  const wrong = pages.flatMap((page) =>
    [
      ...textOf(page)
        .replaceAll('\\\n', ' ')
        .matchAll(/(?:relais --|`relais|^ {4}relais) +([a-z][^`\n]*)/gm),
    ].flatMap(([, said = '']) => {
      const found = findCommand(said.trim().split(/\s+/));
      const group = commands.some((command) => command.name.split(' ')[0] === said.trim().split(/\s+/)[0]);
      if (!found) return group && said.trim().split(/[\s|…]+/).length === 1 ? [] : [`${page}: relais ${said}`];
      quoted++;
      const help = helpOf(found.command);
      return [...said.matchAll(/ (--[a-z-]+)/g)]
        .filter(([, flag = '']) => flag !== '--help' && !help.includes(flag))
        .map(([, flag]) => `${page}: ${found.command.name} ${flag}`);
    }),
  );
  assert.deepEqual(wrong, []);
  assert.ok(quoted > 30, `only ${quoted} were recognised`);
});

test('no document names a path of somebody’s machine or a registry', () => {
  for (const page of pages) assert.doesNotMatch(textOf(page), /(?:^|[\s(`'"])\/(?:home|root|work|Users|tmp)\/|registry\.npmjs|npmjs\.org/m, page);
});

test('J1 docs/journal-entries.md says what the closed set of entries says', () => {
  assert.equal(writtenPage(), entriesPage(), 'run `npm run docs:entries`');
});

test('docs/errors.md is written from the codes, each in both languages', () => {
  assert.equal(writtenErrors(), errorsPage(), 'run `npm run docs:errors`');
  assert.doesNotMatch(errorsPage(), /\| – \|/, 'each code says what to do in both languages');
});

test('each acceptance test of the journal has its number in the title of a test; the figures are those of the bench', () => {
  const titles = globSync('test/**/*.{ts,tsx}', { cwd: root })
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const numbered = new Set([...titles.matchAll(/§6\.(\d{1,2})\b/g)].map(([, number]) => Number(number)));
  const BENCH = 40;
  assert.deepEqual(
    Array.from({ length: 42 }, (_, i) => i + 1).filter((number) => number !== BENCH && !numbered.has(number)),
    [],
  );
});
