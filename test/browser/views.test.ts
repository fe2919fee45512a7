import { assert, test } from '../support/check.ts';
import { representative, runGallery } from './gallery.tsx';

test('axe finds nothing on any page, in light and dark, at 320 and 1280 px; nothing overflows, nothing is fetched from outside, no rule of the content policy is broken', {
  timeout: 600_000,
}, async () => {
  const { pages, faults } = await runGallery({ keep: representative });
  assert.ok(pages >= 35);
  assert.deepEqual(faults, []);
});
