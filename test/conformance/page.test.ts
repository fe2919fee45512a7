import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert, test } from '../support/check.ts';
import { PLANS } from './modules.ts';
import { conformancePage, writtenPage } from './page.ts';

/** The table of modules cannot lie: what it says is what titles of tests say. */

const FAMILIES = '(?:oidcc|fapi2-security-profile-final)-[\\w-]+';

/** The modules that a file's titles name, with what they say. */
const titlesOf = (file: string): Map<string, string> => {
  const text = readFileSync(join(import.meta.dirname, file), 'utf8');
  const found = new Map<string, string>();
  for (const [, name = '', said = '', says = said] of text.matchAll(
    new RegExp(`['"](?:P22 )?(${FAMILIES})(?=: ([^'\\n]*)|',\\s*'([^'\\n]*)|'[:,\\]])`, 'g'),
  ))
    found.set(name, `${found.get(name) ?? ''} ${says}`);
  return found;
};

test('P22 every module of each plan has a test of its name, and those that Relais answers otherwise say “by design”', () => {
  for (const { name: plan, files, modules } of PLANS.filter(({ provedBy }) => !provedBy)) {
    const titles = new Map(files.flatMap((file) => [...titlesOf(file)]));
    for (const [name, said] of Object.entries(modules)) {
      const outcome = typeof said === 'string' ? said : said[0];
      assert.ok(titles.has(name), `${plan}: ${name} has no test`);
      assert.equal(/by design/.test(titles.get(name) ?? ''), outcome === 'by design', `${plan}: ${name}`);
      assert.ok(outcome === 'passes' || typeof said !== 'string', `${plan}: ${name} says why`);
    }
  }
});

test('P22 every module whose test serves several names the title of that test', () => {
  for (const { files, modules } of PLANS.filter(({ provedBy }) => provedBy)) {
    const text = files.map((file) => readFileSync(join(import.meta.dirname, file), 'utf8')).join('\n');
    for (const [name, said] of Object.entries(modules)) {
      const [, title = ''] = /^`(openid-ssf-[^`]+)`$/.exec(said[1] ?? '') ?? [];
      assert.ok(title && new RegExp(`'(?:[A-Z]\\d+ )*${title}`).test(text), name);
    }
  }
});

test('P22 every test that names a module is in a plan', () => {
  const known = new Set(PLANS.flatMap(({ modules }) => Object.keys(modules)));
  for (const file of new Set(PLANS.flatMap(({ files }) => files)))
    assert.deepEqual(
      [...titlesOf(file).keys()].filter((name) => !known.has(name)),
      [],
      file,
    );
});

test('docs/conformance.md says what the modules are', () => {
  assert.equal(writtenPage(), conformancePage(), 'npm run docs:conformance writes it');
});
