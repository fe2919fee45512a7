import { isId, newId } from '../../src/kernel/ids.ts';
import { assert, test } from '../support/check.ts';

test('an identifier has its prefix and 26 characters without i, l, o, u', () => {
  const id = newId('man');
  assert.match(id, /^man_[0-9a-hjkmnp-tv-z]{26}$/);
  assert.equal(isId('man', id), true);
});

test('identifiers do not repeat, and later ones sort after earlier ones', async () => {
  const first = newId('aid');
  assert.equal(new Set(Array.from({ length: 5000 }, () => newId('aid'))).size, 5000);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(newId('aid') > first);
});

test('anything else is not an identifier', () => {
  const id = newId('usg');
  for (const value of [
    id.replace('usg', 'man'),
    `${id}0`,
    id.slice(0, -1),
    id.toUpperCase(),
    `${id}\n`,
    ` ${id}`,
    '',
    'usg_',
    null,
    undefined,
    7,
    [id],
    { id },
    `usg_${'u'.repeat(26)}`,
  ])
    assert.equal(isId('usg', value), false, String(value));
});
