import { type Command, JSON_FLAG, readInput } from '../../src/cli/command.ts';
import { assert, test } from '../support/check.ts';

const command: Command = {
  name: 'try',
  where: 'here',
  summary: 'try',
  flags: [
    { name: 'party-key', kind: 'text', value: 'KEY', help: 'a key' },
    { name: 'theme', kind: 'list', value: 'THEME', help: 'a theme' },
    JSON_FLAG,
  ],
  run: async () => 0,
};

const read = (...args: string[]): unknown => {
  const input = readInput(command, args);
  return 'fault' in input ? input.fault : [input.text('party-key'), input.list('theme'), input.on('json')];
};

test('a value that begins with a dash is a value; a flag in its place is not', () => {
  assert.deepEqual(read('--party-key', '-4vTz', '--theme', '--x', '--theme', 'famille', '--json'), ['-4vTz', ['--x', 'famille'], true]);
  assert.deepEqual(read('--party-key=-4vTz'), ['-4vTz', [], false]);
  assert.match(String(read('--party-key', '--json')), /--party-key/);
  assert.match(String(read('--party-key')), /--party-key/);
  assert.match(String(read('-4vTz')), /-4/);
});
