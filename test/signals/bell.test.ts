import { createBell } from '../../src/signals/bell.ts';
import { assert, test } from '../support/check.ts';

const never = new AbortController().signal;
const turn = (): Promise<void> => new Promise((resume) => setTimeout(resume, 5));

test('a thousand who wait cost one question a ring, and rings that come together one more; who has nothing is not woken', async () => {
  let asked: string[][] = [];
  let has = ['s7'];
  const bell = createBell(async (ids) => {
    asked.push([...ids]);
    await turn();
    return ids.filter((id) => has.includes(id));
  });
  const woken: string[] = [];
  const waits = Array.from({ length: 1000 }, (_, i) => bell.wait(`s${i % 500}`, 60_000, never).then(() => woken.push(`s${i % 500}`)));
  for (let i = 0; i < 50; i++) bell.ring();
  await turn();
  for (let i = 0; i < 50; i++) bell.ring();
  await new Promise((resume) => setTimeout(resume, 50));
  assert.deepEqual(woken, ['s7', 's7']);
  assert.ok(asked.length <= 4, `${asked.length} questions`);
  assert.equal(asked[0]?.length, 500);
  asked = [];
  has = ['s3'];
  await new Promise((resume) => setTimeout(resume, 1100)); // a ring that was lost
  assert.deepEqual(woken.slice(2), ['s3', 's3']);
  assert.ok(asked.length >= 1 && asked.length <= 2);
  bell.stop();
  await Promise.all(waits);
  assert.equal(woken.length, 1000);
  asked = [];
  await bell.wait('s1', 60_000, never);
  bell.ring();
  await turn();
  assert.deepEqual(asked, [], 'nobody waits any more');
});

test('whoever waits is woken when it is over, when it leaves, and when nothing can be asked', async () => {
  const bell = createBell(async () => Promise.reject(new Error('no database')));
  const from = performance.now();
  await bell.wait('a', 20, never);
  const leaving = new AbortController();
  const left = bell.wait('a', 60_000, leaving.signal);
  leaving.abort();
  await left;
  await bell.wait('a', 60_000, AbortSignal.abort());
  const held = bell.wait('a', 60_000, never);
  bell.ring();
  await held;
  assert.ok(performance.now() - from < 2000);
  bell.stop();
});
