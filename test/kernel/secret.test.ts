import { format, inspect } from 'node:util';
import { Failure } from '../../src/kernel/failure.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { assert, test } from '../support/check.ts';

test('a secret prints [secret] however it is printed', () => {
  const secret = new Secret('canary-7c1f');
  const prints = [
    `${secret}`,
    String(secret),
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: [secret] }, { depth: 9, showHidden: true }),
    format('%s %o %j', secret, secret, secret),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify({ ...secret }),
    new Failure('x', `${secret}`).message,
  ];
  for (const text of prints) assert.ok(!text.includes('canary'), text);
  assert.equal(secret.reveal(), 'canary-7c1f');
});

test('a failure keeps its code apart from its detail and its cause', () => {
  const cause = new Error('inner');
  const failure = new Failure('journal_full', 'more than 10000 entries wait', { cause });
  assert.equal(failure.code, 'journal_full');
  assert.equal(failure.detail, 'more than 10000 entries wait');
  assert.equal(failure.cause, cause);
  assert.equal(new Failure('x').message, 'x');
});
