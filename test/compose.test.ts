import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readInput } from '../src/cli/command.ts';
import { findCommand } from '../src/cli/run.ts';
import { assert, test } from './support/check.ts';

/** What `docker/` starts is what the program takes and what the documentation says. Nothing of it is run here. */

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const compose = read('docker/compose.yml');
const names = (text: string, pattern: RegExp): string[] => [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort();

/** The words of a sequence on one line, such as `[a, 'b']`, with every variable given. */
const words = (sequence: string): string[] =>
  sequence
    .split(',')
    .map((word) => word.trim().replace(/^'(.*)'$/, '$1'))
    .map((word) => word.replaceAll(/\$\{(\w+)[^}]*\}/g, 'given'));

test('every command of the compose file is one of the program, with flags that it takes', () => {
  const commands = [...compose.matchAll(/^ {4}command: \[(.+)\]$/gm)].map(([, sequence = '']) => words(sequence));
  assert.ok(commands.length >= 5);
  for (const [node, file, ...args] of commands) {
    assert.deepEqual([node, file], ['node', 'dist/cli/main.js']);
    const found = findCommand(args);
    assert.ok(found, args.join(' '));
    assert.deepEqual('fault' in readInput(found.command, found.rest) ? readInput(found.command, found.rest) : 'taken', 'taken', args.join(' '));
  }
  const run = commands.map(([, , ...args]) => findCommand(args)?.command.name);
  assert.deepEqual(run.filter((name) => name === 'witness').length, 2);
  assert.ok(run.includes('mirror') && run.includes('journal sign') && run.includes('migrate'));
});

test('every setting of the compose file is one of the documentation, and every variable stands in its example', () => {
  const [, settings = ''] = /environment: &settings\n([\s\S]*?)\n {2}\w/.exec(compose) ?? [];
  const set = names(settings, /^ {4}(?:# )?([A-Z_]+):/gm);
  assert.ok(set.length > 15);
  const documented = names(read('docs/operate.md'), /`([A-Z][A-Z_]+)`/g);
  assert.deepEqual(
    set.filter((name) => !documented.includes(name)),
    [],
  );
  // What is not set is given by the image, by the machine, or has a default that fits.
  const inImage = names(read('docker/Dockerfile'), /\b([A-Z][A-Z_]+)=/g);
  const elsewhere = ['RELAIS_WITNESS_LIMIT', 'RELAIS_SEAL_LIMIT', 'RELAIS_PURGE', 'RELAIS_LOG', 'RELAIS_PORT'];
  const [, table = ''] = /## Settings\n([\s\S]*?)\n## /.exec(read('docs/operate.md')) ?? [];
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => names(line.split('|')[1] ?? '', /`([A-Z_]+)`/g));
  assert.ok(rows.length > 20);
  assert.deepEqual(
    rows.filter((name) => !set.includes(name) && !inImage.includes(name) && !elsewhere.includes(name)),
    [],
    'a setting that the compose file cannot give',
  );
  assert.deepEqual(names(compose, /\$\{(\w+)/g), names(read('docker/settings.example'), /^#?([A-Z_]+)=/gm));
});

test('what the compose file names, it has: anchors, networks, volumes, secrets', () => {
  assert.deepEqual(names(compose, /\*(\w+)/g), names(compose, /&(\w+)/g));
  const block = (name: string): string => new RegExp(`^${name}:\\n((?: {2}.*\\n|\\n)+)`, 'm').exec(`${compose}\n`)?.[1] ?? '';
  const declared = (name: string): string[] => names(block(name), /^ {2}([\w-]+):/gm);
  const listed = (key: string): string[] =>
    [...new Set([...compose.matchAll(new RegExp(`^ +${key}: \\[(.+)\\]$`, 'gm'))].flatMap(([, sequence = '']) => words(sequence)))].sort();
  assert.deepEqual(listed('networks'), declared('networks'));
  assert.deepEqual(listed('secrets'), declared('secrets'));
  const mounted = names(compose, /(?:- |\[')([a-z][a-z0-9-]*):\/(?:var|run)/g);
  assert.deepEqual(mounted, declared('volumes'));
  // Each witness and the mirror has a memory of its own, and holds nothing of the house.
  assert.equal(new Set(mounted).size, mounted.length);
  assert.doesNotMatch(/x-watcher:[\s\S]*?\n\n/.exec(compose)?.[0] ?? 'DATABASE_URL', /DATABASE_URL|RELAIS_KEYS|inside/);
});
