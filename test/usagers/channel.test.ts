import { newId } from '../../src/kernel/ids.ts';
import { type Channel, type Sharing, weaknesses } from '../../src/usagers/channel.ts';
import { assert, test } from '../support/check.ts';

const NOW = new Date('2026-03-03T12:00:00Z');
const hours = (n: number): Date => new Date(NOW.getTime() - n * 3_600_000);
const own: Channel = {
  id: newId('chn'),
  usagerId: newId('usg'),
  kind: 'phone',
  address: '+33639980001',
  addedBy: 'usager',
  organisationId: undefined,
  addedAt: hours(1),
  verifiedAt: hours(1),
};
const alone: Sharing = { usagersOfOrganisation: 1, staff: false, organisation: false, enteredByAidantAt: undefined };

test('M11 a number that the person proved herself, that nobody else has, is independent', () => {
  assert.deepEqual(weaknesses(own, alone, NOW), []);
  assert.deepEqual(weaknesses(own, { ...alone, usagersOfOrganisation: 3 }, NOW), []);
});

test('M11 each reason makes a channel weak, and every reason is given', () => {
  assert.deepEqual(weaknesses({ ...own, addedBy: newId('aid'), verifiedAt: undefined }, alone, NOW), ['entered_by_aidant', 'not_verified']);
  assert.deepEqual(weaknesses(own, { ...alone, usagersOfOrganisation: 4 }, NOW), ['shared']);
  assert.deepEqual(weaknesses(own, { ...alone, staff: true }, NOW), ['belongs_to_staff']);
  assert.deepEqual(weaknesses(own, { ...alone, organisation: true }, NOW), ['belongs_to_organisation']);
  assert.deepEqual(weaknesses({ ...own, verifiedAt: undefined }, alone, NOW), ['not_verified']);
});

test('M11 a number that an aidant entered waits 48 hours, even once the person has proved it', () => {
  assert.deepEqual(weaknesses(own, { ...alone, enteredByAidantAt: hours(47.9) }, NOW), ['recent_change']);
  assert.deepEqual(weaknesses(own, { ...alone, enteredByAidantAt: hours(48) }, NOW), []);
});
