import { resolve } from 'node:path';
import { filesOf, GUARDS, textOf } from './guards-list.ts';
import { assert, test } from './support/check.ts';

test('each guard that the nightly run takes out stands in its file, once, and its claim has tests', { atLeast: 2 * GUARDS.length }, () => {
  const root = resolve(import.meta.dirname, '..');
  for (const guard of GUARDS) {
    assert.ok(textOf(root, guard) !== undefined, `${guard.claim} ${guard.what}: ${guard.file} no longer reads so`);
    assert.ok(filesOf(root, guard.claim).length > 0, `${guard.claim} has no test`);
  }
});
